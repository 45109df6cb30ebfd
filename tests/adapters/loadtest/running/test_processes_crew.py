"""The crew of a run: readiness, the one beginning, stops, deaths and silence."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from tests.adapters.loadtest.running.plans import make_plan, scripted
from trio.testing import MockClock

from triollama_adapters.loadtest.errors import LoadTestError, PlanError, TargetError
from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.running.crew import Crew
from triollama_adapters.loadtest.running.frames import (
    Died,
    Go,
    News,
    Order,
    Progressed,
    Ready,
    Sampled,
    Stop,
    Tallied,
)
from triollama_adapters.loadtest.running.links import LinkLostError, Watcher, own_version
from triollama_adapters.loadtest.running.progress import Progress
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.targets.clock import RunClock

READY = Ready(1, own_version())
PLAN = make_plan(processes=2)


class FakeLink:
    """A worker that says what it is told to say, one thing a second; a text is why it is lost.

    Args:
        news: what it says.
        offset_ns: how far its clock is ahead.
    """

    def __init__(self, *news: News | str, offset_ns: int = 0) -> None:
        self._news: Iterator[News | str] = iter(news)
        self._offset_ns = offset_ns
        self.told: list[Order] = []
        self._is_stopped = trio.Event()

    async def send(self, order: Order) -> None:
        """Note what it is told."""
        self.told.append(order)
        if isinstance(order, Stop):
            self._is_stopped.set()

    async def receive(self) -> News:
        """The next of its news; a `Progressed` at the end of the list is said for ever."""
        await trio.sleep(1.0)
        news = next(self._news, None)
        if news is None:
            await trio.sleep_forever()
        if isinstance(news, str):
            raise LinkLostError(news)
        assert news is not None
        return news

    def on_its_clock(self, at_ns: int) -> int:
        """Ahead."""
        return at_ns + self._offset_ns


class Sink:
    """Keeps samples."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []

    def add(self, sample: Sample) -> None:
        """Keep one."""
        self.samples.append(sample)


def tallied(*indices: int, plan: Plan = PLAN) -> Tallied:
    """The last news of a worker with these sessions."""
    tally = Tally(plan)
    for index in indices:
        tally.add(scripted(index))
    return Tallied(tally.encode())


def progressed(sent: int) -> Progressed:
    """How far a worker is."""
    return Progressed(Progress(at_s=1.0, stage="measuring", until_s=2.0, sent=sent))


async def run(*links: FakeLink, **watcher: Any) -> tuple[Tally, tuple[str, ...]]:
    """Have the load of `PLAN` made by them."""
    tally = Tally(PLAN)
    reasons = await Crew(PLAN, tally, RunClock(), Watcher(**watcher)).run(links)
    return tally, reasons


async def test_all_do_their_part(autojump_clock: MockClock) -> None:
    """Tallies are merged, samples passed on, progress added up; nothing is to be told."""
    sink, seen = Sink(), list[Progress]()
    first = FakeLink(READY, progressed(3), Sampled([scripted(600)]), tallied(600, 602))
    second = FakeLink(READY, progressed(4), Sampled([scripted(601)]), tallied(601))
    tally, reasons = await run(first, second, on_progress=seen.append, sink=sink)
    assert reasons == ()
    assert tally.counts.scheduled == 3
    assert sorted(sample.session for sample in sink.samples) == [600, 601]
    assert seen[-1].sent == 7


async def test_one_beginning(autojump_clock: MockClock) -> None:
    """None begins before all are ready, and then all at the same moment, each on its own clock."""
    quick = FakeLink(READY, tallied(600))
    slow = FakeLink(progressed(0), progressed(0), READY, tallied(601), offset_ns=5_000)
    before_ns = time.perf_counter_ns()
    await run(quick, slow)
    (go,), (other,) = quick.told, slow.told
    assert isinstance(go, Go)
    assert isinstance(other, Go)
    assert other.start_ns == go.start_ns + 5_000
    assert go.start_ns > before_ns


async def test_stop_is_passed_on(autojump_clock: MockClock) -> None:
    """All workers are stopped, and what they have is merged."""
    stop = trio.Event()
    stop.set()
    links = [FakeLink(READY, tallied(600)), FakeLink(READY, tallied(601))]
    tally, reasons = await run(*links, stop=stop)
    assert [type(link.told[-1]) for link in links] == [Stop, Stop]
    assert (tally.counts.scheduled, reasons) == (2, ())


@pytest.mark.parametrize(
    ("last", "told"),
    [
        ("was killed by SIGKILL", "process 2 of 2 was killed by SIGKILL"),
        (Died("KeyError: 'x'"), "process 2 of 2 failed: KeyError: 'x'"),
        (progressed(1), "process 2 of 2 said nothing for 30 s"),
    ],
)
async def test_lost_later(autojump_clock: MockClock, last: News | str, told: str) -> None:
    """A worker that dies, fails or hangs under the load is told; the others' results are kept."""
    late = [progressed(1) for _ in range(45)]
    tally, reasons = await run(
        FakeLink(READY, *late, tallied(600)), FakeLink(READY, progressed(1), last)
    )
    assert reasons == (told,)
    assert tally.counts.scheduled == 1


async def test_lost_before(autojump_clock: MockClock) -> None:
    """A worker that dies before the load ends the run: nothing was measured."""
    with pytest.raises(LoadTestError, match=r"^process 1 of 2 ended with exit code 1, before the"):
        await run(FakeLink("ended with exit code 1"), FakeLink(READY))


async def test_never_ready(autojump_clock: MockClock) -> None:
    """One that does not get ready ends the run in time, too."""
    with pytest.raises(LoadTestError, match="process 2 of 2 said nothing for 120 s"):
        await run(FakeLink(READY), FakeLink())


async def test_all_lost(autojump_clock: MockClock) -> None:
    """Without any worker there is no result."""
    with pytest.raises(LoadTestError, match=r"not made: process 1 of 2 fell; process 2 of 2 fell"):
        await run(FakeLink(READY, "fell"), FakeLink(READY, "fell"))


@pytest.mark.parametrize(
    ("died", "error"),
    [(Died("no", "plan"), PlanError), (Died("no", "target"), TargetError)],
)
@pytest.mark.parametrize("when", [(), (READY,)])
async def test_everybodys_fault(
    autojump_clock: MockClock, died: Died, error: type[Exception], when: tuple[News, ...]
) -> None:
    """The plan's fault or the target's ends the run with the worker's own words."""
    with pytest.raises(error, match=r"^no$"):
        await run(FakeLink(*when, died), FakeLink(READY, *[progressed(1)] * 900))


async def test_other_version(autojump_clock: MockClock) -> None:
    """A worker of another version does not count as ready."""
    with pytest.raises(LoadTestError, match="has triollama 9, Python 2, and this one"):
        await run(FakeLink(Ready(1, "triollama 9, Python 2")), FakeLink(READY))


async def test_does_not_end(autojump_clock: MockClock) -> None:
    """A worker that goes on long after the plan's end is not waited for."""
    began = trio.current_time()
    tally, reasons = await run(
        FakeLink(READY, tallied(600)), FakeLink(READY, *[progressed(1)] * 900)
    )
    assert reasons == ("process 2 of 2 did not end in time",)
    assert tally.counts.scheduled == 1
    assert trio.current_time() - began < 5 + 25 + 30 + 30 + 5


class FullDisk:
    """A sink that cannot take anything."""

    def add(self, sample: Sample) -> None:
        """Fail."""
        raise OSError(28, "No space left on device")


async def test_sink_that_fails(autojump_clock: MockClock) -> None:
    """What a sink raises ends the run, as it is."""
    links = [FakeLink(READY, Sampled([scripted(600)]), tallied(600)), FakeLink(READY)]
    with pytest.raises(OSError, match="No space left"):
        await run(*links, sink=FullDisk())
