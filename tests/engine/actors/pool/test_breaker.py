"""The breaker: every event in every state, the timers to the millisecond, and the trials."""

from __future__ import annotations

import itertools
import random

import pytest

from triollama.actors.pool.breaker import (
    FAILURES_MAX,
    JITTER,
    OUT_S,
    OUT_S_MAX,
    TIMES_MAX,
    TRANSITIONS,
    TRIALS_MAX,
    Breaker,
    Event,
    State,
)

NOW_S = 1_000.0


def fail(breaker: Breaker, times: int = FAILURES_MAX, now_s: float = NOW_S) -> State | None:
    """Fail some times in a row; what came of the last."""
    changes = [breaker.on_failure(now_s, 0.0, may_eject=True) for _ in range(times)]
    assert set(changes[:-1]) <= {None}
    return changes[-1]


def in_state(state: State, *, is_unreachable: bool = False) -> Breaker:
    """A breaker that got into a state by what happened to it."""
    breaker = Breaker()
    if state is State.CLOSED:
        return breaker
    for _ in range(FAILURES_MAX):
        breaker.on_failure(NOW_S, 0.0, may_eject=True, is_unreachable=is_unreachable)
    if state is State.HALF_OPEN:
        assert breaker.look(NOW_S + OUT_S) is State.HALF_OPEN
    assert breaker.state is state
    return breaker


def happen(breaker: Breaker, event: Event) -> State | None:
    """Make an event happen through the methods that callers have."""
    now_s = breaker.until_s if event is Event.DUE else NOW_S
    is_trial = event in {Event.TRIAL_ANSWERED, Event.TRIAL_FAILED}
    breaker.trials += is_trial
    match event:
        case Event.ANSWERED | Event.TRIAL_ANSWERED:
            return breaker.on_success(now_s, is_trial=is_trial)
        case Event.FAILED | Event.TRIAL_FAILED:
            return breaker.on_failure(now_s, 0.0, may_eject=True, is_trial=is_trial)
        case Event.EXHAUSTED:
            return fail(breaker)
        case Event.PROBE_DOWN:
            return breaker.on_probe_down(now_s, 0.0, may_eject=True)
        case Event.PROBE_REACHED:
            return breaker.on_probe_up(now_s)
        case Event.DUE:
            return breaker.look(now_s)


EXPECTED = {
    (State.CLOSED, Event.EXHAUSTED): State.OPEN,
    (State.CLOSED, Event.PROBE_DOWN): State.OPEN,
    (State.OPEN, Event.DUE): State.HALF_OPEN,
    (State.OPEN, Event.PROBE_REACHED): State.HALF_OPEN,
    (State.HALF_OPEN, Event.TRIAL_ANSWERED): State.CLOSED,
    (State.HALF_OPEN, Event.TRIAL_FAILED): State.OPEN,
    (State.HALF_OPEN, Event.PROBE_DOWN): State.OPEN,
}
"""The pairs that change the state; all others must not."""


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_event_in_every_state(state: State, event: Event) -> None:
    """Each event moves each state to where the table says, and the change is told."""
    breaker = in_state(state, is_unreachable=True)
    expected = EXPECTED.get((state, event))
    assert happen(breaker, event) is expected
    assert breaker.state is (expected or state)
    assert TRANSITIONS[state][event] is breaker.state
    assert breaker.trials == 0


def test_only_failures_in_a_row_eject() -> None:
    """An answer between failures starts the count again."""
    breaker = Breaker()
    assert fail(breaker, FAILURES_MAX - 1) is None
    breaker.on_success(NOW_S)
    assert fail(breaker, FAILURES_MAX - 1) is None
    assert fail(breaker, 1) is State.OPEN
    assert breaker.failures_in_row == FAILURES_MAX


@pytest.mark.parametrize(("after_s", "is_back"), [(29.999, False), (30.0, True), (30.001, True)])
def test_it_is_back_after_thirty_seconds(after_s: float, is_back: bool) -> None:  # noqa: FBT001
    """At 29,999 ms it is out, at 30,001 ms it is back on trial."""
    breaker = in_state(State.OPEN)
    assert breaker.next_due_s() == NOW_S + OUT_S
    now_s = NOW_S + after_s
    assert breaker.admits(now_s) is is_back
    assert breaker.look(now_s) is (State.HALF_OPEN if is_back else None)
    assert breaker.take(now_s) is is_back


def test_each_ejection_is_longer() -> None:
    """The n-th ejection in a row lasts n times 30 s, at most 300 s, to the millisecond."""
    breaker = Breaker()
    fail(breaker)
    now_s = NOW_S
    for times in range(1, 14):
        out_s = min(30.0 * times, OUT_S_MAX)
        assert breaker.out_s == out_s
        assert breaker.ejections == times
        assert breaker.times_ejected == min(times, TIMES_MAX)
        assert breaker.look(now_s + out_s - 0.001) is None
        assert not breaker.admits(now_s + out_s - 0.001)
        now_s += out_s
        assert breaker.take(now_s + 0.001)
        assert breaker.on_failure(now_s, 0.0, may_eject=True, is_trial=True) is State.OPEN


def test_jitter_only_adds() -> None:
    """The time out is between the exact one and a tenth more, by the number that is drawn."""
    for draw in (0.0, 0.5, 0.999):
        breaker = Breaker()
        for _ in range(FAILURES_MAX):
            breaker.on_failure(NOW_S, draw, may_eject=True)
        assert breaker.out_s == OUT_S * (1.0 + JITTER * draw)


def test_a_thousand_askers_get_exactly_the_trials() -> None:
    """In HALF_OPEN exactly `TRIALS_MAX` requests run at a time, however many ask."""
    breaker = in_state(State.HALF_OPEN)
    now_s = NOW_S + OUT_S
    granted = [breaker.take(now_s) for _ in range(1_000) if breaker.admits(now_s)]
    assert granted == [True] * TRIALS_MAX
    assert not breaker.take(now_s)  # sent all the same: no trial
    breaker.on_unused(is_trial=True)
    granted = [breaker.take(now_s) for _ in range(1_000) if breaker.admits(now_s)]
    assert granted == [True]
    assert breaker.trials == TRIALS_MAX


def test_the_first_trial_decides() -> None:
    """One answered trial closes it; the others then count like ordinary requests."""
    breaker = in_state(State.HALF_OPEN)
    for _ in range(TRIALS_MAX):
        assert breaker.take(NOW_S + OUT_S)
    assert breaker.on_success(NOW_S + 31, is_trial=True) is State.CLOSED
    assert breaker.failures_in_row == 0
    for _ in range(2):
        assert breaker.on_failure(NOW_S + 32, 0.0, may_eject=True, is_trial=True) is None
    assert (breaker.failures_in_row, breaker.trials) == (2, 0)


def test_what_was_sent_before_decides_nothing() -> None:
    """A hundred requests that die with a server eject it once, for the first time out."""
    breaker = in_state(State.OPEN)
    for _ in range(100):
        assert breaker.on_failure(NOW_S + 1, 0.0, may_eject=True) is None
        assert breaker.on_success(NOW_S + 1) is None
    assert (breaker.out_s, breaker.until_s) == (OUT_S, NOW_S + OUT_S)
    breaker.look(NOW_S + OUT_S)
    assert breaker.on_success(NOW_S + OUT_S) is None
    assert breaker.on_failure(NOW_S + OUT_S, 0.0, may_eject=True) is None
    assert breaker.state is State.HALF_OPEN


def test_it_stays_if_the_fleet_cannot_do_without() -> None:
    """Where ejecting is not allowed failures are counted, and the next one ejects when it is."""
    breaker = Breaker()
    for _ in range(20):
        assert breaker.on_failure(NOW_S, 0.0, may_eject=False) is None
    assert breaker.on_probe_down(NOW_S, 0.0, may_eject=False) is None
    assert breaker.admits(NOW_S)
    assert breaker.failures_in_row == 20
    assert breaker.on_failure(NOW_S, 0.0, may_eject=True) is State.OPEN


def test_a_trial_of_the_last_one_does_not_eject_it() -> None:
    """On trial, and no other left, it stays on trial whatever fails."""
    breaker = in_state(State.HALF_OPEN)
    for _ in range(10):
        assert breaker.take(NOW_S + OUT_S)
        assert breaker.on_failure(NOW_S + OUT_S, 0.0, may_eject=False, is_trial=True) is None
    assert breaker.on_probe_down(NOW_S + OUT_S, 0.0, may_eject=False) is None
    assert breaker.admits(NOW_S + OUT_S)


def test_a_probe_calls_back_what_could_not_be_reached() -> None:
    """A good probe ends the time out of an endpoint that was unreachable."""
    breaker = in_state(State.OPEN, is_unreachable=True)
    assert breaker.on_probe_up(NOW_S + 1) is State.HALF_OPEN


def test_a_probe_does_not_excuse_bad_answers() -> None:
    """A good probe proves nothing about an endpoint that was ejected for its answers."""
    breaker = in_state(State.OPEN)
    assert breaker.on_probe_up(NOW_S + 1) is None
    assert breaker.state is State.OPEN
    # Meanwhile it dies: then the probe that reaches it again does prove what was wrong.
    assert breaker.on_probe_down(NOW_S + 2, 0.0, may_eject=False) is None
    assert breaker.on_probe_up(NOW_S + 3) is State.HALF_OPEN


def test_probes_eject_and_call_back() -> None:
    """Probes alone take an endpoint out and bring it back on trial."""
    breaker = Breaker()
    assert breaker.on_probe_up(NOW_S) is None
    assert breaker.on_probe_down(NOW_S, 0.0, may_eject=True) is State.OPEN
    assert breaker.out_s == OUT_S
    assert breaker.on_probe_down(NOW_S + 5, 0.0, may_eject=True) is None
    assert breaker.until_s == NOW_S + OUT_S
    assert breaker.on_probe_up(NOW_S + 10) is State.HALF_OPEN


@pytest.mark.parametrize(
    ("well_s", "out_s"), [(59.999, 90.0), (60.0, 60.0), (89.999, 60.0), (90.0, 30.0)]
)
def test_ejections_are_forgiven(well_s: float, out_s: float) -> None:
    """Of two ejections one is forgotten after 60 s without a failure, the other 30 s later."""
    breaker = in_state(State.HALF_OPEN)
    now_s = NOW_S + OUT_S
    assert breaker.take(now_s)
    breaker.on_failure(now_s, 0.0, may_eject=True, is_trial=True)
    now_s += 60.0
    assert breaker.take(now_s)
    assert breaker.on_success(now_s, is_trial=True) is State.CLOSED
    assert breaker.times_ejected == 2
    assert fail(breaker, now_s=now_s + well_s) is State.OPEN
    assert breaker.out_s == out_s


def test_at_random_nothing_is_lost() -> None:
    """Whatever happens in whatever order, trials are counted right and states follow the table."""
    rng = random.Random(5)
    for _ in range(200):
        breaker, now_s, running = Breaker(), NOW_S, list[bool]()
        for _ in range(200):
            now_s += rng.choice([0.0, 0.5, 20.0])
            before = breaker.state
            happened = _anything(breaker, now_s, running, rng)
            assert breaker.trials == sum(running) <= TRIALS_MAX
            assert happened is (None if breaker.state is before else breaker.state)
            assert (breaker.next_due_s() is None) is (breaker.state is not State.OPEN)
            assert breaker.out_s <= OUT_S_MAX * (1.0 + JITTER)


def _anything(
    breaker: Breaker, now_s: float, running: list[bool], rng: random.Random
) -> State | None:
    may_eject, draw = rng.random() < 0.8, rng.random()
    match rng.randrange(7):
        case 0 | 1:
            changed = breaker.look(now_s)
            running.append(breaker.take(now_s))
            return changed
        case 2 if running:
            return breaker.on_success(now_s, is_trial=running.pop(rng.randrange(len(running))))
        case 3 | 4 if running:
            is_trial = running.pop(rng.randrange(len(running)))
            return breaker.on_failure(now_s, draw, may_eject=may_eject, is_trial=is_trial)
        case 5:
            return breaker.on_probe_up(now_s)
        case 6:
            return breaker.on_probe_down(now_s, draw, may_eject=may_eject)
    return None
