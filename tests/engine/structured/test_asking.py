"""Chats and completions whose answer is an object: whole, in parts, tried again."""

from __future__ import annotations

from typing import Any, Literal, assert_type

import attrs
import msgspec
import pytest
import trio
from tests.engine.tools.scripted import scripted

import triollama
from triollama import (
    ChatResponse,
    InvalidRequestError,
    JsonSchema,
    SchemaError,
    StructuredOutputError,
    StructuredTruncatedError,
)
from triollama_adapters.simulator import fast_config, open_fleet


@attrs.frozen
class City:
    """A city."""

    name: str
    people: int


@attrs.frozen
class Country:
    """A country."""

    name: str
    size: Literal["small", "large"]
    capital: City
    cities: list[City]
    note: str | None = None


class Row(msgspec.Struct):
    """A struct."""

    id: int


OSLO = '{"name": "Oslo", "people": 700000}'
NORWAY = (
    f'{{"name": "Norway", "size": "large", "capital": {OSLO}, '
    f'"cities": [{OSLO}, {{"name": "Bergen", "people": 290000}}], "note": null}}'
)


@pytest.mark.slow
async def test_the_simulator_answers_with_the_class() -> None:
    """Chat and generate, whole and streamed, of each kind."""
    url = "http://a:11434"
    async with open_fleet({url: fast_config(load_s=0.0)}) as fleet:
        async with triollama.open_engine(url, transport=fleet.transport()) as engine:
            country = await engine.chat("llama3.2", "A country.", format=Country)
            assert_type(country, Country)
            assert isinstance(country.capital, City)
            assert all(isinstance(each, City) for each in country.cities)
            row = await engine.generate("llama3.2", "A row.", format=Row)
            assert_type(row, Row)
            assert isinstance(row.id, int)
            schema = JsonSchema(msgspec.json.schema(Row))
            assert set(await engine.chat("llama3.2", "A row.", format=schema)) == {"id"}
            async with engine.stream_chat("llama3.2", "A country.", format=Country) as stream:
                parts = [part async for part in stream.partials()]
                assert await stream.parsed() == country == parts[-1].whole
            async with engine.stream_generate("llama3.2", "A row.", format=Row) as rows:
                async for chunk in rows:
                    assert chunk.content is not None
                assert await rows.parsed() == row
                assert (await rows.collect()).done


async def test_other_formats_stay_what_they_were() -> None:
    """Mappings and "json" give a response, and go as they are."""
    async with scripted("{}", "{}", "x") as (engine, script):
        plain = await engine.chat("m", "go", format="json")
        assert_type(plain, ChatResponse)
        await engine.chat("m", "go", format={"type": "object", "title": "T"})
        assert (await engine.generate("m", "go")).content == "x"
    assert [each.get("format") for each in script.asked] == [
        "json", {"type": "object", "title": "T"}, None
    ]  # fmt: skip


async def test_parts_come_as_they_are_complete() -> None:
    """Typed: a complete part is of its class, an open one is a dict or a list."""
    pieces = [NORWAY[at : at + 3] for at in range(0, len(NORWAY), 3)]
    async with scripted(pieces) as (engine, _):
        async with engine.stream_chat("m", "go", format=Country) as stream:
            parts = [part async for part in stream.partials()]
    oslo, bergen = City("Oslo", 700000), City("Bergen", 290000)
    values = [part.value for part in parts]
    begun: dict[str, Any] = {"name": "Norway", "size": "large"}
    assert values[0] == {"name": "Norway"}
    assert values[1] == begun
    assert {**begun, "capital": {"name": "Oslo"}} in values
    assert {**begun, "capital": oslo} in values
    assert {**begun, "capital": oslo, "cities": [oslo, {"name": "Bergen"}]} in values
    assert {**begun, "capital": oslo, "cities": [oslo, bergen]} in values
    assert parts[-1].whole == Country("Norway", "large", oslo, [oslo, bergen])
    assert [part.whole for part in parts[:-1]] == [None] * (len(parts) - 1)


async def test_a_number_alone_is_complete_at_the_end() -> None:
    """Nothing else would say so."""
    async with scripted(["4", "2"]) as (engine, _):
        async with engine.stream_generate("m", "go", format=int) as stream:
            assert [part.whole async for part in stream.partials()] == [42]


async def test_an_answer_that_does_not_fit_is_asked_for_again() -> None:
    """With the answer and what was wrong with it."""
    async with scripted('{"name": "Oslo"}', "Sorry.", OSLO) as (engine, script):
        city = await engine.chat("m", "go", format=City, format_retries_max=2)
    assert city == City("Oslo", 700000)
    messages = script.asked[2]["messages"]
    assert [each["role"] for each in messages] == ["user", "assistant", "user", "assistant", "user"]
    assert messages[1]["content"] == '{"name": "Oslo"}'
    assert "Object missing required field `people`" in messages[2]["content"]
    assert "it is not valid JSON" in messages[4]["content"]
    async with scripted("{}", OSLO) as (engine, script):
        assert await engine.generate("m", "go", format=City) == City("Oslo", 700000)
    assert script.asked[1]["prompt"].startswith("go\n\n{}\n\nYour answer does not fit")


async def test_when_the_budget_is_used_up_the_last_answer_is_told() -> None:
    """One retry by default; none if it is 0."""
    async with scripted("{}", "[]") as (engine, script):
        with pytest.raises(StructuredOutputError, match=r"\(2 attempts\)") as caught:
            await engine.chat("m", "go", format=City)
    assert (caught.value.text, len(script.asked)) == ("[]", 2)
    async with scripted("{}") as (engine, script):
        with pytest.raises(StructuredOutputError) as caught:
            await engine.chat("m", "go", format=City, format_retries_max=0)
    assert caught.value.attempts == 1


async def test_an_answer_that_was_cut_is_not_asked_for_again() -> None:
    """It would be cut again."""
    async with scripted('{"name": "Os', done_reason="length") as (engine, script):
        with pytest.raises(StructuredTruncatedError) as caught:
            await engine.chat("m", "go", format=City, format_retries_max=5)
    assert (caught.value.text, len(script.asked)) == ('{"name": "Os', 1)


async def test_a_stream_that_goes_wrong_says_so() -> None:
    """At once where it cannot become JSON, at its end where it does not fit."""
    async with scripted(["Sure! ", "Here"], ['{"name": 3,', ' "people": 1}']) as (engine, _):
        async with engine.stream_chat("m", "go", format=City) as stream:
            with pytest.raises(StructuredOutputError, match="the answer is not JSON"):
                await anext(stream.partials())
        async with engine.stream_chat("m", "go", format=City) as stream:
            parts = stream.partials()
            assert (await anext(parts)).value == {"name": 3}
            with pytest.raises(StructuredOutputError, match="Expected `str`, got `int`"):
                async for _ in parts:
                    pass
            with pytest.raises(StructuredOutputError):
                await stream.parsed()


async def test_one_deadline_is_for_all_attempts(autojump_clock: object) -> None:
    """What is left of it is given to the next attempt."""
    async with scripted("{}", "{}", OSLO) as (engine, script):
        with trio.fail_after(10):
            with pytest.raises(StructuredOutputError):
                await engine.chat("m", "go", format=City, deadline_s=5)
    assert len(script.asked) == 2


async def test_bad_formats_are_refused_before_anything_is_sent() -> None:
    """By all four methods."""
    async with scripted() as (engine, script):
        with pytest.raises(SchemaError):
            await engine.chat("m", "go", format=complex)
        with pytest.raises(InvalidRequestError):
            await engine.generate("m", "go", format=3)  # type: ignore[call-overload]
        with pytest.raises(SchemaError):
            engine.stream_chat("m", "go", format=complex)
        with pytest.raises(InvalidRequestError, match="format_retries_max must be"):
            await engine.chat("m", "go", format=City, format_retries_max=-1)
        assert not script.asked


async def test_a_bad_format_is_told_with_what_else_is_wrong() -> None:
    """All problems at once, each with its path."""
    async with triollama.open_engine("http://127.0.0.1:1") as engine:
        with pytest.raises(InvalidRequestError) as caught:
            await engine.chat("a b", "hi", keep_alive="300", format=3)  # type: ignore[call-overload]
        paths = [each.path for each in caught.value.problems]
        assert paths == ["model", "keep_alive", "format"]
        with pytest.raises(InvalidRequestError) as caught:
            await engine.generate("m", "hi", think="hard", format=3)  # type: ignore[call-overload]
        assert [each.path for each in caught.value.problems] == ["think", "format"]


async def test_parts_go_on_where_they_were() -> None:
    """Their iterator is one; what was read as chunks is in the parts that follow."""
    pieces = ['{"name": "O', 'slo", "size"', ": 1", "}"]
    async with scripted(pieces, pieces) as (engine, _):
        async with engine.stream_chat("m", "x", format=dict[str, Any]) as stream:
            assert (await anext(stream.partials())).value == {"name": "Oslo"}
            parts = [part async for part in stream.partials()]
        assert parts[-1].whole == {"name": "Oslo", "size": 1}
        async with engine.stream_chat("m", "x", format=dict[str, Any]) as stream:
            assert (await anext(stream)).content == pieces[0]
            assert (await anext(stream.partials())).value == {"name": "Oslo"}
            assert (await anext(stream)).content == pieces[2]
            assert [part.whole async for part in stream.partials()] == [parts[-1].whole]
            assert await stream.parsed() == parts[-1].whole


@pytest.mark.parametrize("messages", [5, {"role": "user"}, iter([])])
async def test_messages_that_are_none(messages: Any) -> None:
    """The same error as of a plain chat, here and where tools are run."""
    async with scripted() as (engine, _):
        for ask in (engine.chat, engine.chat_with_tools):
            more: Any = {"format": dict} if ask == engine.chat else {"tools": []}
            with pytest.raises(InvalidRequestError, match="messages must be a str or a list"):
                await ask("m", messages, **more)
