"""Which row is next: in order, grouped, the longest first at the end, and none for ever last."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.batch.rows import Ask, Row
from triollama_adapters.batch.work.items import PREFIX_CHARACTERS, Item, item_of
from triollama_adapters.batch.work.schedule import GROUP_MAX, Schedule

ROW = Row(0, bytes(16), "line 1", 10, None, None)


def item(place: int, model: str = "m", *, limit: int | None = None, prefix: int = 0) -> Item:
    """A row."""
    return Item(place, ROW, model, 100, limit, prefix)


def schedule_of(items: Sequence[Item], *, is_closed: bool = False, **terms: int) -> Schedule:
    """A schedule of these; a row's length is its limit."""
    schedule = Schedule(lambda each: float(each.limit or 0), **terms)
    for each in items:
        schedule.add(each)
    if is_closed:
        schedule.close()
    return schedule


def taken(schedule: Schedule, models: str = "mno", count: int = 10_000) -> list[int]:
    """The places of rows as they are taken, while there are any of these models."""
    places = []
    while len(places) < count and (found := schedule.take(lambda model: model in models)):
        places.append(found.place)
    return places


def test_in_the_order_of_the_input_while_it_goes_on() -> None:
    """Whatever their length: longer ones may still come."""
    schedule = schedule_of([item(n, limit=n % 7 + 1) for n in range(50)])
    assert taken(schedule) == list(range(50))


def test_the_longest_first_once_it_has_been_read() -> None:
    """Equal ones in the order of the input."""
    schedule = schedule_of([item(n, limit=n % 3 + 1) for n in range(9)], is_closed=True)
    assert taken(schedule) == [2, 5, 8, 1, 4, 7, 0, 3, 6]
    assert not len(schedule)
    assert schedule.waiting == {}


def test_rows_that_begin_alike_follow_each_other() -> None:
    """A group of them, then the next that is the oldest."""
    schedule = schedule_of([item(n, prefix=n % 2) for n in range(6)])
    assert taken(schedule) == [0, 2, 4, 1, 3, 5]
    many = GROUP_MAX + 10
    schedule = schedule_of([item(n, prefix=int(n == 1)) for n in range(many)])
    assert taken(schedule).index(1) == GROUP_MAX


def test_a_model_whose_turn_it_is_not_waits() -> None:
    """Until it may; then it goes by age, or by length."""
    items = [item(n, "mn"[n % 2], limit=n + 1) for n in range(6)]
    for is_closed, places in ((False, [0, 2, 4]), (True, [4, 2, 0])):
        schedule = schedule_of([item(each.place, each.model, limit=each.limit) for each in items])
        if is_closed:
            schedule.close()
        assert taken(schedule, "m") == places
        assert schedule.waiting == {"n": 3}
        assert taken(schedule, "n") == [1, 3, 5] if not is_closed else [5, 3, 1]


def test_nobody_is_overtaken_for_ever() -> None:
    """A row that was passed over too often is the next; if its model must wait, that is told."""
    items = [item(0, "n"), *(item(n, "m") for n in range(1, 40))]
    schedule = schedule_of(items, overtaken_max=10)
    assert schedule.starving is None
    assert taken(schedule, "m", 10) == list(range(1, 11))
    assert schedule.starving == "n"
    assert taken(schedule, "m", 1) == [11]  # nobody is there for it
    assert taken(schedule, count=1) == [0]
    assert schedule.starving is None


def test_with_the_order_kept_the_oldest_goes_soon_also_at_the_end() -> None:
    """A short row is not left for last."""
    items = [item(n, limit=n + 1) for n in range(30)]
    places = taken(schedule_of(items, is_closed=True, overtaken_max=5))
    assert places[:7] == [29, 28, 27, 26, 25, 0, 1]


def test_a_row_that_was_taken_is_not_kept() -> None:
    """While the oldest waits for a model that is away, others come and go; nothing holds them."""
    schedule = schedule_of([item(0, "n")])
    gone: list[weakref.ref[Row]] = []
    for place in range(1, 50):
        row = Row(place, bytes(16), "line", 10, None, None)
        gone.append(weakref.ref(row))
        schedule.add(Item(place, row, "m", 10))
        del row
        assert taken(schedule, "m") == [place]
    gc.collect()
    assert [ref() for ref in gone] == [None] * len(gone)
    assert taken(schedule) == [0]


@given(
    st.lists(st.tuples(st.sampled_from("mno"), st.integers(0, 3), st.integers(1, 9)), max_size=60),
    st.data(),
)
def test_each_row_is_given_once_and_in_time(
    rows: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    """However adding, taking and who may interleave; and no one is passed over too often."""
    schedule = Schedule(lambda each: float(each.limit or 0), overtaken_max=7)
    places: list[int] = []
    for place, (model, prefix, limit) in enumerate(rows):
        schedule.add(item(place, model, prefix=prefix, limit=limit))
        if data.draw(st.booleans()):
            places += taken(schedule, data.draw(st.sampled_from(["m", "no", "mno"])), 2)
    schedule.close()
    while len(schedule):
        before, late = set(places), len(places)
        oldest = min(set(range(len(rows))) - before)
        given = taken(schedule, "mno", 1)
        assert given == [oldest] or late - oldest < 7
        places += given
    assert sorted(places) == list(range(len(rows)))


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ({"messages": "a" * 300 + "b"}, {"messages": "a" * 300 + "c"}, True),
        ({"messages": "ab"}, {"messages": "ac"}, False),
        ({"prompt": "a", "system": "s"}, {"prompt": "b", "system": "s"}, True),
        ({"prompt": "a"}, {"prompt": "b"}, False),
        ({"messages": []}, {"messages": [{}]}, True),
    ],
)
def test_what_begins_alike(one: dict[str, object], other: dict[str, object], is_same: bool) -> None:  # noqa: FBT001
    """The system message, or else the first characters of the prompt."""
    found = [
        item_of(0, Row(0, bytes(16), "line 1", 10, Ask("chat", {"model": "m"} | each), None))
        for each in (one, other)
    ]
    assert (found[0].prefix == found[1].prefix) is is_same
    assert PREFIX_CHARACTERS < 300


def test_messages_with_a_system_message_begin_with_it() -> None:
    """Whatever the user says."""
    found = []
    for text in ("one", "two"):
        messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": text}]
        ask = Ask(
            "chat", {"model": "M:latest", "messages": messages, "options": {"num_predict": 7}}
        )
        found.append(item_of(0, Row(0, bytes(16), "line 1", 10, ask, None)))
    assert found[0].prefix == found[1].prefix != 0
    assert found[0].limit == 7
    assert found[0].model == "m:latest"
