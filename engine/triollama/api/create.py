"""``POST /api/create``: a model made of another one, or of files.

Files are blobs by the time of the request: who has them on disk uploads them first, see
`triollama.transfers`. Not imported by `triollama.api` itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, Final

import attrs
from attrs import field, frozen

from triollama._errors import InvalidRequestError, Problem

from ._fields import check_text, model_field
from ._json import counted, encode_body, plain_json, veiled
from ._problems import all_problems, each_problem, refused
from .blobs import checked_digest
from .messages import Message, prepare_messages
from .options import options_to_json

__all__ = ["QUANTIZATIONS", "CreateRequest", "check_file_name"]

QUANTIZATIONS: Final = ("F32", "F16", "BF16", "Q4_K_S", "Q4_K_M", "Q4_K", "Q8_0")
"""What servers can quantise to; ``Q4_K`` is ``Q4_K_M``. Case does not matter."""

_INFO_TEXTS: Final = ("model_family", "base_name", "quantization_level", "parameter_size")
_INFO_COUNTS: Final = ("context_length", "embedding_length")


def _model(value: object, name: str) -> str | None:
    if value is None:
        return None
    try:
        return model_field(value)
    except InvalidRequestError as error:
        raise _moved(error, "model", name) from None


def _moved(error: InvalidRequestError, path: str, to: str) -> InvalidRequestError:
    """The same problems, of a field that has another name here."""
    return InvalidRequestError(
        problems=[
            attrs.evolve(each, path=each.path.replace(path, to, 1), text=f"{to}: {each}")
            for each in error.problems
        ]
    )


def _quantization(value: object, name: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or value.upper() not in QUANTIZATIONS:
        found = "another text" if isinstance(value, str) else type(value).__name__
        allowed = f"one of {', '.join(QUANTIZATIONS)} (in any case)"
        raise refused(name, found, allowed, f"{name} must be {allowed}")
    return value


def check_file_name(name: object, where: str) -> str:
    """Check the name that a file has on the server: relative, without a way up.

    Raises:
        InvalidRequestError: it is not.
    """
    if not isinstance(name, str) or not name:
        found, allowed = "a name that is no text, or empty", "names of files"
        raise refused(where, found, allowed, f"{where} has {found}")
    is_absolute = PurePosixPath(name).is_absolute() or PureWindowsPath(name).drive != ""
    if is_absolute or ".." in PurePosixPath(name.replace("\\", "/")).parts:
        path, allowed = f"{where}[{name!r}]", "relative, without .."
        raise refused(path, "another name", allowed, f"{path}: a file's name must be {allowed}")
    return name


def _digests(value: object, where: str) -> dict[str, str] | None:
    """Check a mapping of file names to digests."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise refused(where, type(value).__name__, "a mapping of names to digests")

    def check(name: object, digest: object) -> tuple[str, str]:
        return check_file_name(name, where), checked_digest(digest, f"{where}[{name!r}]")

    try:
        return dict(check(*each) for each in value.items()) or None
    except InvalidRequestError as first:
        raise each_problem(partial(check, *each) for each in value.items()) or first from None


def _from_field(value: object) -> str | None:
    return _model(value, "from_")


def _files_field(value: object) -> dict[str, str] | None:
    return _digests(value, "files")


def _draft_files_field(value: object) -> dict[str, str] | None:
    return _digests(value, "draft_files")


def _adapters_field(value: object) -> dict[str, str] | None:
    return _digests(value, "adapters")


def _quantize_field(value: object) -> str | None:
    return _quantization(value, "quantize")


def _draft_quantize_field(value: object) -> str | None:
    return _quantization(value, "draft_quantize")


def _license(value: object) -> str | tuple[str, ...] | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        texts = tuple(value)
        if all(isinstance(text, str) for text in texts):
            return texts
    raise refused("license", type(value).__name__, "a str or a list of str")


def _parameters(value: object) -> dict[str, Any] | None:
    try:
        return options_to_json(value)
    except InvalidRequestError as error:
        raise _moved(error, "options", "parameters") from None


def _counted(value: tuple[Message, ...] | None) -> str:
    return counted(value or ())


def _messages(value: object) -> tuple[Message, ...] | None:
    return None if value is None else prepare_messages(value)


def _info(value: object) -> dict[str, Any] | None:
    """Check the overrides of what the server tells about a model."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise refused("info", type(value).__name__, "a mapping")
    info: dict[str, Any] = plain_json(value, "info")
    for name in _INFO_TEXTS:
        if name in info and not isinstance(info[name], str):
            raise refused(f"info.{name}", type(info[name]).__name__, "a str")
    for name in _INFO_COUNTS:
        count = info.get(name, 0)
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            found = "a negative number" if type(count) is int else type(count).__name__
            raise refused(f"info.{name}", found, "an int that is not negative")
    able = info.get("capabilities", [])
    if not isinstance(able, list) or not all(isinstance(each, str) for each in able):
        raise refused("info.capabilities", type(able).__name__, "a list of str")
    return info


@frozen(kw_only=True)
class CreateRequest:
    """A model to be made, checked when made. None leaves a field to the server.

    Attributes:
        model: the name that it gets; a model of that name is replaced.
        from_: the model that it begins with (``from`` on the wire); a server that does not have it
            pulls it.
        remote_host: with ``from_``: make a stub, whose requests go to this server.
        files: names to digests of blobs: one GGUF, its parts, or a set of safetensors.
        draft_files: the same of a model that guesses ahead.
        adapters: the same of one LoRA adapter.
        quantize: one of `QUANTIZATIONS`; the source must be F16, BF16 or F32.
        draft_quantize: the same for ``draft_files``.
        template: Go's syntax.
        license: one text or several.
        system: its system prompt.
        parameters: options that requests need not give.
        messages: the conversation that it begins with, any form of `MessagesInput`.
        renderer: a built-in renderer of prompts.
        parser: a built-in parser of answers.
        requires: the oldest server version that can run it.
        info: overrides of what servers tell about it: ``capabilities``, ``model_family``,
            ``base_name``, ``quantization_level``, ``parameter_size``, ``context_length``,
            ``embedding_length``.

    Raises:
        InvalidRequestError: a field has the wrong type or value, there is neither ``from_`` nor
            ``files``, or two fields do not go together. The message shows no content.
    """

    model: str = field(converter=model_field)
    from_: str | None = field(default=None, converter=_from_field)
    remote_host: str | None = field(default=None, validator=check_text)
    files: dict[str, str] | None = field(default=None, converter=_files_field)
    draft_files: dict[str, str] | None = field(default=None, converter=_draft_files_field)
    adapters: dict[str, str] | None = field(default=None, converter=_adapters_field)
    quantize: str | None = field(default=None, converter=_quantize_field)
    draft_quantize: str | None = field(default=None, converter=_draft_quantize_field)
    template: str | None = field(default=None, validator=check_text, repr=veiled)
    license: str | tuple[str, ...] | None = field(default=None, converter=_license, repr=False)
    system: str | None = field(default=None, validator=check_text, repr=veiled)
    parameters: dict[str, Any] | None = field(default=None, converter=_parameters)
    messages: tuple[Message, ...] | None = field(default=None, converter=_messages, repr=_counted)
    renderer: str | None = field(default=None, validator=check_text)
    parser: str | None = field(default=None, validator=check_text)
    requires: str | None = field(default=None, validator=check_text)
    info: dict[str, Any] | None = field(default=None, converter=_info)

    path = "/api/create"

    def __attrs_post_init__(self) -> None:
        self.check_together(attrs.asdict(self, recurse=False))

    @staticmethod
    def check_together(given: Mapping[str, object]) -> None:
        """Look at fields beside each other; what each is by itself is checked elsewhere.

        Args:
            given: the fields by name.

        Raises:
            InvalidRequestError: one is missing that another one needs.
        """
        problems = []
        if given.get("from_") is None and not given.get("files"):
            told = "a model is made of another one or of files: give from_ or files"
            problems.append(Problem("", "neither from_ nor files", "one of them", told))
        for name, needed in (("draft_quantize", "draft_files"), ("remote_host", "from_")):
            if given.get(name) is not None and not given.get(needed):
                told = f"{name} needs {needed}"
                problems.append(Problem(name, f"no {needed} beside it", f"{needed} as well", told))
        if problems:
            raise InvalidRequestError(problems=problems)

    @classmethod
    def make(cls, **fields: Any) -> CreateRequest:
        """Make a request; if it is wrong, the error tells all that is.

        Raises:
            InvalidRequestError: see the class.
        """
        try:
            return cls(**fields)
        except InvalidRequestError as first:
            raise all_problems(cls, fields, first) from None

    def body(self) -> bytes:
        """Encode the request's body; what is unset is left out.

        Raises:
            InvalidRequestError: a text cannot be encoded, or the body is too large.
        """
        fields = attrs.asdict(self, recurse=False)
        return encode_body(
            {name.rstrip("_"): value for name, value in fields.items()} | {"stream": True}
        )
