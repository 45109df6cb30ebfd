"""The official ``ollama`` client against a server on a loopback port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import ollama
import pytest
import trio

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
