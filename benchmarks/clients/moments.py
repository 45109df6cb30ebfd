"""What the tasks about time share: when each chunk came, when the last stream began, what is left.

A client gives each of its streams a function of its own that takes the text of each chunk, from
`Arrivals.taker`; it is called by the reader's own code as soon as that has the chunk.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from pathlib import Path

import attrs

from benchmarks.figures import percentile
from benchmarks.measure import Measurement

Take = Callable[[str], None]
"""Called with the text of each chunk of one stream."""

AFTER_S = 0.3
"""From the end of the last reader to the look at what is left: what is given back later than that
has leaked. The process lives on so long, so that its own end closes nothing for it."""


class Arrivals:
    """Notes the chunks of all streams.

    Args:
        wanted: Streams that are to be opened.
        when_open: Called when the last of them has its first chunk.
        is_stamped: Whether each text is the time of its sending.

    Attributes:
        count: Chunks so far.
    """

    def __init__(
        self, wanted: int, when_open: Callable[[], object], *, is_stamped: bool = False
    ) -> None:
        self.count = 0
        self._wanted = wanted
        self._when_open = when_open
        self._is_stamped = is_stamped
        self._at_ns = array("q")
        self._delays_ns = array("q")

    def taker(self) -> Take:
        """Return what one stream has to call."""
        is_first = True

        def take(text: str) -> None:
            nonlocal is_first
            now_ns = time.perf_counter_ns()
            self.count += 1
            if is_first:
                is_first = False
                self._opened()
            if self._is_stamped:
                self._at_ns.append(now_ns)
                self._delays_ns.append(now_ns - int(text))

        return take

    def _opened(self) -> None:
        self._wanted -= 1
        if self._wanted == 0:
            self._when_open()

    def with_delays(self, measurement: Measurement) -> Measurement:
        """Return a measurement with the delays of the chunks that arrived within its window."""
        first_ns, last_ns = measurement.began_s * 1e9, measurement.ended_s * 1e9
        both = zip(self._at_ns, self._delays_ns, strict=True)
        delays_ms = [delay / 1e6 for at, delay in both if first_ns <= at <= last_ns]
        if not delays_ms:
            return measurement
        figures = {
            "delay_p50_ms": percentile(delays_ms, 0.50),
            "delay_p99_ms": percentile(delays_ms, 0.99),
            "delay_max_ms": max(delays_ms),
        }
        return attrs.evolve(measurement, figures={**measurement.figures, **figures})


@attrs.frozen
class Held:
    """What a process holds at one moment.

    Attributes:
        tasks: Tasks that have not ended.
        sockets: Open sockets.
        slots: Requests that are waiting or running, and leases: what only an engine has.
    """

    tasks: int
    sockets: int
    slots: int = 0

    def leaked_since(self, before: Held) -> dict[str, float]:
        """Return what is held beyond what was, by the names that the rows use."""
        return {
            "tasks_leaked": max(0, self.tasks - before.tasks),
            "sockets_leaked": max(0, self.sockets - before.sockets),
            "slots_leaked": max(0, self.slots - before.slots),
        }


def count_sockets() -> int:
    """Return how many sockets this process has open (Linux only)."""
    links = (_link(each) for each in Path("/proc/self/fd").iterdir())
    return sum(link.startswith("socket:") for link in links)


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except FileNotFoundError:  # the descriptor that the listing itself used
        return ""
