"""`Request`: steps that change nothing but what they give, and ends that are the engine's own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import attrs
import pytest
from tests.engine.tools.scripted import call, scripted

from triollama import (
    FormedRequest,
    InvalidRequestError,
    Message,
    Request,
    StructuredOutputError,
    ToolRunEnded,
)


@attrs.frozen
class City:
    """What an answer can be."""

    name: str


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def whole(request: Request) -> Request:
    """Every step but those of tools and format."""
    return (
        request.system("Be brief.")
        .user("What is this?", images=["AAAA"])
        .assistant("A dot.")
        .message({"role": "user", "content": "And?"}, Message(role="assistant", content="No."))
        .tool_result("f", "3", call_id="c1")
        .option(temperature=0, seed=1)
        .option(temperature=0.5)
        .think("low")
        .keep_alive(timedelta(minutes=5))
        .truncate(truncate=False)
        .shift(shift=True)
        .logprobs(3)
        .deadline(20)
        .priority(2)
        .caller("me")
        .tags()
        .on_break("raise")
    )


async def test_it_sends_what_chat_sends() -> None:
    """The same body as the plain call with the same arguments."""
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
    async with scripted("a", "a", "a") as (engine, script):
        steps = engine.request("m").system("Be brief.").user("Why?", images=[pixel])
        steps = steps.assistant("So.").tool_result("f", "3", call_id="c1").user("And?")
        steps = steps.option(temperature=0, seed=1).option(temperature=0.5).think("low")
        steps = (
            steps.keep_alive(timedelta(minutes=5))
            .truncate(truncate=False)
            .shift(shift=True)
            .logprobs(3)
        )
        steps = steps.tools(add).tools({"type": "function", "function": {"name": "f"}})
        steps = steps.format("json").deadline(20).priority(2).caller("me").on_break("raise")
        await steps.send()
        await engine.chat(
            "m",
            [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Why?", "images": [pixel]},
                {"role": "assistant", "content": "So."},
                {"role": "tool", "content": "3", "tool_name": "f", "tool_call_id": "c1"},
                {"role": "user", "content": "And?"},
            ],
            options={"temperature": 0.5, "seed": 1},
            think="low",
            keep_alive=timedelta(minutes=5),
            truncate=False,
            shift=True,
            logprobs=True,
            top_logprobs=3,
            tools=[add, {"type": "function", "function": {"name": "f"}}],
            format="json",
            deadline_s=20,
        )
        async with steps.stream() as stream:
            assert (await stream.collect()).content == "a"
    assert script.asked[0] == script.asked[1] == script.asked[2]


async def test_steps_change_nothing() -> None:
    """One request may be the beginning of several."""
    heard: list[Any] = []
    async with scripted("a", "b") as (engine, script):
        base = engine.request("m").system("Be brief.").option(seed=1)
        one = base.user("One?").option(temperature=0).on_chunk(heard.append)
        other = base.user("Other?")
        await one.send()
        await other.send()
    assert [each["content"] for each in script.asked[0]["messages"]] == ["Be brief.", "One?"]
    assert [each["content"] for each in script.asked[1]["messages"]] == ["Be brief.", "Other?"]
    assert script.asked[1]["options"] == {"seed": 1}
    assert len(heard) == 2
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        base._model = "other"  # type: ignore[misc]
    assert "One?" not in repr(one)
    assert repr(one) == "<Request to 'm': 2 messages; on_chunk, options>"


async def test_objects() -> None:
    """Asked again as `chat` does, streamed in parts, and refused."""
    good = '{"name": "Rome"}'
    async with scripted("no", good, good, "no") as (engine, _):
        request = engine.request("m").user("A city?").format(City)
        assert isinstance(request, FormedRequest)
        assert await request.send() == City("Rome")
        async with request.retries(5).stream() as stream:
            assert await stream.parsed() == City("Rome")
        with pytest.raises(StructuredOutputError):
            await request.retries(0).option(seed=1).send()


async def test_tools_run() -> None:
    """With the limits of `Engine.run_tools`."""
    async with scripted([call("add", {"a": 1, "b": 2})], "Three.") as (engine, _):
        request = engine.request("m").user("1 + 2?").tools(add)
        async with request.run_tools(rounds_max=3) as run:
            events = [event async for event in run]
    assert isinstance(events[-1], ToolRunEnded)
    assert events[-1].response.content == "Three."


async def test_mistakes_are_told_at_the_end_all_at_once() -> None:
    """With the errors of the plain call; nothing is sent."""
    async with scripted() as (engine, script):
        bad: Any = engine.request("")
        bad = bad.user(5).assistant(None).user("x", images=["?"]).think("very").priority(99)
        with pytest.raises(InvalidRequestError) as told:
            await bad.send()
        paths = {each.path for each in told.value.problems}
        assert {"model", "messages[0].content", "messages[2].images[0]", "think"} <= paths
        assert "priority" in paths
        with pytest.raises(InvalidRequestError, match="messages"):
            async with bad.stream():
                pass
        with pytest.raises(InvalidRequestError, match=r"add one with \.user"):
            await engine.request("m").send()
        with pytest.raises(InvalidRequestError, match=r"add one with \.user"):
            engine.request("m").stream()
        with pytest.raises(InvalidRequestError, match="has no tools"):
            engine.request("m").user("x").run_tools()
        with pytest.raises(InvalidRequestError, match="on_chunk"):
            engine.request("m").user("x").tools(add).on_chunk(print).run_tools()
        with pytest.raises(InvalidRequestError, match="temperature"):
            engine.request("m").option(temperature="hot")
        with pytest.raises(InvalidRequestError, match="format"):
            await engine.request("m").user("x").format(5).send()  # type: ignore[call-overload]
    assert script.asked == []


async def test_every_step_keeps_its_kind() -> None:
    """A request stays a request, and one for an object stays that."""
    async with scripted() as (engine, _):
        request = whole(engine.request("m"))
        assert type(request) is Request
        assert type(request.format({"type": "object"})) is Request
        assert type(request.format(City).user("x").option(seed=1)) is FormedRequest
