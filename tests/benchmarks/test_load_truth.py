"""The comparison of a load test's figures with the truth, on cases worked out by hand."""

from __future__ import annotations

import pytest
from benchmarks.load_truth import (
    beginning_ns,
    deviations,
    ledger_deviations,
    nearest_rank,
    pair,
    true_terms,
    true_values,
    worst,
)

from triollama_adapters.loadtest.result import Distribution, Interval, LedgerFound
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.simulator.truth import Send, Truth

MS = 1_000_000
BEGAN = 7_000 * MS
"""When the run began, on the servers' clock."""


def _sample(session: int, due_ms: float, sent_ms: float, **fields: object) -> Sample:
    return Sample(session, scheduled_ns=int(due_ms * MS), sent_ns=int(sent_ms * MS), **fields)  # type: ignore[arg-type]


def _truth(prompt: int, arrived_ms: float, *events_ms: float, tokens: int = 3) -> Truth:
    """A request whose writes return at these times after its arrival; the last is the end."""
    arrived_ns = BEGAN + int(arrived_ms * MS)
    return Truth(
        prompt,
        "/api/chat",
        arrived_ns,
        prompt=prompt,
        loaded_ns=arrived_ns + 1 * MS,
        slot_ns=arrived_ns + 3 * MS,
        read_ns=arrived_ns + 9 * MS,
        written_ns=arrived_ns + int(events_ms[-1] * MS),
        tokens=tokens,
        sends=(
            Send(0, 5, 0),
            *(Send(int(at * MS) - 5, 5, 1) for at in events_ms),
            Send(int(events_ms[-1] * MS), 9, 0),
        ),
    )


SAMPLES = [_sample(0, 0, 2), _sample(1, 10, 10.5), _sample(2, 20, 20, outcome="stall")]
TRUTHS = [_truth(70, 3, 10, 14, 20, 20), _truth(71, 11, 30, 31, 37, 37), _truth(9, 1, 2, 3)]
PROMPTS = {0: 70, 1: 71, 2: 72}


def test_requests_are_found_by_their_prompts() -> None:
    """What was not answered, and what was not of the run, is left out."""
    pairs = pair(SAMPLES, TRUTHS, PROMPTS)
    assert [(each.sample.session, each.truth.prompt) for each in pairs] == [(0, 70), (1, 71)]


def test_the_beginning_is_what_no_request_belies() -> None:
    """The quickest way tells it: here half a millisecond."""
    assert beginning_ns(pair(SAMPLES, TRUTHS, PROMPTS)) == BEGAN + MS // 2


def test_true_durations() -> None:
    """By the definitions, from what the server sent."""
    found = true_values(pair(SAMPLES, TRUTHS, PROMPTS))
    assert {name: [value / MS for value in values] for name, values in found.items()} == {
        "ttft": [12.5, 30.5],
        "ttft_service": [10, 30],
        "icl": [1, 4, 6, 6],
        "tpot": [3.5, 5],
        "e2e": [22.5, 37.5],
        "e2e_service": [20, 37],
    }


def test_true_terms() -> None:
    """The means of what the log tells of the phases."""
    assert true_terms(pair(SAMPLES, TRUTHS, PROMPTS)) == pytest.approx(
        {"load": 0.001, "slot_wait": 0.002, "prefill": 0.006, "decode": 0.0195}
    )


def test_nearest_rank() -> None:
    """The least value that the share does not exceed; a product that rounds up does not move it."""
    values = list(range(1, 101))
    assert [nearest_rank(values, share) for share in (0.5, 0.99, 1.0, 0.001)] == [50, 99, 100, 1]
    assert nearest_rank(list(range(1, 1001)), 0.999) == 999


def _distribution(**percentiles: float | None) -> Distribution:
    told = {
        name.replace("_", "."): None if value is None else Interval(value)
        for name, value in percentiles.items()
    }
    return Distribution(2, 0.0, 0.0, 0.0, told, ())


def test_each_percentile_is_held_against_the_truth() -> None:
    """Within a millisecond or a percent; what is withheld is left out."""
    metrics = {
        "ttft_service": _distribution(p50=0.0105, p99=0.0298, p99_9=None),
        "icl": _distribution(p50=0.006),
        "start_delay": _distribution(p50=9.0),
    }
    found = {each.name: each for each in deviations(metrics, pair(SAMPLES, TRUTHS, PROMPTS))}
    assert found.keys() == {"ttft_service p50", "ttft_service p99", "icl p50"}
    assert found["ttft_service p50"].limits == pytest.approx(0.5)
    assert found["ttft_service p99"].error_s == pytest.approx(-0.0002)
    assert worst(list(found.values())) is found["icl p50"]
    assert str(found["icl p50"]) == "icl p50: 6.000 ms, truly 4.000 ms (2.00 limits)"


def test_a_long_duration_may_be_a_percent_off() -> None:
    """One of ten seconds by a hundred milliseconds."""
    pairs = pair([_sample(0, 0, 0)], [_truth(70, 0, 10_000, 10_000)], PROMPTS)
    [found] = deviations({"e2e": _distribution(p50=10.05)}, pairs)
    assert found.limits == pytest.approx(0.5)


def test_terms_of_the_ledger_are_held_against_the_truth() -> None:
    """Within two percent, or half a millisecond where there is next to nothing."""
    mean_s = {"load": 0.0012, "slot_wait": 0.002, "prefill": 0.007, "decode": 0.0195}
    ledger = LedgerFound(
        2, mean_s, {}, 0.0, is_calibrated=True, is_trusted=True, disagreeing=0.0, cold=0, reloads=0
    )
    found = {
        each.name: each.limits for each in ledger_deviations(ledger, pair(SAMPLES, TRUTHS, PROMPTS))
    }
    assert found == pytest.approx(
        {"load": 0.4, "slot_wait": 0, "prefill": 2, "decode": 0}, abs=1e-6
    )
