"""The probes of ``ollama-api.md`` §10, by their ids, against a real server over sockets.

What a probe says of one route is checked on the bytes that a client gets, with the real clock; the
finer rules of each part stand in the tests of that part. Elsewhere: those of models (G18 to G26, in
`test_model_routes`, `test_create` and `test_clients`) and of the routes under /v1 (G43 to G48, in
`test_openai`, `test_openai_routes` and `test_translated`).
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import trio

HELLO = [{"role": "user", "content": "hello"}]
CHAT = {"model": "llama3.2", "messages": HELLO}
GENERATE = {"model": "llama3.2", "prompt": "hello"}
METRICS = [
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
]
PNG = "iVBORw0KGgo="
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}


class Server:
    """A server and a client of it."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def post(self, path: str, **body: Any) -> httpx.Response:
        """Send a POST and read the whole answer."""
        return await self.client.post(path, json=body)

    async def events(self, path: str, **body: Any) -> list[dict[str, Any]]:
        """Send a POST and read the events of its stream."""
        answer = await self.post(path, **body)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/x-ndjson"
        assert answer.content.endswith(b"\n")
        return [json.loads(line) for line in answer.content[:-1].split(b"\n")]

    async def json(self, path: str, **body: Any) -> dict[str, Any]:
        """Send a POST that must succeed, and read its one object."""
        answer = await self.post(path, **body)
        assert answer.status_code == 200, answer.text
        value: dict[str, Any] = answer.json()
        return value

    async def error(self, path: str, **body: Any) -> tuple[int, str]:
        """Send a POST that must fail; give the status and the text."""
        answer = await self.post(path, **body)
        assert list(answer.json()) == ["error"]
        return answer.status_code, answer.json()["error"]

    async def ps(self) -> dict[str, dict[str, Any]]:
        """What is loaded, by name."""
        models = (await self.client.get("/api/ps")).json()["models"]
        return {model["name"]: model for model in models}


Open = Callable[..., Awaitable[Server]]


@pytest.fixture
async def open_server(start_server: Any) -> AsyncIterator[Open]:
    """Start servers with short answers, each with a client; takes fields of the config."""
    clients: list[httpx.AsyncClient] = []

    async def open_server(**config: Any) -> Server:
        short = {"answer_tokens_min": 20, "answer_tokens_max": 40}
        url = await start_server(**(short | config))
        clients.append(httpx.AsyncClient(base_url=url, timeout=5, trust_env=False))
        return Server(clients[-1])

    yield open_server
    for client in clients:
        await client.aclose()


@pytest.fixture
async def server(open_server: Open) -> Server:
    """A quick server with the default models."""
    return await open_server()


def when(stamp: str) -> datetime:
    """Read a time; nanoseconds are cut to what Python can hold."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", stamp)
    return datetime.fromisoformat(re.sub(r"(\.\d{1,6})\d*", r"\1", stamp))


def text_of(events: list[dict[str, Any]], field: str = "content") -> str:
    """Join what a chat or a generate said."""
    if "message" not in events[0]:
        return "".join(event["response"] for event in events)
    return "".join(event["message"].get(field, "") for event in events)


@pytest.mark.parametrize(("path", "body"), [("/api/generate", GENERATE), ("/api/chat", CHAT)])
async def test_g01_to_g05_streams(server: Server, path: str, body: dict[str, Any]) -> None:
    """Every event has its fields, the last alone is done and has all metrics, which add up."""
    began = time.perf_counter()
    events = await server.events(path, **body)
    wall_ns = (time.perf_counter() - began) * 1e9
    stamps = [when(event["created_at"]) for event in events]
    assert stamps == sorted(stamps)
    assert all(event["created_at"].endswith("Z") for event in events)
    assert {event["model"] for event in events} == {"llama3.2"}
    if path == "/api/chat":
        assert {event["message"]["role"] for event in events} == {"assistant"}
        assert all(isinstance(event["message"]["content"], str) for event in events)
    else:
        assert all(isinstance(event["response"], str) for event in events)
    *before, last = events
    assert not any(event["done"] or set(METRICS) & set(event) for event in before)
    assert (last["done"], last["done_reason"]) == (True, "stop")
    assert all(type(last[name]) is int and last[name] > 0 for name in METRICS)
    parts = ("load_duration", "prompt_eval_duration", "eval_duration")
    assert sum(last[name] for name in parts) <= last["total_duration"]
    assert wall_ns / 10 < last["total_duration"] < wall_ns * 1.05


@pytest.mark.parametrize("model", ["llama3.2", "qwen3:0.6b"])
async def test_g06_g56_without_a_stream(server: Server, model: str) -> None:
    """One object with the text, and the thinking, of the whole stream."""
    body = {"model": model, "messages": HELLO, "options": {"temperature": 0, "seed": 7}}
    events = await server.events("/api/chat", **body)
    answer = await server.post("/api/chat", **body, stream=False)
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    message = answer.json()["message"]
    assert message["content"] == text_of(events)
    assert message.get("thinking", "") == text_of(events, "thinking")
    assert answer.json()["done"] is True
    assert not answer.content.endswith(b"\n")


async def test_g07_num_predict(server: Server) -> None:
    """So many tokens, and the reason says so."""
    last = (await server.events("/api/chat", **CHAT, options={"num_predict": 3}))[-1]
    assert (last["eval_count"], last["done_reason"]) == (3, "length")


async def test_g08_stop(server: Server) -> None:
    """The text ends before the stop text."""
    whole = text_of(await server.events("/api/generate", **GENERATE))
    events = await server.events("/api/generate", **GENERATE, options={"stop": [whole[30:36]]})
    assert text_of(events) == whole[: whole.index(whole[30:36])]
    assert events[-1]["done_reason"] == "stop"


async def test_g09_format(server: Server) -> None:
    """The text is JSON, and has what the schema requires."""
    assert json.loads(text_of(await server.events("/api/chat", **CHAT, format="json")))
    made = json.loads(text_of(await server.events("/api/chat", **CHAT, format=SCHEMA)))
    assert isinstance(made["city"], str)


@pytest.mark.parametrize(("path", "empty"), [("generate", {}), ("chat", {"messages": []})])
async def test_g10_to_g12_load_and_unload(server: Server, path: str, empty: Any) -> None:
    """One object without metrics, whatever ``stream`` says; ps follows."""
    body = {"model": "llama3.2", **empty}
    said = {"message": {"role": "assistant", "content": ""}} if empty else {"response": ""}
    for stream in (True, False):
        answer = await server.post(f"/api/{path}", **body, stream=stream)
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        loaded = answer.json()
        assert loaded.pop("created_at")
        assert loaded == {"model": "llama3.2", **said, "done": True, "done_reason": "load"}
    assert "llama3.2:latest" in await server.ps()
    unloaded = await server.json(f"/api/{path}", **body, keep_alive=0)
    assert unloaded["done_reason"] == "unload"
    assert await server.ps() == {}


@pytest.mark.parametrize(
    ("value", "stay_s"),
    [(60, 60), ("60s", 60), ("1m", 60), ("1h30m", 5400), (0.5, 0.5), (-1, 9e9), ("-1m", 9e9)],
)
async def test_g13_keep_alive(server: Server, value: Any, stay_s: float) -> None:
    """Each encoding is seen in ps."""
    await server.json("/api/generate", model="llama3.2", keep_alive=value)
    expires = when((await server.ps())["llama3.2:latest"]["expires_at"])
    left_s = (expires - datetime.now(UTC)).total_seconds()
    assert stay_s - 2 < left_s <= (stay_s if stay_s < 9e9 else math.inf)


async def test_g13_keep_alive_without_a_unit(server: Server) -> None:
    """A bare number as a text is refused."""
    found = await server.error("/api/generate", model="llama3.2", keep_alive="60")
    assert found == (400, 'time: missing unit in duration "60"')


async def test_g14_g15_show(server: Server) -> None:
    """The context length can be found; arrays are null unless verbose; ``name`` is an alias."""
    shown = await server.json("/api/show", model="llama3.2")
    info = shown["model_info"]
    assert info[f"{info['general.architecture']}.context_length"] == 131_072
    assert info["tokenizer.ggml.tokens"] is None
    assert when(shown["modified_at"])
    assert isinstance(shown["details"]["families"], list)
    known = {"completion", "tools", "insert", "vision", "embedding", "thinking", "image", "audio"}
    assert set(shown["capabilities"]) <= known
    verbose = await server.json("/api/show", name="llama3.2", verbose=True)
    assert verbose["model_info"]["tokenizer.ggml.tokens"]


async def test_g16_tags(server: Server) -> None:
    """Every model has the fields that clients read, in Ollama's order."""
    models = (await server.client.get("/api/tags")).json()["models"]
    for model in models:
        first = ["name", "model", "modified_at", "size", "digest", "details", "capabilities"]
        assert list(model) == first
        assert re.fullmatch(r"[0-9a-f]{64}", model["digest"])
    stamps = [when(model["modified_at"]) for model in models]
    assert stamps == sorted(stamps, reverse=True)


async def test_g17_ps(server: Server) -> None:
    """Empty before a load; then with sizes, a future expiry and the context."""
    assert (await server.client.get("/api/ps")).content == b'{"models":[]}'
    await server.json("/api/generate", model="llama3.2")
    (model,) = (await server.ps()).values()
    assert 0 < model["size_vram"] <= model["size"]
    assert when(model["expires_at"]) > datetime.now(UTC)
    assert model["context_length"] == 4096
    assert model["details"]["parent_model"] == ""


async def test_g27_to_g32_embeddings(server: Server) -> None:
    """Unit vectors in order, with their metrics; cut and refused as asked; the legacy route."""
    ask = {"model": "nomic-embed-text"}
    many = await server.json("/api/embed", **ask, input=["a", "b"], keep_alive=-1)
    assert list(many) == [
        "model",
        "embeddings",
        "total_duration",
        "load_duration",
        "prompt_eval_count",
    ]
    one = await server.json("/api/embed", **ask, input="b", dimensions=64)
    for vector in (*many["embeddings"], *one["embeddings"]):
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-3)
    assert [len(vector) for vector in (*many["embeddings"], *one["embeddings"])] == [768, 768, 64]
    assert when((await server.ps())["nomic-embed-text:latest"]["expires_at"]).year > 2200
    long = "word " * 9000
    assert await server.error("/api/embed", **ask, input=long, truncate=False) == (
        400,
        "the input length exceeds the context length",
    )
    assert len((await server.json("/api/embed", **ask, input=long))["embeddings"]) == 1
    assert await server.json("/api/embed", **ask) == {**ask, "embeddings": []}
    assert await server.error("/api/embed", **ask, input=3) == (400, "invalid input type")
    legacy = await server.json("/api/embeddings", **ask, prompt="b")
    assert list(legacy) == ["embedding"]
    assert legacy["embedding"] == pytest.approx(many["embeddings"][1], abs=1e-6)


async def test_g33_images(server: Server) -> None:
    """An image costs tokens; what is no base64 is refused."""

    def message(*images: str) -> Any:
        return {
            "model": "llava:7b",
            "messages": [{"role": "user", "content": "what?", "images": list(images)}],
            "stream": False,
        }

    plain, seen = [await server.json("/api/chat", **body) for body in (message(), message(PNG))]
    assert seen["prompt_eval_count"] > plain["prompt_eval_count"] + 500
    assert (await server.error("/api/chat", **message("data:image/png;base64,x")))[0] == 400


async def test_g34_tools(server: Server) -> None:
    """A call has its arguments as an object, and its result is answered in prose."""
    asked = [{"role": "user", "content": "use get_weather for Paris"}]
    events = await server.events("/api/chat", model="llama3.2", messages=asked, tools=[TOOL])
    (call,) = [one for event in events for one in event["message"].get("tool_calls", ())]
    assert call["function"]["name"] == "get_weather"
    assert isinstance(call["function"]["arguments"]["city"], str)
    assert re.fullmatch(r"call_[a-z0-9]{8}", call["id"])
    result = {"role": "tool", "tool_name": "get_weather", "content": "11 degrees"}
    later = [*asked, {"role": "assistant", "tool_calls": [call]}, result]
    assert text_of(await server.events("/api/chat", model="llama3.2", messages=later, tools=[TOOL]))
    as_text = {"function": {"name": "get_weather", "arguments": '{"city":"Paris"}'}}
    later[1] = {"role": "assistant", "tool_calls": [as_text]}
    assert (await server.error("/api/chat", model="llama3.2", messages=later))[0] == 400


async def test_g35_think(server: Server) -> None:
    """Thinking is apart from the content, and only where the model can."""
    body = {"model": "qwen3:0.6b", "messages": HELLO}
    for think in (True, "high"):
        events = await server.events("/api/chat", **body, think=think)
        assert text_of(events, "thinking")
        assert text_of(events)
    assert not text_of(await server.events("/api/chat", **body, think=False), "thinking")
    told = '"llama3.2" does not support thinking'
    assert await server.error("/api/chat", **CHAT, think=True) == (400, told)
    assert (await server.error("/api/chat", **body, think="x"))[0] == 400


async def test_g36_logprobs(server: Server) -> None:
    """Each token has its entry with two alternatives; 21 are too many."""
    events = await server.events("/api/generate", **GENERATE, logprobs=True, top_logprobs=2)
    entries = [entry for event in events for entry in event.get("logprobs", ())]
    assert b"".join(bytes(entry["bytes"]) for entry in entries).decode() == text_of(events)
    assert all(entry["logprob"] <= 0 and len(entry["top_logprobs"]) == 2 for entry in entries)
    refused = await server.error("/api/generate", **GENERATE, top_logprobs=21)
    assert refused == (400, "top_logprobs must be between 0 and 20")


UNKNOWN = {
    "generate": ((404, "model '' not found"), "model 'nope' not found"),
    "chat": ((400, "model is required"), "model 'nope' not found"),
    "embed": ((404, "model '' not found"), 'model "nope" not found, try pulling it first'),
    "embeddings": ((400, "model is required"), 'model "nope" not found, try pulling it first'),
    "show": ((400, "model is required"), "model 'nope:latest' not found"),
}


@pytest.mark.parametrize("route", UNKNOWN)
async def test_g37_models_missing_bad_and_unknown(server: Server, route: str) -> None:
    """Each route has its own words."""
    missing, unknown = UNKNOWN[route]
    assert await server.error(f"/api/{route}") == missing
    assert await server.error(f"/api/{route}", model="nope") == (404, unknown)
    for bad in ("a//b", "m:", "a@b", "-a"):
        assert await server.error(f"/api/{route}", model=bad) == (400, "invalid model name")


@pytest.mark.parametrize("route", UNKNOWN)
async def test_g38_bad_bodies(server: Server, route: str) -> None:
    """No JSON is 400, and so is nothing."""
    for body in (b"", b"x", b'{"model":', b"[]", b'{"model":3}'):
        answer = await server.client.post(f"/api/{route}", content=body)
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert isinstance(answer.json()["error"], str)
        if not body:
            assert answer.content == b'{"error":"missing request body"}'


async def test_g39_option_types(server: Server) -> None:
    """A wrong type is 500; an unknown option is ignored."""
    wrong = await server.error("/api/chat", **CHAT, options={"num_predict": "3"})
    assert wrong == (500, 'option "num_predict" must be of type integer')
    assert await server.events("/api/chat", **CHAT, options={"mirostat": "x", "num_predict": 1})


async def test_g40_more_requests_than_slots(open_server: Open) -> None:
    """They are served in waves, and none is refused; the wait is the residual of the total."""
    server = await open_server(num_parallel=2, answer_tokens_min=400, answer_tokens_max=400)
    await server.json("/api/generate", model="llama3.2")
    waits_ns: list[int] = []

    async def one() -> None:
        last = (await server.events("/api/chat", **CHAT))[-1]
        parts = ("load_duration", "prompt_eval_duration", "eval_duration")
        waits_ns.append(last["total_duration"] - sum(last[name] for name in parts))

    async with trio.open_nursery() as nursery:
        for _ in range(6):
            nursery.start_soon(one)
    answer_ns = 400 / 2000 * 1e9
    waves = [round(wait_ns / answer_ns) for wait_ns in sorted(waits_ns)]
    assert waves[:2] == [0, 0]
    assert all(wait_ns > answer_ns / 2 for wait_ns in sorted(waits_ns)[2:])


async def test_g41_a_full_load_queue(open_server: Open) -> None:
    """While a model loads, the surplus of requests for others is refused at once; the rest wait."""
    server = await open_server(load_s=0.05, max_queue=1)
    found: dict[str, httpx.Response] = {}

    async def load(model: str) -> None:
        found[model] = await server.post("/api/chat", model=model, messages=HELLO)

    async with trio.open_nursery() as nursery:
        for model in ("llama3.2", "qwen3:0.6b", "llava:7b"):
            nursery.start_soon(load, model)
            await trio.sleep(0.01)
    assert [answer.status_code for answer in found.values()] == [503, 200, 200]
    busy = "server busy, please try again.  maximum pending requests exceeded"
    assert found["llava:7b"].json() == {"error": busy}
    assert "retry-after" not in found["llava:7b"].headers


async def test_g42_disconnect(open_server: Open) -> None:
    """The slot of a client that leaves in the middle is free at once."""
    server = await open_server(num_parallel=1, answer_tokens_min=10**6, answer_tokens_max=10**6)
    url, body = server.client.base_url, json.dumps(CHAT).encode()
    head = b"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    for _ in range(2):
        with trio.fail_after(2):
            async with await trio.open_tcp_stream(url.host, url.port or 0) as stream:
                await stream.send_all(head + body)
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_g49_root_and_version(server: Server) -> None:
    """The words by which clients know an Ollama server; HEAD has the same headers, no body."""
    for path in ("/", "/api/version", "/api/tags"):
        got, head = await server.client.get(path), await server.client.head(path)
        assert (got.status_code, head.status_code, head.content) == (200, 200, b"")
        for name in ("content-type", "content-length"):
            assert head.headers[name] == got.headers[name]
    assert (await server.client.get("/")).text == "Ollama is running"
    version = (await server.client.get("/api/version")).json()["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)


async def test_g50_methods_and_paths(server: Server) -> None:
    """405 names the methods, 404 is plain text, slashes redirect."""
    wrong = await server.client.get("/api/generate")
    assert (wrong.status_code, wrong.text) == (405, "405 method not allowed")
    assert (wrong.headers["allow"], wrong.headers["content-type"]) == ("POST", "text/plain")
    unknown = await server.client.get("/api/nope")
    assert (unknown.status_code, unknown.text) == (404, "404 page not found")
    for method, path, status, where in (
        ("GET", "/api/tags/", 301, "/api/tags"),
        ("HEAD", "/api/tags/?x=1", 307, "/api/tags?x=1"),
        ("POST", "/api/chat/", 307, "/api/chat"),
        ("GET", "//api//tags", 301, "/api/tags"),
        ("POST", "//api/chat", 301, "/api/chat"),
    ):
        url = str(server.client.base_url).rstrip("/") + path
        moved = await server.client.request(method, url)
        assert (moved.status_code, moved.headers["location"]) == (status, where)


async def test_g51_names(server: Server) -> None:
    """Case and ``:latest`` do not matter; the answer has the name as it was sent."""
    for name in ("LLAMA3.2", "llama3.2", "llama3.2:latest", "library/llama3.2"):
        answer = await server.json("/api/chat", model=name, messages=HELLO, stream=False)
        assert answer["model"] == name
    assert list(await server.ps()) == ["llama3.2:latest"]


async def test_g52_reload(open_server: Open) -> None:
    """Another context loads the model anew, which is seen in ps and in the load's duration."""
    server = await open_server(load_s=0.05)
    await server.events("/api/chat", **CHAT)
    warm = (await server.events("/api/chat", **CHAT))[-1]
    again = (await server.events("/api/chat", **CHAT, options={"num_ctx": 8192}))[-1]
    assert again["load_duration"] >= 0.05e9 > 2 * warm["load_duration"]
    assert (await server.ps())["llama3.2:latest"]["context_length"] == 8192


async def test_g53_an_error_in_the_stream(server: Server) -> None:
    """It is the last line of a 200 that ends cleanly."""
    await server.post("/_sim/faults", fault={"kind": "error_line", "after_tokens": 3})
    *before, last = await server.events("/api/chat", **CHAT)
    assert len(before) == 3
    assert list(last) == ["error"]


async def test_g54_context_overflow(server: Server) -> None:
    """A long chat is cut to the context; a long prompt that may not shift is refused."""
    small = {"num_ctx": 512}
    long = [{"role": "user", "content": "word " * 300} for _ in range(5)]
    last = (await server.events("/api/chat", model="llama3.2", messages=long, options=small))[-1]
    assert last["prompt_eval_count"] <= 512
    body = {"model": "llama3.2", "prompt": "word " * 3000, "options": small}
    answer = await server.post("/api/generate", **body, shift=False)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["transfer-encoding"] == "chunked"


async def test_g55_escapes(open_server: Open) -> None:
    """HTML is escaped, other text is raw UTF-8, no character is split."""
    server = await open_server(
        answer_tokens_min=800, answer_tokens_max=800, decode_tokens_per_s=1e5
    )
    async with server.client.stream("POST", "/api/generate", json=GENERATE) as answer:
        chunks = [chunk.decode() async for chunk in answer.aiter_raw()]
    wire = "".join(chunks)
    text = text_of([json.loads(line) for line in wire.splitlines() if line])
    assert all(mark in text for mark in ("<", "&", "😀", "世界"))
    assert not set("<>&") & set(wire)
    assert "😀" in wire
    assert r"\u003c" in wire
