"""What can go wrong with transfers, beside what can go wrong with any request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from triollama._errors import CallerError, EndpointError, EngineError, TriollamaError

if TYPE_CHECKING:
    from triollama.transfers.events import EndpointTransfer

__all__ = [
    "BlobChangedError",
    "DigestMismatchError",
    "PartialFailureError",
    "TransferFailedError",
]


class TransferFailedError(EndpointError):
    """The server ended a pull, a push or a create with an error.

    Contrast `ConnectionLostError` and `StallError`: there the server did not say so.

    Attributes:
        kind: ``pull``, ``push`` or ``create``.
        model: the model's name.
        phase: what was being done, see `TransferEvent.phase`.
        reason: the server's own text.
    """

    def __init__(
        self, reason: str, *, kind: str, model: str, phase: str, endpoint: str = ""
    ) -> None:
        is_unknown = kind == "pull" and "file does not exist" in reason
        hint = "; the registry has no such model" if is_unknown else ""
        super().__init__(f"{kind} of {model!r} failed: {reason}{hint}", endpoint=endpoint)
        self.kind = kind
        self.model = model
        self.phase = phase
        self.reason = reason


class DigestMismatchError(EndpointError):
    """A server has got other bytes of a blob than were sent.

    Attributes:
        digest: what they should have been.
    """

    def __init__(self, digest: str, *, endpoint: str = "") -> None:
        super().__init__(f"what arrived of the blob {digest} is something else", endpoint=endpoint)
        self.digest = digest


class BlobChangedError(CallerError):
    """A file changed while it was read or uploaded; nothing was made of it.

    Attributes:
        path: the file's; empty for a file object.
    """

    def __init__(self, path: str) -> None:
        shown = repr(path) if path else "the file"
        super().__init__(f"{shown} changed while it was uploaded; try again when it is whole")
        self.path = path


class PartialFailureError(EngineError):
    """Something was to be done on several endpoints, and failed on some or all.

    Attributes:
        done: the names of the endpoints where it was done.
        results: the same with their results, for pulls, pushes and creates.
        failures: why it failed, by the endpoint's name.
    """

    def __init__(
        self,
        what: str,
        *,
        done: Sequence[str],
        failures: Mapping[str, TriollamaError],
        results: Sequence[EndpointTransfer] = (),
    ) -> None:
        told = "; ".join(_told(name, error, what) for name, error in failures.items())
        where = f"it was done on {', '.join(done)}" if done else "it was done nowhere"
        super().__init__(f"{what} failed: {told}; {where}")
        self.done = tuple(done)
        self.results = tuple(results)
        self.failures = dict(failures)


def _told(name: str, error: TriollamaError, what: str) -> str:
    """An endpoint's failure, without what the whole sentence begins with."""
    text = str(error).removeprefix(f"{name}: ").removeprefix(f"{what} failed: ")
    return text if text.startswith(f"{name} ") else f"{name}: {text}"
