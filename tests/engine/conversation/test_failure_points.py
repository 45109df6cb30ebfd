"""A chat's history at every point where a turn can fail: all of a turn, or nothing of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Self

import attrs
import httpx
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.tools.scripted import SILENT, call
from trio.testing import MockClock

from triollama import Chat, TriollamaError, open_engine, tool

PIECES = ("On", "e", " fish.")
ENDS = ("whole", "error line", "garbage", "cut", "lost", "silent", "refused", "failed")
WAYS = ("ask", "collect", "iterate", "leave", "leave late", "raise")


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@attrs.frozen
class Plan:
    """One turn: how it is read, and where its server fails.

    Attributes:
        way: how it is read.
        calls: rounds with calls before the last one.
        round_at: the round that fails.
        lines: good lines before that.
        end: how it fails.
    """

    way: str
    calls: int
    round_at: int
    lines: int
    end: str


PLANS = st.builds(
    Plan,
    way=st.sampled_from(WAYS),
    calls=st.integers(0, 2),
    round_at=st.integers(0, 2),
    lines=st.integers(0, len(PIECES)),
    end=st.sampled_from(ENDS),
)


@attrs.define
class Lines(httpx.AsyncByteStream, AsyncIterator[bytes]):
    """The body of an answer: its lines, and then what goes wrong."""

    lines: list[bytes]
    end: str

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        await trio.sleep(0.01)
        if self.lines:
            return self.lines.pop(0)
        if self.end == "lost":
            raise httpx.ReadError("reset")
        if self.end == "silent":
            await trio.sleep_forever()
        raise StopAsyncIteration


@attrs.define
class Server:
    """Answers by plan, and notes what it was asked."""

    plan: Plan = Plan("ask", 0, 0, 0, "whole")
    asked: list[list[dict[str, Any]]] = attrs.field(factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """The next answer; its round follows from the results of tools at the request's end."""
        messages = json.loads(request.content)["messages"]
        self.asked.append(messages)
        roles = [message["role"] for message in messages]
        number = roles[::-1].index("user") // 2
        end = self.plan.end if number == self.plan.round_at else "whole"
        if end in {"refused", "failed"}:
            status = 400 if end == "refused" else 500
            return httpx.Response(status, json={"error": "no"})
        headers = {"content-type": "application/x-ndjson"}
        lines = self._lines(end, is_last=number >= self.plan.calls)
        return httpx.Response(200, stream=Lines(lines, end), headers=headers)

    def _lines(self, end: str, *, is_last: bool) -> list[bytes]:
        count = len(PIECES) if end == "whole" else self.plan.lines
        lines = [_line({"content": piece}) for piece in PIECES[:count]]
        match end:
            case "whole":
                calls = {} if is_last else {"tool_calls": [call("add", {"a": 1, "b": 2})]}
                lines.append(_line({"content": "", **calls}))
                lines.append(_line({"content": ""}, done=True, done_reason="stop"))
            case "error line":
                lines.append(b'{"error": "out of memory"}\n')
            case "garbage":
                lines.append(b'{"message": [\n')
        return lines


def _line(message: dict[str, Any], **more: Any) -> bytes:
    line = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "done": False, **more}
    return json.dumps(line | {"message": {"role": "assistant", **message}}).encode() + b"\n"


class _LeftError(Exception):
    """The program's own."""


async def _take(chat: Chat[Any], said: str, way: str) -> bool:
    """One turn, read in some way; whether the reader had the whole answer."""
    if way == "ask":
        await chat.ask(said, on_break="raise")
        return True
    async with chat.stream(said, on_break="raise") as turn:
        if way == "collect":
            await turn.collect()
            return True
        if way == "iterate":
            async for _ in turn:
                pass
            return True
        await anext(turn)
        if way == "leave late":
            await trio.sleep(5)  # all of it has arrived, and nobody read it
        if way == "raise":
            raise _LeftError
    with pytest.raises(TriollamaError, match="left"):
        await turn.collect()
    with pytest.raises(TriollamaError, match="left"):
        await anext(turn)
    return False


async def _turns(plans: list[Plan], tools: list[Any]) -> None:
    server = Server()
    transport = httpx.MockTransport(server.handle)
    async with open_engine("http://a:11434", config=SILENT, transport=transport) as engine:
        chat = engine.conversation("m", system="Be brief.", tools=tools)
        for number, plan in enumerate([*plans, Plan("ask", 0, 0, 0, "whole")]):
            server.plan, before, said = plan, chat.history, f"Question {number}?"
            server.asked.clear()
            is_whole = False
            with trio.move_on_after(60), suppress(TriollamaError, _LeftError):
                is_whole = await _take(chat, said, plan.way)
            assert not chat.is_busy
            if server.asked:  # the breaker may have closed the only endpoint for a while
                contents = [message["content"] for message in server.asked[0]]
                assert contents == ["Be brief.", *(each.content for each in before), said]
            if not is_whole:
                assert chat.history == before
                await trio.sleep(600)
                continue
            added = chat.history[len(before) :]
            rounds = plan.calls
            assert chat.history[: len(before)] == before
            roles = [message.role for message in added]
            assert roles == ["user", *["assistant", "tool"] * rounds, "assistant"]
            assert {each.content for each in added if each.role == "assistant"} == {"".join(PIECES)}
        assert chat.history[-2].content == f"Question {len(plans)}?"


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(PLANS, min_size=1, max_size=4), st.sampled_from([[], [add]]))
def test_all_of_a_turn_or_nothing(plans: list[Plan], tools: list[Any]) -> None:
    """Whatever fails, wherever, and however it is read; and the next turn is asked with it."""
    if not tools:
        plans = [attrs.evolve(plan, calls=0, round_at=0) for plan in plans]

    async def turns() -> None:
        await _turns(plans, tools)

    trio.run(turns, clock=MockClock(autojump_threshold=0))
