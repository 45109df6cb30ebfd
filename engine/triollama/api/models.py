"""What a server is and has: ``/api/version``, ``/api/tags`` and ``/api/ps``.

Every field that an older server lacks has a default, and what a newer one adds is in ``extra``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from attrs import field, frozen

from ._reply import build, build_each, read_object
from .names import name_key
from .times import parse_time

__all__ = [
    "ListedModel",
    "ModelDetails",
    "PsResponse",
    "RunningModel",
    "TagsResponse",
    "VersionResponse",
    "decode_ps",
    "decode_tags",
    "decode_version",
    "details_of",
]


@frozen(kw_only=True)
class VersionResponse:
    """The server's version.

    Attributes:
        version: such as ``0.33.0``; empty if the server does not tell.
        extra: unknown fields.
    """

    version: str = ""
    extra: dict[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class ModelDetails:
    """What kind of model it is.

    Attributes:
        parent_model: what it was made from.
        format: ``gguf``, ``safetensors``, or empty for a stub.
        family: the architecture's family.
        families: all of them.
        parameter_size: such as ``8.0B``.
        quantization_level: such as ``Q4_K_M``.
        context_length: tokens it was trained for; only in `TagsResponse`, else 0.
        embedding_length: size of its vectors; only in `TagsResponse`, else 0.
        extra: unknown fields.
    """

    parent_model: str = ""
    format: str = ""
    family: str = ""
    families: tuple[str, ...] = ()
    parameter_size: str = ""
    quantization_level: str = ""
    context_length: int = 0
    embedding_length: int = 0
    extra: dict[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class ListedModel:
    """A model that a server has on disk.

    Attributes:
        name: as the server lists it, the tag always shown.
        model: the same.
        modified_at: RFC 3339 with the server's offset.
        size: bytes of all its layers.
        digest: 64 hexadecimal digits, of the manifest.
        details: what kind of model it is.
        capabilities: what it can do; empty where the server does not tell (before 0.30).
        remote_model: the model behind a stub.
        remote_host: where it runs.
        extra: unknown fields.
    """

    name: str = ""
    model: str = ""
    modified_at: str = ""
    size: int = 0
    digest: str = ""
    details: ModelDetails = field(factory=ModelDetails)
    capabilities: tuple[str, ...] = ()
    remote_model: str | None = None
    remote_host: str | None = None
    extra: dict[str, Any] = field(factory=dict)

    @property
    def key(self) -> str:
        """The name to compare by; see `name_key`."""
        return name_key(self.model or self.name)

    @property
    def modified_time(self) -> datetime | None:
        """`modified_at` as an aware datetime; None if it is no time."""
        return parse_time(self.modified_at)


@frozen(kw_only=True)
class RunningModel:
    """A model that a server has loaded.

    Attributes:
        name: as the server lists it, the tag always shown.
        model: the same.
        size: bytes in use: weights, cache and compute.
        digest: 64 hexadecimal digits, of the manifest.
        details: what kind of model it is.
        expires_at: when it will be unloaded if nothing more comes, RFC 3339.
        size_vram: how many of the bytes are on a GPU.
        context_length: tokens of context per slot; 0 if not told.
        extra: unknown fields.
    """

    name: str = ""
    model: str = ""
    size: int = 0
    digest: str = ""
    details: ModelDetails = field(factory=ModelDetails)
    expires_at: str = ""
    size_vram: int = 0
    context_length: int = 0
    extra: dict[str, Any] = field(factory=dict)

    @property
    def key(self) -> str:
        """The name to compare by; see `name_key`."""
        return name_key(self.model or self.name)

    @property
    def expires_time(self) -> datetime | None:
        """`expires_at` as an aware datetime; None if it is no time."""
        return parse_time(self.expires_at)


@frozen(kw_only=True)
class TagsResponse:
    """The models that a server has, the newest first.

    Attributes:
        models: one entry per name.
        extra: unknown fields.
    """

    models: tuple[ListedModel, ...] = ()
    extra: dict[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class PsResponse:
    """The models that a server has loaded, the last to expire first.

    Attributes:
        models: one entry per name.
        extra: unknown fields.
    """

    models: tuple[RunningModel, ...] = ()
    extra: dict[str, Any] = field(factory=dict)


def decode_version(body: bytes) -> VersionResponse:
    """Read the answer of ``/api/version``.

    Raises:
        ProtocolError: it is no JSON object, or a field has the wrong type.
    """
    what = "the answer of /api/version"
    return build(VersionResponse, read_object(body, what), what)


def decode_tags(body: bytes) -> TagsResponse:
    """Read the answer of ``/api/tags``.

    Raises:
        ProtocolError: it is no JSON object, or a field has the wrong type.
    """
    what = "the answer of /api/tags"
    fields = read_object(body, what)
    return build(TagsResponse, fields, what, models=build_each(ListedModel, details=details_of))


def decode_ps(body: bytes) -> PsResponse:
    """Read the answer of ``/api/ps``.

    Raises:
        ProtocolError: it is no JSON object, or a field has the wrong type.
    """
    what = "the answer of /api/ps"
    fields = read_object(body, what)
    return build(PsResponse, fields, what, models=build_each(RunningModel, details=details_of))


def details_of(raw: msgspec.Raw, what: str) -> ModelDetails:
    """Build the details inside another object.

    Raises:
        ProtocolError: it is no JSON object, or a field has the wrong type.
    """
    return build(ModelDetails, read_object(raw, what), what)
