"""Which endpoints may take a request, and which of them gets it."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from triollama._config import EndpointConfig
from triollama.actors.pool.breaker import FAILURES_MAX, OUT_S, TRIALS_MAX
from triollama.actors.pool.choice import choose, eligible
from triollama.actors.pool.endpoint import DOUBT_S, Endpoint
from triollama.actors.pool.estimate import SLOW_START_S, Typical
from triollama.actors.pool.messages import Acquire

NOW_S = 1_000.0
WIDE = (("num_ctx", 32_768),)
"""Runner options that need another load of the model."""


def endpoint(name: str, **config: Any) -> Endpoint:
    """An endpoint that nothing is known of."""
    given = {"num_parallel": 8} | config
    return Endpoint(EndpointConfig(f"http://{name}:1", name, **given))


def loaded(name: str, runner: Any = (), **config: Any) -> Endpoint:
    """An endpoint with the model in memory."""
    made = endpoint(name, **config)
    state = made.model("m")
    state.is_loaded, state.runner = True, runner
    return made


def endpoints(names: str) -> list[Endpoint]:
    """One endpoint for each letter."""
    return [endpoint(name) for name in names]


def ask(**more: Any) -> Acquire:
    """A request for the model."""
    return Acquire(1, "m", math.inf, NOW_S, **more)


def put_out(endpoint: Endpoint, at_s: float = NOW_S) -> None:
    """Take an endpoint out of service."""
    for _ in range(FAILURES_MAX):
        endpoint.breaker.on_failure(at_s, 0.0, may_eject=True)
    assert not endpoint.is_in_service


def may(fleet: Iterable[Endpoint], request: Acquire, *, is_panic: bool = False) -> str:
    """The names of those that may take a request."""
    found = eligible(fleet, request, NOW_S, is_panic=is_panic)
    return "".join(each.name for each in found)


def chosen(free: Sequence[Endpoint], request: Acquire, at_s: float = NOW_S) -> str:
    """The name of the one that gets it."""
    return choose(free, request, at_s, Typical()).name


def draws(count: int) -> list[float]:
    """Numbers that draw each ordered pair of so many endpoints once."""
    pairs = count * (count - 1)
    return [(number + 0.5) / pairs for number in range(pairs)]


# ---- who may


def test_of_nobody_nobody_may() -> None:
    """An empty fleet has none."""
    assert may([], ask()) == ""


def test_where_none_has_the_model_all_are_asked() -> None:
    """What is believed to lack it everywhere may have got it: nobody is left out."""
    fleet = endpoints("abc")
    for each in fleet:
        each.available = frozenset({"other"})
    assert may(fleet, ask()) == "abc"


def test_what_the_request_found_out_is_final() -> None:
    """Endpoints that answered this very request with 404 are never asked again."""
    fleet = endpoints("abc")
    assert may(fleet, ask(excluded=frozenset("ac"))) == "b"
    assert may(fleet, ask(excluded=frozenset("abc"))) == ""


@pytest.mark.parametrize("is_panic", [False, True])
def test_draining_is_final(*, is_panic: bool) -> None:
    """Neither panic nor being asked for by name sends anything to one that is drained."""
    fleet = endpoints("ab")
    fleet[0].is_draining = True
    assert may(fleet, ask(), is_panic=is_panic) == "b"
    assert may(fleet, ask(only="a"), is_panic=is_panic) == ""


def test_an_endpoint_must_have_all_tags() -> None:
    """And may have more; tags that nobody has together leave nobody."""
    fleet = [endpoint("a", tags=["gpu", "eu"]), endpoint("b", tags=["gpu"]), endpoint("c")]
    assert may(fleet, ask(tags=frozenset({"gpu"}))) == "ab"
    assert may(fleet, ask(tags=frozenset({"gpu", "eu"}))) == "a"
    assert may(fleet, ask(tags=frozenset({"gpu", "us"}))) == ""
    assert may(fleet, ask()) == "abc"


def test_the_only_one_is_used_whatever_is_known_of_it() -> None:
    """Out of service, without the model and tried: a fleet of one has no choice."""
    fleet = endpoints("a")
    fleet[0].available = frozenset()
    put_out(fleet[0])
    assert may(fleet, ask(tried=frozenset("a"))) == "a"


def test_out_of_service_is_left_out_until_all_are() -> None:
    """One that is ejected gets nothing while another is in service."""
    fleet = endpoints("abc")
    put_out(fleet[0])
    assert may(fleet, ask()) == "bc"
    for each in fleet[1:]:
        put_out(each)
    assert may(fleet, ask()) == "abc"


def test_panic_does_not_look_at_service_but_at_models() -> None:
    """With panic those out of service are used again, and still only those with the model."""
    fleet = endpoints("abc")
    put_out(fleet[0])
    fleet[1].available = frozenset()
    assert may(fleet, ask(), is_panic=True) == "ac"


def test_the_model_counts_more_than_the_service() -> None:
    """If the only one with the model is out of service, it is asked, not one that lacks it."""
    fleet = endpoints("ab")
    put_out(fleet[0])
    fleet[1].available = frozenset()
    assert may(fleet, ask()) == "a"


def test_on_trial_it_is_eligible_until_all_trials_run() -> None:
    """One whose time out is over takes its trials, and no more."""
    fleet = endpoints("ab")
    put_out(fleet[0], NOW_S - OUT_S)
    for _ in range(TRIALS_MAX):
        assert may(fleet, ask()) == "ab"
        assert fleet[0].breaker.take(NOW_S)
    assert may(fleet, ask()) == "b"


def test_what_failed_the_request_comes_last() -> None:
    """Untried ones first, and of these one that is known to work before one in doubt."""
    fleet = endpoints("abc")
    assert may(fleet, ask(tried=frozenset("a"))) == "bc"
    fleet[1].is_standing = False
    assert may(fleet, ask(tried=frozenset("a"))) == "c"
    assert may(fleet, ask(tried=frozenset("ac"))) == "b"
    assert may(fleet, ask(tried=frozenset("abc"))) == "ac"
    assert may(fleet, ask()) == "abc"


def test_service_counts_more_than_what_was_tried() -> None:
    """One that failed this request but is in service is asked before one that is out."""
    fleet = endpoints("ab")
    put_out(fleet[1])
    assert may(fleet, ask(tried=frozenset("a"))) == "a"


# ---- who gets it


def test_of_one_there_is_no_choice() -> None:
    """Whatever is known of it."""
    alone = loaded("a", runner=WIDE)
    alone.bad_news(NOW_S, is_unreachable=True)
    assert chosen([alone], ask()) == "a"


def test_loaded_then_empty_then_loaded_otherwise() -> None:
    """As it is wanted, not at all, and with another num_ctx: in this order."""
    fleet = [loaded("a", runner=WIDE), endpoint("b"), loaded("c")]
    for draw in draws(3):
        assert chosen(fleet, ask(draw=draw)) == "c"
        assert chosen(fleet[:2], ask(draw=draw / 3)) == "b"
        assert chosen(fleet, ask(draw=draw, runner=WIDE)) == "a"


def test_loaded_with_other_options_everywhere_is_used() -> None:
    """Then the load decides, as it does among equals."""
    fleet = [loaded("a", runner=WIDE), loaded("b", runner=WIDE)]
    fleet[0].in_flight = 1
    assert chosen(fleet, ask()) == "b"


def test_loaded_by_somebody_else_fits() -> None:
    """Options that are not known are taken for the right ones."""
    fleet = [endpoint("a"), loaded("b", runner=None)]
    assert chosen(fleet, ask(runner=WIDE)) == "b"


def test_the_loaded_one_is_used_up_to_its_room() -> None:
    """Load does not drive a request to where the model would have to be loaded."""
    fleet = [loaded("a"), endpoint("b")]
    fleet[0].in_flight = 7
    assert chosen(fleet, ask()) == "a"


def test_doubt_counts_more_than_what_is_loaded() -> None:
    """One that has just failed is passed over for any other, to the tick of its doubt."""
    fleet = [loaded("a"), loaded("b", runner=WIDE)]
    fleet[0].bad_news(NOW_S, is_unreachable=False)
    assert chosen(fleet, ask(), NOW_S + DOUBT_S - 0.001) == "b"
    assert chosen(fleet, ask(), NOW_S + DOUBT_S) == "a"


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_each_pair_is_drawn_alike(count: int) -> None:
    """Over all draws each of equal endpoints wins against each other as often as it loses."""
    fleet = [loaded(name) for name in "abcdefgh"[:count]]
    for number, each in enumerate(fleet):
        each.last_granted = number
    wins = Counter(chosen(fleet, ask(draw=draw)) for draw in draws(count))
    expected = {each.name: 2 * (count - 1 - rank) for rank, each in enumerate(fleet)}
    assert wins == Counter(expected)


@pytest.mark.parametrize("draw", [0.0, math.nextafter(1.0, 0.0)])
def test_the_ends_of_the_draw(draw: float) -> None:
    """The smallest and the greatest number that can be drawn name a pair, in any fleet."""
    fleet = [loaded(f"e{number}") for number in range(70)]
    for count in range(2, 71):
        assert chosen(fleet[:count], ask(draw=draw)) in {each.name for each in fleet[:count]}


def test_the_cheaper_of_two_gets_it() -> None:
    """By load, by weight, by slots and by speed, each with the rest alike."""
    busy, heavy, wide, slow = loaded("a"), loaded("b", weight=0.5), loaded("c"), loaded("d")
    plain = loaded("e")
    busy.in_flight = 1
    wide.model("m").slots.bound(256, 4)
    for number in range(20):
        slow.model("m").estimate.observe(30.0, NOW_S - 20 + number)
    for dearer, draw in itertools.product((busy, heavy, wide, slow), (0.0, 0.9)):
        assert chosen([dearer, plain], ask(draw=draw)) == "e"
        assert chosen([plain, dearer], ask(draw=draw)) == "e"


def busy_beyond_what_is_known(name: str) -> Endpoint:
    """One with more in flight than it is known to have slots, and room for a trial of more."""
    made = loaded(name)
    slots = made.model("m").slots
    slots._measured = made.in_flight = slots.in_flight = 2
    assert slots.has_room
    return made


@pytest.mark.parametrize("sure", [1, 2])
def test_a_slot_that_is_sure_goes_before_one_that_may_be(sure: int) -> None:
    """Whatever is drawn, and though the others cost a little less."""
    fleet = [loaded(name) for name in "ab"[:sure]] + [busy_beyond_what_is_known(n) for n in "xyz"]
    for each in fleet[:sure]:
        each.in_flight = 4
    assert {chosen(fleet, ask(draw=draw)) for draw in draws(5)} <= {"a", "b"}


def test_a_much_slower_one_does_not_go_before_a_slot_that_may_be() -> None:
    """Ten times the time to first token is worse than the risk of a wait."""
    fleet = [loaded("slow"), *(busy_beyond_what_is_known(name) for name in "xyz")]
    for number in range(20):
        fleet[0].model("m").estimate.observe(30.0, NOW_S - 20 + number)
    assert {chosen(fleet, ask(draw=draw)) for draw in draws(5)} <= {"x", "y", "z"}


def test_weight_pays_for_load() -> None:
    """Three times the weight costs the same with three times the load."""
    fleet = [loaded("a", weight=3.0), loaded("b")]
    fleet[0].in_flight, fleet[1].in_flight = 4, 1
    assert chosen(fleet, ask()) == "a"
    fleet[0].in_flight = 6
    assert chosen(fleet, ask()) == "b"


def test_of_equals_the_one_used_longest_ago() -> None:
    """So an idle fleet is used in turn."""
    fleet = [loaded("a"), loaded("b")]
    fleet[0].last_granted = 2
    fleet[1].last_granted = 1
    assert chosen(fleet, ask(draw=0.0)) == chosen(fleet, ask(draw=0.9)) == "b"


def test_one_in_slow_start_is_dearer() -> None:
    """Until its share has grown to the full one."""
    fleet = [loaded("a"), loaded("b")]
    fleet[0].model("m").estimate.begin_slow_start(NOW_S)
    fleet[1].in_flight = 1
    assert chosen(fleet, ask()) == "b"
    assert chosen(fleet, ask(), NOW_S + SLOW_START_S) == "a"
