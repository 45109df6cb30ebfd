"""Bytes in, chunks out: order, bounds, back-pressure, ends and stamps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from triollama._config import EngineConfig
from triollama._errors import (
    AnswerTooLargeError,
    ProtocolError,
    ServerFailedError,
    StallError,
    TruncatedError,
)
from triollama.actors.streams.document import DocumentInflow
from triollama.actors.streams.inflow import ChunkInflow
from triollama.api import ChatFold, decode_chat_chunk, decode_version

Line = Callable[..., bytes]


async def contents(inflow: Any) -> list[str]:
    """Iterate to the end."""
    return [chunk.content async for chunk in inflow]


# ---- order


async def test_chunks_come_in_order_however_the_bytes_are_cut(
    make_bed: Any, chat_line: Line, last_line: bytes
) -> None:
    """Line by line, all at once or byte by byte: the same chunks and the same answer."""
    whole = chat_line("a") + chat_line("") + chat_line("b\u2028c") + chat_line("d") + last_line
    cuts = ([whole], [bytes([b]) for b in whole], whole.splitlines(keepends=True))
    for pieces in cuts:
        bed = make_bed()
        bed.feed(*pieces)
        bed.inflow.finish()
        bed.inflow.close(None)
        assert await contents(bed.inflow) == ["a", "", "b\u2028c", "d", ""]
        assert bed.answer.content == "ab\u2028cd"
        assert bed.inflow.chunks == 5
        assert bed.inflow.received_bytes == len(whole)


@given(cuts=st.lists(st.integers(1, 400), max_size=12))
def test_any_cut_gives_the_same_answer(cuts: list[int]) -> None:
    """Where the network cuts makes no difference."""
    bodies = [f'{{"message":{{"content":"{n} "}},"done":{str(n == 5).lower()}}}' for n in range(6)]
    whole = "\n".join(bodies).encode()
    places = sorted({min(cut, len(whole)) for cut in cuts})
    inflow, fold, flow = _raw_inflow()
    inflow.bind(flow)
    for start, end in zip([0, *places], [*places, len(whole)], strict=True):
        if start < end:
            inflow.feed(whole[start:end])
    inflow.finish()
    assert fold.result().content == "0 1 2 3 4 5 "
    assert inflow.is_whole


def _raw_inflow() -> tuple[ChunkInflow[Any], ChatFold, Any]:
    class Flow:
        received_ns = 1
        sent_ns = 1

        def pause(self) -> None: ...

        def resume(self) -> None: ...

    fold = ChatFold()
    return ChunkInflow(decode_chat_chunk, fold, EngineConfig()), fold, Flow()


# ---- ends


async def test_the_terminal_line_is_told_once(bed: Any, last_line: bytes) -> None:
    """`on_whole` is called when the line comes, before the body has ended."""
    told = []
    bed.inflow.on_whole = lambda: told.append(bed.inflow.is_whole)
    bed.feed(last_line)
    bed.inflow.finish()
    assert told == [True]
    assert bed.inflow.last.usage.output_tokens == 3


async def test_a_last_line_needs_no_line_break(bed: Any, last_line: bytes) -> None:
    """The end of the body ends the line."""
    bed.feed(last_line.rstrip())
    assert not bed.inflow.is_whole
    bed.inflow.finish()
    assert bed.inflow.is_whole


@pytest.mark.parametrize("body", ["none", "chunks", "blank", "partial"])
def test_an_end_without_done_is_a_failure(bed: Any, chat_line: Line, body: str) -> None:
    """Nothing, chunks alone, or a line cut short: the answer is truncated."""
    told = {"none": b"", "chunks": chat_line("a"), "blank": b"\n\n", "partial": b'{"mod'}[body]
    if told:
        bed.feed(told)
    with pytest.raises((TruncatedError, ProtocolError)):
        bed.inflow.finish()
    assert not bed.inflow.is_whole


@pytest.mark.parametrize("cut", ["together", "apart"])
def test_more_after_done_is_refused(bed: Any, chat_line: Line, last_line: bytes, cut: str) -> None:
    """A second terminal line, or a chunk behind it, is a fault of the server."""
    for extra in (last_line, chat_line("late")):
        with pytest.raises(ProtocolError, match="after the terminal line"):
            bed.feed(*([last_line + extra] if cut == "together" else [last_line, extra]))
    assert bed.answer.content == ""


def test_after_close_only_blanks_may_come(bed: Any, chat_line: Line) -> None:
    """What a closed stream still gets is refused, but for line breaks."""
    bed.inflow.close(None)
    bed.feed(b"\r\n")
    with pytest.raises(ProtocolError):
        bed.feed(chat_line("late"))


async def test_an_error_line_comes_after_the_chunks_before_it(bed: Any, chat_line: Line) -> None:
    """A 200 can end with an error: it is raised once the chunks before it were read."""
    with pytest.raises(ServerFailedError) as caught:
        bed.feed(chat_line("a") + chat_line("b") + b'{"error":"out of memory"}\n' + chat_line("c"))
    assert caught.value.status == 200
    assert "out of memory" in str(caught.value)
    bed.inflow.close(caught.value)
    taken = []
    with pytest.raises(ServerFailedError):
        async for chunk in bed.inflow:
            taken.append(chunk.content)
    assert taken == ["a", "b"]
    with pytest.raises(ServerFailedError):
        await anext(bed.inflow)


def test_an_error_text_is_cut(bed: Any) -> None:
    """However long a server's text is, little of it is kept."""
    with pytest.raises(ServerFailedError) as caught:
        bed.feed(b'{"error":"' + b"x" * 100_000 + b'"}\n')
    assert len(str(caught.value)) < 1_100


@pytest.mark.parametrize("junk", [b"<html>\n", b"[1]\n", b'{"message":7}\n', b"\xff\n", b"{}}\n"])
def test_junk_is_a_typed_error(bed: Any, chat_line: Line, junk: bytes) -> None:
    """What is not a line of Ollama's is refused, whatever came before."""
    bed.feed(chat_line("a"))
    with pytest.raises(ProtocolError):
        bed.feed(junk)
        bed.inflow.finish()


async def test_only_the_first_close_counts(bed: Any) -> None:
    """An outcome does not change."""
    bed.inflow.close(StallError("stall_s", 1.0))
    bed.inflow.close(None)
    assert bed.inflow.is_closed
    with pytest.raises(StallError):
        await anext(bed.inflow)


# ---- limits


@pytest.mark.parametrize(("extra", "fits"), [(-1, True), (0, True), (1, False)])
@pytest.mark.parametrize("cut", [False, True])
def test_a_line_has_a_limit(
    make_bed: Any, chat_line: Line, extra: int, *, fits: bool, cut: bool
) -> None:
    """One byte below, at, and above `line_bytes_max`, in one piece or two."""
    bed = make_bed(line_bytes_max=2_000)
    pad = 2_000 + extra - (len(chat_line("")) - 1)
    told = chat_line("x" * pad)
    pieces = [told[:700], told[700:]] if cut else [told]
    if fits:
        bed.feed(*pieces)
        assert bed.inflow.chunks == 1
    else:
        with pytest.raises(AnswerTooLargeError):
            bed.feed(*pieces)


@pytest.mark.parametrize(("extra", "fits"), [(-1, True), (0, True), (1, False)])
def test_an_answer_has_a_limit(make_bed: Any, chat_line: Line, extra: int, *, fits: bool) -> None:
    """One byte below, at, and above `answer_bytes_max`."""
    bed = make_bed(answer_bytes_max=4_096)
    told = chat_line("x" * 900)
    first, rest = divmod(4_096 + extra, len(told))
    bed.feed(*[told] * first)
    if fits:
        bed.feed(b" " * rest)
    else:
        with pytest.raises(AnswerTooLargeError):
            bed.feed(b" " * rest)


# ---- back-pressure


async def test_over_the_mark_it_is_not_read_until_drained(make_bed: Any, chat_line: Line) -> None:
    """Paused above `buffer_bytes_high`, read again when the reader has taken all."""
    told = chat_line("x" * 400)
    bed = make_bed(buffer_bytes_high=10 * len(told))
    bed.feed(*[told] * 10)
    assert not bed.flow.is_paused
    bed.feed(told)
    assert bed.flow.is_paused
    assert bed.inflow.is_paused
    for left in reversed(range(11)):
        await anext(bed.inflow)
        assert bed.flow.is_paused is (left > 0)
    bed.feed(*[told] * 10)
    assert not bed.flow.is_paused


async def test_pause_and_resume(bed: Any, chat_line: Line) -> None:
    """What the user paused stays so when the queue is drained, until the user resumes."""
    bed.inflow.pause()
    assert bed.flow.is_paused
    bed.feed(chat_line("on its way"))
    assert (await anext(bed.inflow)).content == "on its way"
    assert bed.flow.is_paused
    bed.inflow.resume()
    assert not bed.flow.is_paused
    assert not bed.inflow.is_paused


def test_paused_before_there_is_a_connection(make_bed: Any) -> None:
    """The pause holds from the connection's first byte, over attempts."""
    bed = make_bed(binds=False)
    bed.inflow.pause()
    bed.inflow.bind(bed.flow)
    assert bed.flow.is_paused
    bed.inflow.resume()
    assert not bed.flow.is_paused


async def test_pausing_a_full_stream_outlasts_its_draining(make_bed: Any, chat_line: Line) -> None:
    """Paused by the mark and by the user: the user's pause is the one that holds."""
    bed = make_bed(buffer_bytes_high=10)
    bed.feed(chat_line("a"))
    bed.inflow.pause()
    await anext(bed.inflow)
    assert bed.flow.is_paused


@pytest.mark.parametrize("has_chunk", [False, True])
async def test_a_line_longer_than_the_mark_is_read_to_its_end(
    make_bed: Any, chat_line: Line, *, has_chunk: bool
) -> None:
    """A line that is not whole is nobody's to drain: it must not stop the reading."""
    bed = make_bed(buffer_bytes_high=1_000)
    if has_chunk:
        bed.feed(chat_line("first"))
        await anext(bed.inflow)
    told = chat_line("x" * 10_000)
    for start in range(0, len(told), 500):
        assert not bed.flow.is_paused, start
        bed.feed(told[start : start + 500])
    assert len((await anext(bed.inflow)).content) == 10_000
    assert not bed.flow.is_paused


def test_collecting_is_never_paused(make_bed: Any, chat_line: Line, last_line: bytes) -> None:
    """Who wants the whole has no queue that could fill."""
    bed = make_bed(buffer_bytes_high=10)
    bed.inflow.collect_only()
    bed.feed(*[chat_line("x" * 100)] * 50, last_line)
    assert bed.flow.pauses == 0
    assert not bed.inflow.queue
    assert len(bed.answer.content) == 5_000


# ---- readers


async def test_only_a_waiting_reader_is_woken(
    bed: Any, chat_line: Line, last_line: bytes, nursery: trio.Nursery
) -> None:
    """A burst wakes the reader once, and it finds all of it."""
    taken: list[str] = []

    async def read() -> None:
        async for chunk in bed.inflow:
            taken.append(chunk.content)

    nursery.start_soon(read)
    await wait_all_tasks_blocked()
    bed.feed(chat_line("a"), chat_line("b"), chat_line("c"))
    await wait_all_tasks_blocked()
    assert taken == ["a", "b", "c"]
    bed.feed(last_line)
    bed.inflow.close(None)
    await wait_all_tasks_blocked()
    assert taken == ["a", "b", "c", ""]


async def test_two_readers_are_one_too_many(
    bed: Any, chat_line: Line, nursery: trio.Nursery
) -> None:
    """The second is refused, the first goes on."""
    taken: list[str] = []

    async def read() -> None:
        taken.append((await anext(bed.inflow)).content)

    nursery.start_soon(read)
    await wait_all_tasks_blocked()
    with pytest.raises(trio.BusyResourceError):
        await anext(bed.inflow)
    bed.feed(chat_line("a"))
    await wait_all_tasks_blocked()
    assert taken == ["a"]


async def test_a_refused_collect_takes_nothing_from_the_reader(
    bed: Any, chat_line: Line, last_line: bytes, nursery: trio.Nursery
) -> None:
    """Who is refused because another task reads has changed nothing for that task."""
    taken: list[str] = []

    async def read() -> None:
        taken.extend(await contents(bed.inflow))

    nursery.start_soon(read)
    await wait_all_tasks_blocked()
    with pytest.raises(trio.BusyResourceError):
        await bed.inflow.wait_whole()
    bed.feed(chat_line("a"), chat_line("b"), last_line)
    bed.inflow.close(None)
    await wait_all_tasks_blocked()
    assert taken == ["a", "b", ""]


async def test_two_collectors_are_one_too_many(bed: Any, nursery: trio.Nursery) -> None:
    """The whole answer is waited for by one task."""
    nursery.start_soon(bed.inflow.wait_whole)
    await wait_all_tasks_blocked()
    with pytest.raises(trio.BusyResourceError):
        await bed.inflow.wait_whole()
    bed.inflow.close(None)


async def test_a_cancelled_reader_loses_no_chunk(
    bed: Any, chat_line: Line, last_line: bytes
) -> None:
    """Cancelled while it waits, or with chunks at hand, the next read goes on where it was."""
    with trio.move_on_after(0.001) as waiting:
        await anext(bed.inflow)
    assert waiting.cancelled_caught
    bed.feed(chat_line("a"), chat_line("b"))
    with trio.CancelScope() as scope:
        scope.cancel()
        await anext(bed.inflow)
    assert scope.cancelled_caught
    bed.feed(last_line)
    bed.inflow.close(None)
    assert await contents(bed.inflow) == ["a", "b", ""]


async def test_fed_and_cancelled_in_one_moment(
    bed: Any, chat_line: Line, nursery: trio.Nursery
) -> None:
    """A reader that is woken and cancelled at once has the chunk, or it is still there."""
    taken: list[str] = []
    scope = trio.CancelScope()

    async def read() -> None:
        with scope:
            taken.append((await anext(bed.inflow)).content)

    for order in ("feed", "cancel"):
        taken.clear()
        scope = trio.CancelScope()
        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        if order == "cancel":
            scope.cancel()
        bed.feed(chat_line("a"))
        scope.cancel()
        await wait_all_tasks_blocked()
        if not taken:
            taken.append((await anext(bed.inflow)).content)
        assert taken == ["a"]


async def test_collect_after_some_iteration(
    bed: Any, chat_line: Line, last_line: bytes, nursery: trio.Nursery
) -> None:
    """The whole answer has what was iterated; the unread chunks are not iterated any more."""
    bed.feed(chat_line("a"), chat_line("b"), chat_line("c"))
    assert (await anext(bed.inflow)).content == "a"
    nursery.start_soon(bed.inflow.wait_whole)
    await wait_all_tasks_blocked()
    bed.feed(chat_line("d"), last_line)
    bed.inflow.close(None)
    await wait_all_tasks_blocked()
    assert bed.answer.content == "abcd"
    assert await contents(bed.inflow) == []


async def test_collect_resumes_a_paused_stream(bed: Any, nursery: trio.Nursery) -> None:
    """Waiting for the whole of what is not read would last for ever."""
    bed.inflow.pause()
    nursery.start_soon(bed.inflow.wait_whole)
    await wait_all_tasks_blocked()
    assert not bed.flow.is_paused
    bed.inflow.close(None)


async def test_collecting_is_woken_once(
    bed: Any, chat_line: Line, last_line: bytes, nursery: trio.Nursery
) -> None:
    """Chunks do not wake one who waits for the whole."""
    steps = 0

    class Count(trio.abc.Instrument):
        def before_task_step(self, task: trio.lowlevel.Task) -> None:
            nonlocal steps
            steps += task is collector

    collector: trio.lowlevel.Task | None = None

    async def collect() -> None:
        nonlocal collector
        collector = trio.lowlevel.current_task()
        await bed.inflow.wait_whole()

    nursery.start_soon(collect)
    await wait_all_tasks_blocked()
    counter = Count()
    trio.lowlevel.add_instrument(counter)
    for _ in range(20):
        bed.feed(chat_line("a"))
        await wait_all_tasks_blocked()
    bed.feed(last_line)
    bed.inflow.close(None)
    await wait_all_tasks_blocked()
    trio.lowlevel.remove_instrument(counter)
    assert steps == 1


async def test_collect_raises_what_ended_the_stream(bed: Any) -> None:
    """A failure is raised to a collector too, cancelled or not."""
    with trio.move_on_after(0.001) as scope:
        await bed.inflow.wait_whole()
    assert scope.cancelled_caught
    bed.inflow.close(TruncatedError("x"))
    with pytest.raises(TruncatedError):
        await bed.inflow.wait_whole()


# ---- attempts and stamps


def test_another_attempt_forgets_half_a_line(
    bed: Any, new_flow: Callable[[], Any], chat_line: Line, last_line: bytes
) -> None:
    """What an earlier attempt left of a line is no part of the next one's."""
    bed.feed(chat_line("lost")[:20])
    assert bed.inflow.delivered().is_empty
    bed.flow = new_flow()
    bed.inflow.bind(bed.flow)
    bed.feed(chat_line("a"), last_line)
    assert bed.answer.content == "a"


def test_stamps_are_those_of_the_reads(bed: Any, chat_line: Line, last_line: bytes) -> None:
    """First text, last text and end are stamped with the read that brought them."""
    assert bed.inflow.timing.scheduled_ns > 0
    assert bed.inflow.timing.first_ns == 0
    bed.feed(chat_line(""), at_ns=100)
    assert bed.inflow.timing.first_ns == 0
    bed.feed(chat_line("", message={"content": "", "thinking": "hm"}), at_ns=200)
    bed.feed(chat_line("a"), at_ns=300)
    bed.feed(chat_line("b")[:9], at_ns=350)
    bed.feed(chat_line("b")[9:], at_ns=400)
    assert bed.inflow.timing.done_ns == 0
    bed.feed(last_line, at_ns=500)
    timing = bed.inflow.timing
    assert (timing.first_ns, timing.last_ns, timing.done_ns) == (200, 400, 500)
    assert [chunk.arrived_ns for chunk in bed.inflow.queue] == [100, 200, 300, 400, 500]


def test_text_in_the_terminal_line_counts(bed: Any, chat_line: Line) -> None:
    """A whole answer in one line has all its stamps."""
    bed.feed(chat_line("all", done=True), at_ns=7)
    timing = bed.inflow.timing
    assert (timing.first_ns, timing.last_ns, timing.done_ns) == (7, 7, 7)


# ---- documents


@pytest.fixture
def document() -> DocumentInflow[Any]:
    """An inflow of one document of at most 1 KiB."""
    return DocumentInflow(decode_version, EngineConfig(answer_bytes_max=1_024))


def test_a_document_in_pieces(document: DocumentInflow[Any], new_flow: Any) -> None:
    """The pieces are one; what an earlier attempt brought is forgotten."""
    document.bind(new_flow())
    document.feed(b'{"version":"lost')
    document.bind(new_flow())
    document.feed(b'{"version"')
    document.feed(b':"1.2"}')
    assert not document.is_whole
    document.finish()
    assert document.is_whole
    assert document.value.version == "1.2"
    assert not document.is_paused
    assert document.delivered().is_empty
    assert document.received_bytes == 33


def test_a_document_has_a_limit(document: DocumentInflow[Any], new_flow: Any) -> None:
    """At the limit it fits, one byte over it does not; attempts do not add up."""
    for _ in range(3):
        document.bind(new_flow())
        document.feed(b"x" * 1_024)
    with pytest.raises(AnswerTooLargeError):
        document.feed(b"x")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"version":'])
def test_a_document_that_is_none(document: DocumentInflow[Any], new_flow: Any, body: bytes) -> None:
    """Anything else than the document is a fault of the server."""
    document.bind(new_flow())
    document.feed(body)
    with pytest.raises(ProtocolError):
        document.finish()
    assert not document.is_whole


def test_a_documents_error_is_kept(document: DocumentInflow[Any]) -> None:
    """The caller finds why there is none."""
    document.close(TruncatedError("x"))
    assert isinstance(document.error, TruncatedError)
