"""What was said, in turns: what a turn is, and which can be left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import trio

from triollama._errors import InvalidRequestError
from triollama.api import ImageInput, Message, needs_files
from triollama.api.images import may_be_file
from triollama.api.messages import prepare_messages, read_files

__all__ = [
    "Said",
    "as_messages",
    "droppable",
    "read_messages",
    "sealed",
    "turns",
    "without_thinking",
]

Said = str | Sequence[Message | dict[str, Any] | Any]
"""What one turn begins with: a text of the user's, or messages, such as results of tools."""

_USER: Final = "user"


def as_messages(said: Said, images: Sequence[ImageInput]) -> list[Any]:
    """What is said as messages that are not yet checked.

    Raises:
        InvalidRequestError: nothing is said, or images go with something else than a text.
    """
    if isinstance(said, str):
        message: dict[str, Any] = {"role": _USER, "content": said}
        return [{**message, "images": images} if images else message]
    if images:
        raise InvalidRequestError("images go with a text; put them into the messages themselves")
    if not isinstance(said, Sequence) or isinstance(said, bytes | bytearray | memoryview):
        found = type(said).__name__
        raise InvalidRequestError(f"what is said must be a str or a list of messages, not {found}")
    if not said:
        raise InvalidRequestError("there is no message in what is said")
    return list(said)


async def read_messages(messages: Sequence[Any]) -> tuple[Message, ...]:
    """Messages checked, with their images read and encoded, once for all turns.

    Raises:
        InvalidRequestError: all that is wrong with them.
    """
    if needs_files(messages):
        return await trio.to_thread.run_sync(lambda: prepare_messages(read_files(messages)))
    return prepare_messages(messages)


def sealed(messages: Sequence[Message]) -> list[Message]:
    """The same, for sending, with images that cannot be taken for paths.

    A request takes a text that names an existing file as that file, as the official client does,
    and base64 may look like a path: ``//etc/passwd``. What was read and checked, or comes from a
    saved chat, is base64 and nothing else.
    """
    return [_sealed(message) if message.images else message for message in messages]


def _sealed(message: Message) -> Message:
    images = tuple(_AS_BASE64 + each if may_be_file(each) else each for each in message.images)
    return msgspec.structs.replace(message, images=images)


_AS_BASE64: Final = "data:application/octet-stream;base64,"


def turns(messages: Sequence[Message]) -> list[Sequence[Message]]:
    """Cut where the user speaks: a question, its answer, the calls of tools between them."""
    starts = [at for at, message in enumerate(messages) if message.role == _USER]
    if not starts or starts[0]:
        starts.insert(0, 0)
    ends = [*starts[1:], len(messages)]
    return [messages[start:end] for start, end in zip(starts, ends, strict=True) if end > start]


def droppable(history: Sequence[Message], new: Sequence[Message]) -> list[int]:
    """How many of the oldest messages go together, for each number of turns that can be left out.

    What is new stays, and with it the turn that it belongs to.

    Returns:
        ``[0, …]``: the number of messages without the first 0, 1, 2, … turns.
    """
    cuts = [0]
    for turn in turns([*history, *new]):
        end = cuts[-1] + len(turn)
        if end > len(history):
            break
        cuts.append(end)
    return cuts


def without_thinking(message: Message) -> Message:
    """The message, and nothing of what was thought before it."""
    return message if message.thinking is None else msgspec.structs.replace(message, thinking=None)
