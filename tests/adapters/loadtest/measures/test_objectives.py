"""How objectives are written, and one request held against them."""

import hypothesis.strategies as st
import pytest
from hypothesis import given
from tests.adapters.loadtest.measures.made import MS, answered, failed

from triollama_adapters.loadtest.errors import ObjectiveError
from triollama_adapters.loadtest.measures.objectives import GRAMMAR, Limit, parse_objective
from triollama_adapters.loadtest.measures.spans import spans_of
from triollama_adapters.loadtest.plan import Objective
from triollama_adapters.loadtest.sample import Sample


@pytest.mark.parametrize(
    ("text", "metric", "share", "limit"),
    [
        ("ttft_p95<800ms", "ttft", 0.95, 0.8),
        ("tpot_p95<40ms", "tpot", 0.95, 0.04),
        ("e2e_p99<=2s", "e2e", 0.99, 2.0),
        ("icl_p99.9<250us", "icl", 0.999, 0.00025),
        (" TTFO_p50 < 1.5 s ", "ttfo", 0.5, 1.5),
        ("errors<1%", "errors", None, 0.01),
        ("errors<=.005", "errors", None, 0.005),
        ("errors<=0%", "errors", None, 0.0),
    ],
)
def test_objectives_are_read(text: str, metric: str, share: float | None, limit: float) -> None:
    """Durations with a unit, shares with a percent sign or bare; spaces and case do not matter."""
    plain = text.replace(" ", "").lower()
    assert parse_objective(text) == Objective(metric, share, pytest.approx(limit), plain)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "another form"),
        ("ttft", "another form"),
        ("ttft_p95>800ms", "another form"),
        ("ttft_p95<fast", "another form"),
        ("ttft_p95<-1ms", "another form"),
        ("ttft_p95<1e3ms", "another form"),
        ("itl_p95<800ms", "no metric itl"),
        ("ttft<800ms", "which percentile"),
        ("ttft_p0<800ms", "between 0 and 100"),
        ("ttft_p100<800ms", "between 0 and 100"),
        ("ttft_p95<800", "no unit"),
        ("ttft_p95<800min", "min is no unit"),
        ("ttft_p95<1%", "% is no unit"),
        ("ttft_p95<0ms", "takes no time"),
        (f"ttft_p95<{10**309}s", "the limit is none"),
        ("errors_p95<1%", "no percentile"),
        ("errors<1ms", "ms is no unit"),
        ("errors<101%", "above 100 %"),
        ("errors<0%", "errors<=0%"),
    ],
)
def test_what_is_no_objective_is_told_with_the_grammar(text: str, why: str) -> None:
    """In one line: what was given, what is wrong with it, how one is written."""
    with pytest.raises(ObjectiveError) as caught:
        parse_objective(text)
    assert why in str(caught.value)
    assert repr(text) in str(caught.value)
    assert GRAMMAR in str(caught.value)
    assert "\n" not in str(caught.value)


def held(text: str, sample: Sample) -> tuple[bool, int, int, int]:
    """Whether a request keeps it; how many are late, cut off, and left afterwards."""
    limit = Limit(parse_objective(text))
    return limit.hold(sample, spans_of(sample)), limit.late, limit.cut, limit.left


def test_the_sign_decides_to_the_nanosecond() -> None:
    """At the limit, ``<`` is missed and ``<=`` is kept."""
    at = answered(0, 1, 800)
    before = answered(0, 1, 800, first_ns=800 * MS - 1)
    assert held("ttft_p95<800ms", at) == (False, 0, 0, 0)
    assert held("ttft_p95<=800ms", at) == (True, 0, 0, 0)
    assert held("ttft_p95<800ms", before) == (True, 0, 0, 0)


def test_requests_are_held_by_their_response_times() -> None:
    """Sent 700 ms late and answered within 200: the user waited for 900."""
    late = answered(0, 700, 900)
    assert not held("ttft_p50<800ms", late)[0]
    assert not held("ttfo_p50<800ms", late)[0]
    assert not held("e2e_p50<800ms", late)[0]


def test_icl_is_held_by_the_percentile_of_its_own_gaps() -> None:
    """Of ten gaps the 9th is p90, the 10th p95."""
    sample = answered(0, 1, 5, [10] * 9 + [500])
    assert held("icl_p90<20ms", sample)[0]
    assert not held("icl_p95<20ms", sample)[0]


def test_who_failed_is_late_and_who_was_cut_off_early_is_unknown() -> None:
    """A failure never had a first token; one that was cut off may have had it in time."""
    text = "ttft_p95<100ms"
    assert held(text, failed("http_5xx", 0, 5, sent=1))[1:] == (1, 0, 0)
    assert held(text, failed("unsent", 0, 5))[1:] == (1, 0, 0)
    assert held(text, failed("censored", 0, 99, sent=1))[1:] == (0, 1, 0)
    assert held(text, failed("censored", 0, 100, sent=1))[1:] == (1, 0, 0)
    assert held(text, failed("cancelled", 0, 50, sent=1))[1:] == (0, 0, 1)
    assert held(text, failed("cancelled", 0, 100, sent=1))[1:] == (1, 0, 0)
    assert held("tpot_p95<1s", failed("lost", 0, 5, sent=1))[1:] == (0, 0, 0)


@given(
    st.lists(st.integers(0, 10**9), min_size=1),
    st.floats(0.01, 0.99),
    st.integers(1, 10**9),
)
def test_gaps_are_held_by_nearest_rank(gaps: list[int], share: float, limit_ns: int) -> None:
    """It is kept if at least that share of them is within the limit; each of them is counted."""
    limit = Limit(Objective("icl", share, limit_ns / 1e9, "icl_pNN<="))
    sample = answered(0, 1, 5, [gap / MS for gap in gaps])
    kept = sum(gap <= limit_ns for gap in sample.gaps_ns)
    assert limit.hold(sample, spans_of(sample)) == (kept >= round(share * len(gaps), 6))
    assert (limit.kept, limit.broken) == (kept, len(gaps) - kept)


def test_a_rank_is_not_one_too_far() -> None:
    """0.55 times 100 is a little more than 55 for a computer; the 55th gap is p55."""
    assert held("icl_p55<=55ms", answered(0, 1, 5, range(1, 101)))[0]
    assert not held("icl_p55<=54ms", answered(0, 1, 5, range(1, 101)))[0]


def test_a_sign_with_a_blank_in_it_is_a_sign() -> None:
    """What may be written means the same in whatever way it is written."""
    at = answered(0, 1, 800)
    assert held("ttft_p95 < = 800 ms", at)[0]
    assert not held("ttft_p95 < 800 ms", at)[0]


def test_what_a_request_cannot_have_is_kept() -> None:
    """An answer of one token has no TPOT, and an embedding no first token."""
    assert held("tpot_p95<1ms", answered(0, 1, 5)) == (True, 0, 0, 0)
    assert held("ttft_p95<1ms", answered(0, 1, 0, first_ns=0, chunks=0, done=9)) == (True, 0, 0, 0)
