"""One endpoint: its room, its models, and what its news make of it."""

from __future__ import annotations

from typing import Any

import pytest

from triollama._config import EndpointConfig
from triollama.actors.pool.breaker import FAILURES_MAX
from triollama.actors.pool.endpoint import DOUBT_S, MISSING_S, MODELS_MAX, Endpoint
from triollama.actors.pool.messages import LoadedModel, Outcome

NOW_S = 1_000.0
TICK_S = 0.001


def endpoint(**config: Any) -> Endpoint:
    """An endpoint that nothing is known of."""
    return Endpoint(EndpointConfig("http://a:1", "a", **config))


def see(endpoint: Endpoint, *loaded: str, available: tuple[str, ...] | None = None) -> None:
    """A probe sees these models."""
    on_disk = None if available is None else frozenset(available)
    endpoint.see_models(tuple(LoadedModel(key) for key in loaded), on_disk)


# ---- what it has


def test_what_is_not_known_is_not_lacking() -> None:
    """Before any news it may have any model."""
    assert not endpoint().lacks("m", NOW_S)


def test_it_lacks_what_is_not_on_its_list() -> None:
    """An empty list is a list; a request without a model lacks nothing."""
    one = endpoint()
    one.available = frozenset({"m"})
    assert not one.lacks("m", NOW_S)
    assert one.lacks("n", NOW_S)
    assert not one.lacks("", NOW_S)
    one.available = frozenset()
    assert one.lacks("m", NOW_S)


def test_a_404_is_believed_to_the_tick() -> None:
    """For `MISSING_S`, and not at its end."""
    one = endpoint()
    one.model("m").missing_until_s = NOW_S + MISSING_S
    assert one.lacks("m", NOW_S + MISSING_S - TICK_S)
    assert not one.lacks("m", NOW_S + MISSING_S)
    assert not one.lacks("n", NOW_S)


def test_a_list_takes_a_404_back() -> None:
    """A model that was pulled meanwhile is there at once; one that is not on the list stays."""
    one = endpoint()
    for key in "mn":
        one.model(key).missing_until_s = NOW_S + MISSING_S
    see(one, available=("m", "other"))
    assert not one.lacks("m", NOW_S)
    assert one.lacks("n", NOW_S)
    assert "other" not in one.models


def test_a_probe_that_does_not_know_changes_nothing() -> None:
    """Neither what is loaded nor what is on disk."""
    one = endpoint()
    see(one, "m", available=("m",))
    one.see_models(None, None)
    assert one.models["m"].is_loaded
    assert one.available == frozenset({"m"})


def test_what_is_sent_may_be_about_to_load() -> None:
    """A probe that does not see a model unloads it only where no request for it runs."""
    one = endpoint()
    state = one.model("m")
    state.is_loaded = True
    number = state.slots.on_sent(NOW_S)
    see(one)
    assert state.is_loaded
    state.slots.on_failed(number, NOW_S)
    see(one)
    assert not state.is_loaded


def test_who_loaded_it_knows_the_options() -> None:
    """Our options are kept while it stays loaded; once it was unloaded they are somebody else's."""
    one = endpoint()
    state = one.model("m")
    state.is_loaded, state.runner = True, "ours"
    see(one, "m")
    runners = [state.runner]
    see(one)
    see(one, "m")
    runners.append(state.runner)
    assert runners == ["ours", None]
    assert one.preference("m", "ours", NOW_S) == 0


def test_models_are_bounded() -> None:
    """Beyond `MODELS_MAX` one is forgotten for each that is new, but none with a request."""
    one = endpoint()
    one.model("busy").slots.on_sent(NOW_S)
    for number in range(2 * MODELS_MAX):
        one.model(str(number))
    assert len(one.models) == MODELS_MAX
    assert "busy" in one.models
    assert str(2 * MODELS_MAX - 1) in one.models


def test_the_one_not_used_for_longest_is_forgotten() -> None:
    """A model that was used a moment ago is kept, though it came first."""
    one = endpoint()
    for number, key in enumerate(("m", *map(str, range(MODELS_MAX - 1)), "m")):
        one.model(key).last_granted = number
    one.model("new")
    assert len(one.models) == MODELS_MAX
    assert "m" in one.models


# ---- its room


def test_an_endpoint_without_news_has_room() -> None:
    """For any model and for none."""
    assert endpoint().has_room("m", NOW_S)
    assert endpoint().has_room("", NOW_S)


def test_in_flight_counts_over_all_models() -> None:
    """At `max_in_flight` there is no room, one below there is."""
    one = endpoint(max_in_flight=3)
    one.in_flight = 2
    assert one.has_room("m", NOW_S)
    one.in_flight = 3
    assert not one.has_room("m", NOW_S)
    assert not one.has_room("", NOW_S)


def test_slots_count_for_their_model() -> None:
    """A model whose slots are full leaves room for another."""
    one = endpoint(num_parallel=1)
    one.model("m").slots.on_sent(NOW_S)
    assert not one.has_room("m", NOW_S)
    assert one.has_room("n", NOW_S)


def test_quiet_is_to_the_tick() -> None:
    """No room before its end, and room at it."""
    one = endpoint()
    one.quiet_until_s = NOW_S + 5.0
    assert not one.has_room("m", NOW_S + 5.0 - TICK_S)
    assert one.has_room("m", NOW_S + 5.0)


# ---- how gladly it is used


@pytest.mark.parametrize(
    ("is_loaded", "runner", "rank"),
    [(True, 4_096, 0), (True, None, 0), (False, None, 1), (False, 8_192, 1), (True, 8_192, 2)],
)
def test_preference(*, is_loaded: bool, runner: int | None, rank: int) -> None:
    """Loaded as wanted or by somebody, not loaded, loaded otherwise; three more while in doubt."""
    one = endpoint()
    state = one.model("m")
    state.is_loaded, state.runner = is_loaded, runner
    assert one.preference("m", 4_096, NOW_S) == rank
    one.bad_news(NOW_S, is_unreachable=False)
    assert one.preference("m", 4_096, NOW_S + DOUBT_S - TICK_S) == rank + 3
    assert one.preference("m", 4_096, NOW_S + DOUBT_S) == rank


def test_a_model_it_never_heard_of_is_not_loaded() -> None:
    """And asking does not make it known."""
    one = endpoint()
    assert one.preference("m", (), NOW_S) == 1
    assert not one.models


# ---- its news


def test_good_news_ends_the_doubt() -> None:
    """The last news counts, good or bad."""
    one = endpoint()
    one.bad_news(NOW_S, is_unreachable=True)
    assert (one.is_standing, one.is_unreachable) == (False, True)
    one.bad_news(NOW_S, is_unreachable=False)
    assert (one.is_standing, one.is_unreachable) == (False, False)
    one.good_news()
    assert (one.is_standing, one.is_unreachable) == (True, False)
    assert one.preference("m", (), NOW_S) == 1


def test_a_probe_is_believed_once() -> None:
    """If it fails a request then, only an answer makes good; missed probes belie nothing."""
    one = endpoint()
    for _ in range(2):
        one.bad_news(NOW_S, is_unreachable=True, is_request=False)
        one.good_probe()
        assert one.is_standing
    one.bad_news(NOW_S, is_unreachable=True)
    one.good_probe()
    assert not one.is_standing
    one.good_news()
    one.bad_news(NOW_S, is_unreachable=True)
    one.good_probe()
    assert one.is_standing


def test_a_probe_does_not_prove_good_answers() -> None:
    """Of one that could be reached, and failed, a probe says nothing."""
    one = endpoint()
    one.bad_news(NOW_S, is_unreachable=False)
    one.good_probe()
    assert not one.is_standing


def test_leases_are_counted_by_how_they_ended() -> None:
    """And one that never was cannot end."""
    one = endpoint()
    one.in_flight = 3
    for outcome in (Outcome.DONE, Outcome.BUSY, Outcome.DONE):
        one.count(outcome)
    assert one.outcomes == {"done": 2, "busy": 1}
    with pytest.raises(AssertionError):
        one.count(Outcome.DONE)


def test_a_new_configuration_keeps_what_runs_and_is_known() -> None:
    """Limits change at once, also below what runs; draining is over; models stay."""
    one = endpoint(num_parallel=8, weight=1.0)
    one.is_draining, one.in_flight = True, 5
    for _ in range(5):
        one.model("m").slots.on_sent(NOW_S)
    one.reconfigure(EndpointConfig("http://b:1", "a", max_in_flight=4, num_parallel=2))
    assert (one.config.url, one.is_draining, one.in_flight) == ("http://b:1", False, 5)
    assert (one.models["m"].slots.limit, one.models["m"].slots.in_flight) == (2, 5)
    assert not one.has_room("n", NOW_S)


def test_only_closed_is_in_service() -> None:
    """On trial it is not."""
    one = endpoint()
    seen = [one.is_in_service]
    for _ in range(FAILURES_MAX):
        one.breaker.on_failure(NOW_S, 0.0, may_eject=True)
    seen.append(one.is_in_service)
    one.breaker.look(one.breaker.until_s)
    seen.append(one.is_in_service)
    assert seen == [True, False, False]
