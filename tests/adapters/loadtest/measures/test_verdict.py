"""Whether the load tester was the bottleneck."""

import pytest
from msgspec.structs import replace
from tests.adapters.loadtest.measures.made import (
    MS,
    NOWHERE,
    answered,
    failed,
    plan_of,
    result_of,
    tally_of,
)

from triollama_adapters.loadtest.measures.conclude import conclude
from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.result import ClientState
from triollama_adapters.loadtest.sample import Sample

SECOND = 1000 * MS


def state(samples: list[Sample]) -> ClientState:
    """The verdict on a run with these requests."""
    return result_of(plan_of(), samples).client


def delayed(delay: float, *, ttft: float = 20) -> Sample:
    """A request that was sent so late, and whose first token took so long."""
    return answered(0, delay, delay + ttft)


@pytest.mark.parametrize(
    ("delay", "validity"), [(4.9, "VALID"), (5.1, "DEGRADED"), (9.9, "DEGRADED"), (10.1, "INVALID")]
)
def test_the_start_delay_decides(delay: float, validity: str) -> None:
    """10 ms is the limit with short TTFTs, and 5 ms where it begins to hurt."""
    found = state([delayed(0.1)] * 90 + [delayed(delay)] * 10)
    assert found.validity == validity
    assert found.start_delay_p99_s == pytest.approx(delay / 1e3, rel=1 / 256)
    assert len(found.reasons) == (validity != "VALID")


def test_one_late_request_of_a_hundred_and_one_is_no_verdict() -> None:
    """p99 is by nearest rank: the hundredth of 101."""
    assert state([delayed(0.1)] * 100 + [delayed(500)]).validity == "VALID"


@pytest.mark.parametrize(
    ("delay", "validity"), [(24, "VALID"), (26, "DEGRADED"), (49, "DEGRADED"), (51, "INVALID")]
)
def test_with_long_ttfts_more_is_allowed(delay: float, validity: str) -> None:
    """5 % of a median of one second, from sending: the delay must not excuse itself."""
    assert state([delayed(delay, ttft=1000)] * 10).validity == validity


def test_long_delays_are_told_in_seconds() -> None:
    """And not as 1.5e+03 ms."""
    (told,) = state([delayed(1_500)] * 100).reasons
    assert told == "p99 of the start delay is 1.5 s, and 10 ms is the limit"


@pytest.mark.parametrize("count", [1, 20, 99])
def test_one_late_request_of_a_few_is_told_and_no_verdict(count: int) -> None:
    """Below a hundred, p99 is the latest of all; a hiccup of 12 ms must not make a run INVALID."""
    found = state([delayed(0.1)] * (count - 1) + [delayed(12)])
    assert found.validity == "DEGRADED"
    (told,) = found.reasons
    requests = "1 request" if count == 1 else f"{count} requests"
    assert told == (
        f"1 of {requests} was sent 12 ms late, and 10 ms is the limit; with fewer than 100 there "
        "is no p99 to judge by"
    )
    assert found.start_delay_p99_s == pytest.approx(0.012, rel=1 / 256)


@pytest.mark.parametrize(
    ("delays", "validity", "told"),
    [
        ((0.1, 9), "VALID", None),
        ((6, 6), "DEGRADED", "2 of 20 requests were sent more than 5 ms late, half of the limit"),
        ((6, 12), "DEGRADED", "2 of 20 requests were sent more than 5 ms late, half of the limit"),
        ((12, 12), "INVALID", "2 of 20 requests were sent more than 10 ms late"),
    ],
)
def test_two_late_requests_of_a_few_are_a_verdict(
    delays: tuple[float, float], validity: str, told: str | None
) -> None:
    """The second latest is judged, and the words are about how many were late."""
    found = state([delayed(0.1)] * 18 + [delayed(each) for each in delays])
    assert found.validity == validity
    assert found.reasons == (() if told is None else (f"{told}; of fewer than 100 one may be",))


def test_one_of_a_few_that_was_never_sent() -> None:
    """Is told; a second one was no accident."""
    found = state([delayed(1)] * 19 + [failed("unsent", 0, 5)])
    assert (found.validity, found.reasons) == ("DEGRADED", ("1 of 20 requests were never sent",))
    assert state([delayed(1)] * 18 + [failed("unsent", 0, 5)] * 2).validity == "INVALID"


def test_who_was_never_sent_was_infinitely_late() -> None:
    """More than one in a hundred: INVALID; fewer: DEGRADED, for the schedule was not kept."""
    found = state([delayed(1)] * 97 + [failed("unsent", 0, 5)] * 3)
    assert found.validity == "INVALID"
    assert found.reasons == ("3 of 100 requests were never sent",)
    assert found.start_delay_p99_s == 0.001
    assert state([delayed(1)] * 999 + [failed("unsent", 0, 5)]).validity == "DEGRADED"


def looked(shares: list[float], every_s: float = 0.25) -> Tally:
    """A process that used these shares of a core, one look after the other."""
    tally = tally_of(plan_of(), [delayed(1)] * 4)
    cpu = 7 * SECOND
    tally.note_cpu(0, 0, cpu)
    for index, share in enumerate(shares, 1):
        cpu += round(share * every_s * SECOND)
        tally.note_cpu(0, round(index * every_s * SECOND), cpu)
    return tally


def concluded(tally: Tally) -> ClientState:
    """The verdict."""
    return conclude(plan_of(), tally, environment=NOWHERE, floor=1234.0).client


@pytest.mark.parametrize(
    ("busy_looks", "validity"), [(9, "VALID"), (11, "DEGRADED"), (18, "DEGRADED"), (20, "INVALID")]
)
def test_a_busy_process_decides(busy_looks: int, validity: str) -> None:
    """Above 90 % for 2.5 s (10 looks) is DEGRADED, for 5 s (20 looks) INVALID."""
    found = concluded(looked([0.1] * 40 + [0.95] * busy_looks + [0.1] * 40))
    assert found.validity == validity
    assert found.floor == 1234.0


def test_a_dip_between_two_looks_does_not_excuse() -> None:
    """What counts is the mean over the time."""
    assert concluded(looked([1.0, 0.85] * 12)).validity == "INVALID"


def test_how_busy_and_how_dear() -> None:
    """The busiest 5 s, and the CPU time of all of them by the number of requests."""
    found = concluded(looked([0.2] * 20 + [0.6] * 20 + [0.2] * 20))
    assert found.busiest == pytest.approx(0.6)
    assert found.cpu_s_per_request == pytest.approx((0.2 * 10 + 0.6 * 5) / 4)


def test_a_run_of_less_than_5_s_has_its_mean() -> None:
    """And cannot have been above the limit for 5 s."""
    found = concluded(looked([0.99] * 9))
    assert (found.validity, found.busiest) == ("VALID", pytest.approx(0.99))


def test_the_busiest_process_counts() -> None:
    """Each by itself; three idle ones do not excuse it."""
    tally = Tally(plan_of())
    for process in (3, 1):
        part = Tally(plan_of())
        for second in range(8):
            part.note_cpu(process, second * SECOND, second * SECOND if process == 3 else 0)
        tally.merge(Tally.decode(plan_of(), part.encode()))
    found = concluded(tally)
    assert (found.validity, found.busiest) == ("INVALID", 1.0)
    assert "process 3" in found.reasons[0]


def test_the_timing_error_is_the_99th_percentile_of_the_lags() -> None:
    """Each request keeps the largest that overlapped it."""
    samples = [answered(0, 1, 5, lag_ns=lag * MS) for lag in range(1, 101)]
    assert state(samples).timing_error_s == pytest.approx(0.099, rel=1 / 256)


def test_a_run_without_requests_is_valid() -> None:
    """There is nothing it could have got wrong."""
    assert state([]) == ClientState("VALID")


def in_line(waited: float, *, delay: float = 1, **fields: object) -> Sample:
    """A request that the engine's pool had after so long, and sent so much later."""
    queued = {"queued_ns": round(delay * MS)}
    return answered(0, delay + waited, delay + waited + 20, **{**queued, **fields})


def test_the_line_of_the_engine_is_not_the_load_tester() -> None:
    """With --routing engine its wait is measured, and is no start delay."""
    plan = plan_of()
    plan = replace(plan, target=replace(plan.target, routing="engine"))
    found = result_of(plan, [in_line(500)] * 100)
    assert found.client.validity == "VALID"
    assert found.client.start_delay_p99_s == pytest.approx(0.001, rel=1 / 256)
    assert found.metrics["start_delay"].mean_s == 0.001
    assert max(each.start_delay_max_s for each in found.moments) == 0.001
    assert result_of(plan, [in_line(0, delay=50)] * 100).client.validity == "INVALID"
    never = [in_line(1)] * 97 + [failed("unsent", 0, 5)] * 3
    assert result_of(plan, never).client.validity == "INVALID"


def test_who_was_in_the_line_of_the_engine_at_the_end_was_not_late() -> None:
    """It was handed over in time; it was never sent, and that is not the load tester's doing."""
    waiting = failed("censored", 0, 900, queued_ns=2 * MS)
    found = result_of(plan_of(), [waiting] * 100)
    assert (found.client.validity, found.counts.censored) == ("VALID", 100)
    assert found.metrics["start_delay"].count == 100
