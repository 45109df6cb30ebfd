"""Requests that are ended from outside, on connections that are new and on ones that were kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from triollama import (
    DeadlineExceededError,
    Engine,
    EngineConfig,
    FleetUnavailableError,
    ProbeConfig,
    StreamBrokenError,
    StreamCancelledError,
    TriollamaError,
    open_engine,
)
from triollama_adapters.simulator import Fault, FaultRule
from triollama_adapters.simulator.server import Server

from .test_sockets import settle

QUESTION = ("llama3.2", "why?")
CONFIG = EngineConfig(
    first_token_s=0.1, stall_s=0.1, attempts_max=1, probe=ProbeConfig(enabled=False)
)
BEFORE = Fault(kind="stall", after_tokens=0)
INSIDE = Fault(kind="stall", after_tokens=3)

connections = pytest.mark.parametrize("is_kept", [False, True], ids=["new", "kept"])


def check_kept(engine: Engine, *, is_kept: bool) -> None:
    """The test was about the connection that it says."""
    [transport] = engine._runtime._transports.values()
    [counted] = transport.statistics().values()
    assert (counted.opened, counted.reused) == (1, int(is_kept))


@connections
@pytest.mark.parametrize(
    ("fault", "error"), [(BEFORE, FleetUnavailableError), (INSIDE, StreamBrokenError)]
)
async def test_a_stall_is_noticed(
    serve: Callable[..., Server], fault: Fault, error: type[TriollamaError], *, is_kept: bool
) -> None:
    """Before the head and within the body; the endpoint is named, and nothing is held."""
    server = serve()
    async with open_engine(server.url, config=CONFIG) as engine:
        if is_kept:
            await engine.chat(*QUESTION)
        server.simulator.faults.set((FaultRule(fault=fault),))
        with trio.fail_after(2), pytest.raises(error) as caught:
            async with engine.stream_chat(*QUESTION) as stream:
                async for _ in stream:
                    pass
        assert "nothing arrived for" in str(caught.value.__cause__ or caught.value)
        [attempt] = stream.attempts
        assert attempt.endpoint in server.url
        assert "nothing arrived for" in attempt.error
        await settle(engine, server)
        check_kept(engine, is_kept=is_kept)


@connections
@pytest.mark.parametrize("fault", [BEFORE, INSIDE])
async def test_a_deadline_ends_it(
    serve: Callable[..., Server], fault: Fault, *, is_kept: bool
) -> None:
    """Whatever the answer waits for."""
    server = serve()
    config = EngineConfig(probe=ProbeConfig(enabled=False))
    async with open_engine(server.url, config=config) as engine:
        if is_kept:
            await engine.chat(*QUESTION)
        server.simulator.faults.set((FaultRule(fault=fault),))
        with trio.fail_after(2), pytest.raises(DeadlineExceededError):
            await engine.chat(*QUESTION, deadline_s=0.1)
        await settle(engine, server)
        check_kept(engine, is_kept=is_kept)


@connections
@pytest.mark.parametrize("fault", [BEFORE, INSIDE])
async def test_its_owner_cancels_it(
    serve: Callable[..., Server], fault: Fault, *, is_kept: bool
) -> None:
    """From another task; the reader is told, the server sees the connection close."""
    server = serve()
    config = EngineConfig(probe=ProbeConfig(enabled=False))
    async with open_engine(server.url, config=config) as engine, trio.open_nursery() as nursery:
        if is_kept:
            await engine.chat(*QUESTION)
        server.simulator.faults.set((FaultRule(fault=fault),))
        with trio.fail_after(2), pytest.raises(StreamCancelledError):
            async with engine.stream_chat(*QUESTION) as stream:

                async def cancel() -> None:
                    await trio.sleep(0.1)
                    stream.cancel()

                nursery.start_soon(cancel)
                await stream.collect()
        await settle(engine, server)
        check_kept(engine, is_kept=is_kept)


@connections
async def test_the_engines_end_ends_it(serve: Callable[..., Server], *, is_kept: bool) -> None:
    """After the grace, with the error that says so."""
    server = serve()
    config = EngineConfig(grace_s=0.05, probe=ProbeConfig(enabled=False))
    ended: list[str] = []

    async def ask() -> None:
        try:
            await engine.chat(*QUESTION)
        except TriollamaError as error:
            ended.append(type(error).__name__)

    async with trio.open_nursery() as nursery:
        async with open_engine(server.url, config=config) as engine:
            if is_kept:
                await engine.chat(*QUESTION)
            server.simulator.faults.set((FaultRule(fault=INSIDE),))
            nursery.start_soon(ask)
            await trio.sleep(0.1)
    assert ended == ["EngineClosedError"]
    check_kept(engine, is_kept=is_kept)
