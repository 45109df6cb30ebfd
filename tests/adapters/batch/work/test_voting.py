"""Several answers to a row, of which the majority counts."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.batch.work.answers import ASK, Scripted, chat_of, completion_of
from trio.testing import MockClock

from triollama import EmbedResponse, Usage
from triollama_adapters.batch.errors import ChoiceError, RowLeftError
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.batch.rows import Ask, RowError
from triollama_adapters.batch.work.asking import Asked
from triollama_adapters.batch.work.ballot import Ballot
from triollama_adapters.batch.work.checking import Checked
from triollama_adapters.batch.work.functions import load_function
from triollama_adapters.batch.work.keys import (
    key_of_choice,
    key_of_name,
    last_number,
    normal_text,
)
from triollama_adapters.batch.work.narrow import Narrow
from triollama_adapters.batch.work.treatment import Treatment
from triollama_adapters.batch.work.voting import TEMPERATURE, Voted


def voted(asks: Any, seats: int, key: Any = None) -> Voted:
    """A vote on the answers."""
    narrow = Narrow(asks)
    return Voted(narrow, seats, key_of_choice(key), narrow)


def options_of(asks: Scripted) -> list[dict[str, Any]]:
    """What was asked with, by the seed."""
    return sorted((each.arguments["options"] for each in asks.asked), key=lambda each: each["seed"])


def winner_of(keys: list[str | None]) -> int | None:
    """The number of the answer that must win when all come, by the plain rule."""
    counts = Counter(key for key in keys if key is not None)
    most = max(counts.values(), default=0)
    return next((at for at, key in enumerate(keys) if key and counts[key] == most), None)


@given(st.lists(st.sampled_from(["a", "b", "c", None]), min_size=1, max_size=7), st.randoms())
def test_a_vote_ends_as_if_all_had_come(keys: list[str | None], random_: random.Random) -> None:
    """Whatever comes first: a vote that is decided early has the key that all would give it."""
    order = list(range(len(keys)))
    random_.shuffle(order)
    ballot = Ballot(len(keys))
    for number in order:
        if ballot.is_decided():
            break
        assert 1 <= ballot.wanted() <= ballot.to_come()
        ballot.add(number, keys[number])
    assert ballot.is_decided()
    assert ballot.wanted() == 0
    expected, found = winner_of(keys), ballot.winner()
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert keys[found] == keys[expected]


@pytest.mark.parametrize(("seats", "asked"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (9, 5)])
def test_no_more_are_asked_than_decide(seats: int, asked: int) -> None:
    """If all agree, half of them are enough; of as many the earliest decides."""
    ballot = Ballot(seats)
    for number in itertools.count():
        if ballot.is_decided():
            assert number == asked
            return
        ballot.add(number, "a")


async def test_the_majority_counts(autojump_clock: MockClock) -> None:
    """The earliest answer of it, with what all of them cost."""
    asks = Scripted(["It is 5", "It is 4", "So: 4.0", "3", "4"])
    asked = await voted(asks, 5, "number").ask(ASK)
    assert asked.answer is not None
    assert asked.answer.content == "It is 4"
    assert asked.answer.usage == Usage(prompt_tokens=50, output_tokens=15)
    assert asked.tries == 5
    assert asked.more["vote"] == {
        "key": "4",
        "share": 0.6,
        "votes": {"4": 3, "5": 1, "3": 1},
        "spoilt": 0,
    }


async def test_answers_differ_by_their_seed(autojump_clock: MockClock) -> None:
    """And have a temperature, unless the row says another."""
    asks = Scripted(["a", "b", "c"])
    await voted(asks, 3).ask(ASK)
    options = sorted(
        (each.arguments["options"] for each in asks.asked), key=lambda each: each["seed"]
    )
    assert options == [{"temperature": TEMPERATURE, "seed": seed} for seed in (1, 2, 3)]
    assert "options" not in ASK.arguments
    own = Ask("chat", {**ASK.arguments, "options": {"temperature": 0.2, "seed": 40, "top_k": 5}})
    asks = Scripted(["a", "b", "c"])
    await voted(asks, 3).ask(own)
    options = sorted(
        (each.arguments["options"] for each in asks.asked), key=lambda each: each["seed"]
    )
    assert options == [{"temperature": 0.2, "seed": seed, "top_k": 5} for seed in (40, 41, 42)]
    asks = Scripted(["a", "b", "c"])
    await voted(asks, 3).ask(Ask("chat", {**ASK.arguments, "options": {"seed": -1}}))
    assert {each.arguments["options"]["seed"] for each in asks.asked} == {-1}


async def test_at_temperature_0_one_is_asked(autojump_clock: MockClock) -> None:
    """All others would be the same."""
    asks = Scripted(["a"])
    asked = await voted(asks, 5).ask(Ask("chat", {**ASK.arguments, "options": {"temperature": 0}}))
    assert len(asks.asked) == 1
    assert asked.more["vote"]["votes"] == {"a": 1}


async def test_agreement_saves_answers(autojump_clock: MockClock) -> None:
    """Three of five that agree are all that is asked."""
    asks = Scripted(["4", "4", "4"])
    asked = await voted(asks, 5).ask(ASK)
    assert len(asks.asked) == 3
    assert asked.more["vote"]["share"] == 1.0


async def test_what_cannot_change_it_is_cancelled(autojump_clock: MockClock) -> None:
    """Of four, two that agree and came first decide, and the third is not waited for."""
    asks = Scripted(["4", "4", "5"], takes_s=(1, 2, 1_000))
    narrow = Narrow(asks)
    # As many at a time as rows were.
    with narrow.row(), narrow.row():
        asked = await Voted(narrow, 4, key_of_choice(None), narrow).ask(ASK)
    assert trio.current_time() < 100
    assert (len(asks.asked), asks.cancelled) == (3, 1)
    assert asked.more["vote"]["votes"] == {"4": 2}
    assert asked.answer is not None
    assert asked.answer.usage.output_tokens == 6


async def test_no_more_requests_than_rows(autojump_clock: MockClock) -> None:
    """A vote must not ask a fleet for many times what it was to be asked."""
    asks = Scripted([str(number) for number in range(60)], takes_s=(1,))
    vote = voted(asks, 5)
    async with trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(vote.ask, ASK)
    assert asks.running_max == 6
    assert len(asks.asked) == 30


async def test_failures_have_no_vote(autojump_clock: MockClock) -> None:
    """The row fails only if all of them do."""
    asked = await voted(Scripted([None, "4", None, "5", "4"]), 5).ask(ASK)
    assert asked.answer is not None
    assert asked.more["vote"]["votes"] == {"4": 2, "5": 1}
    assert asked.more["vote"]["spoilt"] == 2
    asked = await voted(Scripted([None] * 3), 3).ask(ASK)
    assert asked.answer is None
    assert type(asked.error).__name__ == "FleetUnavailableError"
    assert asked.tries == 15


async def test_answers_without_a_key_have_no_vote(autojump_clock: MockClock) -> None:
    """If none has one, the row fails, and keeps the first."""
    asked = await voted(Scripted(["who knows", "4", "4"]), 3, "number").ask(ASK)
    assert asked.more["vote"]["spoilt"] == 1
    asked = await voted(Scripted(["who knows"] * 3), 3, "number").ask(ASK)
    assert asked.answer is None
    assert isinstance(asked.error, RowError)
    assert asked.error.kind == "VoteKeyMissing"
    assert asked.refused is not None
    assert asked.spent == Usage(prompt_tokens=30, output_tokens=9)


async def test_a_function_may_give_the_key(autojump_clock: MockClock) -> None:
    """Any value; what it raises is a row's error."""

    async def length(answer: Any) -> int:
        return len(answer.content)

    asked = await voted(Scripted(["yes!", "no", "yes?"]), 3, length).ask(ASK)
    assert asked.more["vote"]["votes"] == {"4": 2, "2": 1}

    async def broken(answer: Any, row: dict[str, Any]) -> int:
        raise ValueError(row["expected"])

    asked = await voted(Scripted(["a", "b", "c"]), 3, broken).ask(ASK)
    assert isinstance(asked.error, RowError)
    assert (asked.error.kind, asked.error.message) == ("VoteKeyFailed", "ValueError: 4")


async def test_any_object_of_a_function_may_be_the_key(autojump_clock: MockClock) -> None:
    """Its text must be to be had, and is written as any other."""

    class Odd:
        def __init__(self, text: str | None) -> None:
            self.text = text

        def __str__(self) -> str:
            if self.text is None:
                raise RuntimeError("no text")
            return self.text

    async def odd(answer: Any) -> Odd:
        return Odd("x\udcff")

    async def mute(answer: Any) -> Odd:
        return Odd(None)

    asked = await voted(Scripted(["a", "b", "c"]), 3, odd).ask(ASK)
    assert asked.more["vote"]["votes"] == {"x?": 2}
    asked = await voted(Scripted(["a", "b"]), 2, mute).ask(ASK)
    assert isinstance(asked.error, RowError)
    assert (asked.error.kind, asked.error.message) == ("VoteKeyFailed", "RuntimeError: no text")


async def test_embeddings_are_asked_once() -> None:
    """They have no text to vote with."""
    asks = Scripted([""], make=lambda text: EmbedResponse(embeddings=((1.0,),)))
    asked = await voted(asks, 5).ask(Ask("embed", {"model": "m", "input": "x"}))
    assert "vote" not in asked.more
    assert len(asks.asked) == 1


async def test_what_ends_a_job_is_raised_as_it_is(autojump_clock: MockClock) -> None:
    """Not within a group, which a job would not know."""

    class Leaves:
        async def ask(self, ask: Ask) -> Asked:
            await trio.sleep(1)
            raise RowLeftError("the job stops")

    with pytest.raises(RowLeftError, match="the job stops"):
        await voted(Leaves(), 3).ask(ASK)


async def test_only_what_a_check_takes_has_a_vote(autojump_clock: MockClock) -> None:
    """And only what is JSON is checked; the record has the winner's columns."""

    async def below_9(answer: Any) -> bool:
        return bool(json.loads(answer.content)["n"] < 9)

    texts = ["{", '{"n": 1}', '{"n": 9, "x": 1}', '{"n": 2}', '{"n": 1}']
    check = load_function(below_9, "--check")
    treatment = Treatment(columns=("n", "m"), check=check, seats=5, key_of=key_of_choice("n"))
    asked = await treatment.around(Scripted(texts)).ask(ASK)
    assert asked.answer is not None
    assert {**asked.more} == {
        "n": 1,
        "m": None,
        "check": {"answers": 1},
        "vote": {"key": "1", "share": 0.6667, "votes": {"1": 2, "2": 1}, "spoilt": 2},
    }
    assert isinstance(Treatment(check=check).around(Scripted([])), Checked)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("so she pays $72.00.", "72"),
        ("#### 1,234", "1234"),
        ("10-5", "5"),
        ("it is -3.50!", "-3.5"),
        ("x = .5", "0.5"),
        ("1, 2, and 3", "3"),
        ("-0.0", "0"),
        ("007", "7"),
        ("a \u22127", "-7"),
        ("12345,678", "678"),
        ("9" * 5_000, "9" * 5_000),
        ("none", None),
        ("", None),
    ],
)
def test_the_last_number(text: str, number: str | None) -> None:
    """As the answers to gsm8k have it."""
    assert last_number(text) == number


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (" **The  Answer**.\n", "the answer"),
        ("“Yes!”", "yes"),
        ("-5", "-5"),
        ("\uff21", "a"),
        ("!!", "!!"),
        (" \n", None),
    ],
)
def test_texts_that_are_the_same(text: str, key: str | None) -> None:
    """But for case, spaces and the punctuation around them."""
    assert normal_text(text) == key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("label", "positive"),
        ("$.label", "positive"),
        ("$['label']", "positive"),
        ('$.items[1]["n"]', '{"a":2,"b":1}'),
        ("$.items[7]", None),
        ("$.label.x", None),
        ("$.nothing", None),
        ("none", None),
        ("$", '{"items":[0,{"n":{"a":2,"b":1}}],"label":"Positive.","none":null}'),
    ],
)
def test_a_field_of_an_answer(name: str, key: str | None) -> None:
    """By its name or a path; values that are no texts by their JSON with sorted keys."""
    text = '{"none": null, "label": "Positive.", "items": [0, {"n": {"b": 1, "a": 2}}]}'
    assert key_of_name(name)(chat_of(f"```json\n{text}\n```")) == key
    assert key_of_name(name)(completion_of("no JSON")) is None


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"vote": 3, "vote_key": "$..x"}, "only steps such as .name"),
        ({"vote": 0}, "--vote takes a number from 1 to 64"),
        ({"vote": 3, "options": {"temperature": 0.0}}, "at --temperature 0 none does"),
        ({"vote_key": "number"}, "give --vote as well"),
        ({"vote": 3, "kind": "embed"}, "an embedding has no text"),
        ({"vote": 3, "vote_key": "nowhere:f"}, "--vote-key nowhere:f: there is no module"),
    ],
)
def test_a_vote_that_cannot_be_is_told(settings: dict[str, Any], told: str) -> None:
    """Before any work."""
    with pytest.raises(ChoiceError) as caught:
        Recipe(input="x", **settings).treatment()
    assert told in str(caught.value)
