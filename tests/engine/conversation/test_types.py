"""A type checker knows what each end gives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import attrs
from typing import assert_type

import triollama
from triollama import (
    Chat, ChatChunk, ChatResponse, EmbedRun, Engine, FailedText, FormedRequest, Request, Stream,
    Turn,
)
from triollama.structured import StructuredStream
from triollama.tools import ToolRun


@attrs.frozen
class City:
    name: str


def add(a: int, b: int) -> int:
    return a + b


async def main(engine: Engine) -> None:
    chat = engine.conversation("m", system="x", tools=[add], tokens_max=1_000)
    assert_type(chat, Chat[ChatResponse])
    assert_type(await chat.ask("x", deadline_s=5), ChatResponse)
    formed = engine.conversation("m", format=City)
    assert_type(formed, Chat[City])
    assert_type(await formed.ask("x", images=["p.png"]), City)
    assert_type(Chat(engine, "m"), Chat[ChatResponse])
    assert_type(Chat(engine, "m", format=City), Chat[City])
    assert_type(Chat.from_json(engine, "{}", format=City), Chat[City])
    assert_type(Chat.from_json(engine, "{}"), Chat[ChatResponse])
    async with formed.stream("x") as turn:
        assert_type(turn, Turn[City])
        async for chunk in turn:
            assert_type(chunk, ChatChunk)
        assert_type(await turn.answer(), City)
        assert_type(await turn.collect(), ChatResponse)

    request = engine.request("m").system("x").user("y", images=[b""]).option(temperature=0)
    assert_type(request, Request)
    assert_type(await request.tools(add).send(), ChatResponse)
    async with request.stream() as stream:
        assert_type(stream, Stream[ChatChunk, ChatResponse])
    async with request.tools(add).run_tools() as run:
        assert_type(run, ToolRun)
    assert_type(request.format("json"), Request)
    assert_type(request.format(City).user("z"), FormedRequest[City])
    assert_type(await request.format(City).send(), City)
    async with request.format(City).stream() as parts:
        assert_type(await parts.parsed(), City)

    many = engine.embed_many("m", ["x"], batch_count_max=3)
    assert_type(many, EmbedRun[tuple[float, ...]])
    async with engine.embed_many("m", (t for t in "xy"), on_error="give") as vectors:
        async for each in vectors:
            assert_type(each, tuple[float, ...] | FailedText)
"""

WRONG = """
import triollama


async def main(engine: triollama.Engine) -> None:
    engine.conversation("m", tokens="x")
    await engine.conversation("m").ask("x", deadline="soon")
    engine.request("m").user(5)
    engine.request("m").run_tools().nothing
    engine.embed_many("m", [1, 2])
    engine.embed_many("m", ["x"], on_error="ignore")
"""


@pytest.mark.slow
def test_a_checker_knows_what_it_is_given(tmp_path: Path) -> None:
    """mypy, strict: right use passes, and each wrong use is found in its line."""
    paths = {"right": tmp_path / "right.py", "wrong": tmp_path / "wrong.py"}
    paths["right"].write_text(PROGRAM)
    paths["wrong"].write_text(WRONG)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental"]
    command += ["--follow-imports=silent", *map(str, paths.values())]
    root = Path(__file__).parents[3]
    output = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False).stdout
    errors = [line for line in output.splitlines() if ": error:" in line]
    assert [line for line in errors if "right.py" in line] == []
    found = {int(line.split(":")[1]) for line in errors if "wrong.py" in line}
    assert found == set(range(6, 12)), output
