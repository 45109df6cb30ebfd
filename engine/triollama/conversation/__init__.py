"""Conversations with a model, and requests that are put together step by step.

They know the engine only as something that chats (`asking.Chats`), and are sugar: what they do can
be done with ``engine.chat`` as well.

Downwards: ``chat`` → ``turn`` → ``desk`` → ``asking`` → ``fitting`` → ``history`` → ``errors``;
``saved`` stands beside ``turn``, ``request`` alone.
"""

from .chat import Chat
from .errors import ChatBusyError, ChatFileError, ChatTooLongError
from .fitting import ChatFit
from .request import FormedRequest, Request
from .turn import Turn

__all__ = [
    "Chat",
    "ChatBusyError",
    "ChatFileError",
    "ChatFit",
    "ChatTooLongError",
    "FormedRequest",
    "Request",
    "Turn",
]
