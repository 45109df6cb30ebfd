"""A run in sentences."""

import msgspec
import pytest
from tests.adapters.loadtest.report.made_results import make_plan, make_result, make_untimed

from triollama_adapters.loadtest.plan import ClosedLoop, OpenLoop, Phase, Replay
from triollama_adapters.loadtest.report.remarks import remark
from triollama_adapters.loadtest.report.words import (
    describe,
    describe_client,
    describe_limit,
    describe_load,
    headline_percentile,
)
from triollama_adapters.loadtest.result import (
    ClientState,
    Counts,
    Distribution,
    Interval,
    Rates,
    Result,
)

BASE = make_result(plan=make_plan(rate=4.0, duration_s=20.0), fails=0.0)


def with_ledger(**means_s: float) -> Result:
    """A run that spent so much time on these terms."""
    ledger = msgspec.structs.replace(BASE.ledger, mean_s=means_s, p95_s=means_s)
    return msgspec.structs.replace(BASE, ledger=ledger)


def with_ttft(p95_s: float) -> dict[str, Distribution]:
    """Only a TTFT, with its p95."""
    return {"ttft": Distribution(400, 0.3, 0.1, 0.9, {"p95": Interval(p95_s)}, ((100, 400),))}


def test_the_sentence_of_the_issue() -> None:
    """Rate, latency, limit and client, in one sentence."""
    run = msgspec.structs.replace(
        with_ledger(slot_wait=0.6, prefill=0.1, decode=0.8),
        rates=Rates(completed=14.0),
        metrics=with_ttft(0.78),
        client=ClientState("VALID", busiest=0.1),
    )
    assert describe(run) == (
        "Serves 14 requests/s at p95 TTFT 780 ms; the limit is slot wait; the client was idle."
    )


@pytest.mark.parametrize(
    ("terms", "limit"),
    [
        ({"slot_wait": 0.5, "decode": 0.5}, "the limit is slot wait"),
        ({"load": 0.5, "slot_wait": 0.2, "decode": 0.5}, "the limit is load"),
        ({"slot_wait": 0.01, "decode": 0.99}, "nothing waits long, 99 % of the time is decode"),
        ({"prefill": 0.8, "decode": 0.2}, "nothing waits long, 80 % of the time is prefill"),
    ],
)
def test_the_limit_is_the_longest_wait_or_else_the_work(
    terms: dict[str, float], limit: str
) -> None:
    """A wait of less than a tenth is none."""
    assert describe_limit(with_ledger(**terms)) == limit


def test_the_line_of_the_pool_is_not_called_the_clients_delay() -> None:
    """With engine routing it is the pool in which a request waits for an endpoint."""
    assert describe_limit(with_ledger(start_delay=0.5, decode=0.5)) == "the limit is start delay"
    by_engine = with_ledger(engine_line=0.5, decode=0.5)
    assert describe_limit(by_engine) == "the limit is the line of triollama's own pool"


def test_without_timings_the_limit_is_not_known() -> None:
    """``/v1`` routes tell none."""
    for run in (msgspec.structs.replace(BASE, ledger=None), make_untimed(plan=BASE.plan)):
        assert describe_limit(run) == "the server tells no times, so the limit is not known"
    told = " ".join(each.text for each in remark(run))
    assert "after the first token 67 %, until the first token 33 %" in told
    assert "no times" in told
    assert "not measured alone" not in told


def test_an_invalid_client_is_the_limit_and_is_said_to_be() -> None:
    """Whatever the ledger says."""
    run = make_result(plan=make_plan(rate=4.0, duration_s=20.0), validity="INVALID")
    assert "the limit is the load tester itself" in describe(run)
    assert "do not rely on this" in describe(run)
    assert remark(run)[0].tone == "bad"
    assert "p99 start delay 84 ms" in remark(run)[0].text


@pytest.mark.parametrize(
    ("busiest", "words"),
    [(0.1, "was idle"), (0.4, "had room"), (0.8, "was busy, but kept up")],
)
def test_the_client_by_how_busy_it_was(busiest: float, words: str) -> None:
    """Three words for a valid one."""
    assert describe_client(ClientState("VALID", busiest=busiest)).endswith(words)


def test_a_run_without_answers_says_so() -> None:
    """No rate, no latency, no limit."""
    counts = Counts(scheduled=120, sent=120, errors={"connect": 120})
    run = msgspec.structs.replace(BASE, counts=counts, metrics={}, ledger=None)
    assert describe(run).startswith("None of 120 requests was answered; the client")
    assert any("no connection (120)" in each.text for each in remark(run))
    cut = msgspec.structs.replace(run, counts=Counts(scheduled=23, sent=23, censored=23))
    assert "of earlier ones, but none of 23 requests of the window" in describe(cut)
    nothing = msgspec.structs.replace(run, counts=Counts())
    assert describe(nothing).startswith("No request was due within the window")


def test_a_withheld_percentile_gives_way_to_a_lower_one() -> None:
    """p95 needs more requests than the median."""
    percentiles = {"p50": Interval(0.2), "p90": None, "p95": None}
    few = Distribution(8, 0.3, 0.1, 0.9, percentiles, ((1, 8),))
    run = msgspec.structs.replace(BASE, metrics={"ttft": few})
    assert headline_percentile(run, "ttft") == ("p50", 0.2)
    one = msgspec.structs.replace(few, count=1, percentiles={})
    run = msgspec.structs.replace(BASE, metrics={"ttft": one})
    assert headline_percentile(run, "ttft") == ("mean", 0.3)
    assert headline_percentile(run, "tpot") is None


def test_more_load_than_was_served_is_said_of_an_open_loop_only() -> None:
    """A closed loop waits; what failed is over; and a few more or less are chance."""
    counts = Counts(scheduled=400, sent=400, ok=400)
    rates = Rates(offered=20.0, completed=14.0)
    open_loop = msgspec.structs.replace(BASE, counts=counts, rates=rates)
    assert any("More load than was served" in each.text for each in remark(open_loop))
    few = Counts(scheduled=400, sent=400, ok=280, errors={"connect": 120})
    failed = msgspec.structs.replace(open_loop, counts=few)
    assert not any("More load" in each.text for each in remark(failed))
    chance = msgspec.structs.replace(open_loop, rates=Rates(offered=20.0, completed=18.2))
    assert not any("More load" in each.text for each in remark(chance))
    plan = msgspec.structs.replace(BASE.plan, shape=ClosedLoop(8))
    closed = msgspec.structs.replace(open_loop, plan=plan)
    assert not any("More load" in each.text for each in remark(closed))


def test_what_makes_figures_look_better_is_said() -> None:
    """Cut off requests, an early end, untrusted timings, an overhead that was not measured."""
    counts = msgspec.structs.replace(BASE.counts, censored=3)
    ledger = msgspec.structs.replace(
        BASE.ledger, is_trusted=False, is_calibrated=False, disagreeing=0.3, cold=4, reloads=1
    )
    run = msgspec.structs.replace(BASE, counts=counts, is_stopped=True, ledger=ledger)
    told = " ".join(each.text for each in remark(run))
    assert "3 requests had not ended when the run was stopped" in told
    drained = msgspec.structs.replace(run, is_stopped=False)
    assert any("when the drain did" in each.text for each in remark(drained))
    assert "stopped early" in told
    assert "for 30 % of the answers" in told
    assert "not measured alone" in told
    assert "4 requests waited for the model to load, 1 of them though it was loaded" in told


@pytest.mark.slow
def test_each_objective_is_told_with_its_interval() -> None:
    """Met, missed or undetermined, first among the remarks after the client."""
    run = make_result(plan=make_plan(rate=9.5))
    by_text = {each.text.split(" is ")[0]: each for each in remark(run)}
    assert by_text["ttft_p95<800ms"].tone == "bad"
    assert by_text["tpot_p95<40ms"].tone == "good"
    assert by_text["errors<1%"].tone == "doubt"
    assert " to " in by_text["tpot_p95<40ms"].text
    # A figure below its limit is no reason to doubt: what is missing is.
    assert "the limit is in it" in by_text["errors<1%"].text


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        (ClosedLoop(1), "1 user, for 20 s"),
        (ClosedLoop(8, think_s=2.0), "8 users, who pause for 2 s, for 20 s"),
        (OpenLoop((Phase(20.0, 5.0, 5.0),)), "5/s, Poisson, for 20 s"),
        (OpenLoop((Phase(20.0, 1.0, 50.0),), "constant"), "1/s → 50/s, evenly spaced, for 20 s"),
        (
            OpenLoop((Phase(5.0, 5.0, 5.0), Phase(5.0, 9.0, 9.0)), "gamma", 0.5),
            "5/s → 9/s, gamma with a burstiness of 0.5, for 20 s",
        ),
        (
            OpenLoop(tuple(Phase(1.0, float(n), float(n)) for n in range(1, 9))),
            "1/s to 8/s in 8 phases, Poisson, for 20 s",
        ),
        (Replay("data/trace.jsonl", 2.0), "the trace trace.jsonl at 2 times its speed, for 20 s"),
    ],
)
def test_the_load_in_words(shape: ClosedLoop | OpenLoop | Replay, words: str) -> None:
    """Every shape."""
    assert describe_load(msgspec.structs.replace(BASE.plan, shape=shape)) == words
