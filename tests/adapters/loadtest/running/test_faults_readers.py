"""What readers saw of a fault, on cases worked out by hand."""

from __future__ import annotations

import pytest

from triollama_adapters.loadtest.result import Moment
from triollama_adapters.loadtest.running.faults import Fault
from triollama_adapters.loadtest.running.readers import FaultSeen, Readers, recovery, told
from triollama_adapters.loadtest.sample import Outcome, Sample

S = 1_000_000_000
FAULT = Fault("kill", "a", 20.0)


def sample(
    sent_s: float,
    ended_s: float,
    *,
    endpoint: str = "a",
    first_s: float | None = None,
    gap_s: float = 0.1,
    outcome: Outcome = "ok",
    continued: int = 0,
) -> Sample:
    """A request; its first token comes after 0.5 s unless it is said."""
    first_s = sent_s + 0.5 if first_s is None else first_s
    return Sample(
        session=0,
        endpoint=endpoint,
        outcome=outcome,
        scheduled_ns=round(sent_s * S),
        sent_ns=round(sent_s * S),
        first_ns=round(first_s * S),
        ended_ns=round(ended_s * S),
        gap_max_ns=round(gap_s * S),
        continued=continued,
    )


def moments(*p95_s: float | None) -> list[Moment]:
    """One for each second."""
    return [Moment(float(at), ttft_p95_s=value) for at, value in enumerate(p95_s)]


def seen_of(*samples: Sample) -> FaultSeen:
    """What was seen of `FAULT`."""
    readers = Readers([FAULT])
    for each in samples:
        readers.add(each)
    (seen,) = readers.conclude([])
    return seen


USUAL = (sample(1, 5), sample(2, 6, endpoint="b"), sample(3, 7))


def test_who_was_struck() -> None:
    """Those in flight at the endpoint in that moment, by what became of them, and nobody else."""
    seen = seen_of(
        *USUAL,
        sample(18, 30, endpoint="b", continued=1),  # began at a, went on at b
        sample(19, 25, outcome="lost"),
        sample(19, 26, outcome="truncated", continued=1),
        sample(19, 20.5),  # its answer was under way
        sample(19, 25, endpoint="b"),  # is none of the fault's
        sample(21, 22, outcome="connect"),  # later
        sample(22, 23),
    )
    assert (seen.struck, seen.continued, seen.unbroken) == (4, 1, 1)
    assert seen.failed == {"lost": 1, "truncated": 1}
    assert seen.errors == 1


def test_sent_again() -> None:
    """A stream that went on elsewhere was struck, though its last request left after the fault."""
    again = sample(20.1, 30, first_s=18.5, endpoint="b", gap_s=0.3, continued=1)
    seen = seen_of(*USUAL, again, sample(20.1, 30, endpoint="b"))
    assert (seen.struck, seen.continued) == (1, 1)
    assert seen.added_max_s == pytest.approx(0.2, rel=0.02)


def test_unsent_requests_are_errors() -> None:
    """What was due after the fault and never sent failed; what was due before is none of it."""
    unsent = Sample(session=0, outcome="unsent", scheduled_ns=21 * S)
    early = Sample(session=1, outcome="unsent", scheduled_ns=19 * S)
    assert seen_of(unsent, early).errors == 1


def test_added_latency() -> None:
    """Beyond the usual wait: of a stream its longest pause, of one that waits, the first token."""
    seen = seen_of(
        *USUAL,
        sample(18, 30, gap_s=2.1, continued=1),  # streamed: 2.0 s more than 0.1 s
        sample(19.8, 30, first_s=25.3, continued=1),  # waited: 5.0 s more than 0.5 s
        sample(19, 30, gap_s=0.05),  # quicker than usual adds nothing
        sample(19, 30, gap_s=9.0, outcome="stall"),  # no answer: a failure, not a wait
    )
    assert seen.added_p50_s == pytest.approx(2.0, rel=0.01)
    assert seen.added_max_s == pytest.approx(5.0, rel=0.01)


def test_nothing_to_compare_with() -> None:
    """A fault before anything ended has no usual wait, and says nothing of it."""
    seen = seen_of(sample(18, 30, gap_s=2.1, continued=1))
    assert (seen.struck, seen.added_p50_s, seen.added_max_s) == (1, None, None)


@pytest.mark.parametrize(
    ("p95_s", "at_s", "expected"),
    [
        ((1.0, 1.0, 1.0, 1.0, 1.0, 1.0), 3.0, 0.0),  # not felt
        ((1.0, 1.0, 1.0, 5.0, 3.0, 1.1, 1.0, 1.0), 3.0, 2.0),
        ((1.0, 1.0, 1.0, 5.0, 3.0, 1.1, 1.0, 1.0), 3.5, 1.5),
        ((1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0), 3.0, 4.0),  # felt a moment later
        ((1.0, 1.0, 1.0, 5.0, 1.0, 5.0, 5.0, 1.0, 1.0), 3.0, 4.0),  # one good moment is chance
        ((1.0, 1.0, 1.0, 5.0, 1.0, 1.0, 5.0, 1.0), 3.0, 1.0),  # and so is a bad one
        ((1.0, 1.0, 1.0, 5.0, None, None, 1.0), 3.0, 3.0),  # moments without requests say nothing
        ((1.0, 1.0, 1.0, 5.0, 5.0, 1.2), 3.0, None),
        ((1.0, 2.0, 3.0), 0.0, None),
        ((), 3.0, None),
    ],
)
def test_recovery(p95_s: tuple[float | None, ...], at_s: float, expected: float | None) -> None:
    """As before is within 10 %, in that moment and in most of the next ones."""
    assert recovery(moments(*p95_s), at_s) == expected


def test_late_trouble_is_another() -> None:
    """What begins long after a fault is not its effect."""
    assert recovery(moments(*[1.0] * 30, *[3.0] * 10), 5.0) == 0.0


def test_in_words() -> None:
    """The event of a result says it all in a line."""
    readers = Readers([FAULT])
    for each in (*USUAL, sample(18, 30, gap_s=2.1, continued=1), sample(19, 25, outcome="lost")):
        readers.add(each)
    (seen,) = readers.conclude(moments(*[1.0] * 20, 4.0, 3.0, *[1.0] * 5))
    event = told(seen)
    assert (event.at_s, event.kind, event.endpoint) == (20.0, "readers", "a")
    assert event.text.startswith("2 in flight; 1 went on elsewhere; 1 lost; ")
    assert event.text.endswith("TTFT p95 as before after 2.0 s")


def test_in_words_without_effect() -> None:
    """A fault that nobody felt says so; one that did not end says that."""
    for p95_s, end in (
        ((1.0,) * 30, "stayed as before"),
        ((1.0,) * 20 + (9.0,) * 9, "before again"),
    ):
        (seen,) = Readers([FAULT]).conclude(moments(*p95_s))
        assert told(seen).text.endswith(end)
