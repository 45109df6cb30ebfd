"""What requests are made of, as the official client has it: messages, images, tools, options."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from .errors import RequestError
from .fields import Fields

__all__ = ["Image", "Message", "Options", "Tool"]

_PICTURES = (".png", ".jpg", ".jpeg", ".webp")


class Options(Fields):
    """Runner and sampling options; unset ones are the model's."""

    numa: bool | None = None
    num_ctx: int | None = None
    num_batch: int | None = None
    num_gpu: int | None = None
    main_gpu: int | None = None
    low_vram: bool | None = None
    f16_kv: bool | None = None
    logits_all: bool | None = None
    vocab_only: bool | None = None
    use_mmap: bool | None = None
    use_mlock: bool | None = None
    embedding_only: bool | None = None
    num_thread: int | None = None
    num_keep: int | None = None
    seed: int | None = None
    num_predict: int | None = None
    top_k: int | None = None
    top_p: float | None = None
    tfs_z: float | None = None
    typical_p: float | None = None
    repeat_last_n: int | None = None
    temperature: float | None = None
    repeat_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    mirostat: int | None = None
    mirostat_tau: float | None = None
    mirostat_eta: float | None = None
    penalize_newline: bool | None = None
    stop: Sequence[str] | None = None


class Image(Fields):
    """A picture: a path, bytes, or base64 text."""

    value: str | bytes | Path

    def encoded(self) -> str:
        """The picture in base64; reads its file, if it is one.

        Raises:
            RequestError: there is no such file, or the text is no base64.
            OSError: the file cannot be read.
        """
        value = self.value
        if isinstance(value, str) and _is_file(value):
            value = Path(value)
        if isinstance(value, Path):
            value = value.read_bytes()
        if isinstance(value, bytes):
            return base64.b64encode(value).decode("ascii")
        if value.lower().endswith(_PICTURES):
            raise RequestError("an image is a file that does not exist")
        try:
            base64.b64decode(value)
        except (binascii.Error, ValueError):
            raise RequestError("an image is neither base64 text nor a file") from None
        return value

    def model_dump(self, **_how: Any) -> Any:
        """The picture in base64, as it is sent."""
        return self.encoded()


def _is_file(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):  # too long for a path: it is base64
        return False


class Message(Fields):
    """One message of a chat, asked or answered."""

    class ToolCall(Fields):
        """A call of a tool that a model asks for."""

        class Function(Fields):
            """Which function, and with what."""

            name: str
            arguments: Mapping[str, Any]

        function: Function

    role: str
    content: str | None = None
    thinking: str | None = None
    images: Sequence[Image] | None = None
    tool_name: str | None = None
    tool_calls: Sequence[ToolCall] | None = None


class Tool(Fields):
    """A function that a model may ask for."""

    class Function(Fields):
        """Its name, and what it takes."""

        class Parameters(Fields):
            """A JSON schema of an object."""

            class Property(Fields):
                """One argument."""

                type: str | Sequence[str] | None = None
                items: Any = None
                description: str | None = None
                enum: Sequence[Any] | None = None

            wire_names: ClassVar[Mapping[str, str]] = {"defs": "$defs"}

            type: Literal["object"] | None = "object"
            defs: Any = None
            items: Any = None
            required: Sequence[str] | None = None
            properties: Mapping[str, Property] | None = None

        name: str | None = None
        description: str | None = None
        parameters: Parameters | None = None

    type: str | None = "function"
    function: Function | None = None
