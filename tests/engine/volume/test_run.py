"""Vectors of many texts: order, bounds, failures, cancellation; over a fake, in mock time."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.volume.fakes import Fake, vector
from trio.testing import MockClock

from triollama import (
    EmbedResponse,
    FailedText,
    FleetUnavailableError,
    InvalidRequestError,
    OverloadError,
    ProtocolError,
    RequestRejectedError,
    ServerFailedError,
    TextFailedError,
    VolumeRules,
)
from triollama.volume.batches import TokenGuess
from triollama.volume.run import EmbedRun
from triollama.volume.source import TURN_S
from triollama.volume.working import SERVER_FAILURES_MAX, Work

TEXTS = [f"text number {number}" for number in range(100)]


def refused() -> RequestRejectedError:
    """What a server says of a text that it cannot embed."""
    return RequestRejectedError("embedding contains NaN or Inf values", status=400)


@given(
    count=st.integers(0, 60),
    bad=st.sets(st.integers(0, 59), max_size=6),
    count_max=st.integers(1, 9),
    concurrency=st.integers(1, 5),
    window=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
)
def test_every_text_has_its_place(
    count: int, bad: set[int], count_max: int, concurrency: int, window: int, seed: int
) -> None:
    """Whatever takes how long, and whichever fail: one outcome for each text, in their order."""
    draw = random.Random(seed)
    fake = Fake(took_s=lambda _texts: draw.random())
    fake.errors = {TEXTS[at]: refused() for at in bad}

    async def main() -> None:
        run = fake.run(
            TEXTS[:count],
            batch_count_max=count_max,
            concurrency_max=concurrency,
            window_batches_max=window,
            on_error="give",
        )
        async with run:
            outcomes = await run.collect()
            numbers = run.progress()
        assert len(outcomes) == count
        for at, outcome in enumerate(outcomes):
            if at in bad:
                assert isinstance(outcome, FailedText)
                assert outcome.index == at
            else:
                assert outcome == vector(TEXTS[at])
        failed = len([at for at in bad if at < count])
        assert (numbers.texts_read, numbers.texts_given) == (count, count)
        assert (numbers.texts_embedded, numbers.texts_failed) == (count - failed, failed)
        assert (numbers.batches_held, numbers.requests_running) == (0, 0)
        assert numbers.requests == len(fake.asked)
        assert numbers.is_read
        assert fake.running_max <= concurrency
        assert all(len(texts) <= count_max for texts in fake.asked)

    trio.run(main, clock=MockClock(autojump_threshold=0))


async def test_tokens_bound_a_batch(autojump_clock: MockClock) -> None:
    """A batch is full when the next text would not fit; what is too long alone goes alone."""
    fake = Fake()
    texts = ["a" * 30, "b" * 30, "c" * 30, "d" * 500, "e" * 10]
    work = Work(fake, lambda: 1, texts, VolumeRules(batch_tokens_max=70), TokenGuess(len))
    run: EmbedRun[Any] = EmbedRun(work)
    async with run:
        assert await run.collect() == list(map(vector, texts))
    assert sorted([text[0] for text in asked] for asked in fake.asked) == [
        ["a", "b"],
        ["c"],
        ["d"],
        ["e"],
    ]


async def test_requests_run_side_by_side(autojump_clock: MockClock) -> None:
    """Six for each endpoint: 20 batches of a second each take 2 s with two endpoints."""
    fake = Fake()
    began_s = trio.current_time()
    async with fake.run(TEXTS, batch_count_max=5) as run:
        await run.collect()
    assert trio.current_time() - began_s == pytest.approx(2.0)
    assert fake.running_max == 12


async def test_a_slow_reader_bounds_what_is_read(autojump_clock: MockClock) -> None:
    """Of an endless iterable only the window is read, however long nobody takes a vector."""
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield f"text {read}"

    async with Fake().run(endless(), batch_count_max=10, window_batches_max=3) as run:
        for given_ in range(1, 101):
            await anext(run)
            await trio.sleep(10)
            assert run.progress().batches_held <= 3
            assert read <= given_ + 3 * 10 + 10 + 18  # what is held, gathered and read ahead


async def test_vectors_come_before_the_batches_behind_them(autojump_clock: MockClock) -> None:
    """The first batch is given as soon as it is whole, though later ones take for ever."""

    def took_s(texts: Sequence[str]) -> float:
        return 1.0 if TEXTS[0] in texts else 1e6

    async with Fake(took_s).run(TEXTS[:20], batch_count_max=10) as run:
        with trio.fail_after(2):
            assert [await anext(run) for _ in range(10)] == list(map(vector, TEXTS[:10]))


async def test_one_bad_text_costs_no_other_its_vector(autojump_clock: MockClock) -> None:
    """The batch is halved until the text is alone; the error is the server's, without frames."""
    fake = Fake(errors={TEXTS[37]: refused()})
    async with fake.run(TEXTS[:64], on_error="give") as run:
        outcomes = await run.collect()
        assert run.progress().splits == 6
    [failed] = [each for each in outcomes if isinstance(each, FailedText)]
    assert failed.index == 37
    assert isinstance(failed.error, RequestRejectedError)
    assert failed.error.__traceback__ is None
    assert len(fake.asked) == 1 + 2 * 6
    assert TEXTS[37] not in repr(failed)


async def test_a_bad_text_ends_the_run_in_its_place(autojump_clock: MockClock) -> None:
    """All vectors before it are given first; nothing is given after it."""
    fake = Fake(errors={TEXTS[25]: refused()})
    vectors = []
    async with fake.run(TEXTS, batch_count_max=10) as run:
        with pytest.raises(TextFailedError, match=r"texts\[25\]") as told:
            async for each in run:
                vectors.append(each)
        with pytest.raises(StopAsyncIteration):
            await anext(run)
    assert vectors == list(map(vector, TEXTS[:25]))
    assert told.value.index == 25
    assert isinstance(told.value.__cause__, RequestRejectedError)
    assert fake.running == 0


@pytest.mark.parametrize("bad", [None, 7, b"bytes", ["nested"]])
async def test_what_is_no_text_is_told_by_its_place(bad: object, autojump_clock: MockClock) -> None:
    """And costs no other text its vector."""
    texts: list[Any] = [*TEXTS[:3], bad, *TEXTS[3:5]]
    async with Fake().run(texts, on_error="give") as run:
        outcomes = await run.collect()
    failed = outcomes.pop(3)
    assert isinstance(failed, FailedText)
    assert failed.index == 3
    assert str(failed.error) == f"texts[3] must be a str, not {type(bad).__name__}"
    assert outcomes == list(map(vector, TEXTS[:5]))


async def test_an_outage_is_no_texts_fault(autojump_clock: MockClock) -> None:
    """It is raised after what came before it, and no text is told as failed, nor split off."""
    fake = Fake(errors={TEXTS[15]: FleetUnavailableError([])})
    async with fake.run(TEXTS, batch_count_max=10, on_error="give") as run:
        assert [await anext(run) for _ in range(10)] == list(map(vector, TEXTS[:10]))
        with pytest.raises(FleetUnavailableError):
            await anext(run)
        assert (run.progress().splits, run.progress().texts_failed) == (0, 0)


async def test_servers_that_fail_on_everything_end_the_run(autojump_clock: MockClock) -> None:
    """One text that crashes servers is told; after 16 in a row the run ends."""
    crash = ServerFailedError("the runner has stopped", status=500)
    fake = Fake(errors=dict.fromkeys(TEXTS[10:], crash))
    fake.errors[TEXTS[2]] = crash
    async with fake.run(TEXTS, endpoints=1, concurrency_max=1, on_error="give") as run:
        outcomes = []
        with pytest.raises(ServerFailedError):
            async for each in run:
                outcomes.append(each)
    assert len(outcomes) == 10 + SERVER_FAILURES_MAX
    assert [at for at, each in enumerate(outcomes[:10]) if isinstance(each, FailedText)] == [2]


async def test_a_full_engine_is_asked_again(autojump_clock: MockClock) -> None:
    """After the time that it tells; eight times, then the run ends."""
    fake = Fake()
    full = OverloadError("the line is full", retry_after_s=2.0)
    fake.errors = {TEXTS[0]: full}
    async with fake.run(TEXTS[:5]) as run:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep, 5)
            await trio.sleep(4)
            fake.errors = {}
            assert await run.collect() == list(map(vector, TEXTS[:5]))
    fake.errors = {TEXTS[0]: full}
    fake.asked.clear()
    async with fake.run(TEXTS[:5]) as run:
        with pytest.raises(OverloadError):
            await run.collect()
    assert len(fake.asked) == 8


async def test_a_wrong_number_of_vectors_is_no_answer(autojump_clock: MockClock) -> None:
    """A server that gives too few would shift all others."""

    async def ask(texts: Sequence[str]) -> EmbedResponse:
        await trio.lowlevel.checkpoint()
        return EmbedResponse(embeddings=tuple(map(vector, texts[1:])))

    run: EmbedRun[Any] = EmbedRun(Work(ask, lambda: 1, TEXTS, VolumeRules(), TokenGuess()))
    async with run:
        with pytest.raises(ProtocolError, match="63 vectors for 64 texts"):
            await run.collect()


async def test_what_the_texts_raise_is_raised(autojump_clock: MockClock) -> None:
    """After the vectors of the texts before it."""

    def broken() -> Iterator[str]:
        yield from TEXTS[:15]
        raise OSError("the disk is gone")

    async with Fake().run(broken(), batch_count_max=10) as run:
        assert [await anext(run) for _ in range(15)] == list(map(vector, TEXTS[:15]))
        with pytest.raises(OSError, match="the disk is gone"):
            await anext(run)


async def test_what_a_count_raises_is_raised(autojump_clock: MockClock) -> None:
    """A caller's own function may be wrong."""

    def count(text: str) -> int:
        raise ZeroDivisionError

    run: EmbedRun[Any] = EmbedRun(Work(Fake(), lambda: 1, TEXTS, VolumeRules(), TokenGuess(count)))
    async with run:
        with pytest.raises(ZeroDivisionError):
            await run.collect()


async def test_a_slow_source_is_not_waited_for(autojump_clock: MockClock) -> None:
    """A batch that is not full is sent after a moment, and each vector comes when it can."""

    async def slow() -> AsyncIterator[str]:
        for text in TEXTS[:5]:
            await trio.sleep(10)
            yield text

    fake = Fake()
    async with fake.run(slow(), linger_s=0.5) as run:
        for place in range(5):
            assert await anext(run) == vector(TEXTS[place])
            lingered_s = 0.5 if place < 4 else 0.0  # the last one knows that it is
            assert trio.current_time() == pytest.approx(10 * (place + 1) + lingered_s + 1.0)
    assert fake.asked == [[text] for text in TEXTS[:5]]


async def test_leaving_early_closes_the_source_and_stops_requests(
    autojump_clock: MockClock,
) -> None:
    """A generator that is left half-way is closed at once, not by the garbage collector."""
    is_closed = False

    async def texts() -> AsyncIterator[str]:
        nonlocal is_closed
        try:
            while True:
                yield "text"
        finally:
            is_closed = True

    fake = Fake()
    async with fake.run(texts(), batch_count_max=5) as run:
        await anext(run)
    assert is_closed
    assert fake.running == 0
    for read in (anext(run), run.collect()):
        with pytest.raises(InvalidRequestError, match="left before its end"):
            await read  # and not an end, which would hide that there is more
    with pytest.raises(InvalidRequestError, match="one block"):
        async with run:
            pass


async def test_a_source_that_takes_its_time_lets_others_go_on() -> None:
    """Between two texts, though there is room for more of them."""
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await trio.lowlevel.checkpoint()

    def slow() -> Iterator[int]:
        for _ in range(5):
            time.sleep(TURN_S)
            yield turns

    seen: list[int] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(other)
        fake = Fake(took_s=lambda _texts: 0)
        async with fake.run(str(seen.append(each)) for each in slow()) as run:
            await run.collect()
        nursery.cancel_scope.cancel()
    assert seen[-1] - seen[0] >= 2  # tasks of one turn have no order


async def test_the_time_of_a_run_ends_with_it(autojump_clock: MockClock) -> None:
    """So that its rate is still true when it is asked for later."""
    async with Fake().run(TEXTS[:30]) as run:
        await run.collect()
        elapsed_s = run.progress().elapsed_s
        await trio.sleep(100)
        assert run.progress().elapsed_s == elapsed_s == pytest.approx(1)
    assert run.progress().elapsed_s == elapsed_s


async def test_what_else_gives_texts_is_left_open(autojump_clock: MockClock) -> None:
    """A channel is its owner's, who may go on with it."""
    send, receive = trio.open_memory_channel[str](100)
    async with send, receive:
        for text in TEXTS[:80]:
            send.send_nowait(text)
        async with Fake().run(receive, batch_count_max=1, concurrency_max=1) as run:
            await anext(run)
        assert receive.receive_nowait() in TEXTS


@pytest.mark.parametrize("error", [None, ValueError("not sent")])
def test_the_block_goes_on_after_the_end(error: Exception | None) -> None:
    """After the last vector, or an error that the program caught, nothing of it is cancelled."""
    fake = Fake(errors={} if error is None else {TEXTS[0]: error})
    reached = []

    async def program() -> None:
        async with fake.run(TEXTS[:30]) as run:
            with suppress(ValueError):
                await run.collect()
            reached.append("end of the run")
            await trio.sleep(1)
            with pytest.raises(StopAsyncIteration):
                await anext(run)
            reached.append("end of the block")
        reached.append("end of the program")

    # A stray Cancelled ends a program without a word, and a test, too.
    with suppress(trio.Cancelled):
        trio.run(program, clock=MockClock(autojump_threshold=0))
    assert reached == ["end of the run", "end of the block", "end of the program"]


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("way", ["plain", "async"])
async def test_an_interrupt_in_the_texts_is_in_no_group(
    interrupt: type[BaseException], way: str, autojump_clock: MockClock
) -> None:
    """Ctrl-C while a text is read ends the program as anywhere else."""

    def plain() -> Iterator[str]:
        yield "text"
        raise interrupt

    async def later() -> AsyncIterator[str]:
        yield "text"
        raise interrupt

    fake = Fake()
    with pytest.raises(interrupt):
        async with fake.run(later() if way == "async" else plain()) as run:
            await run.collect()
    assert fake.running == 0


async def test_a_reader_elsewhere_is_told_that_the_block_was_left(
    autojump_clock: MockClock,
) -> None:
    """It does not wait for ever."""
    async with trio.open_nursery() as nursery:

        async def read() -> None:
            with pytest.raises(InvalidRequestError, match="left before its end"):
                await run.collect()

        async with Fake().run(TEXTS) as run:
            nursery.start_soon(read)
            await trio.sleep(0.5)


async def test_an_error_of_the_block_goes_on_as_it_is(autojump_clock: MockClock) -> None:
    """Not in a group."""
    fake = Fake()
    with pytest.raises(ZeroDivisionError):
        async with fake.run(TEXTS) as run:
            await anext(run)
            raise ZeroDivisionError
    assert fake.running == 0


@pytest.mark.parametrize("step", range(1, 25))
async def test_cancelled_anywhere_nothing_is_left(
    step: int, cancel_at_step: Any, autojump_clock: MockClock
) -> None:
    """Whenever any of its tasks gives way: no request goes on."""
    fake = Fake()
    cancel = cancel_at_step(step, of_any=True)
    with cancel:
        async with fake.run(TEXTS, batch_count_max=10) as run:
            await run.collect()
    await trio.testing.wait_all_tasks_blocked()
    assert fake.running == 0


async def test_a_cancelled_iteration_loses_nothing(autojump_clock: MockClock) -> None:
    """Iterate on."""
    vectors = []
    async with Fake().run(TEXTS[:30], batch_count_max=5) as run:
        while True:
            with trio.move_on_after(0.3):
                try:
                    vectors.append(await anext(run))
                except StopAsyncIteration:
                    break
    assert vectors == list(map(vector, TEXTS[:30]))


async def test_one_reads_at_a_time(autojump_clock: MockClock) -> None:
    """A second reader is told so."""
    async with Fake().run(TEXTS) as run, trio.open_nursery() as nursery:
        nursery.start_soon(anext, run)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await anext(run)
        await trio.sleep(2)


async def test_without_its_block_it_says_how(autojump_clock: MockClock) -> None:
    """The likeliest mistake names the way."""
    with pytest.raises(InvalidRequestError, match=r"async with engine\.embed_many"):
        await anext(Fake().run(TEXTS))
