"""What is this engine's own about the clients: fleets, lifetimes, threads, event loops."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import ollama as official
import pytest
import trio
from tests.adapters.compat.ollama.cases import QUESTIONS

from triollama import ConfigError, EndpointConfig, EngineConfig, ProbeConfig
from triollama_adapters.compat import ollama

HELLO = [{"role": "user", "content": "hello"}]
NOBODY = "http://127.0.0.1:9"  # the port of discard, on which nobody listens
STALL = {"fault": {"kind": "stall", "after_tokens": 2}}
"""An answer that begins, and does not end."""


def wait_for(condition: Callable[[], bool]) -> None:
    """Look again and again, for ten seconds."""
    for _ in range(1_000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it does not come true")


@pytest.mark.slow
def test_a_fleet_outlives_a_server(ollama_simulator: Any) -> None:
    """With several hosts a request goes where it can be answered."""
    with ollama.Client([NOBODY, EndpointConfig(ollama_simulator.url, "good")]) as client:
        assert client.chat("llama3.2", HELLO).message.content
        assert "good" in repr(client)
        assert "".join(
            part.response or "" for part in client.generate("llama3.2", "q", stream=True)
        )


@pytest.mark.slow
def test_a_broken_stream_goes_on(ollama_simulator: Any) -> None:
    """Unless that is turned off, as the comparison with the official client does."""
    cut = {"fault": {"kind": "reset", "after_tokens": 3}, "nth": [1]}
    with ollama.Client(ollama_simulator.url) as client:
        whole = client.chat("llama3.2", HELLO).message.content
        ollama_simulator.set_faults(cut)
        parts = client.chat("llama3.2", HELLO, stream=True)
        assert "".join(part.message.content or "" for part in parts) == whole
    with ollama.Client(ollama_simulator.url, on_break="raise") as client:
        ollama_simulator.set_faults(cut)
        with pytest.raises(httpx.TransportError):
            list(client.chat("llama3.2", HELLO, stream=True))


@pytest.mark.slow
def test_nobody_is_there() -> None:
    """As the official client says it, whether it streams or not."""
    with ollama.Client(NOBODY, config=EngineConfig(attempts_max=1, retry_wait_s=0.0)) as client:
        for call in (client.list, lambda: client.chat("m", HELLO)):
            with pytest.raises(ConnectionError, match="Failed to connect to Ollama"):
                call()
        with pytest.raises(httpx.ConnectError):
            next(client.chat("m", HELLO, stream=True))
        with pytest.raises(ConnectionError):
            client.systemone("m", "state", {})


@pytest.mark.slow
def test_a_time_out(ollama_simulator: Any) -> None:
    """One of httpx is the limit between two signs of life."""
    ollama_simulator.set_faults({"fault": {"kind": "stall", "after_tokens": 1}})
    with ollama.Client(ollama_simulator.url, timeout=0.2, on_break="raise") as client:
        with pytest.raises(httpx.ReadTimeout):
            list(client.chat("llama3.2", HELLO, stream=True))


@pytest.mark.slow
def test_leaving_a_loop_stops_the_server(ollama_simulator: Any) -> None:
    """The rest of an answer is not generated for nobody."""
    ollama_simulator.set_faults(STALL)
    with ollama.Client(ollama_simulator.url) as client:
        parts = client.generate("llama3.2", "hello", stream=True)
        next(parts)
        assert ollama_simulator.state()["in_flight"] == 1
        parts.close()  # type: ignore[attr-defined]
        wait_for(lambda: ollama_simulator.state()["in_flight"] == 0)


@pytest.mark.slow
def test_a_stream_may_be_collected_as_garbage_in_any_thread(ollama_simulator: Any) -> None:
    """In the engine's own as well, which cannot wait for itself."""
    ollama_simulator.set_faults(STALL)
    with ollama.Client(ollama_simulator.url) as client:
        parts: Any = client.generate("llama3.2", "hello", stream=True)
        next(parts)

        async def collect(_core: Any) -> None:
            parts.close()

        client._lane.wait(collect)
        wait_for(lambda: ollama_simulator.state()["in_flight"] == 0)


@pytest.mark.slow
def test_an_interrupt_stops_the_server(ollama_simulator: Any) -> None:
    """Ctrl-C is raised where one waits, and the request is given up."""
    ollama_simulator.set_faults(STALL)
    with ollama.Client(ollama_simulator.url) as client:
        client.list()
        main = threading.main_thread().ident
        assert main == threading.get_ident()
        timer = threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            client.generate("llama3.2", "hello")
        timer.join()
        wait_for(lambda: ollama_simulator.state()["in_flight"] == 0)


@pytest.mark.slow
def test_closing_ends_what_runs(ollama_simulator: Any) -> None:
    """Who waits is told."""
    ollama_simulator.set_faults(STALL)
    client = ollama.Client(ollama_simulator.url)
    threading.Timer(0.2, client.close).start()
    with pytest.raises(RuntimeError, match="closed while this request ran"):
        client.generate("llama3.2", "hello")


@pytest.mark.slow
def test_threads_share_a_client(ollama_simulator: Any) -> None:
    """Each has its own answer."""
    found: dict[int, str | None] = {}
    with ollama.Client(ollama_simulator.url) as client:

        def ask(number: int) -> None:
            question = [{"role": "user", "content": f"question {number}"}]
            found[number] = client.chat("llama3.2", question).message.content

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == len(set(found.values())) == 8


@pytest.mark.slow
def test_a_closed_client_says_so(ollama_simulator: Any) -> None:
    """It takes nothing any more; closing it again is nothing."""
    client = ollama.Client(ollama_simulator.url)
    client.close()
    assert client.ps  # it was never opened
    with ollama.Client(ollama_simulator.url) as client:
        client.list()
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.list()


@pytest.mark.slow
def test_a_forgotten_client_leaves_nothing(ollama_simulator: Any) -> None:
    """Its thread ends with it."""
    gc.collect()
    client = ollama.Client(ollama_simulator.url)
    client.list()
    assert client._lane._portal is not None
    thread = client._lane._portal._thread
    del client
    gc.collect()
    wait_for(lambda: not thread.is_alive())


@pytest.mark.slow
def test_functions_follow_the_environment(
    ollama_simulator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They ask whom OLLAMA_HOST names when they are called."""
    monkeypatch.setenv("OLLAMA_HOST", ollama_simulator.url)
    assert ollama.list().models
    assert ollama.chat("llama3.2", HELLO)["message"]["content"]
    monkeypatch.setenv("OLLAMA_HOST", NOBODY)
    with pytest.raises(ConnectionError):
        ollama.list()
    monkeypatch.setenv("OLLAMA_HOST", ollama_simulator.url)
    assert [part.done for part in ollama.generate("llama3.2", "q", stream=True)][-1]


@pytest.mark.slow
@pytest.mark.parametrize("run", [asyncio.run, lambda main: trio.run(lambda: main)])
def test_any_event_loop(ollama_simulator: Any, run: Callable[[Any], None]) -> None:
    """The asynchronous client works on asyncio and on trio."""

    async def main() -> None:
        async with ollama.AsyncClient(ollama_simulator.url) as client:
            assert (await client.chat("llama3.2", HELLO)).done
            parts = [part async for part in await client.chat("llama3.2", HELLO, stream=True)]
            assert parts[-1].done
            with pytest.raises(ollama.ResponseError):
                await client.show("nope")

    run(main())


@pytest.mark.slow
def test_a_cancelled_task_stops_the_server(ollama_simulator: Any) -> None:
    """On asyncio; and on trio."""
    ollama_simulator.set_faults(STALL)

    async def on_asyncio() -> None:
        async with ollama.AsyncClient(ollama_simulator.url) as client:
            asked = asyncio.create_task(client.generate("llama3.2", "hello"))
            while not ollama_simulator.state()["in_flight"]:
                await asyncio.sleep(0.01)
            asked.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asked
            while ollama_simulator.state()["in_flight"]:
                await asyncio.sleep(0.01)

    async def on_trio() -> None:
        async with ollama.AsyncClient(ollama_simulator.url) as client:
            with trio.move_on_after(0.2):
                await client.generate("llama3.2", "hello")
            while ollama_simulator.state()["in_flight"]:
                await trio.sleep(0.01)

    asyncio.run(asyncio.wait_for(on_asyncio(), 10))
    trio.run(on_trio)


@pytest.mark.parametrize(
    ("settings", "kind", "told"),
    [
        ({"http2": True, "limits": None}, TypeError, "http2, limits: not on this engine"),
        ({"verify": False}, TypeError, "always checked"),
        ({"verify": object()}, TypeError, "file of the authorities"),
        ({"on_break": "never"}, TypeError, "continue, restart, raise"),
        ({"host": "http://user:pass@host"}, ConfigError, "must not hold a user"),
        ({"host": "http://host/path"}, ConfigError, "path"),
        ({"headers": {"a b": "c"}}, ConfigError, "name of a header"),
        ({"timeout": -1}, ConfigError, "first_token_s"),
    ],
)
def test_what_a_client_refuses(settings: dict[str, Any], kind: type[Exception], told: str) -> None:
    """What only httpx understands, and what is not usable."""
    with pytest.raises(kind, match=told):
        ollama.Client(**settings)


def test_what_a_client_is_made_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Addresses as the official client takes them; headers, time-outs, certificates, passwords."""
    monkeypatch.setenv("OLLAMA_HOST", "gpu-1")
    monkeypatch.setenv("OLLAMA_API_KEY", "from-environment")

    def settings(host: Any = None, **given: Any) -> Any:
        return ollama.Client(host, **given)._settings

    urls = {
        None: "http://gpu-1:11434",
        "1.2.3.4": "http://1.2.3.4:11434",
        ":99": "http://127.0.0.1:99",
    }
    urls |= {"https://a.b": "https://a.b:443", "http://a.b": "http://a.b:80"}
    for host, url in urls.items():
        assert settings(host).endpoints[0].url == url
    assert settings().bearer == "from-environment"
    own = settings(headers={"authorization": "Bearer own", "X-Some": "thing", "X-None": None})
    assert own.bearer == "own"
    assert dict(own.endpoints[0].headers) == {"authorization": "Bearer own", "X-Some": "thing"}
    assert not settings(headers={"Authorization": "Basic x"}).bearer
    assert settings(timeout=7).config.stall_s == settings(timeout=7).config.connect_s == 7
    assert settings(timeout=httpx.Timeout(3, read=None)).config.first_token_s == float("inf")
    assert settings(["a", "b"]).config.probe.enabled
    assert (
        settings(config=EngineConfig(probe=ProbeConfig(interval_s=9))).config.probe.interval_s == 9
    )
    assert settings(auth=("ada", "secret")).endpoints[0].auth
    assert "secret" not in repr(settings(auth=("ada", "secret")))


ANSWER = {
    "model": "nimble",
    "answers": {
        "team": {"type": "choice", "choice": "a", "probabilities": {"a": 1.0}, "confidence": 0.9},
        "is_new": {"type": "noul", "noul": 0.25},
        "how": {
            "type": "score",
            "score": 0.5,
            "legend": {"0": "low", "1": "high"},
            "probabilities": {"0": 0.5, "1": 0.5},
            "confidence": 0.1,
        },
    },
    "usage": {"input_tokens": 9, "output_tokens": 0},
}


def test_system_one() -> None:
    """The simulator is older than its route, so a transport answers: the same as officially."""
    got: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        got.append(request)
        return httpx.Response(200, json=ANSWER)

    asked: dict[str, Any] = {"model": "nimble", "state": {"a": 1}, "questions": QUESTIONS}
    found = []
    for module in (official, ollama):
        transport = httpx.MockTransport(answer)
        with module.Client("http://gpu-1", transport=transport, auth=("ada", "b")) as client:
            found.append(client.systemone(**asked))
    theirs, ours = found
    assert ours.model_dump() == theirs.model_dump()
    assert json.loads(got[0].content) == json.loads(got[1].content)
    assert got[0].url == got[1].url
    assert got[0].headers["Authorization"] == got[1].headers["Authorization"]


def test_the_web_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said before anything is opened."""
    monkeypatch.delenv("OLLAMA_API_KEY", raising=False)
    with ollama.Client() as client, pytest.raises(ValueError, match="OLLAMA_API_KEY"):
        client.web_search("llamas")
    with ollama.Client() as client, pytest.raises(ValueError, match="OLLAMA_API_KEY"):
        client.web_fetch("https://example.com")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda c: c.chat("", HELLO), "a model is needed"),
        (lambda c: c.chat("m", [{"content": "hello"}]), "Message.role is required"),
        (lambda c: c.chat("m", [{"role": "user", "content": 3}]), "Message.content must be str"),
        (lambda c: c.chat("m", HELLO, options=3), "options must be a mapping"),
        (lambda c: c.generate("m", "?", images=["nothing.png"]), "does not exist"),
        (lambda c: c.generate("m", "?", images=["not base64"]), "neither base64 text nor a file"),
        (lambda c: c.chat("m", HELLO, tools=[3]), "Tool must be a mapping"),
        (lambda c: c.systemone("m", "s", {"q": {"type": "other"}}), "questions"),
        (lambda c: c.embed(""), "a model is needed"),
    ],
)
def test_a_wrong_request(call: Callable[[ollama.Client], Any], told: str) -> None:
    """Refused before anything is opened, by an error that is a ValueError, as pydantic's."""
    with ollama.Client(NOBODY) as client, pytest.raises(ollama.RequestError, match=told) as caught:
        call(client)
    assert isinstance(caught.value, ValueError)
    assert caught.value.error == str(caught.value)
    assert client._lane._portal is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "fields",
    [{"keep_alive": "300"}, {"think": "very"}, {"format": "xml"}, {"options": {"top_k": "many"}}],
)
def test_what_a_server_would_refuse(fields: dict[str, Any], ollama_simulator: Any) -> None:
    """The same status, in words that say what to write; nothing is sent."""
    with ollama.Client(ollama_simulator.url) as client:
        with pytest.raises(ollama.ResponseError) as caught:
            client.chat("llama3.2", HELLO, **fields)
    assert caught.value.status_code == 400
    assert next(iter(fields)).removesuffix("s") in caught.value.error
    assert "/api/chat" not in ollama_simulator.state().get("routes", {})
