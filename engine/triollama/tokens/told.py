"""What servers tell that counting needs: which model stands behind a name, and its vocabulary."""

from __future__ import annotations

import re
from typing import Any, Final

import attrs
import msgspec

from triollama._errors import ProtocolError
from triollama.api import TagsResponse, name_key

__all__ = ["Source", "can_render", "find_digest", "read_vocabulary"]

_RENDERS_SINCE: Final = (0, 11, 5)
"""The first version that renders a chat without answering it (``ollama-api.md`` §12.1). An older
one does not know the field, and would answer."""

_VERSION: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")

_WANTED: Final = ("general.architecture",)
_PREFIX: Final = "tokenizer.ggml."


@attrs.frozen
class Source:
    """Where a vocabulary comes from.

    Attributes:
        endpoint: the endpoint's name.
        digest: of the model; empty if the server tells none.
        can_render: whether it renders chats without answering.
    """

    endpoint: str
    digest: str
    can_render: bool


class _Shown(msgspec.Struct):
    model_info: dict[str, msgspec.Raw] = {}


_decode_shown = msgspec.json.Decoder(_Shown).decode


def can_render(version: str) -> bool:
    """Whether a server of that version renders a chat without answering it."""
    found = _VERSION.match(version)
    return found is not None and tuple(map(int, found.groups())) >= _RENDERS_SINCE


def find_digest(tags: TagsResponse, model: str) -> str | None:
    """The digest of a model among those that a server has; None if it has no such model."""
    key = name_key(model)
    return next((listed.digest for listed in tags.models if listed.key == key), None)


def read_vocabulary(body: bytes) -> dict[str, Any]:
    """Of a verbose answer of ``/api/show``, what a tokenizer is built from.

    Raises:
        ProtocolError: it is not that answer.
    """
    try:
        told = _decode_shown(body).model_info
        # One by one: each holds the interpreter's lock for as long as it takes.
        return {
            key: msgspec.json.decode(raw)
            for key, raw in told.items()
            if key.startswith(_PREFIX) or key in _WANTED
        }
    except (msgspec.DecodeError, RecursionError):
        raise ProtocolError("the vocabulary in the answer of /api/show cannot be read") from None
