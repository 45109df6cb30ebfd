"""The prober's shell.

Owns: one task per endpoint, which asks ``/api/version`` and ``/api/ps``, and now and then
``/api/tags``, and tells the pool; and the core of each, which outlives the task.

Accepts: `add`, `remove` and `ask_soon`, as plain calls that never wait. A task that crashes is
logged, told as a fact, and started again after `CRASH_S`; the others notice nothing. When the
prober itself is started again, it goes on with what it knew. When cancelled, the connections of the
probes under way are closed.

Bounds: one probe at a time per endpoint; how long and how large it may be says `look`, how often
they come `core`. Talks to: the pool and the hub of facts, by calls that never wait.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import attrs
import trio

from triollama import _facts as fact
from triollama._config import ProbeConfig
from triollama._errors import TriollamaError
from triollama.actors.facts import FactHub
from triollama.actors.health.core import ProbeCore, ProbeEffect
from triollama.actors.health.look import look
from triollama.actors.pool.messages import ProbeAnswered, ProbeUnanswered
from triollama.actors.streams.attempt import EndpointAccess

CRASH_S = 5.0
"""From the crash of a probe's task, which is a defect of ours, to its next start: the interval by
default, so that a defect makes no more traffic and log than health does."""

_log = logging.getLogger("triollama")


class Told(Protocol):
    """What the prober needs of the pool."""

    def tell_probe(self, message: ProbeAnswered | ProbeUnanswered) -> None:
        """A probe has ended. Never waits."""


@attrs.frozen(kw_only=True)
class EndpointProbes:
    """The probes of one endpoint.

    Attributes:
        endpoint: its name.
        is_good: whether it is well, as far as probes can tell.
        probes: how many ended.
        failed: how many of them failed.
        failures_in_row: how many in a row, up to now.
        error: the kind of error of the last one; empty if it was good.
        version: the last one told; empty if none was.
        took_s: how long the last good probe took, in seconds; None if there was none.
        age_s: how long ago that was, in seconds; None if there was none.
    """

    endpoint: str
    is_good: bool
    probes: int
    failed: int
    failures_in_row: int
    error: str
    version: str
    took_s: float | None
    age_s: float | None


@attrs.frozen(kw_only=True)
class ProberStatistics:
    """All probes.

    Attributes:
        endpoints: one entry per endpoint that is probed, in the order in which they were added.
        crashes: how often a probe's task was started again.
    """

    endpoints: tuple[EndpointProbes, ...]
    crashes: int

    @property
    def probes(self) -> int:
        """How many ended, at the endpoints that are there now."""
        return sum(each.probes for each in self.endpoints)

    @property
    def failed(self) -> int:
        """How many of them failed."""
        return sum(each.failed for each in self.endpoints)


class _Watch:
    """One endpoint that is probed: its core, and its task's way to be woken and stopped."""

    def __init__(self, core: ProbeCore) -> None:
        self.core = core
        self.scope = trio.CancelScope()
        self.hinted = trio.Event()


class Prober:
    """Asks endpoints how they are.

    Args:
        access: how to reach each, by name; a live view, which has an endpoint before it is added
            here and until it is removed.
        pool: is told what the probes saw.
        facts: the same, for those who watch.
        config: how often.
        draw: gives numbers in [0, 1).
        wall_s: the time of day, in seconds since 1970, to compare a server's times with.
    """

    def __init__(
        self,
        access: Mapping[str, EndpointAccess],
        pool: Told,
        facts: FactHub,
        config: ProbeConfig,
        draw: Callable[[], float],
        *,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._access = access
        self._pool = pool
        self._facts = facts
        self._config = config
        self._draw = draw
        self._wall_s = wall_s
        self._watches: dict[str, _Watch] = {}
        self._nursery: trio.Nursery | None = None
        self._crashes = 0

    def __repr__(self) -> str:
        now = self.statistics()
        good = sum(each.is_good for each in now.endpoints)
        return (
            f"<Prober: {good} of {len(now.endpoints)} good, {now.probes} probes, "
            f"{now.failed} failed, {now.crashes} crashes>"
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Probe until cancelled. It may be run again after a crash, with what it knew."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                for name, watch in self._watches.items():
                    self._start(name, watch)
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._nursery = None  # before the nursery closes: nothing can be added to that

    def add(self, name: str) -> None:
        """Probe this endpoint from now on, first at once. Without effect if it is probed."""
        if name in self._watches or not self._config.enabled:
            return
        watch = self._watches[name] = _Watch(ProbeCore(name, self._config))
        self._start(name, watch)

    def remove(self, name: str) -> None:
        """Probe it no more; a probe under way is given up. Without effect if it is not probed."""
        watch = self._watches.pop(name, None)
        if watch is not None:
            watch.scope.cancel()

    def ask_soon(self, name: str) -> None:
        """Probe it early, its models too, since something was seen that this may explain.

        It can be called at any rate: see `core.HINT_S`. Without effect if it is not probed.
        """
        watch = self._watches.get(name)
        if watch is not None:
            watch.core.hint()
            watch.hinted.set()

    def is_down(self, name: str) -> bool:
        """Whether an endpoint does not answer probes; False if it is not probed."""
        watch = self._watches.get(name)
        return watch is not None and not watch.core.is_good

    def statistics(self) -> ProberStatistics:
        """A snapshot."""
        now_s = trio.current_time()
        watches = self._watches.items()
        return ProberStatistics(
            endpoints=tuple(_describe(name, watch.core, now_s) for name, watch in watches),
            crashes=self._crashes,
        )

    # ---- one endpoint

    def _start(self, name: str, watch: _Watch) -> None:
        if self._nursery is not None:
            watch.scope = trio.CancelScope()  # that of an earlier task is used up
            self._nursery.start_soon(self._keep_probing, name, watch)

    async def _keep_probing(self, name: str, watch: _Watch) -> None:
        with watch.scope:
            while True:
                try:
                    await self._probe_for_ever(name, watch)
                except Exception as error:  # noqa: BLE001 - a defect here is this endpoint's alone
                    self._note_crash(name, error)
                await trio.sleep(CRASH_S)

    def _note_crash(self, name: str, error: Exception) -> None:
        self._crashes += 1
        _log.error("a probe crashed, starting it again", exc_info=error, extra={"endpoint": name})
        self._facts.publish(
            fact.ActorRestarted(
                at_s=trio.current_time(),
                actor=f"prober of {name}",
                error=type(error).__name__,
                restarts=self._crashes,
            )
        )

    async def _probe_for_ever(self, name: str, watch: _Watch) -> None:
        core = watch.core
        while True:
            await _wait_due(watch)
            try:
                sight = await look(
                    self._access[name],
                    wants_models=core.begin(trio.current_time()),
                    timeout_s=self._config.timeout_s,
                    wall_s=self._wall_s,
                )
            except TriollamaError as error:
                kind = type(error).__name__
                self._tell(core.failed(kind, trio.current_time(), self._draw()))
            else:
                self._tell(core.answered(sight, trio.current_time(), self._draw()))

    def _tell(self, effects: Sequence[ProbeEffect]) -> None:
        for effect in effects:
            if isinstance(effect, fact.Fact):
                self._facts.publish(effect)
            else:
                self._pool.tell_probe(effect)


async def _wait_due(watch: _Watch) -> None:
    """Wait until the next probe is due; a hint may make that sooner meanwhile."""
    await trio.lowlevel.checkpoint()
    while watch.core.due_s > trio.current_time():
        watch.hinted = trio.Event()
        with trio.move_on_at(watch.core.due_s):
            await watch.hinted.wait()


def _describe(name: str, core: ProbeCore, now_s: float) -> EndpointProbes:
    return EndpointProbes(
        endpoint=name,
        is_good=core.is_good,
        probes=core.probes,
        failed=core.failed_probes,
        failures_in_row=core.failures,
        error=core.error,
        version=core.version,
        took_s=core.took_s,
        age_s=None if core.last_good_s is None else now_s - core.last_good_s,
    )
