"""One worker's work, in this process: orders in, news out, over channels, pipes and calls."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import msgspec
import pytest
import trio
from tests.adapters.loadtest.running.plans import (
    SESSIONS,
    generate_scripted,
    make_plan,
    scripted,
)
from trio.testing import MockClock

from triollama_adapters.loadtest.errors import LoadTestError, PlanError, TargetError
from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.running import ray_hand, worker
from triollama_adapters.loadtest.running.frames import (
    Begin,
    Died,
    Go,
    News,
    Order,
    Progressed,
    Ready,
    Sampled,
    Stop,
    Tallied,
    frame,
    read_news,
)
from triollama_adapters.loadtest.running.hand import work
from triollama_adapters.loadtest.running.links import own_version
from triollama_adapters.loadtest.running.ray_hand import RayHand
from triollama_adapters.loadtest.targets.facts import Facts


def begin(*, with_samples: bool = False, **changes: Any) -> Begin:
    """The first order, of the second of two processes."""
    plan = make_plan(processes=2, **changes)
    return Begin(msgspec.json.encode(plan), 1, Facts(), with_samples=with_samples)


async def news_of(*orders: Order, load: Any = generate_scripted) -> list[News]:
    """All that a worker says that is told this."""
    to_hand, heard = trio.open_memory_channel[Order](10)
    for order in orders:
        to_hand.send_nowait(order)
    news: list[News] = []
    await work(heard, news.append, load=load)
    to_hand.close()
    return news


async def test_its_share(autojump_clock: MockClock) -> None:
    """It gets ready, begins when it is told, and tells its own half of the sessions."""
    ready, progressed, tallied = await news_of(begin(), Go(5))
    assert ready == Ready(os.getpid(), own_version())
    assert isinstance(progressed, Progressed)
    expected = Tally(make_plan(processes=2))
    for index in range(1, SESSIONS, 2):
        expected.add(scripted(index))
    assert isinstance(tallied, Tallied)
    assert Tally.decode(make_plan(), tallied.tally).counts == expected.counts


async def test_samples(autojump_clock: MockClock) -> None:
    """Samples are told in parts, each once, and all of them before the last news."""
    news = await news_of(begin(with_samples=True), Go(5))
    parts = [each.samples for each in news if isinstance(each, Sampled)]
    assert [len(part) for part in parts] == [1_000, 500]
    assert [each.session for part in parts for each in part] == list(range(1, SESSIONS, 2))
    assert isinstance(news[-1], Tallied)


async def test_few_samples_do_not_wait(autojump_clock: MockClock) -> None:
    """The rest of them are told soon, though the load goes on."""
    to_hand, heard = trio.open_memory_channel[Order](10)
    news: list[News] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(work, heard, news.append, load=generate_scripted))
        to_hand.send_nowait(begin(with_samples=True, seed=0))
        to_hand.send_nowait(Go(5))
        await trio.sleep(1.0)
        told = [each for each in news if isinstance(each, Sampled)]
        assert sum(len(each.samples) for each in told) == SESSIONS // 2
        to_hand.send_nowait(Stop())
    assert isinstance(news[-1], Tallied)


@pytest.mark.parametrize("orders", [(), (begin(),), (begin(seed=0), Go(5))])
async def test_orders_end(autojump_clock: MockClock, orders: tuple[Order, ...]) -> None:
    """When nobody wants it any more, it drops everything, and says nothing of it."""
    to_hand, heard = trio.open_memory_channel[Order](10)
    for order in orders:
        to_hand.send_nowait(order)
    news: list[News] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(work, heard, news.append, load=generate_scripted))
        await trio.sleep(1.0)
        to_hand.close()
    assert not any(isinstance(each, Tallied | Died) for each in news)


@pytest.mark.parametrize(
    ("error", "died"),
    [
        (PlanError("no"), Died("no", "plan")),
        (TargetError("it is\n gone"), Died("it is gone", "target")),
        (LoadTestError("odd"), Died("odd")),
        (KeyError("x"), Died("KeyError: 'x'")),
    ],
)
async def test_failure(error: Exception, died: Died, capsys: pytest.CaptureFixture[str]) -> None:
    """What ends it is told with whose fault it is; a traceback is printed only of our own."""

    async def fail(*_: Any, **__: Any) -> None:
        raise error

    assert await news_of(begin(), load=fail) == [died]
    assert ("Traceback" in capsys.readouterr().err) is isinstance(error, KeyError)


async def test_plan_that_is_none() -> None:
    """A plan of another version is the worker's failure, by name."""
    (died,) = await news_of(Begin(b"{}", 0, Facts()))
    assert isinstance(died, Died)
    assert died.text.startswith("ValidationError: ")


# ---- over pipes


@contextmanager
def pipes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int, int]]:
    """Where its orders are written, where its news are read, and where it writes them."""
    orders, to_worker = os.pipe()
    news, from_worker = os.pipe()
    monkeypatch.setattr(worker, "INPUT_FD", orders)
    ends = {orders, to_worker, news, from_worker}
    try:
        yield to_worker, news, from_worker
    finally:
        for end in ends:
            with suppress(OSError):  # a test may have closed it
                os.close(end)


async def test_over_pipes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders are read however they are cut, and news written whole."""
    with pipes(monkeypatch) as (to_worker, news, from_worker):
        data = frame(begin()) + frame(Go(5))
        os.write(to_worker, data[:11])
        os.write(to_worker, data[11:])
        frames, found = read_news(), list[News]()

        async def hear() -> None:
            while not found or not isinstance(found[-1], Tallied):
                data = await trio.to_thread.run_sync(os.read, news, 1 << 20)
                found.extend(frames.feed(data))

        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(hear)
                await worker._run(from_worker, generate_scripted)
    assert [type(each) for each in found] == [Ready, Progressed, Tallied]
    assert not frames.is_torn


async def test_parent_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends when its orders end, and when nobody hears its news."""
    with pipes(monkeypatch) as (to_worker, news, from_worker):
        os.write(to_worker, frame(begin(seed=0)) + frame(Go(5)))
        os.close(news)
        os.close(to_worker)
        with trio.fail_after(10):
            await worker._run(from_worker, generate_scripted)


# ---- over calls


def test_over_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Ray it is told by one call and heard by another; one that waits in vain says nothing."""
    monkeypatch.setattr(ray_hand, "work", partial(work, load=generate_scripted))
    monkeypatch.setattr(ray_hand, "TAKE_S", 0.05)
    hand = RayHand()
    try:
        assert hand.take() == b""
        assert hand.clock_ns() <= hand.clock_ns()
        hand.order(frame(begin()) + frame(Go(5)))
        monkeypatch.setattr(ray_hand, "TAKE_S", 10.0)
        frames, found = read_news(), list[News]()
        while not found or not isinstance(found[-1], Tallied):
            found += frames.feed(hand.take())
        assert [type(each) for each in found] == [Ready, Progressed, Tallied]
    finally:
        hand._loop.close()


def test_loop_that_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose loop fell says so when it is asked for news."""

    async def fall(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ray_hand, "work", fall)
    monkeypatch.setattr(ray_hand, "TAKE_S", 0.05)
    hand = RayHand()
    hand._loop._thread.join(5)
    with pytest.raises(RuntimeError, match=r"its loop ended: .*ZeroDivisionError"):
        hand.take()
