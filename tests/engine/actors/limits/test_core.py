"""The limiter's decisions: no window sees too much, lines move on, nothing is lost."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama._config import RateLimit
from triollama._errors import ConfigError, InvalidRequestError, OverloadError
from triollama.actors.limits.core import WAIT_S_MAX, LimiterCore
from triollama.actors.limits.gate import Gate, Reservation

RunOf = Callable[..., Any]

MODELS, CALLERS = ("m", "n"), ("", "x", "y")


def limits_of(scope: str) -> st.SearchStrategy[RateLimit]:
    """A limit of one scope, of requests, tokens or both."""
    return st.builds(
        RateLimit,
        scope=st.just(scope),
        key=st.just(""),
        requests_per_s=st.sampled_from([0.5, 2.0, 10.0]),
        tokens_per_min=st.sampled_from([None, 60.0, 600.0]),
        burst_s=st.sampled_from([0.1, 1.0, 5.0]),
        tokens_burst_s=st.sampled_from([0.1, 1.0, 5.0]),
    )


fleets = st.tuples(*(st.none() | limits_of(scope) for scope in ("engine", "model", "caller"))).map(
    lambda found: [limit for limit in found if limit is not None]
)
scripts = st.lists(
    st.tuples(
        st.sampled_from(["reserve"] * 4 + ["settle", "settle", "cancel"]),
        st.sampled_from([0.0, 0.0, 0.1, 0.7, 3.0]),
        st.sampled_from(MODELS),
        st.sampled_from(CALLERS),
        st.integers(0, 10),
        st.integers(0, 50),
    ),
    max_size=60,
)


def play(run: Any, script: list[Any]) -> tuple[list[Reservation], dict[Reservation, int]]:
    """Play a script; returns what was asked for, and what each granted one did cost."""
    asked: list[Reservation] = []
    real: dict[Reservation, int] = {}
    for kind, pause_s, model, caller, tokens, which in script:
        run.pass_until(run.now_s + pause_s)
        if kind == "reserve":
            try:
                asked.append(run.reserve(tokens, model=model, caller=caller))
            except InvalidRequestError:
                continue  # larger than the bucket
        elif which < len(asked):
            chosen = asked[which]
            if kind == "cancel":
                if not chosen.is_over:
                    real[chosen] = -1
                run.cancel(chosen)
            elif chosen.granted_s is not None and not chosen.is_over:
                real[chosen] = min(tokens, chosen.tokens)
                run.settle(chosen, real[chosen])
        run.check_sums()
    run.pass_until_idle()
    run.check_sums()
    return asked, real


def uses_of(
    granted: list[Reservation], real: dict[Reservation, int]
) -> dict[Gate, list[tuple[float, int, int]]]:
    """For each gate when it was used, and by how many requests and tokens."""
    uses: dict[Gate, list[tuple[float, int, int]]] = defaultdict(list)
    for each in granted:
        assert each.granted_s is not None
        tokens = real.get(each, each.tokens)
        for gate in each.gates:
            if tokens >= 0:  # else it was cancelled: nothing was sent
                uses[gate].append((each.granted_s, 1, tokens))
    return uses


@given(fleets, scripts)
def test_no_window_sees_more_than_its_rate_and_a_burst(
    run_of: RunOf, check_windows: Any, limits: list[RateLimit], script: list[Any]
) -> None:
    """Whatever is asked, settled and cancelled: for every gate, for windows of every length."""
    run = run_of(*limits)
    _, real = play(run, script)
    by_scope = {limit.scope: limit for limit in limits}
    for gate, uses in uses_of(run.granted, real).items():
        limit = by_scope[gate.name.partition(" ")[0]]
        if limit.requests_per_s is not None:
            burst = max(limit.requests_per_s * limit.burst_s, 1)
            check_windows([(at, count) for at, count, _ in uses], limit.requests_per_s, burst)
        if limit.tokens_per_min is not None:
            per_s = limit.tokens_per_min / 60
            check_windows(
                [(at, tokens) for at, _, tokens in uses], per_s, per_s * limit.tokens_burst_s
            )


@given(fleets, scripts)
def test_everybody_gets_a_turn_and_nothing_stays_behind(
    run_of: RunOf, limits: list[RateLimit], script: list[Any]
) -> None:
    """All lines empty themselves, nothing stays held, and the buckets fill up again."""
    run = run_of(*limits)
    asked, _ = play(run, script)
    assert {each for each in asked if not each.is_over} <= set(run.granted)
    for gate in {gate for each in asked for gate in each.gates}:
        assert not gate.line
        assert gate.full_s(run.now_s) < run.now_s + 1_000


@given(fleets, scripts)
def test_first_come_first_served(run_of: RunOf, limits: list[RateLimit], script: list[Any]) -> None:
    """Those who fall under the same limits are granted in the order in which they asked."""
    run = run_of(*limits)
    asked, _ = play(run, script)
    number = {each: position for position, each in enumerate(asked)}
    for gates in {each.gates for each in run.granted}:
        order = [number[each] for each in run.granted if each.gates == gates and gates]
        assert order == sorted(order)


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.7, 3.0]), st.integers(0, 10)), max_size=40),
    st.sampled_from([None, 60.0, 600.0]),
)
def test_an_endpoints_windows_see_no_more_than_they_may(
    run_of: RunOf, check_windows: Any, script: list[Any], tokens_per_min: float | None
) -> None:
    """Each waits as long as it is told; then the same rule holds, in the order of asking."""
    limit = RateLimit(
        "endpoint",
        requests_per_s=2.0,
        tokens_per_min=tokens_per_min,
        tokens_burst_s=1.0,
        burst_s=1.0,
    )
    core, now_s, starts = LimiterCore([limit]), 0.0, []
    for pause_s, tokens in script:
        now_s += pause_s
        try:
            starts.append((now_s + core.reserve_endpoint("a", tokens, now_s), tokens))
        except InvalidRequestError:
            assert tokens_per_min == 60
            assert tokens > 1
            continue
        assert core.next_free_s("a", now_s) >= starts[-1][0] - 1e-9
    for (before_s, _), (after_s, _) in itertools.pairwise(starts):
        assert before_s <= after_s + 1e-9
    check_windows([(at_s, 1) for at_s, _ in starts], 2.0, 2.0)
    if tokens_per_min is not None:
        check_windows(starts, tokens_per_min / 60, tokens_per_min / 60)


# ---- waiting


def test_requests_go_at_once_until_the_burst_is_used_and_then_at_the_rate(run_of: RunOf) -> None:
    """Two a second, two saved up: the fifth goes after a second and a half."""
    run = run_of(RateLimit("engine", requests_per_s=2.0))
    asked = [run.reserve() for _ in range(5)]
    assert [each.wait_s for each in asked] == [0, 0, 0.5, 1, 1.5]
    run.pass_until_idle()
    assert [each.granted_s for each in asked] == [0, 0, 0.5, 1, 1.5]


def test_one_waits_for_the_slowest_of_its_limits(run_of: RunOf) -> None:
    """And takes from all of them at that time."""
    run = run_of(
        RateLimit("engine", requests_per_s=10.0),
        RateLimit("model", tokens_per_min=600.0, tokens_burst_s=1.0),
        RateLimit("caller", requests_per_s=1.0),
    )
    run.reserve(10)
    waits = run.reserve(5)
    assert (waits.wait_s, waits.held_up_by) == (1.0, "caller")
    run.pass_until_idle()
    assert waits.granted_s == 1.0


def test_a_caller_with_a_long_line_delays_nobody_else(run_of: RunOf) -> None:
    """Its thousand requests wait for its own limit, and hold nothing of the engine's."""
    run = run_of(RateLimit("engine", requests_per_s=10.0), RateLimit("caller", requests_per_s=1.0))
    for _ in range(1_000):
        run.reserve(caller="greedy")
    for second in range(20):
        run.pass_until(float(second) + 0.5)
        polite = run.reserve(caller="polite")
        assert polite.granted_s == run.now_s
    assert len(run.granted) == 40


def test_a_large_request_is_not_starved_by_small_ones(run_of: RunOf) -> None:
    """Who comes later waits behind it, although there would be enough for him."""
    run = run_of(RateLimit("model", tokens_per_min=600.0, tokens_burst_s=1.0))
    run.reserve(5)
    large, small = run.reserve(10), run.reserve(1)
    run.pass_until_idle()
    assert (large.granted_s, small.granted_s) == (0.5, 0.6)


def test_what_is_given_back_lets_those_in_line_go_sooner(run_of: RunOf) -> None:
    """A request that cost less than reserved makes room at once."""
    run = run_of(RateLimit("engine", tokens_per_min=600.0, tokens_burst_s=1.0))
    first, second = run.reserve(10), run.reserve(10)
    run.pass_until(0.2)
    run.settle(first, 2)
    assert second.granted_s == 0.2
    run.settle(second, 10)
    run.settle(second, 0)  # only the first time counts
    assert run.reserve(1).wait_s == pytest.approx(0.1)


def test_guessing_far_too_much_costs_little_of_the_rate(run_of: RunOf) -> None:
    """Answers that cost a quarter of what was reserved still use nine tenths of the limit."""
    run = run_of(RateLimit("engine", tokens_per_min=6_000.0, tokens_burst_s=60.0))
    waiting = [run.reserve(400) for _ in range(2_000)]
    settled = 0
    for tenth in range(3_000):  # five minutes, in which each answer takes three seconds
        run.pass_until(tenth / 10)
        while settled < len(run.granted) and run.granted[settled].granted_s <= run.now_s - 3:
            run.settle(run.granted[settled], 100)
            settled += 1
    assert waiting[-1].granted_s is None
    assert settled * 100 >= 0.9 * 300 * 100


def test_what_was_missing_is_charged(run_of: RunOf) -> None:
    """A request that cost more than reserved makes the next one wait for it."""
    run = run_of(RateLimit("engine", tokens_per_min=600.0, tokens_burst_s=1.0))
    first = run.reserve(10)
    second = run.reserve(1)
    run.settle(first, 30)
    run.pass_until_idle()
    assert second.granted_s == pytest.approx(2.1)


def test_unknown_costs_stay_what_was_reserved(run_of: RunOf) -> None:
    """An answer that was broken off did cost something."""
    run = run_of(RateLimit("engine", tokens_per_min=600.0, tokens_burst_s=1.0))
    run.settle(run.reserve(10), None)
    assert run.reserve(1).wait_s == pytest.approx(0.1)


def test_an_endpoint_is_settled_with_the_request(run_of: RunOf) -> None:
    """What its reservation was told of is corrected too, or given back."""
    run = run_of(RateLimit("endpoint", tokens_per_min=600.0, tokens_burst_s=1.0))
    made = run.reserve(10)
    assert run.core.reserve_endpoint("a", 10, 0.0, made) == 0.0
    assert run.core.next_free_s("a", 0.0) == pytest.approx(0.1)
    assert run.core.next_free_s("b", 0.0) == 0.0
    run.settle(made, 4)
    assert run.core.reserve_endpoint("a", 7, 0.0) == pytest.approx(0.1)
    other = run.reserve(10)
    assert run.core.reserve_endpoint("b", 10, 0.0, other) == 0.0
    run.cancel(other)
    assert run.core.reserve_endpoint("b", 10, 0.0) == 0.0


# ---- leaving


def test_leaving_the_line_gives_everything_back(run_of: RunOf) -> None:
    """Those behind move up; what was held for the one who left is free."""
    run = run_of(RateLimit("engine", requests_per_s=1.0), RateLimit("caller", requests_per_s=1.0))
    run.reserve(caller="a")
    leaves, behind = run.reserve(caller="x"), run.reserve(caller="y")
    same_caller = run.reserve(caller="x")
    assert same_caller.due_s == math.inf  # all that its caller has is held
    run.cancel(leaves)
    run.cancel(leaves)
    run.pass_until_idle()
    assert (behind.granted_s, same_caller.granted_s) == (1.0, 2.0)
    assert run.core.statistics().cancelled == 1


def test_cancelling_what_was_granted_gives_it_back(run_of: RunOf) -> None:
    """Nothing was sent: the next one goes in its place."""
    run = run_of(RateLimit("engine", requests_per_s=1.0, tokens_per_min=600.0, tokens_burst_s=1.0))
    granted, waiting = run.reserve(10), run.reserve(10)
    run.cancel(granted)
    assert waiting.granted_s == 0.0
    run.settle(granted, 500)  # too late to count
    run.pass_until(1.0)
    assert run.reserve(1).granted_s == 1.0


# ---- refusing


def test_more_than_a_bucket_holds_is_refused_by_the_limits_name(run_of: RunOf) -> None:
    """It would wait for ever; at the edge it goes."""
    run = run_of(RateLimit("model", "big", tokens_per_min=600.0, tokens_burst_s=1.0))
    assert run.reserve(10, model="big:latest").granted_s == 0.0
    with pytest.raises(InvalidRequestError, match=r"600 tokens a minute for model big.* 11"):
        run.reserve(11, model="big:latest")
    with pytest.raises(InvalidRequestError, match="far more"):
        run.reserve(10**5_000, model="big:latest")
    assert run.reserve(10**5_000, model="other:latest").granted_s == 0.0
    run.check_sums()


@pytest.mark.parametrize("tokens", [-1, math.nan, 1.0, math.inf, "1", None])
def test_tokens_that_are_no_count_are_refused(run_of: RunOf, tokens: Any) -> None:
    """They never reach the buckets."""
    run = run_of(
        RateLimit("engine", tokens_per_min=60.0, tokens_burst_s=1.0),
        RateLimit("endpoint", tokens_per_min=60.0, tokens_burst_s=1.0),
    )
    with pytest.raises(InvalidRequestError):
        run.reserve(tokens)
    with pytest.raises(InvalidRequestError):
        run.core.reserve_endpoint("a", tokens, 0.0)
    assert run.reserve(1).granted_s == 0.0
    run.check_sums()


def test_a_wait_past_the_deadline_is_refused_at_once(run_of: RunOf) -> None:
    """With how long to wait before asking with the same patience again."""
    run = run_of(RateLimit("engine", requests_per_s=1.0))
    for _ in range(6):
        run.reserve()
    assert run.reserve(deadline_s=6.0).wait_s == 6.0
    with pytest.raises(OverloadError, match="engine") as caught:
        run.reserve(deadline_s=6.999)
    assert caught.value.retry_after_s == pytest.approx(0.001)
    with pytest.raises(OverloadError):
        run.reserve(deadline_s=math.nan)
    with pytest.raises(OverloadError) as caught:
        run.reserve(deadline_s=-1.0)
    assert caught.value.retry_after_s == 7.0
    run.check_sums()
    assert run.core.statistics().refused == 3


def test_a_refusal_for_the_deadline_leaves_nothing_held(run_of: RunOf) -> None:
    """The gates that had let it pass are as before."""
    run = run_of(RateLimit("engine", requests_per_s=0.1), RateLimit("caller", requests_per_s=1.0))
    run.reserve(caller="a")
    with pytest.raises(OverloadError):
        run.reserve(caller="b", deadline_s=1.0)
    run.pass_until(10.0)
    assert run.reserve(caller="b").granted_s == 10.0


def test_nobody_waits_longer_than_a_day(run_of: RunOf) -> None:
    """A rate of next to nothing is a refusal, with a number that can be waited for."""
    run = run_of(RateLimit("engine", requests_per_s=5e-324))
    run.reserve()
    with pytest.raises(OverloadError) as caught:
        run.reserve()
    assert caught.value.retry_after_s <= WAIT_S_MAX


def test_the_line_is_bounded() -> None:
    """One more than may wait is refused, and told how long the line is."""
    core = LimiterCore([RateLimit("engine", requests_per_s=1.0)], line_max=3)
    waiting = [core.reserve("m", "", 0, 0.0) for _ in range(4)][1:]
    with pytest.raises(OverloadError, match="3 requests wait") as caught:
        core.reserve("m", "", 0, 0.0)
    assert caught.value.retry_after_s == 4.0
    core.cancel(waiting[0], 0.0)
    assert core.reserve("m", "", 0, 0.0).wait_s == 3.0


def test_without_limits_everything_goes(run_of: RunOf) -> None:
    """Nothing waits, nothing is kept."""
    run = run_of()
    for _ in range(1_000):
        run.settle(run.reserve(10**9), 0)
    assert run.core.reserve_endpoint("a", 10**9, 0.0) == 0.0
    assert run.core.statistics().limits == ()
    assert run.core.statistics().delayed == 0


def test_two_limits_for_one_model_are_refused() -> None:
    """Also where its name is written in two ways."""
    with pytest.raises(ConfigError, match="two limits for model"):
        LimiterCore(
            [
                RateLimit("model", "llama3.2", requests_per_s=1.0),
                RateLimit("model", "LLAMA3.2:latest", requests_per_s=2.0),
            ]
        )
