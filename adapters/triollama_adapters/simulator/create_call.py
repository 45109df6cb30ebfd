"""The request of ``/api/create``, decoded and checked (``ollama-api.md`` §2.10).

Owns its table of fields and those checks that need neither the store nor any work.
"""

from __future__ import annotations

import re
from typing import Any

from attrs import field, frozen

from .errors import ApiError
from .fields import Field, boolean, mismatch, object_of, raw, read_fields, string
from .layers import parse_digest
from .models import CAPABILITIES

__all__ = ["CreateCall", "Info", "check_template", "read_create", "read_info"]

_Files = dict[str, str]


@frozen(kw_only=True)
class CreateCall:
    """A create request; texts are empty where none was given.

    Attributes:
        name: of the model to make, as it was sent.
        source: the model to make it from.
        remote_host: of a stub.
        files: digests by file name; None for no such field.
        draft_files: of a draft model.
        adapters: the same.
        quantize: in upper case.
        template, system, renderer, parser, requires: as they were sent.
        licenses: texts.
        parameters: unchecked.
        messages: each an object.
        info: unchecked; see `read_info`.
        is_stream: whether its progress is told.
    """

    name: str = ""
    source: str = ""
    remote_host: str = ""
    files: _Files | None = None
    draft_files: _Files | None = None
    adapters: _Files | None = None
    quantize: str = ""
    template: str = ""
    system: str = ""
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    licenses: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(factory=dict)
    messages: tuple[dict[str, Any], ...] = ()
    info: dict[str, Any] = field(factory=dict)
    is_stream: bool = True


def _files(value: Any, where: str) -> _Files:
    return {name: string(item or "", where) for name, item in object_of(value, where).items()}


def _licenses(value: Any, where: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    if not isinstance(value, list):
        raise mismatch(value, where, "[]string")
    return tuple(string(item, where) for item in value)


def _messages(value: Any, where: str) -> tuple[dict[str, Any], ...]:
    if not isinstance(value, list):
        raise mismatch(value, where, "[]api.Message")
    parts: dict[str, Field] = {"role": string, "content": string}
    empty = {"role": "", "content": ""}
    return tuple(empty | read_fields(object_of(item, where), parts, "Message") for item in value)


_FIELDS: dict[str, Field] = {
    **dict.fromkeys(("model", "name", "from", "remote_host", "quantize", "quantization"), string),
    **dict.fromkeys(("template", "system", "renderer", "parser", "requires"), string),
    "draft_quantize": string,
    "files": _files,
    "draft_files": _files,
    "adapters": _files,
    "license": _licenses,
    "parameters": object_of,
    "messages": _messages,
    "info": object_of,
    "capabilities": raw,
    "stream": boolean,
}
_RENAMED = {"from": "source", "license": "licenses", "stream": "is_stream"}
_DROPPED = ("model", "name", "quantize", "quantization", "draft_quantize", "capabilities")


def read_create(value: dict[str, Any]) -> CreateCall:
    """Read the body of ``/api/create``.

    Raises:
        ApiError: 400 for a field of the wrong type, or a file that cannot be meant.
    """
    found = read_fields(value, _FIELDS, "CreateRequest")
    call = CreateCall(
        name=found.get("model") or found.get("name") or "",
        quantize=(found.get("quantize") or found.get("quantization") or "").upper(),
        **{_RENAMED.get(name, name): item for name, item in found.items() if name not in _DROPPED},
    )
    for files in (call.files, call.draft_files, call.adapters):
        for path, digest in (files or {}).items():
            _check_file(path, digest)
    if found.get("draft_quantize") and not call.draft_files:
        raise ApiError(400, "--draft-quantize requires a DRAFT model")
    return call


def _check_file(path: str, digest: str) -> None:
    if not path or path.startswith("/") or {"", ".", ".."} & set(path.split("/")):
        raise ApiError(400, "file path must be relative")
    parse_digest(digest)


_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_OPENS = frozenset(("if", "range", "with", "block", "define"))


def check_template(text: str) -> None:
    """See whether a template's braces and blocks match; no more of Go's language is known.

    Raises:
        ApiError: 400 if they do not.
    """
    depth = 0
    for action in _ACTION.findall(text):
        word = action.split(maxsplit=1)[0] if action else ""
        depth += (word in _OPENS) - (word == "end")
        if depth < 0:
            raise ApiError(400, "template error: template: :1: unexpected {{end}}")
    if "{{" in _ACTION.sub("", text):
        raise ApiError(400, "template error: template: :1: unclosed action")
    if depth:
        raise ApiError(400, "template error: template: :1: unexpected EOF")


@frozen(kw_only=True)
class Info:
    """What ``info`` of a create says in place of what the files say; None where it says nothing."""

    capabilities: tuple[str, ...] | None = None
    model_family: str | None = None
    base_name: str | None = None
    quantization_level: str | None = None
    parameter_size: str | None = None
    context_length: int | None = None
    embedding_length: int | None = None


def read_info(info: dict[str, Any]) -> Info:
    """Read ``info``.

    Raises:
        ApiError: 400 for a value of the wrong type.
    """
    found: dict[str, Any] = {}
    for key in ("model_family", "base_name", "quantization_level", "parameter_size"):
        if key in info:
            found[key] = info[key]
            if not isinstance(info[key], str):
                raise ApiError(400, f'info field "{key}" must be a string')
    for key in ("context_length", "embedding_length"):
        if key in info:
            found[key] = _whole(key, info[key])
    if "capabilities" in info:
        given = info["capabilities"]
        if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
            raise ApiError(400, 'info field "capabilities" must be an array of strings')
        found["capabilities"] = tuple(item for item in given if item in CAPABILITIES)
    return Info(**found)


def _whole(key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ApiError(400, f'info field "{key}" must be a number')
    if value < 0 or value != int(value):
        raise ApiError(400, f'info field "{key}" must be a non-negative integer')
    return int(value)
