"""Messages and tool calls of a chat, as they are sent and as they come back.

Owns `Message`, and how the forms that callers have (a text, mappings, typed objects of ours or of
the official client) become it. The classes are msgspec structs because a stream's lines are decoded
straight into them, several times faster than into attrs classes. None shows its content in
``repr``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from triollama._errors import InvalidRequestError

from ._json import plain_json, veiled
from ._problems import each_problem, refused
from .images import encode_image, load_image, may_be_file

__all__ = [
    "Message",
    "MessagesInput",
    "ToolCall",
    "ToolFunction",
    "needs_files",
    "prepare_messages",
    "read_files",
]


class ToolFunction(msgspec.Struct, frozen=True, gc=False):
    """Which function a model wants called, and with what.

    Attributes:
        name: the function's name.
        arguments: decoded JSON, in the model's order.
        index: the call's place among those of one answer.
    """

    name: str = ""
    arguments: dict[str, Any] = {}
    index: int = 0

    def __repr__(self) -> str:
        return f"ToolFunction(name={self.name!r}, arguments=<{len(self.arguments)} values>)"


class ToolCall(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One complete call; Ollama never sends a part of one.

    Attributes:
        function: what to call.
        id: to answer by, in `Message.tool_call_id`; empty where the server gives none.
    """

    function: ToolFunction = ToolFunction()
    id: str = ""


class Message(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One message of a chat.

    In a stream it is the part that one event adds. An answer's whole message can be put behind the
    messages of the next request.

    Attributes:
        role: ``system``, ``user``, ``assistant`` or ``tool``.
        content: the text.
        thinking: what a thinking model thought; None if it did not.
        images: base64 texts. In a message for a request, bytes and paths are taken as well.
        tool_calls: what the model wants called.
        tool_name: role ``tool``: whose result this is.
        tool_call_id: role ``tool``: the id of the call that this answers.
    """

    # A factory's value is written even when empty, unlike a plain default: Ollama's own client
    # always sends both, and servers that imitate Ollama ask for them.
    role: str = msgspec.field(default_factory=str)
    content: str = msgspec.field(default_factory=str)
    thinking: str | None = None
    images: tuple[str, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_name: str | None = None
    tool_call_id: str | None = None

    def __repr__(self) -> str:
        return (
            f"Message(role={self.role!r}, content={veiled(self.content)}, "
            f"{len(self.images)} images, {len(self.tool_calls)} tool calls)"
        )


MessagesInput = str | Sequence[Message | Mapping[str, Any] | Any] | None
"""What a chat takes: a text (one user message), or a sequence of `Message`, mappings, or objects
with the same attributes or a ``model_dump()``. None and ``[]`` only load the model."""


def needs_files(messages: object) -> bool:
    """Whether `read_files` would look at the disk, for images given as paths.

    The engine then prepares the request in a thread. A text of at most 4,096 characters may be a
    path; a longer one is taken as base64.
    """
    if isinstance(messages, str) or not isinstance(messages, Sequence):
        return False
    return any(may_be_file(image) for message in messages for image in _images(message))


def read_files(messages: object, load: Callable[[object, str], object] = load_image) -> object:
    """Read the images that are files. Blocking: call it in a thread from async code.

    Returns:
        The messages, with bytes in place of the paths.

    Raises:
        InvalidRequestError: a file cannot be read or is too large.
    """
    if not needs_files(messages):
        return messages
    assert isinstance(messages, Sequence)
    loaded: list[object] = []
    for place, message in enumerate(messages):
        where = f"messages[{place}]"
        found = _images(message)
        images = [load(image, f"{where}.images[{at}]") for at, image in enumerate(found)]
        loaded.append({**_view(message, where), "images": images} if images else message)
    return loaded


def prepare_messages(messages: object) -> tuple[Message, ...]:
    """Give any accepted form of messages as `Message`. Pure: paths of images are refused.

    A mapping's unknown keys are dropped, as the server drops them.

    Raises:
        InvalidRequestError: another type, no role, content that is no text, an image that is not
            base64, or a tool call whose arguments are no object. The message says which message
            and field, and repeats nothing of it.
    """
    if messages is None:
        return ()
    if isinstance(messages, str):
        return (Message(role="user", content=messages),)
    if not isinstance(messages, Sequence) or isinstance(messages, bytes | bytearray | memoryview):
        raise refused("messages", type(messages).__name__, "a str or a list of messages")
    try:
        return tuple(_message(message, f"messages[{at}]") for at, message in enumerate(messages))
    except InvalidRequestError as first:
        every = (
            partial(_each_part, message, f"messages[{at}]") for at, message in enumerate(messages)
        )
        raise each_problem(every) or first from None


_FIELDS = Message.__struct_fields__
_TEXTS = ("role", "content", "thinking", "tool_name", "tool_call_id")


def _message(message: object, where: str) -> Message:
    """Check one message."""
    view = _view(message, where)
    texts: dict[str, str] = {}
    for name in _TEXTS:
        text = view.get(name)
        if isinstance(text, str):
            texts[name] = text
        elif text is not None:
            raise _no_text(name, text, where)
    if not texts.get("role"):
        raise _no_role(where)
    images = _sequence(view.get("images"), f"{where}.images")
    calls = _sequence(view.get("tool_calls"), f"{where}.tool_calls")
    return Message(
        **texts,
        images=tuple(
            encode_image(image, f"{where}.images[{at}]") for at, image in enumerate(images)
        ),
        tool_calls=tuple(
            _tool_call(call, f"{where}.tool_calls[{at}]") for at, call in enumerate(calls)
        ),
    )


def _each_part(message: object, where: str) -> None:
    """Check one message again, to tell all that is wrong with it.

    Raises:
        InvalidRequestError: with a problem for each wrong part.
    """
    view = _view(message, where)
    texts = [name for name in _TEXTS if not isinstance(view.get(name), str | None)]
    checks: list[Callable[[], object]]
    checks = [partial(_raise, _no_text(name, view[name], where)) for name in texts]
    if not view.get("role"):
        checks.append(partial(_raise, _no_role(where)))
    for name, check in (("images", encode_image), ("tool_calls", _tool_call)):
        parts, path = view.get(name), f"{where}.{name}"
        if isinstance(parts, list | tuple):
            checks += [partial(check, part, f"{path}[{at}]") for at, part in enumerate(parts)]
        else:
            checks.append(partial(_sequence, parts, path))
    if (error := each_problem(checks)) is not None:
        raise error


def _raise(error: InvalidRequestError) -> None:
    raise error


def _no_text(name: str, value: object, where: str) -> InvalidRequestError:
    path, found = f"{where}.{name}", type(value).__name__
    hint = "; images go into its field images" if name == "content" else ""
    return refused(path, found, "a str", f"{path} must be a str, not {found}{hint}")


def _no_role(where: str) -> InvalidRequestError:
    told = f"{where} has no role ({_ROLES})"
    return refused(f"{where}.role", "no role", _ROLES, told)


_ROLES = "system, user, assistant or tool"


def _tool_call(call: object, where: str) -> ToolCall:
    """Check one tool call of a message."""
    function = _field(call, "function")
    name, arguments = _field(function, "name"), _field(function, "arguments")
    index, call_id = _field(function, "index") or 0, _field(call, "id") or ""
    if not isinstance(name, str) or not name:
        told = f"{where} has no function.name"
        raise refused(f"{where}.function.name", "no name", "a text that is not empty", told)
    if arguments is not None and not isinstance(arguments, Mapping):
        raise refused(f"{where}.function.arguments", type(arguments).__name__, "a mapping")
    if not isinstance(index, int) or not isinstance(call_id, str):
        found, allowed = "another type", "an int and a str"
        told = f"{where}: function.index must be an int, id a str"
        raise refused(f"{where}.function.index, id", found, allowed, told)
    plain = plain_json(arguments or {}, f"{where}.function.arguments")
    return ToolCall(function=ToolFunction(name=name, arguments=plain, index=index), id=call_id)


def _view(message: object, where: str) -> Mapping[str, Any]:
    """See a message in any accepted form as a mapping of the fields that it sets."""
    if isinstance(message, Mapping):
        return message
    if hasattr(message, "role"):
        # Attributes rather than model_dump(): the official client's dump reads image files.
        return {name: getattr(message, name, None) for name in _FIELDS}
    dump = getattr(message, "model_dump", None)
    view = dump() if callable(dump) else None
    if not isinstance(view, Mapping):
        raise refused(where, type(message).__name__, "a Message or a mapping")
    return view


def _field(value: object, name: str) -> Any:
    """One field of a mapping or an object; None if it has none."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _images(message: object) -> Sequence[object]:
    """The images of a message in any form; none where they are no sequence."""
    images = _field(message, "images")
    return images if isinstance(images, list | tuple) else ()


def _sequence(value: object, where: str) -> Sequence[Any]:
    """Check an optional list."""
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        return value
    raise refused(where, type(value).__name__, "a list")
