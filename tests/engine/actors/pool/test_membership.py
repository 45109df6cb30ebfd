"""Who belongs to the fleet: adding, updating, draining and removing, and holding back."""

from __future__ import annotations

import pytest

from triollama import _facts as fact
from triollama._config import EndpointConfig
from triollama.actors.pool.estimate import SLOW_START_MIN, SLOW_START_S
from triollama.actors.pool.fleet import Fleet
from triollama.actors.pool.messages import Add, Drain, Hold, Update

NOW_S = 1_000.0


def config(name: str, port: int = 1) -> EndpointConfig:
    """An endpoint."""
    return EndpointConfig(f"http://{name}:{port}", name)


@pytest.fixture
def fleet() -> Fleet:
    """Two endpoints."""
    return Fleet(map(config, "ab"))


def names(fleet: Fleet) -> list[str]:
    """Who belongs to it."""
    return [each.name for each in fleet]


def test_one_more_is_the_last(fleet: Fleet) -> None:
    """It is told, in service, and comes behind those that were there."""
    told = fleet.manage(Add(config("c")), NOW_S)
    assert told == [fact.EndpointAdded(at_s=NOW_S, endpoint="c")]
    assert names(fleet) == ["a", "b", "c"]
    endpoint = fleet.get("c")
    assert endpoint is not None
    assert endpoint.is_in_service


def test_one_that_was_added_begins_slowly(fleet: Fleet) -> None:
    """Its share grows as after a recovery: it is idle, and would get all that choose it."""
    fleet.manage(Add(config("c")), NOW_S)
    endpoint = fleet.get("c")
    assert endpoint is not None
    assert endpoint.model("m").estimate.slow_start(NOW_S) == SLOW_START_MIN
    assert endpoint.model("m").estimate.slow_start(NOW_S + SLOW_START_S) == 1.0


def test_those_from_the_beginning_do_not_begin_slowly(fleet: Fleet) -> None:
    """Nobody is loaded more than they are."""
    shares = [each.model("m").estimate.slow_start(0.0) for each in fleet]
    assert shares == [1.0, 1.0]


def test_an_update_takes_its_place(fleet: Fleet) -> None:
    """The same endpoint, at the same place, with what is known of it."""
    before = fleet.get("a")
    told = fleet.manage(Update(config("a", 2)), NOW_S)
    assert told == [fact.EndpointUpdated(at_s=NOW_S, endpoint="a")]
    assert names(fleet) == ["a", "b"]
    assert fleet.get("a") is before
    assert before is not None
    assert before.config.url == "http://a:2"


def test_draining_is_told_with_what_runs(fleet: Fleet) -> None:
    """It stays in the fleet, also when nothing runs there, until it is updated."""
    endpoint = fleet.get("a")
    assert endpoint is not None
    endpoint.in_flight = 2
    told = fleet.manage(Drain("a"), NOW_S)
    assert told == [fact.EndpointDraining(at_s=NOW_S, endpoint="a", in_flight=2)]
    endpoint.in_flight = 0
    assert fleet.let_go(endpoint, NOW_S) == []
    fleet.manage(Update(config("a")), NOW_S)
    assert not endpoint.is_draining


def test_removed_when_nothing_runs(fleet: Fleet) -> None:
    """At once if nothing does, else with the end of the last lease."""
    told = fleet.manage(Drain("b", removes=True), NOW_S)
    assert told[-1] == fact.EndpointRemoved(at_s=NOW_S, endpoint="b")
    endpoint = fleet.get("a")
    assert endpoint is not None
    endpoint.in_flight = 1
    fleet.manage(Drain("a", removes=True), NOW_S)
    assert fleet.let_go(endpoint, NOW_S) == []
    assert names(fleet) == ["a"]
    endpoint.in_flight = 0
    told = fleet.let_go(endpoint, NOW_S + 1)
    assert told == [fact.EndpointRemoved(at_s=NOW_S + 1, endpoint="a")]
    assert names(fleet) == []


def test_to_drain_one_that_leaves_does_not_keep_it(fleet: Fleet) -> None:
    """It leaves all the same."""
    endpoint = fleet.get("a")
    assert endpoint is not None
    endpoint.in_flight = 1
    fleet.manage(Drain("a", removes=True), NOW_S)
    fleet.manage(Drain("a"), NOW_S)
    endpoint.in_flight = 0
    assert fleet.let_go(endpoint, NOW_S) != []


def test_a_hold_is_no_illness(fleet: Fleet) -> None:
    """It has no room until then, tells nothing, and stays in service."""
    assert fleet.manage(Hold("a", NOW_S + 3.0), NOW_S) == []
    endpoint = fleet.get("a")
    assert endpoint is not None
    assert endpoint.is_in_service
    assert not endpoint.has_room("m", NOW_S + 2.999)
    assert endpoint.has_room("m", NOW_S + 3.0)


def test_a_hold_does_not_shorten_what_the_server_asked_for(fleet: Fleet) -> None:
    """A rate limit that ends sooner leaves the time that the server's push-back named."""
    endpoint = fleet.get("a")
    assert endpoint is not None
    endpoint.quiet_until_s = NOW_S + 60.0
    fleet.manage(Hold("a", NOW_S + 1.0), NOW_S)
    assert not endpoint.has_room("m", NOW_S + 59.0)
