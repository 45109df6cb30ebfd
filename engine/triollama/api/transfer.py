"""Models that are pulled, pushed, copied and deleted: the requests, and the lines of progress.

Not imported by `triollama.api` itself: few programs manage models, and a command begins at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self, TypeVar

import msgspec
from attrs import evolve, field, frozen

from triollama._errors import InvalidRequestError

from ._fields import check_flag, model_field
from ._json import DECODE_ERRORS, encode_body, protocol_error
from ._problems import all_problems

__all__ = [
    "SUCCESS",
    "CopyRequest",
    "DeleteRequest",
    "ProgressLine",
    "PullRequest",
    "PushRequest",
    "decode_progress",
]

R = TypeVar("R")

SUCCESS: Final = "success"
"""The status of the last line; without it the work was not done, however cleanly the body ends."""

ERROR_CHARACTERS_MAX: Final = 1_000
"""Kept of an error's text: Ollama's are one sentence."""


def _made(kind: type[R], fields: Mapping[str, object]) -> R:
    try:
        return kind(**fields)
    except InvalidRequestError as first:
        raise all_problems(kind, fields, first) from None


@frozen(kw_only=True)
class PullRequest:
    """A model to be fetched from its registry.

    Attributes:
        model: its name; a host in it is the registry.
        insecure: let the server talk plain HTTP to the registry. It does *not* mean HTTPS without
            checks.

    Raises:
        InvalidRequestError: a field has the wrong type or value.
    """

    model: str = field(converter=model_field)
    insecure: bool | None = field(default=None, validator=check_flag)

    path = "/api/pull"

    @classmethod
    def make(cls, **fields: Any) -> Self:
        """Make a request; if it is wrong, the error tells all that is.

        Raises:
            InvalidRequestError: see the class.
        """
        return _made(cls, fields)

    def body(self) -> bytes:
        """Encode the request's body; what is unset is left out."""
        return encode_body({"model": self.model, "insecure": self.insecure, "stream": True})


@frozen(kw_only=True)
class PushRequest(PullRequest):
    """A model to be sent to its registry; see `PullRequest`."""

    path = "/api/push"


def _named(value: object, name: str) -> str:
    """Check a model's name that stands in another field."""
    try:
        return model_field(value)
    except InvalidRequestError as error:
        [problem] = error.problems
        told = evolve(problem, path=name, text=f"{name}: {problem}")
        raise InvalidRequestError(problems=[told]) from None


def _source(value: object) -> str:
    return _named(value, "source")


def _destination(value: object) -> str:
    return _named(value, "destination")


@frozen(kw_only=True)
class CopyRequest:
    """One more name for a model.

    Attributes:
        source: the name that it has.
        destination: the name that it gets, too; a model of that name is replaced.

    Raises:
        InvalidRequestError: a field has the wrong type or value.
    """

    source: str = field(converter=_source)
    destination: str = field(converter=_destination)

    path = "/api/copy"

    @classmethod
    def make(cls, **fields: Any) -> CopyRequest:
        """Make a request; if it is wrong, the error tells all that is.

        Raises:
            InvalidRequestError: see the class.
        """
        return _made(cls, fields)

    def body(self) -> bytes:
        """Encode the request's body."""
        return encode_body({"source": self.source, "destination": self.destination})


@frozen(kw_only=True)
class DeleteRequest:
    """A model to be deleted.

    Attributes:
        model: its name; layers that other names use stay.

    Raises:
        InvalidRequestError: it has the wrong type or value.
    """

    model: str = field(converter=model_field)

    path = "/api/delete"

    def body(self) -> bytes:
        """Encode the request's body."""
        return encode_body({"model": self.model})


class ProgressLine(msgspec.Struct, frozen=True, gc=False):
    """One line of a pull, a push or a create.

    Attributes:
        status: what is being done, in the server's words.
        digest: of the layer that it is done to; empty where none is meant.
        total: bytes of that layer; None where not told.
        completed: bytes done of it; 0 where not told.
        error: why the work has failed, in the server's words; empty if it has not.
    """

    status: str = ""
    digest: str = ""
    total: int | None = None
    completed: int = 0
    error: str = ""


class _Line(msgspec.Struct, frozen=True, gc=False):
    """The same with what may stand in its place; a null is as good as nothing."""

    status: str | None = None
    digest: str | None = None
    total: int | None = None
    completed: int | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Line).decode


def decode_progress(line: bytes) -> ProgressLine:
    """Read one line.

    Raises:
        ProtocolError: it is no JSON object, or a field has the wrong type.
    """
    try:
        read = _decode(line)
    except DECODE_ERRORS as error:
        raise protocol_error("a line of progress", error) from None
    told = ""
    if read.error is not None and read.error != "":
        told = read.error if isinstance(read.error, str) else "no reason given"
    # Python's numbers have no end; bytes of a file are never less than none.
    total = None if read.total is None else max(0, read.total)
    completed = max(0, read.completed or 0)
    return ProgressLine(
        read.status or "", read.digest or "", total, completed, told[:ERROR_CHARACTERS_MAX]
    )
