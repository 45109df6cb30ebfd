"""A worker as its crew sees it, whatever carries the messages; and who hears of a run."""

from __future__ import annotations

import platform
from collections.abc import Callable
from importlib.metadata import version
from typing import Protocol

import attrs
import trio

from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.running.frames import News, Order
from triollama_adapters.loadtest.running.progress import Progress, SampleSink
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.facts import Facts

__all__ = ["Link", "LinkLostError", "Make", "Watcher", "own_version"]


class LinkLostError(Exception):
    """A worker cannot be heard any more. It never leaves this package.

    Attributes:
        why: in a few words, for people.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Link(Protocol):
    """A worker that can be told and heard."""

    async def send(self, order: Order) -> None:
        """Tell it something.

        Raises:
            LinkLostError: it is not there any more.
        """

    async def receive(self) -> News:
        """What it tells next.

        Raises:
            LinkLostError: it has ended without its last news; why.
        """

    def on_its_clock(self, at_ns: int) -> int:
        """A moment of this process's ``perf_counter_ns`` on the worker's."""


@attrs.frozen(kw_only=True)
class Watcher:
    """Who hears of a run; see `run_load`.

    Attributes:
        on_progress: given the merged progress.
        sink: given all samples.
        stop: when set, the load ends.
    """

    on_progress: Callable[[Progress], None] | None = None
    sink: SampleSink | None = None
    stop: trio.Event | None = None


class Make(Protocol):
    """What makes a plan's load, such as `processes.run_in_processes`."""

    async def __call__(
        self,
        plan: Plan,
        tally: Tally,
        clock: RunClock,
        *,
        facts: Facts,
        on_progress: Callable[[Progress], None] | None,
        sink: SampleSink | None,
        stop: trio.Event | None,
    ) -> tuple[str, ...]:
        """Why the result is INVALID, one line each; empty if all was done."""


def own_version() -> str:
    """What must be the same on both sides."""
    python = ".".join(platform.python_version_tuple()[:2])
    return f"triollama {version('triollama')}, Python {python}"
