"""How many rows run, and of which models."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.batch.work.capacity import SLOTS_FIRST, Capacity, EndpointLook


def look(name: str, slots: dict[str, int] | None = None, **terms: Any) -> EndpointLook:
    """An endpoint in service."""
    loaded = frozenset(terms.pop("loaded", ()))
    available = terms.pop("available", None)
    return EndpointLook(
        name,
        terms.pop("is_in_service", True),
        slots or {},
        loaded=loaded,
        available=None if available is None else frozenset(available),
        **terms,
    )


def capacity_for(endpoints: list[EndpointLook], waiting: dict[str, int], **terms: Any) -> Capacity:
    """After one look."""
    capacity = Capacity(terms.pop("rows_max", 1_000), **terms)
    capacity.look(endpoints, waiting, None)
    return capacity


def test_it_begins_small_and_follows_what_is_learnt() -> None:
    """The slots of all, and one more for eight of them, at least one for each endpoint."""
    waiting = {"m": 100}
    assert capacity_for([look("a"), look("b")], waiting).total == 2 * SLOTS_FIRST + 2
    assert capacity_for([look("a", {"m": 16}), look("b", {"m": 32})], waiting).total == 48 + 6
    assert capacity_for([look("a", {"m": 16}), look("b")], waiting).total == 16 + 1 + 2


def test_its_bounds() -> None:
    """What was asked for, what an endpoint takes, a share of it; and one row always."""
    waiting = {"m": 100}
    fleet = [look("a", {"m": 16}), look("b", {"m": 16})]
    assert capacity_for(fleet, waiting, rows_max=10).total == 10
    assert capacity_for(fleet, waiting, share=0.5).total == 16
    assert capacity_for(fleet, waiting, share=0.01).total == 1
    assert capacity_for([look("a", {"m": 16}, in_flight_max=3)], waiting).total == 3 + 1
    assert capacity_for([], waiting).total >= 1
    assert Capacity(40, follows=False).total == 40
    assert Capacity(40, follows=False).cap("any") == 40


def test_who_is_out_of_service_counts_nothing() -> None:
    """Unless all are: then they are used as if they were not."""
    here, gone = look("a", {"m": 8}), look("b", {"m": 8}, is_in_service=False)
    assert capacity_for([here, gone], {"m": 9}).total == 8 + 1
    assert capacity_for([gone], {"m": 9}).total == 8 + 1


def test_an_endpoint_stays_with_its_model() -> None:
    """As long as rows of it wait, however many wait for another."""
    capacity = Capacity(100)
    endpoints = [look("a", {"m": 4, "n": 4}, loaded="m")]
    capacity.look(endpoints, {"m": 5, "n": 5}, None)
    assert capacity.place_of == {"a": "m"}
    assert (capacity.cap("m"), capacity.cap("n")) == (5, 0)
    capacity.look(endpoints, {"m": 1, "n": 500}, None)
    assert capacity.place_of == {"a": "m"}
    capacity.look(endpoints, {"n": 500}, None)
    assert capacity.place_of == {"a": "n"}
    capacity.look([look("a", {"m": 4, "n": 4}, loaded="n")], {"m": 9, "n": 500}, None)
    assert capacity.place_of == {"a": "n"}


def test_models_on_different_endpoints_run_side_by_side() -> None:
    """Each where it is; without an overhang, which would go to the other's endpoint."""
    capacity = capacity_for(
        [look("a", {"m": 4}, available="m"), look("b", {"n": 6}, available="n")],
        {"m": 50, "n": 50},
    )
    assert (capacity.cap("m"), capacity.cap("n"), capacity.total) == (4, 6, 10)


def test_endpoints_are_shared_by_what_waits() -> None:
    """More endpoints for the model with more rows."""
    capacity = capacity_for([look(each) for each in "abcd"], {"m": 300, "n": 100})
    places = list(capacity.place_of.values())
    assert (places.count("m"), places.count("n")) == (3, 1)


def test_a_model_that_starves_gets_a_place() -> None:
    """Of one endpoint that can answer it."""
    capacity = Capacity(100)
    endpoints = [look("a", {"m": 4}, loaded="m", available="mn"), look("b", available="m")]
    capacity.look(endpoints, {"m": 5_000, "n": 1}, "n")
    assert capacity.place_of == {"a": "n", "b": "m"}


def test_a_model_that_nobody_has_is_asked_for_all_the_same() -> None:
    """So that its rows get their errors."""
    capacity = capacity_for([look("a", {"m": 4}, available="m")], {"m": 5, "stranger": 5})
    assert capacity.cap("stranger") == SLOTS_FIRST


LOOKS = st.lists(
    st.builds(
        look,
        st.sampled_from("abcdef"),
        st.dictionaries(st.sampled_from("mno"), st.integers(1, 64)),
        loaded=st.sampled_from(["", "m", "mn"]),
        available=st.sampled_from([None, "m", "no", ""]),
        is_in_service=st.booleans(),
    ),
    max_size=5,
    unique_by=lambda each: each.name,
)


@given(
    st.lists(
        st.tuples(
            LOOKS,
            st.dictionaries(st.sampled_from("mno"), st.integers(1, 99)),
            st.sampled_from([None, "m", "o"]),
        ),
        max_size=5,
    ),
    st.integers(1, 200),
)
def test_something_may_always_run(
    looks: list[tuple[list[EndpointLook], dict[str, int], str | None]], rows_max: int
) -> None:
    """Whatever is seen: at least one row, at most what was asked for, and of a model that waits."""
    capacity = Capacity(rows_max)
    for endpoints, waiting, starving in looks:
        capacity.look(endpoints, waiting, starving)
        assert 1 <= capacity.total <= rows_max
        if waiting and endpoints:
            assert any(capacity.cap(model) for model in waiting)
