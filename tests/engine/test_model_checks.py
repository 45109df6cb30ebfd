"""Checks that need the model: what is asked of servers for them, how often, what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
import trio

from triollama import (
    ChatRequest,
    EmbedRequest,
    EngineConfig,
    InvalidRequestError,
    ModelNotFoundError,
    ProbeConfig,
)
from triollama._model_checks import SHOWN_S

A = "http://a:11434"
TOOL = {"type": "function", "function": {"name": "f"}}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(60)
ALWAYS = EngineConfig(check_models=True, probe=ProbeConfig(enabled=False), attempts_max=1)

OpenLab = Callable[..., AbstractAsyncContextManager[Any]]


async def test_a_request_can_be_checked(open_lab: OpenLab) -> None:
    """All that the model cannot do is told at once, and nothing is asked of the model."""
    messages = [{"role": "user", "content": "?", "images": [PNG]}]
    request = ChatRequest.make("llama3.2", messages, tools=[TOOL], think=True)
    async with open_lab() as lab:
        with pytest.raises(InvalidRequestError) as caught:
            await lab.engine.check(request)
        assert [each.path for each in caught.value.problems] == ["think", "messages[0].images[0]"]
        assert await lab.engine.check(ChatRequest.make("llama3.2", "hi", tools=[TOOL])) == ()
        with pytest.raises(InvalidRequestError, match="'embedding'"):
            await lab.engine.check(EmbedRequest.make(model="llama3.2", input="x"))
        with pytest.raises(ModelNotFoundError):
            await lab.engine.check(ChatRequest.make("nobody", "hi"))
        assert lab.asked(A) == 0


async def test_doubts_are_returned(open_lab: OpenLab) -> None:
    """What the model was trained for and what it is loaded with are known."""
    async with open_lab() as lab:
        await lab.engine.load("llama3.2", options={"num_ctx": 4096})
        check = lab.engine.check
        request = ChatRequest.make("llama3.2", "hi", options={"num_ctx": 8192, "mirostat": 1})
        loading, ignored = await check(request)
        assert loading.startswith("option 'num_ctx' is 8192, and was 4096 before")
        assert ignored == "option 'mirostat' does nothing: Ollama ignores it"
        same = ChatRequest.make("llama3.2", "hi", options={"num_ctx": 4096})
        assert await check(same) == ()
        large = ChatRequest.make("llama3.2", "hi", options={"num_ctx": 10**9})
        assert "was trained for" in (await check(large))[0]


async def test_plain_requests_ask_nothing_more(open_lab: OpenLab) -> None:
    """Without the setting no request costs another one."""
    async with open_lab() as lab:
        await lab.engine.chat("llama3.2", "hi", options={"num_predict": 1})
        assert lab.asked(A, "/api/show") == lab.asked("http://b:11434", "/api/show") == 0


async def test_every_request_can_be_checked(
    open_lab: OpenLab, autojump_clock: trio.testing.MockClock
) -> None:
    """With the setting: refused before it is sent; one question a minute, for all requests."""
    async with open_lab(A, config=ALWAYS) as lab:
        engine = lab.engine
        with pytest.raises(InvalidRequestError, match="'thinking'"):
            await engine.chat("llama3.2", "hi", think=True)
        with pytest.raises(InvalidRequestError, match="'thinking'"):
            async with engine.stream_chat("llama3.2", "hi", think=True):
                pass
        with pytest.raises(InvalidRequestError, match="'insert'"):
            await engine.generate("llama3.2", "hi", suffix="x")
        with pytest.raises(InvalidRequestError, match="'embedding'"):
            await engine.embed("llama3.2", "hi")
        assert (lab.asked(A), lab.asked(A, "/api/embed")) == (0, 0)
        assert lab.asked(A, "/api/show") == 1
        assert (await engine.chat("llama3.2:latest", "hi", options={"num_predict": 1})).done
        assert lab.asked(A, "/api/show") == 1
        await trio.sleep(SHOWN_S)
        assert (await engine.chat("llama3.2", "hi", options={"num_predict": 1})).done
        assert lab.asked(A, "/api/show") == 2


async def test_a_server_that_does_not_tell_stops_nothing(open_lab: OpenLab) -> None:
    """Then the request itself is judged by the server; an unknown model is told as ever."""
    async with open_lab(A, config=ALWAYS) as lab:
        lab.fault(A, "status", rule={"routes": ("/api/show",)}, status=500)
        assert (await lab.engine.chat("llama3.2", "hi", options={"num_predict": 1})).done
        with pytest.raises(ModelNotFoundError):
            await lab.engine.chat("nobody", "hi")
