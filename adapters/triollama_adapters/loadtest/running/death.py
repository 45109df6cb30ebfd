"""Whether a target died in the warm-up: then there is nothing to measure. No IO."""

from __future__ import annotations

from typing import Final

import trio

from triollama_adapters.loadtest.errors import TargetError
from triollama_adapters.loadtest.sample import FAULTS, Sample

__all__ = ["Death"]

FAILURES_MIN: Final = 3
"""Requests in a row that must have failed at an endpoint: one may have bad luck."""

GIVE_UP_FAILURES: Final = 20
GIVE_UP_NS: Final = 2_000_000_000
"""After so many failures in a row over so long a time nothing will come; the rest of the warm-up is
not waited for."""


class Death:
    """Watches the requests of the warm-up.

    Dead is an endpoint of which the last `FAILURES_MIN` requests failed, and a target all of whose
    endpoints are dead when the warm-up ends, or before, for as long as `GIVE_UP_NS`.

    Attributes:
        error: what to say; None while it lives.
    """

    def __init__(self) -> None:
        self.error: TargetError | None = None
        self._failures: dict[str, int] = {}
        self._since_ns = 0
        self._died = trio.Event()

    def add(self, sample: Sample, now_ns: int, *, is_over: bool) -> None:
        """Take a request that was due in the warm-up, or the first one that was not.

        Args:
            sample: of it.
            now_ns: the time of the run.
            is_over: whether the warm-up is.
        """
        has_failed = sample.outcome in FAULTS and sample.outcome not in {"unsent", "client"}
        if not has_failed:
            self._failures[sample.endpoint] = 0
            self._since_ns = now_ns
            return
        self._failures[sample.endpoint] = self._failures.get(sample.endpoint, 0) + 1
        fewest = min(self._failures.values())
        is_long = fewest >= GIVE_UP_FAILURES and now_ns - self._since_ns >= GIVE_UP_NS
        if fewest >= FAILURES_MIN and (is_over or is_long):
            self.error = self.error or TargetError(_told(sample, sorted(self._failures)))
            self._died.set()

    async def wait(self) -> None:
        """Wait until it is dead."""
        await self._died.wait()


def _told(sample: Sample, endpoints: list[str]) -> str:
    who = " and ".join(endpoints) if len(endpoints) < 4 else f"all {len(endpoints)} endpoints"
    why = sample.detail or sample.outcome
    return f"in the warm-up no answer came any more from {who}: {why}; nothing was measured"
