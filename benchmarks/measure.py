"""What a client process measures of itself: CPU, memory, context switches, and what arrived."""

from __future__ import annotations

import gc
import os
import resource
import time
from pathlib import Path
from typing import NoReturn

import attrs
import msgspec

STEP_S = 0.02
"""How often a client looks whether all its streams are open; only before the window."""


class Tally:
    """What all readers of one client have received; each reader adds to it in place.

    Attributes:
        open: Streams that have received their first chunk.
        count: Chunks, or finished requests.
        characters: Characters of text in them. Every client reads the text, so that a client that
            decodes late pays for it inside the window too.
    """

    __slots__ = ("characters", "count", "open")

    def __init__(self) -> None:
        self.open = 0
        self.count = 0
        self.characters = 0


@attrs.frozen
class Measurement:
    """What one client run found, printed by the client as one JSON line.

    Attributes:
        count: Chunks or requests that arrived within the window.
        began_s: Start of the window on the monotonic clock, which all processes share.
        ended_s: End of the window on the same clock.
        user_s: CPU time in user mode within the window, in seconds.
        system_s: CPU time in the kernel within the window, in seconds.
        switches: Context switches within the window, voluntary and not.
        rss_bytes_before: Resident memory before the streams were opened, where that is noted.
        rss_bytes: Resident memory at the end of the window.
        rss_bytes_max: The largest resident memory that the process ever had.
        figures: What only some tasks find, by name.
        waited_s: Time within the window in which its first thread could have run, but others had
            its core; what its own other threads had does not count.
    """

    count: int
    began_s: float
    ended_s: float
    user_s: float
    system_s: float
    switches: int
    rss_bytes_before: int
    rss_bytes: int
    rss_bytes_max: int
    figures: dict[str, float] = attrs.field(factory=dict)
    waited_s: float = 0.0

    @property
    def cpu_us_each(self) -> float:
        """CPU time per counted thing, in microseconds; infinite when nothing arrived."""
        return (self.user_s + self.system_s) / self.count * 1e6 if self.count else float("inf")

    def encode(self) -> str:
        """Return the measurement as one JSON line without its newline."""
        return msgspec.json.encode(self).decode()


class Meter:
    """Reads this process's resource usage at the two ends of a window."""

    def __init__(self) -> None:
        self._rss_bytes_before = 0

    def note_memory(self) -> None:
        """Remember the resident memory now, as what the process has without its streams."""
        gc.collect()
        self._rss_bytes_before = rss_bytes()

    def begin(self, count: int = 0) -> None:
        """Start the window.

        Args:
            count: What had arrived before it.
        """
        self._count = count
        self._waited_s, self._thread_s = waited_s(), time.thread_time()
        self._usage = resource.getrusage(resource.RUSAGE_SELF)
        self._began_s = time.monotonic()

    def end(self, count: int) -> Measurement:
        """End the window.

        Args:
            count: What has arrived by now, what came before the window included.
        """
        ended_s = time.monotonic()
        before, after = self._usage, resource.getrusage(resource.RUSAGE_SELF)
        used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        own_s = max(0.0, used_s - (time.thread_time() - self._thread_s))
        return Measurement(
            count=count - self._count,
            began_s=self._began_s,
            ended_s=ended_s,
            user_s=after.ru_utime - before.ru_utime,
            system_s=after.ru_stime - before.ru_stime,
            switches=after.ru_nvcsw + after.ru_nivcsw - before.ru_nvcsw - before.ru_nivcsw,
            rss_bytes_before=self._rss_bytes_before,
            rss_bytes=rss_bytes(),
            rss_bytes_max=rss_bytes_max(),
            waited_s=max(0.0, waited_s() - self._waited_s - own_s),
        )


def leave(measurement: Measurement) -> NoReturn:
    """Print what a client measured, and end its process at once: the system closes its streams.

    A client that closes thousands one after the other takes seconds, in which nothing is measured.
    """
    print(measurement.encode(), flush=True)
    os._exit(0)


def rss_bytes() -> int:
    """Return the resident memory of this process, in bytes (Linux only)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def rss_bytes_max() -> int:
    """Return the largest resident memory that this process ever had, in bytes (Linux only).

    Not ``ru_maxrss``: that begins with what the parent had when it started this process.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def waited_s() -> float:
    """Return how long this process's first thread was ready but not running, in seconds.

    Returns:
        The second field of ``schedstat``; 0 where the kernel does not keep it.
    """
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


def file_limit() -> int:
    """Return how many files a process may open here once it has raised its own limit."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def raise_file_limit() -> None:
    """Allow this process as many open files as its hard limit permits."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (file_limit(), file_limit()))
