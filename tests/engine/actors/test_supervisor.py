"""Children are started in order, restarted within limits, stopped in reverse."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from triollama._errors import EngineFaultError
from triollama.actors.supervisor import Child, RestartLog, RestartRule, Supervisor


class Actor:
    """Notes what happens to it in a shared list.

    Args:
        name: for the list.
        events: the list.
        crash_after_s: how long each of its lives lasts; None is for ever.
        ready_after_s: how long it takes to be ready.
        lives: after so many crashes it runs for ever.
    """

    def __init__(
        self,
        name: str,
        events: list[str],
        *,
        crash_after_s: float | None = None,
        ready_after_s: float = 0.0,
        lives: int = 1_000,
    ) -> None:
        self.name = name
        self.starts = 0
        self._events = events
        self._crash_after_s = crash_after_s
        self._ready_after_s = ready_after_s
        self._lives = lives

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Live, and perhaps crash."""
        self.starts += 1
        self._events.append(f"start {self.name}")
        try:
            await trio.sleep(self._ready_after_s)
            task_status.started()
            self._events.append(f"ready {self.name}")
            if self._crash_after_s is None or self.starts > self._lives:
                await trio.sleep_forever()
            await trio.sleep(self._crash_after_s)
            raise LookupError(self.name)
        except trio.Cancelled:
            # What stops an actor may take time: the one before it must not be stopped meanwhile.
            with trio.CancelScope(shield=True):
                await trio.sleep(0.01)
            self._events.append(f"stop {self.name}")
            raise


def child(actor: Actor, **rule: Any) -> Child:
    """A child of the supervisor."""
    return Child(actor.name, actor.run, RestartRule(**rule))


async def test_started_in_order_and_stopped_in_reverse(autojump_clock: MockClock) -> None:
    """Each is ready before the next is started, and ended before the one before it is stopped."""
    events: list[str] = []
    actors = [Actor(name, events, ready_after_s=1.0) for name in "abc"]
    supervisor = Supervisor([child(actor) for actor in actors])
    async with trio.open_nursery() as nursery:
        await supervisor.start(nursery)
        started, events[:] = list(events), []
        await supervisor.stop()
        assert not nursery.child_tasks
    assert started == [f"{what} {name}" for name in "abc" for what in ("start", "ready")]
    assert events == ["stop c", "stop b", "stop a"]
    assert supervisor.restarts() == {"a": 0, "b": 0, "c": 0}


async def test_a_crash_restarts_one_and_leaves_its_siblings(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Within the limit, only the one that crashed is started again, and the log says so."""
    events: list[str] = []
    calm, restless = Actor("calm", events), Actor("restless", events, crash_after_s=1.0, lives=3)
    supervisor = Supervisor([child(calm), child(restless)])
    with caplog.at_level(logging.DEBUG):
        async with trio.open_nursery() as nursery:
            await supervisor.start(nursery)
            await trio.sleep(60)
            assert supervisor.restarts() == {"calm": 0, "restless": 3}
            assert (calm.starts, restless.starts) == (1, 4)
            await supervisor.stop()
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 3
    assert {vars(record)["actor"] for record in caplog.records} == {"restless"}


async def test_a_crash_in_the_nursery_of_an_actor_is_told_by_itself(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """One error, however deep, is what the actor crashed with; the log shows the whole group."""
    errors = [
        LookupError("alone"),
        ExceptionGroup("", [ExceptionGroup("", [LookupError("nested")])]),
        ExceptionGroup("several", [LookupError("first"), ValueError("second")]),
        ExceptionGroup("", [ExceptionGroup("nested several", [LookupError(), ValueError()])]),
    ]
    crashes = iter(errors)

    async def crash() -> None:
        error = next(crashes, None)
        if error is None:
            await trio.sleep_forever()
        else:
            raise error

    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as inner:
            inner.start_soon(crash)
            task_status.started()

    told: list[tuple[str, str]] = []
    supervisor = Supervisor(
        [Child("a", run)],
        lambda _, error, __: told.append((type(error).__name__, str(error.args[0]))),
    )
    async with trio.open_nursery() as nursery:
        await supervisor.start(nursery)
        await trio.sleep(1)
        await supervisor.stop()
    assert told == [
        ("LookupError", "alone"),
        ("LookupError", "nested"),
        ("ExceptionGroup", "several"),
        ("ExceptionGroup", "nested several"),
    ]
    infos = [record.exc_info for record in caplog.records]
    assert [info[0] for info in infos if info is not None] == [ExceptionGroup] * len(errors)


async def test_crashing_every_100_ms_escalates(autojump_clock: MockClock) -> None:
    """After the restarts that its rule allows, the next crash ends all, and names the actor."""
    events: list[str] = []
    calm, wild = Actor("calm", events), Actor("wild", events, crash_after_s=0.1)
    supervisor = Supervisor([child(calm), child(wild, restarts_max=10, window_s=10.0)])
    started_s = trio.current_time()
    with pytest.RaisesGroup(pytest.RaisesExc(EngineFaultError, match="'wild' crashed 11 times")):
        async with trio.open_nursery() as nursery:
            await supervisor.start(nursery)
    assert trio.current_time() - started_s == pytest.approx(1.1, abs=0.1)
    assert (calm.starts, wild.starts) == (1, 11)
    assert supervisor.restarts() == {"calm": 0, "wild": 10}
    assert events[-1] == "stop calm"


async def test_crashing_slowly_never_escalates(autojump_clock: MockClock) -> None:
    """Old crashes are forgotten: ten in each window go on for ever."""
    events: list[str] = []
    actor = Actor("a", events, crash_after_s=1.0)
    supervisor = Supervisor([child(actor, restarts_max=10, window_s=10.0)])
    async with trio.open_nursery() as nursery:
        await supervisor.start(nursery)
        await trio.sleep(1_000)
        assert supervisor.restarts()["a"] > 900
        await supervisor.stop()


@pytest.mark.parametrize("crashes", [1, 10])
async def test_a_crash_before_it_was_ready(autojump_clock: MockClock, crashes: int) -> None:
    """Who waits for the start is told by the life that becomes ready."""
    lives = 0

    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        nonlocal lives
        lives += 1
        await trio.sleep(0.1)
        if lives <= crashes:
            raise LookupError
        task_status.started()
        await trio.sleep_forever()

    supervisor = Supervisor([Child("a", run)])
    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await supervisor.start(nursery)
            assert lives == crashes + 1
            await supervisor.stop()


async def test_never_ready(autojump_clock: MockClock) -> None:
    """One that always crashes before it is ready fails the start."""

    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep(0.1)
        raise LookupError

    with pytest.RaisesGroup(EngineFaultError), trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            await Supervisor([Child("a", run)]).start(nursery)


async def test_one_that_ends_by_itself_is_a_fault() -> None:
    """An actor that nobody stopped has no reason to end."""

    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        task_status.started()
        await trio.lowlevel.checkpoint()

    with pytest.RaisesGroup(pytest.RaisesExc(EngineFaultError, match="although nobody stopped")):
        async with trio.open_nursery() as nursery:
            await Supervisor([Child("a", run)]).start(nursery)


async def test_no_task_is_left_when_the_nursery_is_cancelled(autojump_clock: MockClock) -> None:
    """Cancelled from outside, every child ends, restarted ones too."""
    events: list[str] = []
    actors = [Actor("a", events), Actor("b", events, crash_after_s=1.0, lives=2)]
    with trio.move_on_after(5) as scope:
        async with trio.open_nursery() as nursery:
            await Supervisor([child(actor) for actor in actors]).start(nursery)
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert not nursery.child_tasks
    assert {"stop a", "stop b"} <= set(events)


@pytest.mark.parametrize("cause", [KeyboardInterrupt, SystemExit])
async def test_only_errors_are_restarted(cause: Callable[[], BaseException]) -> None:
    """Ctrl-C and exit go through at once."""
    starts = 0

    async def run(*, task_status: trio.TaskStatus[None]) -> None:
        nonlocal starts
        starts += 1
        task_status.started()
        await trio.lowlevel.checkpoint()
        raise cause()

    with pytest.RaisesGroup(type(cause())):
        async with trio.open_nursery() as nursery:
            await Supervisor([Child("a", run)]).start(nursery)
            await wait_all_tasks_blocked()
    assert starts == 1


def test_the_window_slides_by_ticks() -> None:
    """A crash counts until one tick before the window's end, and not at it."""
    log = RestartLog(RestartRule(restarts_max=2, window_s=10.0))
    assert [log.may_restart(now_s) for now_s in (0.0, 1.0, 9.999)] == [True, True, False]
    assert [log.may_restart(now_s) for now_s in (10.0, 10.001, 11.0)] == [True, False, True]
    assert log.restarts == 4
