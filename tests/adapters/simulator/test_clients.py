"""The official ``ollama`` client against a server on a loopback port."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import ollama
import pytest
import trio

QUICK = {"transfer_bytes_per_s": 8e9, "registry_s": 0.0, "quantize_bytes_per_s": 1e9}
MESSAGES = [{"role": "user", "content": "hello"}]


@pytest.fixture
def with_client(start_server: Any) -> Any:
    """Run a function of the synchronous client in a thread, beside the server."""

    async def run(work: Callable[[ollama.Client], Any], **config: Any) -> Any:
        url = await start_server(**config)

        def call() -> Any:
            client = ollama.Client(host=url, trust_env=False)
            try:
                return work(client)
            finally:
                client._client.close()

        return await trio.to_thread.run_sync(call)

    return run


async def test_chat(with_client: Any) -> None:
    """Streamed and not, the same text."""

    def work(client: ollama.Client) -> None:
        parts = list(client.chat("llama3.2", MESSAGES, stream=True))
        whole = client.chat("llama3.2", MESSAGES)
        assert "".join(part.message.content or "" for part in parts) == whole.message.content
        assert [part.done for part in parts].count(True) == 1
        assert whole.eval_count == len(parts) - 1

    await with_client(work)


async def test_generate(with_client: Any) -> None:
    """Streamed and not, the same text; thinking is apart."""

    def work(client: ollama.Client) -> None:
        parts = list(client.generate("qwen3:0.6b", "hello", stream=True))
        whole = client.generate("qwen3:0.6b", "hello")
        assert "".join(part.response for part in parts) == whole.response
        assert "".join(part.thinking or "" for part in parts) == whole.thinking

    await with_client(work)


async def test_the_rest_of_the_api(with_client: Any) -> None:
    """List, show, ps, embed, load and unload, errors."""

    def work(client: ollama.Client) -> None:
        assert client.list().models[0].model == "llama3.2:latest"
        assert client.show("qwen3:0.6b").capabilities == ["completion", "tools", "thinking"]
        assert len(client.embed("nomic-embed-text", ["a", "b"]).embeddings) == 2
        assert len(client.embeddings("nomic-embed-text", "a").embedding) == 768
        assert [model.model for model in client.ps().models] == ["nomic-embed-text:latest"]
        client.generate("llama3.2", keep_alive="5m")
        assert len(client.ps().models) == 2
        client.generate("llama3.2", keep_alive=0)
        assert len(client.ps().models) == 1
        with pytest.raises(ollama.ResponseError, match="not found") as caught:
            client.chat("nope", MESSAGES)
        assert caught.value.status_code == 404

    await with_client(work)


async def test_tools_and_format(with_client: Any) -> None:
    """A tool is called with an object; a schema is kept to."""

    def work(client: ollama.Client) -> None:
        def get_weather(city: str) -> str:
            """Get the weather.

            Args:
                city: where.
            """
            return city

        ask = [{"role": "user", "content": "call get_weather please"}]
        answer = client.chat("llama3.2", ask, tools=[get_weather])
        (call,) = answer.message.tool_calls or ()
        assert call.function.name == "get_weather"
        assert isinstance(call.function.arguments["city"], str)
        schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
        content = client.chat("llama3.2", MESSAGES, format=schema).message.content or ""
        assert isinstance(json.loads(content)["a"], int)

    await with_client(work)


async def test_error_line_in_a_stream(with_client: Any) -> None:
    """The client raises where the stream has an error line."""

    def work(client: ollama.Client) -> None:
        rule = {"fault": {"kind": "error_line", "after_tokens": 2, "text": "boom"}}
        client._client.post("/_sim/faults", json=rule)
        seen = []
        with pytest.raises(ollama.ResponseError, match="boom"):
            seen.extend(client.generate("llama3.2", "q", stream=True))

    await with_client(work)


async def test_async_client(start_server: Any) -> None:
    """The asynchronous client, on asyncio in a thread of its own: ten streams at once."""
    url = await start_server(num_parallel=10)

    async def main() -> list[str]:
        client = ollama.AsyncClient(host=url, trust_env=False)

        async def one(number: int) -> str:
            text = ""
            async for part in await client.chat(
                "llama3.2", [{"role": "user", "content": f"{number}"}], stream=True
            ):
                text += part.message.content or ""
            return text

        try:
            assert (await client.generate("llama3.2", "q")).done
            assert len((await client.embed("nomic-embed-text", "a")).embeddings) == 1
            assert (await client.ps()).models
            return await asyncio.gather(*(one(number) for number in range(10)))
        finally:
            await client._client.aclose()

    texts = await trio.to_thread.run_sync(lambda: asyncio.run(main()))
    assert len(set(texts)) == 10


@pytest.mark.slow
async def test_models_come_and_go(with_client: Any, tmp_path: Path) -> None:
    """Pull with its progress, create out of a file and quantized, copy, show, push, delete."""
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF" + bytes(3_000_000))

    def work(client: ollama.Client) -> None:
        progress = list(client.pull("tinyllama", stream=True))
        assert progress[0].status == "pulling manifest"
        assert any(event.completed for event in progress)
        assert progress[-1].status == "success"
        assert client.pull("tinyllama").status == "success"
        digest = client.create_blob(file)
        assert client.create_blob(file) == digest
        created = client.create("mine", files={"model.gguf": digest}, system="Be brief.")
        assert created.status == "success"
        steps = list(client.create("small", from_="mine", quantize="q4_K_M", stream=True))
        assert any("to Q4_K_M" in (step.status or "") for step in steps)
        assert client.copy("small", "ada/small").status == "success"
        shown = client.show("ada/small")
        assert shown.details is not None
        assert shown.details.quantization_level == "Q4_K_M"
        assert [event.status for event in client.push("ada/small", stream=True)][-1] == "success"
        assert client.delete("ada/small").status == "success"
        names = [model.model for model in client.list().models]
        assert names[:3] == ["small:latest", "mine:latest", "tinyllama:latest"]

    await with_client(work, **QUICK)


async def test_errors_of_models(with_client: Any) -> None:
    """The client tells status and text, also of an error in the middle of a stream."""

    def work(client: ollama.Client) -> None:
        with pytest.raises(ollama.ResponseError) as failed:
            client.delete("none")
        assert (failed.value.status_code, failed.value.error) == (404, "model 'none' not found")
        with pytest.raises(ollama.ResponseError, match="file does not exist"):
            list(client.pull("none", stream=True))
        with pytest.raises(ollama.ResponseError, match="neither 'from' or 'files'"):
            client.create("m")

    await with_client(work, **QUICK)


async def test_what_the_command_line_does(start_server: Any) -> None:
    """``ollama run`` of a model that is not there, then ``ollama create`` with a file."""
    url = await start_server(**QUICK)
    async with httpx.AsyncClient(base_url=url, timeout=10, trust_env=False) as client:

        async def post(path: str, **body: Any) -> httpx.Response:
            return await client.post(path, json=body)

        assert (await client.head("/")).status_code == 200
        assert (await post("/api/show", model="all-minilm", name="")).status_code == 404
        pulled = await post("/api/pull", model="all-minilm", insecure=False, username="")
        assert pulled.text.endswith('{"status":"success"}\n')
        assert (await post("/api/show", model="all-minilm")).status_code == 200
        loaded = await post("/api/generate", model="llama3.2", prompt="", keep_alive="5m0s")
        assert loaded.json()["done_reason"] == "load"
        data = b"GGUF" + bytes(200_000)
        blob = f"/api/blobs/sha256:{hashlib.sha256(data).hexdigest()}"
        assert (await client.head(blob)).status_code == 404

        async def pieces() -> AsyncIterator[bytes]:
            for at in range(0, len(data), 30_000):
                yield data[at : at + 30_000]

        stored = await client.post(blob, content=pieces())
        assert (stored.status_code, stored.content) == (201, b"")
        assert (await client.head(blob)).status_code == 200
        files = {"m.gguf": blob.rpartition("/")[2]}
        made = await post("/api/create", model="m", files=files, parameters={"num_ctx": 512})
        assert made.text.endswith('{"status":"success"}\n')
        gone = await client.request("DELETE", "/api/delete", json={"model": "m", "name": ""})
        assert (gone.status_code, gone.content) == (200, b"")
        stopped = await post("/api/generate", model="llama3.2", keep_alive=0)
        assert stopped.json()["done_reason"] == "unload"


async def test_an_upload_that_breaks_off_leaves_nothing(start_server: Any) -> None:
    """The blob is not there, and the server goes on."""
    url = await start_server(**QUICK)
    digest = "sha256:" + hashlib.sha256(b"GGUF").hexdigest()
    host, _, port = url.removeprefix("http://").partition(":")
    stream = await trio.open_tcp_stream(host, int(port))
    head = f"POST /api/blobs/{digest} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
    await stream.send_all(head.encode() + b"GG")
    await stream.aclose()
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        assert (await client.head(f"/api/blobs/{digest}")).status_code == 404
        state = (await client.get("/_sim/state")).json()
        assert state["routes"]["/api/blobs/:digest"] == 1


async def test_a_blob_that_is_there_is_not_read(start_server: Any) -> None:
    """The answer comes before the body is sent, and the connection is closed behind it."""
    url = await start_server()
    data = b"GGUF" + bytes(400_000)
    path = f"/api/blobs/sha256:{hashlib.sha256(data).hexdigest()}"
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        assert (await client.post(path, content=data)).status_code == 201
        assert (await client.post(path, content=data)).status_code == 200
    host, _, port = url.removeprefix("http://").partition(":")
    stream = await trio.open_tcp_stream(host, int(port))
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
    await stream.send_all(head.encode() + data[:1000])
    answer = await stream.receive_some()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close\r\n" in answer
    assert await stream.receive_some() == b""
    await stream.aclose()
