"""Canaries in everything that is secret: no log line, no repr, no error shows one."""

from __future__ import annotations

import base64
import logging
import traceback
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from triollama import (
    ConfigError,
    EndpointConfig,
    EngineConfig,
    EngineFaultError,
    TriollamaError,
    open_engine,
)
from triollama_adapters.simulator import Fault, FaultRule, SimulatorConfig, open_fleet

A, B = "http://a:11434", "http://b:11434"
KEY, PROMPT, TOOL = "CANARYkey", "CANARYprompt", "CANARYtool"
IMAGE = base64.b64encode(b"\x89PNG\r\n\x1a\nCANARYimage!").decode()
CANARIES = ("CANARY", IMAGE[:16], base64.b64encode(b"CANARYimage!").decode()[:12])

FAULTS: list[dict[str, Any] | None] = [
    None,
    {"kind": "refuse"},
    {"kind": "reset", "after_bytes": 30},
    {"kind": "reset", "after_tokens": 3},
    {"kind": "stall"},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 400},
    {"kind": "status", "status": 404},
    {"kind": "garbage_line"},
    {"kind": "garbage_line", "after_tokens": 2},
    {"kind": "error_line", "after_tokens": 2},
    {"kind": "missing_done"},
    {"kind": "gzip"},
    {"kind": "redirect"},
]
MESSAGES = [
    {"role": "system", "content": PROMPT},
    {"role": "user", "content": PROMPT, "images": [IMAGE]},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"function": {"name": "look", "arguments": {"at": TOOL}}}],
    },
    {"role": "tool", "content": TOOL, "tool_name": "look"},
]


def everything_about(error: BaseException) -> str:
    """All that a program could print of an error, its causes and their values included."""
    told = ["".join(traceback.TracebackException.from_exception(error).format())]
    chain: list[BaseException] = [error]
    while chain:
        each = chain.pop()
        told += [repr(each), str(each), repr(vars(each))]
        # What `raise … from None` hides is hidden from whoever prints the error.
        inner = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
        chain += [] if inner is None else [inner]
        chain += getattr(each, "causes", ())
    return "\n".join(told)


def check(*texts: str) -> None:
    """No canary is in any of the texts."""
    for text in texts:
        # Source lines of this file stand in tracebacks, with the names of the constants only.
        assert not any(canary in text for canary in CANARIES), text


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_no_canary_is_ever_shown(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture, fault: dict[str, Any] | None
) -> None:
    """Whatever goes wrong, at DEBUG: texts, values and reprs hold neither key nor content."""
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    endpoint = EndpointConfig(A, headers={"Authorization": f"Bearer {KEY}"})
    config = EngineConfig(first_token_s=1.0, stall_s=1.0)
    async with (
        open_fleet({A: SimulatorConfig()}) as fleet,
        open_engine(endpoint, config=config, transport=fleet.transport()) as engine,
    ):
        if fault is not None:
            fleet.set_faults(A, FaultRule(fault=Fault(**fault)))
        asks: list[Any] = [
            lambda: engine.chat("llava:7b", MESSAGES),
            lambda: engine.generate("llava:7b", PROMPT, system=PROMPT, images=[IMAGE]),
            lambda: engine.embed("nomic-embed-text", PROMPT),
            lambda: engine.chat("llava:7b", MESSAGES, options={"temperature": TOOL}),
            lambda: engine.generate("llava:7b", PROMPT + "\ud800"),
            lambda: engine.generate("llava:7b", PROMPT, images=["%" + IMAGE]),
            lambda: engine.chat("llava:7b", [{"role": "user", "content": {PROMPT: 1}}]),
        ]
        for ask in asks:
            try:
                shown.append(repr(await ask()))
            except TriollamaError as error:
                shown.append(everything_about(error))
        opening = engine.stream_chat("llava:7b", MESSAGES)
        async with opening as stream:
            shown += [repr(opening), repr(stream), repr(stream._worker), repr(stream._worker.call)]
            try:
                async for chunk in stream:
                    shown.append(repr(chunk))
            except TriollamaError as error:
                shown.append(everything_about(error))
            shown += [repr(stream.attempts), repr(stream.partial), repr(stream._worker.terms)]
        shown += [repr(engine), repr(engine.statistics()), repr(endpoint)]
        shown += [repr(engine._runtime._services), repr(engine._runtime._access)]
    check(*shown, caplog.text, *(repr(vars(record)) for record in caplog.records))


async def test_a_defect_shows_nothing_either(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What is logged of an unforeseen error is where it was, not what was sent."""
    caplog.set_level(logging.DEBUG)
    async with (
        open_fleet({A: SimulatorConfig()}) as fleet,
        open_engine(A, transport=fleet.transport()) as engine,
    ):

        async def broken(call: Any, _: Any) -> None:
            await trio.lowlevel.checkpoint()
            raise LookupError(repr(call))

        access: Any = engine._runtime._access["a:11434"]
        access.attempt = broken
        with pytest.raises(EngineFaultError) as caught:
            await engine.chat("llava:7b", MESSAGES)
    assert caplog.records
    check(everything_about(caught.value), caplog.text)


@pytest.mark.parametrize("url", [f"http://{KEY}@gpu:1", f"http://u:{KEY}@gpu:1/x?y"])
def test_a_password_in_an_address_is_not_shown(url: str) -> None:
    """Such an address is refused, and the refusal does not repeat it."""
    with pytest.raises(ConfigError) as caught:
        EndpointConfig(url)
    check(everything_about(caught.value))
