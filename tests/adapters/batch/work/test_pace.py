"""How many rows run, and of which models."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.batch.work.pace import SLOTS_FIRST, EndpointLook, Pace


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


def paced(endpoints: list[EndpointLook], waiting: dict[str, int], **terms: Any) -> Pace:
    """After one look."""
    pace = Pace(terms.pop("rows_max", 1_000), **terms)
    pace.look(endpoints, waiting, None)
    return pace


def test_it_begins_small_and_follows_what_is_learnt() -> None:
    """The slots of all, and one more for eight of them, at least one for each endpoint."""
    waiting = {"m": 100}
    assert paced([look("a"), look("b")], waiting).total == 2 * SLOTS_FIRST + 2
    assert paced([look("a", {"m": 16}), look("b", {"m": 32})], waiting).total == 48 + 6
    assert paced([look("a", {"m": 16}), look("b")], waiting).total == 16 + 1 + 2


def test_its_bounds() -> None:
    """What was asked for, what an endpoint takes, a share of it; and one row always."""
    waiting = {"m": 100}
    fleet = [look("a", {"m": 16}), look("b", {"m": 16})]
    assert paced(fleet, waiting, rows_max=10).total == 10
    assert paced(fleet, waiting, share=0.5).total == 16
    assert paced(fleet, waiting, share=0.01).total == 1
    assert paced([look("a", {"m": 16}, in_flight_max=3)], waiting).total == 3 + 1
    assert paced([], waiting).total >= 1
    assert Pace(40, follows=False).total == 40
    assert Pace(40, follows=False).cap("any") == 40


def test_who_is_out_of_service_counts_nothing() -> None:
    """Unless all are: then they are used as if they were not."""
    here, gone = look("a", {"m": 8}), look("b", {"m": 8}, is_in_service=False)
    assert paced([here, gone], {"m": 9}).total == 8 + 1
    assert paced([gone], {"m": 9}).total == 8 + 1


def test_an_endpoint_stays_with_its_model() -> None:
    """As long as rows of it wait, however many wait for another."""
    pace = Pace(100)
    endpoints = [look("a", {"m": 4, "n": 4}, loaded="m")]
    pace.look(endpoints, {"m": 5, "n": 5}, None)
    assert pace.place_of == {"a": "m"}
    assert (pace.cap("m"), pace.cap("n")) == (5, 0)
    pace.look(endpoints, {"m": 1, "n": 500}, None)
    assert pace.place_of == {"a": "m"}
    pace.look(endpoints, {"n": 500}, None)
    assert pace.place_of == {"a": "n"}
    pace.look([look("a", {"m": 4, "n": 4}, loaded="n")], {"m": 9, "n": 500}, None)
    assert pace.place_of == {"a": "n"}


def test_models_on_different_endpoints_run_side_by_side() -> None:
    """Each where it is; without an overhang, which would go to the other's endpoint."""
    pace = paced(
        [look("a", {"m": 4}, available="m"), look("b", {"n": 6}, available="n")],
        {"m": 50, "n": 50},
    )
    assert (pace.cap("m"), pace.cap("n"), pace.total) == (4, 6, 10)


def test_endpoints_are_shared_by_what_waits() -> None:
    """More endpoints for the model with more rows."""
    pace = paced([look(each) for each in "abcd"], {"m": 300, "n": 100})
    places = list(pace.place_of.values())
    assert (places.count("m"), places.count("n")) == (3, 1)


def test_a_model_that_starves_gets_a_place() -> None:
    """Of one endpoint that can answer it."""
    pace = Pace(100)
    endpoints = [look("a", {"m": 4}, loaded="m", available="mn"), look("b", available="m")]
    pace.look(endpoints, {"m": 5_000, "n": 1}, "n")
    assert pace.place_of == {"a": "n", "b": "m"}


def test_a_model_that_nobody_has_is_asked_for_all_the_same() -> None:
    """So that its rows get their errors."""
    pace = paced([look("a", {"m": 4}, available="m")], {"m": 5, "stranger": 5})
    assert pace.cap("stranger") == SLOTS_FIRST


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
    pace = Pace(rows_max)
    for endpoints, waiting, starving in looks:
        pace.look(endpoints, waiting, starving)
        assert 1 <= pace.total <= rows_max
        if waiting and endpoints:
            assert any(pace.cap(model) for model in waiting)
