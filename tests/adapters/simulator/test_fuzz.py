"""Whatever is sent, the server answers, and stays sound."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from triollama_adapters.simulator import (
    Fault,
    FaultRule,
    Simulator,
    SimulatorConfig,
    open_fleet,
)
from triollama_adapters.simulator.faults import KINDS
from triollama_adapters.simulator.response import Request

PATHS = [
    "/api/chat",
    "/api/generate",
    "/api/embed",
    "/api/embeddings",
    "/api/show",
    "/api/copy",
    "/api/create",
    "/api/pull",
    "/api/push",
    "/api/blobs/sha256:1",
    "/api/experimental/web_search",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/messages",
    "/v1/audio/transcriptions",
    "/_sim/faults",
]
FIELDS = [
    "model",
    "prompt",
    "messages",
    "input",
    "stream",
    "options",
    "keep_alive",
    "format",
    "think",
    "tools",
    "images",
    "system",
    "raw",
    "context",
    "suffix",
    "truncate",
    "shift",
    "logprobs",
    "top_logprobs",
    "dimensions",
    "name",
    "verbose",
    "from",
    "files",
    "adapters",
    "quantize",
    "license",
    "parameters",
    "template",
    "info",
    "source",
    "destination",
    "encoding_format",
    "query",
    "max_results",
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
LIKELY = st.sampled_from(
    [
        "llama3.2",
        "qwen3:0.6b",
        "nomic-embed-text",
        "json",
        {"num_predict": 3},
        [{"role": "user", "content": "q"}],
        True,
        0,
    ]
)
BODIES = st.dictionaries(st.sampled_from(FIELDS), LIKELY | VALUES, max_size=6)


class Ended:
    """A wire that notes the bytes and the end."""

    def __init__(self) -> None:
        self.data = b""
        self.over = False

    def write(self, data: bytes) -> None:
        """Keep the bytes."""
        self.data += data

    def finish(self, _ending: object) -> None:
        """Note the end."""
        self.over = True


@pytest.mark.slow
@given(st.sampled_from(PATHS), BODIES | VALUES)
def test_any_json_is_answered(path: str, body: Any) -> None:
    """No body breaks the server: each request gets one response, and leaves nothing behind."""
    simulator = Simulator(SimulatorConfig(answer_tokens_min=2, answer_tokens_max=5))
    wire = Ended()
    simulator.submit(Request("POST", path, json.dumps(body).encode()), wire, 0.0)
    for _ in range(200):
        if wire.over:
            break
        simulator.advance(simulator.next_due)
    assert wire.over
    assert wire.data.startswith(b"HTTP/1.1 ")
    assert simulator.statistics().in_flight == 0


@given(st.binary(max_size=60))
def test_any_bytes_are_answered(body: bytes) -> None:
    """A body that is no JSON is an error of the client."""
    simulator, wire = Simulator(SimulatorConfig()), Ended()
    simulator.submit(Request("POST", "/api/show", body), wire, 0.0)
    assert wire.data.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("seed", range(20))
async def test_faults_drawn_by_seed_leave_nothing_behind(
    autojump_clock: MockClock, seed: int
) -> None:
    """C2: under every kind of fault each request has one outcome; afterwards all works again."""
    rules = tuple(
        FaultRule(
            fault=Fault(kind=kind, after_tokens=seed % 5, seconds=1.0, bytes_per_s=5000, count=20),
            probability=0.05,
        )
        for kind in KINDS
    )
    url = "http://a:11434"
    outcomes: list[str] = []
    async with open_fleet(
        {url: SimulatorConfig(faults=rules, seed=seed)}, split_seed=seed
    ) as fleet:
        transport = fleet.transport()

        async def one(number: int) -> None:
            body = {"model": "llama3.2", "prompt": f"q{number}", "stream": number % 3 > 0}
            await trio.sleep(number * 0.05)
            try:
                async with httpx.AsyncClient(transport=transport, timeout=300) as client:
                    answer = await client.post(f"{url}/api/generate", json=body)
                outcomes.append(str(answer.status_code))
            except httpx.HTTPError as error:
                outcomes.append(type(error).__name__)

        async with trio.open_nursery() as nursery:
            for number in range(30):
                nursery.start_soon(one, number)
        assert len(outcomes) == 30
        simulator = fleet.simulator(url)
        fleet.set_faults(url)
        await trio.sleep(60)
        state = simulator.statistics()
        assert (state.in_flight, state.connections, state.slot_line) == (0, 0, 0)
        assert state.accepted == state.finished + state.failed + state.cancelled
        await one(0)
        assert outcomes[-1] == "200"
