"""The figures of a job: counted from outcomes, stored, and gone on with."""

from __future__ import annotations

import attrs
import pytest

from triollama import Timing
from triollama_adapters.batch.figures.figures import LATELY_MAX, Figures
from triollama_adapters.batch.figures.prices import Prices
from triollama_adapters.batch.figures.snapshot import Lane, Spread
from triollama_adapters.batch.figures.stored import read_snapshot
from triollama_adapters.batch.figures.total import InputSeen
from triollama_adapters.batch.ledger.ledger import Entry
from triollama_adapters.batch.ledger.state import BatchState
from triollama_adapters.batch.work.job import Outcome, Progress

STATE = BatchState(
    done=0,
    failed=0,
    errors={},
    input_tokens=0,
    output_tokens=0,
    started_s=1_000.0,
    updated_s=None,
    input_rows=None,
    settings=None,
    notes=None,
)
MS = 1_000_000


def answered(number: int, *, ms: int = 100, endpoint: str = "a:1", tokens: int = 10) -> Outcome:
    """A row that took so long, and half as long to its first token."""
    timing = Timing(
        scheduled_ns=MS,
        sent_ns=2 * MS,
        first_ns=(2 + ms // 2) * MS,
        last_ns=(2 + ms) * MS,
        done_ns=(2 + ms) * MS,
    )
    entry = Entry(number, bytes(16), b"{}\n", None, 5, tokens)
    return Outcome(number, None, entry, endpoint=endpoint, timing=timing)


def failed(number: int, kind: str = "LineNotJson", message: str = "line 1 is not JSON") -> Outcome:
    """A row that could not be asked."""
    return Outcome(number, None, Entry(number, bytes(16), b"{}\n", kind), error=message)


def test_answers_give_percentiles_and_lanes() -> None:
    """From sending to the first token and to the end; who gave none has an empty lane."""
    figures = Figures(1_000.0, 50.0)
    assert figures.take([answered(n, ms=100 + n) for n in range(40)], 51.0) == []
    figures.take([answered(n, endpoint="b:1", tokens=30) for n in range(40, 45)], 51.0)
    progress = Progress(read=60, running=3, answered=45, output_tokens=550)
    state = attrs.evolve(STATE, done=45, input_tokens=225, output_tokens=550)
    lanes = [Lane(endpoint=name, in_flight=1, slots=4) for name in ("a:1", "b:1", "c:1")]
    shot = figures.snapshot(state, progress, 60.0, lanes=lanes)
    assert (shot.at_s, shot.begun_s, shot.ran_s) == (1_010.0, 1_000.0, 10.0)
    assert shot.latency_ms.count == shot.first_token_ms.count == 45
    assert shot.latency_ms.p50 == pytest.approx(117, rel=0.02)
    assert shot.latency_ms.p90 == pytest.approx(135, rel=0.02)
    assert shot.latency_ms.p99 is None  # 45 values say nothing of it
    assert shot.tokens == Spread(count=45, p50=10, p90=30)
    assert shot.queued_ms.p50 == pytest.approx(1.0, rel=0.02)
    assert [(each.rows, each.tokens) for each in shot.lanes] == [(40, 400), (5, 150), (0, 0)]
    assert shot.rows_per_s_overall == pytest.approx(4.5)
    assert shot.tokens_per_s == pytest.approx(55.0)
    assert shot.cost is None


def test_failures_are_told_with_their_first_message() -> None:
    """Those that say the same in a row are one entry of the last errors; there are only a few."""
    figures = Figures(1_000.0, 0.0)
    told = figures.take([failed(n) for n in range(5)], 1.0)
    assert [(each.kind, each.rows) for each in told] == [("LineNotJson", 1)] * 5
    hostile = "\x1b[2Jgpu-1: no\nmodel " + "x" * 1_000
    figures.take([failed(5, "NotFoundError", hostile), failed(6, message="line 7 is not")], 2.0)
    state = attrs.evolve(STATE, failed=7, errors={"NotFoundError": 1, "LineNotJson": 6})
    shot = figures.snapshot(state, Progress(read=7, failed=7), 3.0)
    assert [(each.kind, each.rows, each.at_s) for each in shot.lately] == [
        ("LineNotJson", 5, 1_001.0),
        ("NotFoundError", 1, 1_002.0),
        ("LineNotJson", 1, 1_002.0),
    ]
    first, second = shot.failures
    assert (first.kind, first.rows, first.message) == ("LineNotJson", 6, "line 1 is not JSON")
    assert second.message.startswith("[2Jgpu-1: no model xxx")
    assert len(second.message) <= 300
    figures.take([failed(n, f"Kind{n}") for n in range(100)], 4.0)
    assert len(figures.snapshot(state, Progress(), 5.0).lately) == LATELY_MAX


@pytest.mark.parametrize(
    ("progress", "seen", "input_rows", "told"),
    [
        (Progress(read=10, answered=4, failed=1), InputSeen(given=10), None, (None, None, False)),
        (
            Progress(read=10, answered=4, failed=1, is_read_to_end=True),
            InputSeen(given=10),
            None,
            (5, 10, True),
        ),
        (
            Progress(read=10, answered=4, failed=1),
            InputSeen(given=10, size_bytes=200, read_bytes=100),
            None,
            (15, 20, False),
        ),
        (Progress(read=10, answered=4, failed=1), InputSeen(given=10), 40, (35, 40, False)),
    ],
)
def test_what_is_left(
    progress: Progress,
    seen: InputSeen,
    input_rows: int | None,
    told: tuple[int | None, int | None, bool],
) -> None:
    """Counted at the end of the input, else by its bytes or by what an earlier run counted."""
    state = attrs.evolve(STATE, done=4, failed=1, input_rows=input_rows)
    shot = Figures(0.0, 0.0).snapshot(state, progress, 1.0, seen=seen)
    assert (shot.left, shot.rows, shot.is_rows_known) == told


def test_what_an_earlier_run_did_is_not_left() -> None:
    """Also before the input has been read that far."""
    state = attrs.evolve(STATE, done=60)
    progress = Progress(read=20, skipped=20)
    seen = InputSeen(given=20, size_bytes=100, read_bytes=20)
    shot = Figures(0.0, 0.0).snapshot(state, progress, 1.0, seen=seen)
    assert (shot.left, shot.rows) == (40, 100)


def test_a_later_run_goes_on() -> None:
    """Percentiles and first messages are the whole job's; what is stored is read by others."""
    first = Figures(1_000.0, 0.0)
    first.take([answered(n) for n in range(30)] + [failed(30)], 1.0)
    state = attrs.evolve(STATE, done=30, failed=1, errors={"LineNotJson": 1})
    shot = first.snapshot(state, Progress(read=31, answered=30, failed=1), 2.0)
    stored = first.encode(shot)
    assert read_snapshot(stored) == shot
    second = Figures(2_000.0, 0.0, earlier=stored)
    second.take([answered(n, ms=300) for n in range(31, 61)], 1.0)
    later = second.snapshot(state, Progress(read=31, answered=30), 2.0)
    assert later.latency_ms.count == 60
    assert later.latency_ms.p90 == pytest.approx(300, rel=0.02)
    assert later.failures[0].message == "line 1 is not JSON"
    assert later.lately == ()


@pytest.mark.parametrize("stored", [None, b"", b"{}", b"\xff", b'{"snapshot":3}', b"[]"])
def test_what_cannot_be_read_is_left_out(stored: bytes | None) -> None:
    """Figures of another version, or damaged ones, keep nobody from going on."""
    assert read_snapshot(stored) is None
    figures = Figures(0.0, 0.0, earlier=stored)
    assert figures.snapshot(STATE, Progress(), 1.0).latency_ms.count == 0


def test_what_is_stored_stays_small() -> None:
    """Whatever the times are: some hundred buckets, however many rows."""
    figures = Figures(0.0, 0.0)
    for n in range(12_000):
        ms = int(1.0012**n) + 1
        figures.take([answered(n, ms=ms, endpoint=f"gpu-{n % 1_000}:1", tokens=n)], n)
    lanes = [Lane(endpoint=f"gpu-{n}:1") for n in range(1_000)]
    stored = figures.encode(figures.snapshot(STATE, Progress(), 1e6, lanes=lanes))
    assert len(stored) < 100_000


def test_what_it_costs() -> None:
    """Per million tokens, of prompts and answers; either may be free."""
    assert Prices().cost(1, 1) is None
    assert Prices(input=0.5, output=2.0).cost(2_000_000, 500_000) == pytest.approx(2.0)
    assert Prices(output=2.0).cost(10**9, 1_000_000) == pytest.approx(2.0)


def test_the_total_does_not_jump_with_a_commit() -> None:
    """A group is in the journal a moment before the run has counted it; a counted total stays."""
    figures = Figures(0.0, 0.0)
    progress = Progress(read=400, is_read_to_end=True)
    assert figures.snapshot(STATE, progress, 1.0).rows == 400
    ahead = attrs.evolve(STATE, done=44)
    shot = figures.snapshot(ahead, progress, 2.0)
    assert (shot.done, shot.left, shot.rows, shot.is_rows_known) == (44, 356, 400, True)
    half_read = Progress(read=100)
    seen = InputSeen(given=100, size_bytes=400, read_bytes=100)
    figures = Figures(0.0, 0.0)
    assert figures.snapshot(STATE, half_read, 1.0, seen=seen).rows == 400
    shot = figures.snapshot(ahead, half_read, 2.0, seen=seen)
    assert (shot.left, shot.rows, shot.is_rows_known) == (356, 400, False)


def test_embeddings_are_answers_of_nobody_known() -> None:
    """So that who answered sums up; a vector has no tokens that could have percentiles."""
    figures = Figures(0.0, 0.0)
    state = attrs.evolve(STATE, done=100)
    lanes = [Lane(endpoint="a:1")]
    figures.snapshot(state, Progress(), 0.0, lanes=lanes)
    vector = attrs.evolve(answered(0, tokens=0), endpoint="", timing=None)
    figures.take([vector] * 7 + [answered(n) for n in range(8)], 1.0)
    later = attrs.evolve(STATE, done=115)
    shot = figures.snapshot(later, Progress(read=15, answered=15), 2.0, lanes=lanes)
    assert (shot.earlier, shot.embedded, shot.lanes[0].rows) == (100, 7, 8)
    assert shot.tokens == Spread(count=8, p50=10)


def test_while_nobody_answers_there_is_no_rate() -> None:
    """Nor a time left; rows that wait for a server are not asked."""
    figures = Figures(0.0, 0.0)
    running = Progress(read=100, running=4, is_read_to_end=True)
    for second in range(1, 21):
        figures.note(attrs.evolve(running, answered=second), second)
    state = attrs.evolve(STATE, done=20)
    at_work = attrs.evolve(running, answered=20)
    shot = figures.snapshot(state, at_work, 21.0)
    assert shot.rows_per_s is not None
    assert shot.left_s is not None
    away = attrs.evolve(at_work, waiting=4, down_since_s=5.0)
    shot = figures.snapshot(state, away, 22.0, waiting="nobody has answered for 0:02")
    assert (shot.rows_per_s, shot.tokens_per_s, shot.left_s) == (None, None, None)
    assert (shot.running, shot.held) == (0, 4)
    probing = attrs.evolve(away, waiting=3)
    shot = figures.snapshot(state, probing, 30.0, waiting="nobody has answered for 0:10")
    assert (shot.rows_per_s, shot.left_s, shot.running) == (None, None, 1)
    another = attrs.evolve(probing, answered=21)  # of a model that is not away
    assert figures.snapshot(state, another, 31.0, waiting="nobody").rows_per_s is not None


def test_what_was_cut_off_is_told_at_the_end() -> None:
    """And not before."""
    figures = Figures(0.0, 0.0)
    progress = Progress(read=9, cut_off=3)
    assert figures.snapshot(STATE, progress, 1.0).cut_off == 0
    assert figures.snapshot(STATE, progress, 1.0, ended="interrupted").cut_off == 3
