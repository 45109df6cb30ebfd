"""The unbroken answer, worked out directly, is what servers give."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from triollama_adapters.simulator import (
    Fault,
    FaultRule,
    SimulatorConfig,
    open_fleet,
    unbroken_answer,
)
from triollama_adapters.simulator.errors import ApiError

CHAT: dict[str, Any] = {
    "model": "llama3.2",
    "messages": [{"role": "user", "content": "why?"}],
    "stream": False,
}


def answer(config: SimulatorConfig, path: str, **body: Any) -> dict[str, Any]:
    """The unbroken answer to a request."""
    return unbroken_answer(config, path, json.dumps(body).encode())


async def test_it_is_what_a_server_answers(autojump_clock: object) -> None:
    """Word for word, on each route, however fast that server is."""
    url, slow = "http://s:11434", SimulatorConfig(decode_tokens_per_s=1.0, prefill_tokens_per_s=9.0)
    asked = {
        "/api/chat": (CHAT, "message"),
        "/api/generate": ({"model": "llama3.2", "prompt": "why?", "stream": False}, "response"),
        "/api/embed": ({"model": "nomic-embed-text", "input": "why?"}, "embeddings"),
    }
    async with (
        open_fleet({url: slow}) as fleet,
        httpx.AsyncClient(transport=fleet.transport(), timeout=None) as client,
    ):
        for path, (body, field) in asked.items():
            told = (await client.post(f"{url}{path}", json=body)).json()
            assert told[field]
            assert answer(SimulatorConfig(), path, **body)[field] == told[field]


def test_faults_do_not_act() -> None:
    """The answer of a server that breaks every answer is whole."""
    broken = SimulatorConfig(faults=(FaultRule(fault=Fault(kind="reset", after_tokens=1)),))
    assert answer(broken, "/api/chat", **CHAT) == answer(SimulatorConfig(), "/api/chat", **CHAT)


def test_a_refusal_is_an_error() -> None:
    """With its status and what the server says."""
    with pytest.raises(ApiError, match="model 'none' not found") as caught:
        answer(SimulatorConfig(), "/api/chat", **CHAT | {"model": "none"})
    assert caught.value.status == 404
