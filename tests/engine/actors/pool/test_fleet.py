"""The fleet: who belongs to it, who is in service, and what is told of both."""

from __future__ import annotations

from typing import Any

import pytest

from triollama import _facts as fact
from triollama._config import EndpointConfig
from triollama.actors.pool.breaker import FAILURES_MAX, OUT_S, State
from triollama.actors.pool.endpoint import Endpoint
from triollama.actors.pool.estimate import SLOW_START_MIN
from triollama.actors.pool.fleet import Fleet
from triollama.actors.pool.messages import (
    Drain,
    Lease,
    LoadedModel,
    Outcome,
    ProbeAnswered,
    ProbeUnanswered,
    Released,
    Update,
)

NOW_S = 1_000.0
TICK_S = 0.001


def config(name: str, **more: Any) -> EndpointConfig:
    """An endpoint."""
    return EndpointConfig(f"http://{name}:1", name, **more)


def fleet_of(names: str) -> Fleet:
    """One endpoint for each letter."""
    return Fleet(map(config, names))


def get(fleet: Fleet, name: str) -> Endpoint:
    """An endpoint that is there."""
    endpoint = fleet.get(name)
    assert endpoint is not None
    return endpoint


def lease(name: str, *, is_trial: bool = False) -> Lease:
    """A lease there."""
    return Lease(1, name, "m", is_trial)


def fail(
    fleet: Fleet,
    name: str,
    times: int = FAILURES_MAX,
    *,
    outcome: Outcome = Outcome.FAILED,
    now_s: float = NOW_S,
    is_trial: bool = False,
) -> list[fact.Fact]:
    """Let an endpoint fail so many times; what is told of it."""
    told: list[fact.Fact] = []
    for _ in range(times):
        released = Released(lease(name, is_trial=is_trial), outcome)
        told += fleet.failed(get(fleet, name), released, now_s)
    return told


def out(fleet: Fleet) -> str:
    """The names of those that are not in service."""
    return "".join(each.name for each in fleet if not each.is_in_service)


def kinds(told: list[fact.Fact]) -> list[type[fact.Fact]]:
    """What kinds of facts are told."""
    return [type(each) for each in told]


# ---- in and out of service


def test_an_ejection_is_told_once() -> None:
    """With its failures, its length and how often it has been; the failures before it are not."""
    fleet = fleet_of("ab")
    assert fail(fleet, "a", FAILURES_MAX - 1) == []
    [told] = fail(fleet, "a", 1)
    assert told == fact.EndpointEjected(
        at_s=NOW_S, endpoint="a", failures=FAILURES_MAX, out_s=OUT_S, times=1
    )
    assert fail(fleet, "a", 3) == []


def test_what_is_drained_does_not_count_towards_half() -> None:
    """Of four with two drained, one may be out; when both are back, one more."""
    fleet = fleet_of("abcd")
    for name in "cd":
        fleet.manage(Drain(name), NOW_S)
    fail(fleet, "a")
    fail(fleet, "b")
    assert out(fleet) == "a"
    for name in "cd":
        fleet.manage(Update(config(name)), NOW_S)
    assert kinds(fail(fleet, "b", 1)) == [fact.EndpointEjected]
    assert out(fleet) == "ab"


def test_on_trial_counts_as_out() -> None:
    """While one of two is on trial, the other is not ejected."""
    fleet = fleet_of("ab")
    fail(fleet, "a")
    assert fleet.look(get(fleet, "a"), NOW_S + OUT_S) != []
    assert get(fleet, "a").breaker.state is State.HALF_OPEN
    assert fail(fleet, "b", now_s=NOW_S + OUT_S) == []


def test_a_trial_that_fails_is_not_counted_twice() -> None:
    """With half out it goes out again: it was one of them already."""
    fleet = fleet_of("abcd")
    fail(fleet, "a")
    fail(fleet, "b")
    late_s = NOW_S + OUT_S
    fleet.look(get(fleet, "a"), late_s)
    assert get(fleet, "a").breaker.take(late_s)
    [told] = fail(fleet, "a", 1, now_s=late_s, is_trial=True)
    assert isinstance(told, fact.EndpointEjected)
    assert (told.times, told.out_s) == (2, 2 * OUT_S)


def test_the_trial_is_told_once_and_to_the_tick() -> None:
    """One tick before the end of its time out nothing is told, at it that it is on trial."""
    fleet = fleet_of("ab")
    fail(fleet, "a")
    endpoint = get(fleet, "a")
    assert fleet.look(endpoint, NOW_S + OUT_S - TICK_S) == []
    assert kinds(fleet.look(endpoint, NOW_S + OUT_S)) == [fact.EndpointOnTrial]
    assert fleet.look(endpoint, NOW_S + OUT_S + TICK_S) == []


def test_a_recovery_begins_slowly() -> None:
    """The first trial that is answered brings it back, with the least share, for each model."""
    fleet = fleet_of("ab")
    for key in "mn":
        get(fleet, "a").model(key)
    fail(fleet, "a")
    late_s = NOW_S + OUT_S
    assert get(fleet, "a").breaker.take(late_s)
    told = fleet.answered(get(fleet, "a"), lease("a", is_trial=True), late_s)
    assert kinds(told) == [fact.EndpointRecovered]
    assert get(fleet, "a").is_standing
    shares = [each.estimate.slow_start(late_s) for each in get(fleet, "a").models.values()]
    assert shares == [SLOW_START_MIN] * 2


def test_an_answer_in_service_is_no_recovery() -> None:
    """It is good news, and nothing is told."""
    fleet = fleet_of("ab")
    fail(fleet, "a", 2)
    assert not get(fleet, "a").is_standing
    assert fleet.answered(get(fleet, "a"), lease("a"), NOW_S) == []
    assert get(fleet, "a").is_standing


# ---- panic


def test_half_is_enough() -> None:
    """With two of four in service there is no panic; with two of five there is."""
    fleet = fleet_of("abcd")
    fail(fleet, "a")
    fail(fleet, "b")
    assert not fleet.is_panic
    assert not any(isinstance(each, fact.PanicBegan) for each in fail(fleet, "c"))
    fleet.manage(Drain("c"), NOW_S)
    assert fleet.is_panic


def test_panic_is_told_when_it_begins_and_when_it_ends() -> None:
    """Once each, with the numbers of those that are not drained."""
    fleet = fleet_of("abcd")
    fail(fleet, "a")
    fail(fleet, "b")
    told = fleet.manage(Drain("d"), NOW_S)
    assert told[1:] == [fact.PanicBegan(at_s=NOW_S, in_service=1, endpoints=3)]
    assert kinds(fleet.manage(Drain("c"), NOW_S)) == [fact.EndpointDraining]
    assert kinds(fleet.manage(Update(config("c")), NOW_S)) == [fact.EndpointUpdated]
    told = fleet.manage(Update(config("d")), NOW_S)
    assert kinds(told) == [fact.EndpointUpdated, fact.PanicEnded]
    assert not fleet.is_panic


def test_a_recovery_ends_panic() -> None:
    """The one that comes back makes it half again."""
    fleet = fleet_of("abc")
    fail(fleet, "a")
    assert kinds(fleet.manage(Drain("b"), NOW_S)) == [fact.EndpointDraining]
    assert kinds(fleet.manage(Drain("c"), NOW_S)) == [fact.EndpointDraining, fact.PanicBegan]
    late_s = NOW_S + OUT_S
    assert get(fleet, "a").breaker.take(late_s)
    told = fleet.answered(get(fleet, "a"), lease("a", is_trial=True), late_s)
    assert kinds(told) == [fact.EndpointRecovered, fact.PanicEnded]


def test_nobody_is_no_panic() -> None:
    """An empty fleet has nothing to be choosy about, nor has one that is all drained."""
    fleet = fleet_of("a")
    assert kinds(fleet.manage(Drain("a", removes=True), NOW_S)) == [
        fact.EndpointDraining,
        fact.EndpointRemoved,
    ]
    assert list(fleet) == []
    assert not fleet.is_panic


# ---- probes


@pytest.mark.parametrize(
    "message", [ProbeAnswered("gone", "1"), ProbeUnanswered("gone", 9, is_down=True)]
)
def test_news_of_one_that_is_gone(message: ProbeAnswered | ProbeUnanswered) -> None:
    """Is no news."""
    assert fleet_of("a").probed(message, NOW_S) == []


def test_a_probe_tells_what_is_there() -> None:
    """Version, models in memory, models on disk; none of it is worth a fact."""
    fleet = fleet_of("a")
    message = ProbeAnswered("a", "0.11.4", (LoadedModel("m"),), frozenset({"m", "n"}))
    assert fleet.probed(message, NOW_S) == []
    endpoint = get(fleet, "a")
    assert (endpoint.version, endpoint.available) == ("0.11.4", frozenset({"m", "n"}))
    assert endpoint.models["m"].is_loaded


@pytest.mark.parametrize(
    ("outcome", "is_standing"), [(Outcome.UNREACHABLE, True), (Outcome.FAILED, False)]
)
def test_an_answered_probe_takes_doubt_where_it_can(outcome: Outcome, *, is_standing: bool) -> None:
    """Of one that could not be reached; one that answered badly has proven nothing by it."""
    fleet = fleet_of("ab")
    fail(fleet, "a", 1, outcome=outcome)
    assert fleet.probed(ProbeAnswered("a"), NOW_S) == []
    assert get(fleet, "a").is_standing is is_standing


def test_one_missed_probe_is_doubt() -> None:
    """It stays in service below the threshold, and is passed over where others have room."""
    fleet = fleet_of("ab")
    assert fleet.probed(ProbeUnanswered("a", 1, is_down=False), NOW_S) == []
    endpoint = get(fleet, "a")
    assert (endpoint.is_in_service, endpoint.is_standing) == (True, False)
    assert endpoint.preference("m", (), NOW_S) > get(fleet, "b").preference("m", (), NOW_S)


def test_missed_probes_eject_once() -> None:
    """At the threshold it is told, with no failed request; further ones only keep it out."""
    fleet = fleet_of("ab")
    [told] = fleet.probed(ProbeUnanswered("a", 3, is_down=True, draw=0.0), NOW_S)
    assert isinstance(told, fact.EndpointEjected)
    assert (told.failures, told.out_s) == (0, OUT_S)
    assert fleet.probed(ProbeUnanswered("a", 4, is_down=True), NOW_S) == []
