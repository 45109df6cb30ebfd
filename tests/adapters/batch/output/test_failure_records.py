"""What is kept of rows that fail, against servers that break answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from trio.testing import MockClock

from triollama import open_engine
from triollama_adapters.batch import open_batch
from triollama_adapters.simulator import (
    Fault,
    FaultRule,
    SimulatorConfig,
    open_fleet,
    unbroken_answer,
)

A, B = "http://a:11434", "http://b:11434"
PROMPT = "Why is the sky blue?"
FAILING = Fault(kind="status", status=500)


async def record_of(folder: Path, *rules: FaultRule, tries: int = 2) -> Any:
    """What is written of one row that two such servers are asked."""
    source, sink = folder / "in.jsonl", folder / "out.jsonl"
    source.write_text(f"{json.dumps({'prompt': PROMPT})}\n")
    config = SimulatorConfig(faults=rules)
    async with (
        open_fleet({A: config, B: config}) as fleet,
        open_engine(A, B, transport=fleet.transport()) as engine,
        open_batch(engine, source, sink, model="llama3.2", tries=tries) as batch,
    ):
        await batch.run()
    return json.loads(sink.read_bytes() + sink.with_name("out.errors.jsonl").read_bytes())


def whole_answer() -> str:
    """What a server that breaks nothing answers."""
    messages = [{"role": "user", "content": PROMPT}]
    body = {"model": "llama3.2", "messages": messages, "stream": False}
    answer = unbroken_answer(SimulatorConfig(), "/api/chat", json.dumps(body).encode())
    content: str = answer["message"]["content"]
    return content


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault(kind="error_line", text="out of luck", after_tokens=4), "FleetUnavailableError"),
        (Fault(kind="garbage_line", after_tokens=4), "FleetUnavailableError"),
        (Fault(kind="truncated_chunk", after_tokens=4), "FleetUnavailableError"),
    ],
    ids=["error", "garbage", "truncated"],
)
async def test_what_had_arrived_is_kept(
    tmp_path: Path, autojump_clock: MockClock, fault: Fault, kind: str
) -> None:
    """With every attempt of every try; the last one fails before anything comes."""
    broken = FaultRule(fault=fault, routes=("/api/chat",), times=1)
    record = await record_of(tmp_path, broken, FaultRule(fault=FAILING))
    error = record["error"]
    assert error["type"] == kind
    assert error["message"]
    assert error["partial"]["content"]
    assert whole_answer().startswith(error["partial"]["content"])
    attempts = record["attempts"]
    assert {each["endpoint"] for each in attempts} == {"a:11434", "b:11434"}
    assert all(each["error"] for each in attempts)
    assert sum(each["characters"] for each in attempts) >= len(error["partial"]["content"])


@pytest.mark.slow
async def test_also_of_a_row_that_is_set_aside(tmp_path: Path, autojump_clock: MockClock) -> None:
    """As every server that it was asked of lost the connection in its midst."""
    rule = FaultRule(fault=Fault(kind="reset", after_tokens=4))
    record = await record_of(tmp_path, rule)
    error = record["error"]
    assert error["type"] == "PoisonRow"
    assert error["partial"]["content"]
    assert whole_answer().startswith(error["partial"]["content"])
    assert {each["endpoint"] for each in record["attempts"]} == {"a:11434", "b:11434"}


@pytest.mark.slow
async def test_an_answer_tells_what_came_before_it(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    """The attempts of earlier tries, in order."""
    record = await record_of(tmp_path, FaultRule(fault=FAILING, times=3), tries=6)
    assert record["content"] == whole_answer()
    *failed, last = record["attempts"]
    assert all(each["error"] for each in failed)
    assert len(failed) >= 3
    assert (last["why"], last["endpoint"]) == ("done", record["endpoint"])
