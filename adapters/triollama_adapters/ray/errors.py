"""What keeps a batch from running on Ray, each with one line that says what to do."""

from __future__ import annotations

from triollama import EngineError
from triollama_adapters.batch.errors import BatchError

__all__ = [
    "RayError",
    "RayMissingError",
    "RayServersError",
    "RayUnreachableError",
    "RayVersionError",
    "RayWorkersError",
    "RowKillsWorkersError",
    "WorkerLostError",
]


class RayError(BatchError):
    """A batch cannot run, or go on, on Ray. What was committed is safe, and can be resumed."""


class RayMissingError(RayError):
    """The package is not installed."""


class RayUnreachableError(RayError):
    """There is no cluster at the address, or it did not answer in time."""


class RayVersionError(RayError):
    """This machine and another one have different versions of Ray, Python or triollama."""


class RayWorkersError(RayError):
    """No worker can be had: none is placed, or all of them die again and again."""


class RayServersError(RayWorkersError):
    """No worker reaches any of its servers."""


class WorkerLostError(Exception):
    """A worker died, hangs, or is of no use. It never leaves this package.

    Attributes:
        why: in a few words, for people.
        is_its_fault: whether its own process died or hangs, so that one of its rows may be the
            cause; rather than its machine, or the servers there.
        is_serverless: whether it reached none of its servers.
    """

    def __init__(
        self, why: str, *, is_its_fault: bool = False, is_serverless: bool = False
    ) -> None:
        super().__init__(why)
        self.why = why
        self.is_its_fault = is_its_fault
        self.is_serverless = is_serverless


class RowKillsWorkersError(EngineError):
    """Each worker that was to ask this row died: the outcome of a row, which is not asked again.

    Attributes:
        workers: how many died.
    """

    def __init__(self, workers: int) -> None:
        super().__init__(f"{workers} workers died while they asked this row, the last one alone")
        self.workers = workers
