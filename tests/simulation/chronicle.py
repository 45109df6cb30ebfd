"""What the engine tells of itself, compared with what it did.

Owns the subscription: every fact is kept, and their story must be a possible one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from triollama import EngineStatistics
from triollama import _facts as fact

__all__ = ["CAPACITY", "Chronicle"]

CAPACITY = 20_000
"""Facts that may wait; a scenario has some hundreds, so that none is dropped here."""


class Chronicle:
    """The facts of one run.

    Attributes:
        facts: all of them, in order.
        dropped: how many were lost.
    """

    def __init__(self) -> None:
        self.facts: list[fact.Fact] = []
        self.dropped = 0

    async def listen(self, subscription: Any) -> None:
        """Keep facts until cancelled."""
        async for told in subscription:
            self.facts.append(told)

    def events(self) -> Iterator[str]:
        """Every fact as a line of text."""
        for told in self.facts:
            values = " ".join(
                f"{name}={getattr(told, name)}" for name in told.__struct_fields__ if name != "at_s"
            )
            yield f"{told.at_s:.6f} {type(told).__name__} {values}"

    def complaints(self, now: EngineStatistics) -> Iterator[str]:
        """What cannot be.

        Args:
            now: the engine's own counts, at the end.
        """
        if self.dropped:
            yield f"{self.dropped} facts were dropped"
        times_s = [told.at_s for told in self.facts]
        if times_s != sorted(times_s):
            yield "the facts are not in the order of their times"
        yield from self._about_streams(now)
        yield from self._about_endpoints()

    def _about_streams(self, now: EngineStatistics) -> Iterator[str]:
        ended = [told for told in self.facts if isinstance(told, fact.StreamEnded)]
        outcomes = Counter(told.outcome for told in ended)
        if len({told.stream for told in ended}) < len(ended):
            yield "a request ended twice"
        counted = {"done": now.done, "failed": now.failed, "cancelled": now.cancelled}
        if outcomes != Counter(counted):
            yield f"the facts tell of {dict(outcomes)}, the statistics of {counted}"
        broken = set()
        for told in self.facts:
            match told:
                case fact.AttemptFailed(stream=stream):
                    broken.add(stream)
                case fact.StreamContinued(stream=stream) | fact.StreamResent(stream=stream):
                    if stream not in broken:
                        yield f"request {stream} went on, though it did not break"

    def _about_endpoints(self) -> Iterator[str]:
        """An endpoint is taken out, tried, and taken back in, in this order only."""
        states: dict[str, str] = {}
        for told in self.facts:
            if not isinstance(told, fact.EndpointFact):
                continue
            before = states.get(told.endpoint, "in")
            after, allowed = _STEPS.get(type(told), (before, ()))
            if allowed and before not in allowed:
                yield f"{told.endpoint} was {before} when it was told: {told}"
            states[told.endpoint] = after


_STEPS: dict[type[fact.Fact], tuple[str, tuple[str, ...]]] = {
    fact.EndpointEjected: ("out", ("in", "on trial")),
    fact.EndpointOnTrial: ("on trial", ("out",)),
    fact.EndpointRecovered: ("in", ("on trial",)),
    fact.EndpointRemoved: ("in", ()),
}
"""Where a fact leaves an endpoint, and where it must have been; nowhere given is anywhere."""
