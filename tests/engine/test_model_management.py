"""Models that come, are made and go on simulated servers, over memory and over sockets."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from triollama import (
    EndpointConfig,
    Engine,
    FleetUnavailableError,
    ModelNotFoundError,
    RequestRejectedError,
    SignInRequiredError,
    TransferFailedError,
    open_engine,
)
from triollama_adapters.simulator import Fault, FaultRule, SimulatorConfig, fast_config, open_fleet
from triollama_adapters.simulator.server import Server

A, B = "http://a:11434", "http://b:11434"
NEW = "tinyllama"
F16 = "smollm2:135m-instruct-fp16"


@asynccontextmanager
async def served(config: SimulatorConfig) -> AsyncIterator[Server]:
    """A simulated server on a loopback port."""
    server = Server(config, host="127.0.0.1", port=0)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.driver.run)
            nursery.start_soon(server.accept, nursery)
            yield server
            nursery.cancel_scope.cancel()
    finally:
        server.close()


@pytest.fixture(params=["memory", "sockets"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    """An engine over two quick servers, both ways."""
    config = fast_config(load_s=0.0, account="")
    if request.param == "memory":
        async with (
            open_fleet({A: config, B: config}) as fleet,
            open_engine(
                EndpointConfig(A, "a"), EndpointConfig(B, "b"), transport=fleet.transport()
            ) as opened,
        ):
            yield opened
    else:
        async with (
            served(config) as one,
            served(config) as other,
            open_engine(EndpointConfig(one.url, "a"), EndpointConfig(other.url, "b")) as opened,
        ):
            yield opened


async def names(engine: Engine, endpoint: str) -> set[str]:
    """The models that a server has."""
    return {model.name for model in (await engine.tags(endpoint=endpoint)).models}


def gguf() -> bytes:
    """The head of a model's file, and some bytes as if of tensors: more than one piece."""
    text = b"llama"
    key = b"general.architecture"
    entry = struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(text)) + text
    return struct.pack("<4sIQQ", b"GGUF", 3, 0, 1) + entry + bytes(3_000_000)


@pytest.mark.slow
async def test_pull_use_copy_delete(engine: Engine) -> None:
    """The life of a model: pulled everywhere, asked, copied, shown, deleted where it is."""
    async with engine.pull(NEW) as progress:
        events = [event async for event in progress]
        result = await progress.result()
    assert [each.endpoint for each in result.endpoints] == ["a", "b"]
    assert {event.phase for event in events} >= {"manifest", "transfer", "verify", "write", "done"}
    assert (await engine.chat(NEW, "why?")).content
    assert await engine.copy(NEW, "mine") == ("a", "b")
    assert await engine.delete(NEW, endpoint="b") == ("b",)
    assert "mine:latest" in await names(engine, "a") & await names(engine, "b")
    assert await engine.copy(NEW, "other") == ("a",)
    assert await engine.delete(NEW) == ("a",)
    with pytest.raises(ModelNotFoundError, match="mine:latest"):
        await engine.delete(NEW)
    with pytest.raises(ModelNotFoundError):
        await engine.copy(NEW, "nothing", endpoint="a")


@pytest.mark.slow
async def test_what_was_pulled_is_not_pulled_again(engine: Engine) -> None:
    """A layer that is there is one event, and no bytes."""
    first = await engine.pull(NEW, endpoint="a")
    again = await engine.pull(NEW, endpoint="a")
    assert again.moved_bytes == 0
    assert set(first.endpoints[0].digests) <= set(again.endpoints[0].digests)


async def test_an_unknown_model(engine: Engine) -> None:
    """The server says so at the end of a stream, and it is an error of its own."""
    with pytest.raises(TransferFailedError, match="registry has no such model"):
        await engine.pull("nosuch", endpoint="a")
    with pytest.raises(TransferFailedError, match="push of 'nosuch' failed"):
        await engine.push("nosuch", endpoint="a")


@pytest.mark.slow
async def test_create_from_a_model(engine: Engine) -> None:
    """Its system prompt and parameters are in show; the one it is made of may have to be pulled."""
    await engine.create(
        "mario", from_=NEW, system="You are Mario.", parameters={"temperature": 0.5}
    )
    for endpoint in ("a", "b"):
        shown = await engine.show("mario", endpoint=endpoint)
        assert shown.system == "You are Mario."
        assert "temperature" in (shown.parameters or "")


async def test_create_of_a_file(engine: Engine, tmp_path: Path) -> None:
    """It is uploaded where it is missing, in pieces, and becomes a model."""
    path = tmp_path / "model.gguf"
    path.write_bytes(gguf())
    digest = f"sha256:{hashlib.sha256(gguf()).hexdigest()}"
    assert await engine.push_blob(path, endpoint="a") == digest
    assert await engine.has_blob(digest, endpoint="a")
    assert not await engine.has_blob(digest, endpoint="b")
    async with engine.create("mine", files=[path]) as progress:
        events = [event async for event in progress]
        result = await progress.result()
    moved = {each.endpoint: each.moved_bytes for each in result.endpoints}
    assert moved["a"] == 0
    assert moved["b"] == len(gguf())
    assert await engine.has_blob(digest)
    assert "mine:latest" in await names(engine, "b")
    assert {event.phase for event in events} >= {"hash", "upload", "convert", "done"}


@pytest.mark.slow
async def test_quantize(engine: Engine) -> None:
    """With progress; a model that is quantised already is refused, and that is told."""
    async with engine.create("small", from_=F16, quantize="q4_K_M", endpoint="a") as progress:
        events = [event async for event in progress]
    assert any(event.phase == "convert" and event.total for event in events)
    shown = await engine.show("small", endpoint="a")
    assert shown.details.quantization_level == "Q4_K_M"
    with pytest.raises((TransferFailedError, Exception), match="only supported for F16"):
        await engine.create("smaller", from_="small", quantize="q4_K_S", endpoint="a")


async def test_the_server_itself(engine: Engine) -> None:
    """Its switches, its recommendations, its account, or that there is none."""
    assert not (await engine.status()).cloud.disabled
    assert (await engine.recommendations()).recommendations
    with pytest.raises(SignInRequiredError) as caught:
        await engine.me()
    assert caught.value.signin_url
    with pytest.raises(RequestRejectedError):
        await engine.signout(endpoint="a")


async def test_searches_need_an_account(engine: Engine) -> None:
    """Relayed by the server, which is not signed in."""
    with pytest.raises((RequestRejectedError, FleetUnavailableError)):
        await engine.web_search("trio")
    with pytest.raises((RequestRejectedError, FleetUnavailableError)):
        await engine.web_fetch("https://example.org")


async def test_older_embeddings(engine: Engine) -> None:
    """One vector by the older route, of the same model as by the newer one."""
    one = await engine.embeddings("nomic-embed-text", "tea", keep_alive="1m")
    new = await engine.embed("nomic-embed-text", "tea")
    assert len(one.embedding) == len(new.embeddings[0])


async def test_a_stall_on_the_way(autojump_clock: Any) -> None:
    """The transfer stands still in its middle; begun again, it goes on there."""
    config = fast_config(transfer_bytes_per_s=50e6)
    async with (
        open_fleet({A: config}) as fleet,
        open_engine(EndpointConfig(A, "a"), transport=fleet.transport()) as engine,
    ):
        stall = Fault(kind="step_stall", step="layer", after_bytes=300_000_000)
        fleet.set_faults(A, FaultRule(fault=stall, routes=("/api/pull",), times=1))
        result = await engine.pull(NEW, stall_s=20)
    assert result.endpoints[0].restarts == 1
    assert result.moved_bytes > 600_000_000


async def test_searches_of_a_server_that_is_signed_in() -> None:
    """Results as the cloud gives them; the account has a name; then it is signed out."""
    config = fast_config(account="ann")
    async with (
        open_fleet({A: config}) as fleet,
        open_engine(EndpointConfig(A, "a"), transport=fleet.transport()) as engine,
    ):
        assert (await engine.web_search("trio", max_results=2)).results
        assert (await engine.web_fetch("https://example.org")).content
        assert (await engine.me()).name
        assert await engine.signout() == ("a",)
        with pytest.raises(SignInRequiredError):
            await engine.me()
