"""All that a run counts, in memory that does not grow with the number of requests."""

from __future__ import annotations

from collections.abc import Mapping

from triollama_adapters.loadtest.measures.baseline import Baseline
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.result import Counts
from triollama_adapters.loadtest.sample import Sample

__all__ = ["Tally"]


class Tally:
    """Counts the requests of one process, or of many once merged.

    Args:
        plan: the whole run's.
        baselines: by the models of the plan's scenarios; those that are not there count as not
            measured.
    """

    def __init__(self, plan: Plan, baselines: Mapping[str, Baseline] | None = None) -> None:
        raise NotImplementedError

    @property
    def counts(self) -> Counts:
        """Requests that were due within the window, so far."""
        raise NotImplementedError

    def add(self, sample: Sample) -> None:
        """Count a request that is over, of the warm-up and the drain too."""
        raise NotImplementedError

    def end_window(self, at_ns: int) -> None:
        """Move the window's end forward: the user ends the run early.

        Args:
            at_ns: from the run's beginning on; later than planned changes nothing.
        """
        raise NotImplementedError

    def note_cpu(self, process: int, at_ns: int, cpu_ns: int) -> None:
        """Take a look at a process of the load tester; about four in a second are enough.

        Args:
            process: which one.
            at_ns: from the run's beginning on.
            cpu_ns: CPU time it has used so far, of all its threads.
        """
        raise NotImplementedError

    def merge(self, other: Tally) -> None:
        """Add what another process counted; in any order the result is the same."""
        raise NotImplementedError

    def encode(self) -> bytes:
        """As MessagePack, for another process."""
        raise NotImplementedError

    @classmethod
    def decode(cls, plan: Plan, data: bytes) -> Tally:
        """What `encode` gave, of the same plan."""
        raise NotImplementedError
