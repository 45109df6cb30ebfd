"""What is asked, in the forms that the official client takes, as what the engine takes.

Pure, but that the files of images are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import RequestError
from .functions import tool_of
from .messages import Image, Message, Options, Tool

__all__ = [
    "ImageGiven",
    "MessageGiven",
    "OptionsGiven",
    "ToolGiven",
    "given",
    "images_of",
    "messages_of",
    "model_of",
    "options_of",
    "readable",
    "tools_of",
]

MessageGiven = Mapping[str, Any] | Message
ToolGiven = Mapping[str, Any] | Tool | Callable[..., Any]
ImageGiven = str | bytes | Image | Any
OptionsGiven = Mapping[str, Any] | Options


def model_of(model: str) -> str:
    """The model's name.

    Raises:
        RequestError: there is none.
    """
    if not isinstance(model, str) or not model:
        raise RequestError("a model is needed: give its name, such as model='llama3.2'")
    return model


def given(**fields: Any) -> dict[str, Any]:
    """The fields that are set."""
    return {name: value for name, value in fields.items() if value is not None}


def readable(path: str | Path) -> Path:
    """The path of a file that can be opened.

    Raises:
        OSError: it cannot.
    """
    with Path(path).open("rb"):
        return Path(path)


def options_of(options: OptionsGiven | None) -> dict[str, Any] | None:
    """Options as a mapping without what is unset."""
    if options is None or isinstance(options, Mapping):
        return None if options is None else dict(options)
    dump = getattr(options, "model_dump", None)
    if not callable(dump):
        raise RequestError(f"options must be a mapping, not {type(options).__name__}")
    dumped: dict[str, Any] = dump(exclude_none=True)
    return dumped


def images_of(images: Sequence[ImageGiven] | None) -> list[str] | None:
    """Images in base64; reads files."""
    return [_image(image).encoded() for image in images] if images else None


def messages_of(messages: Sequence[MessageGiven] | None) -> list[dict[str, Any]]:
    """Messages as mappings without what is empty."""
    return list(_messages(messages or ()))


def _messages(messages: Sequence[MessageGiven]) -> Iterator[dict[str, Any]]:
    for message in messages:
        fields = {name: value for name, value in dict(message).items() if value}
        if "images" in fields:
            fields["images"] = [_image(image) for image in fields["images"]]
        yield Message.model_validate(fields).model_dump(exclude_none=True)


def tools_of(tools: Sequence[ToolGiven] | None) -> list[dict[str, Any]] | None:
    """Tools as mappings; functions become what is told of them."""
    found = [tool_of(tool) if callable(tool) else Tool.model_validate(tool) for tool in tools or ()]
    return [tool.model_dump(exclude_none=True, by_alias=True) for tool in found] or None


def _image(image: ImageGiven) -> Image:
    """An image; also of the official client's class."""
    return image if isinstance(image, Image) else Image(value=getattr(image, "value", image))
