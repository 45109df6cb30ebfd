"""Fleets in memory, under a clock that jumps."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from triollama_adapters.simulator import (
    Fault,
    FaultRule,
    SimulatedFleet,
    SimulatorConfig,
    open_fleet,
)

A, B = "http://a:11434", "http://b:11434"
CHAT = {"model": "llama3.2", "messages": [{"role": "user", "content": "hello"}]}


def rule(kind: str, **more: Any) -> FaultRule:
    """A fault for every inference request."""
    return FaultRule(fault=Fault(kind=kind, **more))


def client_of(fleet: SimulatedFleet, **more: Any) -> httpx.AsyncClient:
    """A client that reaches the fleet, without timeouts unless given."""
    return httpx.AsyncClient(transport=fleet.transport(), timeout=more.pop("timeout", None), **more)


async def test_a_stream_takes_virtual_time(autojump_clock: MockClock) -> None:
    """A slow answer of minutes takes no real time, and its metrics tell of the minutes."""
    config = SimulatorConfig(load_s=60.0, decode_tokens_per_s=1.0)
    async with open_fleet({A: config}) as fleet, client_of(fleet) as client:
        began = trio.current_time()
        arrivals = []
        async with client.stream("POST", f"{A}/api/chat", json=CHAT) as response:
            assert response.headers["content-type"] == "application/x-ndjson"
            assert trio.current_time() - began > 60
            body = b""
            async for data in response.aiter_raw():
                arrivals.append(trio.current_time())
                body += data
        last = json.loads(body.splitlines()[-1])
    assert last["total_duration"] == pytest.approx((arrivals[-1] - began) * 1e9, rel=1e-6)
    assert last["eval_count"] == len(arrivals) - 1
    assert arrivals[1] - arrivals[0] == pytest.approx(1.0, abs=0.21)


async def test_bodies_are_split_by_the_seed(autojump_clock: MockClock) -> None:
    """The same seed cuts in the same places, another in others, and none loses a byte."""
    runs = []
    for seed in (1, 1, 2, None):
        async with open_fleet({A: SimulatorConfig()}, split_seed=seed) as fleet:
            client = client_of(fleet)
            async with client, client.stream("GET", f"{A}/api/tags") as response:
                runs.append([data async for data in response.aiter_raw()])
    assert runs[0] == runs[1] != runs[2]
    assert len({b"".join(run) for run in runs}) == 1
    assert [len(run) for run in runs][3] == 1


async def test_closing_the_response_is_a_disconnect(autojump_clock: MockClock) -> None:
    """Leaving the block early frees the slot in that moment."""
    async with open_fleet({A: SimulatorConfig()}) as fleet:
        request = httpx.Request("POST", f"{A}/api/chat", json=CHAT)
        response = await fleet.transport().handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        assert await anext(aiter(response.stream))
        await response.aclose()
        state = fleet.simulator(A).statistics()
    assert (state.in_flight, state.cancelled, state.generations_aborted) == (0, 1, 1)
    assert state.connections == 0


async def test_cancelling_a_waiting_request_is_a_disconnect(autojump_clock: MockClock) -> None:
    """A deadline while the model loads takes the load with it."""
    async with open_fleet({A: SimulatorConfig(load_s=10.0)}) as fleet, client_of(fleet) as client:
        with trio.move_on_after(5):
            await client.post(f"{A}/api/chat", json=CHAT)
        state = fleet.simulator(A).statistics()
        assert (state.in_flight, state.cancelled, state.loading) == (0, 1, "")
        await trio.sleep(20)
        assert not fleet.simulator(A).statistics().loaded


FAULTS: list[tuple[FaultRule, type[Exception]]] = [
    (rule("refuse", seconds=0.0), httpx.ConnectError),
    (rule("reset", after_bytes=0), httpx.ReadError),
    (rule("reset", after_bytes=500), httpx.ReadError),
    (rule("reset", after_tokens=3), httpx.ReadError),
    (rule("half_close", after_tokens=3), httpx.RemoteProtocolError),
    (rule("truncated_chunk", after_tokens=3), httpx.RemoteProtocolError),
    (rule("wrong_length", count=10), httpx.RemoteProtocolError),
    (rule("header_bomb", count=200), httpx.RemoteProtocolError),
    (rule("stall", after_tokens=3), httpx.ReadTimeout),
    (rule("restart"), httpx.ReadError),
]


@pytest.mark.parametrize(("fault", "error"), FAULTS)
async def test_faults_are_the_exceptions_of_httpx(
    autojump_clock: MockClock, fault: FaultRule, error: type[Exception]
) -> None:
    """A fault in memory raises what a transport with sockets would raise."""
    async with (
        open_fleet({A: SimulatorConfig()}) as fleet,
        client_of(fleet, timeout=30.0) as client,
    ):
        fleet.set_faults(A, fault)
        with pytest.raises(error):
            await client.post(f"{A}/api/chat", json=CHAT)
        fleet.set_faults(A)
        answer = await client.post(f"{A}/api/chat", json=CHAT)
        assert json.loads(answer.content.splitlines()[-1])["done"] is True
        assert fleet.simulator(A).statistics().in_flight == 0


@pytest.mark.parametrize(
    "kind", ["gzip", "informational", "garbage_line", "double_done", "after_done", "error_line"]
)
async def test_faults_that_are_legal_http_arrive(autojump_clock: MockClock, kind: str) -> None:
    """What is no fault of the connection comes through as a body."""
    async with open_fleet({A: SimulatorConfig()}) as fleet, client_of(fleet) as client:
        fleet.set_faults(A, rule(kind))
        assert (await client.post(f"{A}/api/chat", json=CHAT)).status_code == 200


async def test_kill_and_revive(autojump_clock: MockClock) -> None:
    """A killed server resets its streams and refuses; revived, it has no model loaded."""
    async with (
        open_fleet({A: SimulatorConfig(), B: SimulatorConfig()}) as fleet,
        client_of(fleet) as client,
    ):
        request = client.build_request("POST", f"{A}/api/chat", json=CHAT)
        response = await client.send(request, stream=True)
        async with aclosing(response.aiter_raw()) as chunks:
            await anext(chunks)
            fleet.kill(A)
            with pytest.raises(httpx.ReadError):
                async for _ in chunks:
                    pass
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{A}/api/version")
        assert (await client.get(f"{B}/api/version")).status_code == 200
        fleet.revive(A)
        assert (await client.get(f"{A}/api/ps")).json() == {"models": []}


async def test_refusing_lasts(autojump_clock: MockClock) -> None:
    """For so many seconds nobody connects."""
    async with open_fleet({A: SimulatorConfig()}) as fleet, client_of(fleet) as client:
        fleet.set_faults(A, FaultRule(fault=Fault(kind="refuse", seconds=10.0), times=1))
        for wait_s in (0.0, 9.9):
            await trio.sleep(wait_s)
            with pytest.raises(httpx.ConnectError):
                await client.post(f"{A}/api/chat", json=CHAT)
        await trio.sleep(0.2)
        assert (await client.post(f"{A}/api/chat", json=CHAT)).status_code == 200


async def test_an_exception_of_the_block_comes_out_as_it_was() -> None:
    """The fleet's own tasks wrap nothing around it."""
    with pytest.raises(KeyError):
        async with open_fleet({A: SimulatorConfig()}):
            raise KeyError


async def test_unknown_host() -> None:
    """What is not of the fleet does not exist."""
    async with open_fleet({A: SimulatorConfig()}) as fleet, client_of(fleet) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get("http://elsewhere/")


async def test_a_reader_that_does_not_read_stops_the_generation(autojump_clock: MockClock) -> None:
    """The buffer of a response is bounded; reading sets the generation going again."""
    config = SimulatorConfig(answer_tokens_min=5000, answer_tokens_max=5000)
    async with open_fleet({A: config}) as fleet, client_of(fleet) as client:
        request = client.build_request("POST", f"{A}/api/chat", json=CHAT)
        response = await client.send(request, stream=True)
        await trio.sleep(10_000)
        (exchange,) = fleet.simulator(A)._flying
        assert exchange.job.generation.tokens < 1000
        assert len(await response.aread()) > 5000 * 80


async def test_head_and_interim_responses(autojump_clock: MockClock) -> None:
    """A HEAD has headers and no body; interim responses are passed over."""
    async with open_fleet({A: SimulatorConfig()}) as fleet, client_of(fleet) as client:
        head = await client.head(f"{A}/")
        assert (head.headers["content-length"], head.content) == ("17", b"")
        fleet.set_faults(A, FaultRule(fault=Fault(kind="informational", count=3), routes=()))
        assert (await client.get(f"{A}/")).text == "Ollama is running"


async def test_leaving_the_fleet_cuts_its_responses(autojump_clock: MockClock) -> None:
    """A response that outlives its fleet ends with an error, not with a wait for ever."""
    async with open_fleet({A: SimulatorConfig()}) as fleet:
        client = client_of(fleet)
        request = client.build_request("POST", f"{A}/api/chat", json=CHAT)
        response = await client.send(request, stream=True)
    with pytest.raises(httpx.ReadError):
        async for _ in response.aiter_raw():
            pass
    await response.aclose()
    await client.aclose()


async def test_a_broken_stream_goes_on_elsewhere(autojump_clock: MockClock) -> None:
    """Two servers with one seed: what one began, the other goes on with, character by character."""
    async with (
        open_fleet({A: SimulatorConfig(), B: SimulatorConfig()}) as fleet,
        client_of(fleet) as client,
    ):

        async def text(url: str, partial: str = "") -> str:
            messages = [*CHAT["messages"]]
            if partial:
                messages.append({"role": "assistant", "content": partial})
            said = b""
            try:
                body = CHAT | {"messages": messages}
                async with client.stream("POST", f"{url}/api/chat", json=body) as response:
                    async for data in response.aiter_raw():
                        said += data
            except httpx.ReadError:
                pass
            lines = said.split(b"\n")[:-1]
            return "".join(json.loads(line)["message"]["content"] for line in lines)

        whole = await text(B)
        for count in (1, 7, 30):
            fleet.set_faults(A, rule("reset", after_tokens=count))
            begun = await text(A)
            assert begun
            assert begun + await text(B, begun) == whole
