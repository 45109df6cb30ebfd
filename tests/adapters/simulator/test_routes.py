"""Routes, names, bodies and lists as ``ollama-api.md`` has them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from triollama_adapters.simulator import ModelConfig

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?(Z|[+-]\d\d:\d\d)")
HELLO = [{"role": "user", "content": "hello"}]
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "x",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    },
}


def test_show(bench: Any) -> None:
    """G14, G15: what a client reads of a model; arrays are null unless verbose."""
    shown = bench.post("/api/show", model="qwen3:0.6b").json
    info = shown["model_info"]
    assert info[info["general.architecture"] + ".context_length"] == 40_960
    assert info["tokenizer.ggml.tokens"] is None
    assert RFC3339.fullmatch(shown["modified_at"])
    assert shown["details"]["families"] == ["qwen3"]
    assert shown["capabilities"] == ["completion", "tools", "thinking"]
    verbose = bench.post("/api/show", name="qwen3:0.6b", verbose=True).json
    assert len(verbose["model_info"]["tokenizer.ggml.tokens"]) == 516
    assert "SYSTEM" in bench.post("/api/show", model="qwen3:0.6b", system="s").json["modelfile"]


def test_tags(bench: Any) -> None:
    """G16: all models, newest first, with their fields."""
    models = bench.get("/api/tags").json["models"]
    assert [model["name"] for model in models] == [
        "llama3.2:latest",
        "qwen3:0.6b",
        "llava:7b",
        "nomic-embed-text:latest",
    ]
    for model in models:
        assert re.fullmatch("[0-9a-f]{64}", model["digest"])
        assert RFC3339.fullmatch(model["modified_at"])
        assert model["name"] == model["model"]
        assert list(model["details"])[:6] == [
            "parent_model",
            "format",
            "family",
            "families",
            "parameter_size",
            "quantization_level",
        ]
    assert models[1]["details"]["parameter_size"] == "751.63M"


def test_ps(bench: Any) -> None:
    """G17: empty is an empty list; a loaded model shows its memory and expiry."""
    assert bench.get("/api/ps").parse().body == b'{"models":[]}'
    bench.ask("/api/generate", model="llama3.2")
    (model,) = bench.ps
    assert 0 <= model["size_vram"] <= model["size"]
    assert model["context_length"] == 4096
    assert model["expires_at"].endswith("+02:00")


NAMES = {
    "/api/generate": ((404, "model '' not found"), "model 'NAME' not found"),
    "/api/chat": ((400, "model is required"), "model 'NAME' not found"),
    "/api/embed": ((404, "model '' not found"), 'model "NAME" not found, try pulling it first'),
    "/api/embeddings": ((400, "model is required"), 'model "NAME" not found, try pulling it first'),
    "/api/show": ((400, "model is required"), "model 'NAME:latest' not found"),
}


@pytest.mark.parametrize("path", NAMES)
def test_names_that_are_missing_bad_or_unknown(bench: Any, path: str) -> None:
    """G37: the table of §2.13."""
    missing, unknown = NAMES[path]
    assert (bench.post(path).parse().status, bench.post(path).json) == (
        missing[0],
        {"error": missing[1]},
    )
    bad = bench.post(path, model="a@b")
    assert (bad.parse().status, bad.json) == (400, {"error": "invalid model name"})
    call = bench.post(path, model="Nope")
    assert (call.parse().status, call.json) == (404, {"error": unknown.replace("NAME", "Nope")})


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "missing request body"),
        (b"{", "unexpected EOF"),
        (b"nope", "invalid character 'n' in JSON"),
        (b"[]", "json: cannot unmarshal array into Go value of type api.Request"),
        (
            b'{"stream":"no"}',
            "json: cannot unmarshal string into Go struct field ChatRequest.stream of type bool",
        ),
        (
            b'{"messages":3}',
            (
                "json: cannot unmarshal number into Go struct field ChatRequest.messages of type "
                "[]api.Message"
            ),
        ),
        (
            b'{"messages":[{"role":"user","content":[1]}]}',
            "json: cannot unmarshal array into Go struct field Message.content of type string",
        ),
    ],
)
def test_bad_bodies(bench: Any, body: bytes, error: str) -> None:
    """G38: no body and bad JSON are 400."""
    call = bench.send("POST", "/api/chat", body)
    assert (call.parse().status, call.json) == (400, {"error": error})


def test_bodies_are_read_as_go_reads_them(bench: Any) -> None:
    """Keys match in any case, null is unset, unknown keys and trailing bytes are ignored."""
    body = b'{"MODEL":"llama3.2","Messages":null,"stream":null,"x":1,"options":null} trailing'
    call = bench.send("POST", "/api/chat", body)
    bench.finish(call)
    assert call.json["done_reason"] == "load"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"num_predict": "3"}, 'option "num_predict" must be of type integer'),
        ({"temperature": True}, 'option "temperature" must be of type float32'),
        ({"use_mmap": 1}, 'option "use_mmap" must be of type boolean'),
        ({"stop": "x"}, 'option "stop" must be of type array'),
        ({"stop": [1]}, 'option "stop" must be of an array of strings'),
    ],
)
def test_wrong_option_types(bench: Any, options: Any, error: str) -> None:
    """G39: a wrong type is 500."""
    call = bench.post("/api/generate", model="llama3.2", prompt="q", options=options)
    assert (call.parse().status, call.json) == (500, {"error": error})


def test_capabilities(bench: Any) -> None:
    """What a model cannot do is 400, with the name the client sent or the full one."""
    errors = {
        ("/api/generate", "nomic-embed-text"): '"nomic-embed-text" does not support generate',
        ("/api/chat", "nomic-embed-text"): '"nomic-embed-text" does not support chat',
    }
    for (path, model), error in errors.items():
        call = bench.post(path, model=model, prompt="q", messages=HELLO)
        assert (call.parse().status, call.json) == (400, {"error": error})
    tools = bench.post("/api/chat", model="llava:7b", messages=HELLO, tools=[WEATHER])
    assert tools.json == {"error": "registry.ollama.ai/library/llava:7b does not support tools"}
    suffix = bench.post("/api/generate", model="llava:7b", prompt="a", suffix="b")
    assert suffix.json == {"error": "registry.ollama.ai/library/llava:7b does not support insert"}


def test_both_sources_in_a_name(bench: Any) -> None:
    """A name cannot be local and of the cloud."""
    call = bench.post("/api/chat", model="a:cloud:local")
    told = 'use either :local or :cloud, not both: "a:cloud:local"'
    assert (call.parse().status, call.json) == (400, {"error": told})


def test_root_version_and_status(bench: Any) -> None:
    """G49: the liveness text, by GET and HEAD, and the version."""
    assert bench.get("/").parse().body == b"Ollama is running"
    head = bench.send("HEAD", "/")
    assert b"Content-Length: 17\r\n" in head.raw
    assert head.raw.endswith(b"\r\n\r\n")
    assert bench.get("/api/version?x=1").json == {"version": "0.33.0"}
    assert bench.get("/api/status").json == {"cloud": {"disabled": False, "source": "none"}}


def test_unknown_routes_and_methods(bench: Any) -> None:
    """G50: 404 and 405 as plain text; slashes redirect."""
    call = bench.get("/api/generate").parse()
    assert (call.status, call.headers["allow"], call.body) == (
        405,
        "POST",
        b"405 method not allowed",
    )
    assert bench.send("HEAD", "/api/ps").raw.startswith(b"HTTP/1.1 405 ")
    missing = bench.get("/api/nope").parse()
    assert (missing.status, missing.body, missing.headers["content-type"]) == (
        404,
        b"404 page not found",
        "text/plain",
    )
    moved = bench.get("/api/tags/?a=1").parse()
    assert (moved.status, moved.headers["location"]) == (301, "/api/tags?a=1")
    doubled = bench.get("//api/tags").parse()
    assert (doubled.status, doubled.headers["location"]) == (301, "/api/tags")
    posted = bench.send("POST", "/api/chat/", {}).parse()
    assert (posted.status, posted.headers["location"]) == (307, "/api/chat")


@pytest.mark.parametrize(
    "name", ["llama3.2", "LLAMA3.2", "llama3.2:latest", "library/llama3.2", " llama3.2 "]
)
def test_spellings_of_a_name(bench: Any, name: str) -> None:
    """G51: all reach the same model; the reply has the form that was sent."""
    assert bench.ask("/api/generate", model=name).json["model"] == name
    assert [model["name"] for model in bench.ps] == ["llama3.2:latest"]


def test_long_bodies_are_chunked(bench: Any) -> None:
    """At most 2048 bytes have a Content-Length; a longer JSON body has chunks."""
    short = bench.get("/api/version").parse()
    assert short.headers["content-length"] == str(len(short.body))
    long = bench.post("/api/show", model="llama3.2", verbose=True).parse()
    assert len(long.body) > 2048
    assert "content-length" not in long.headers
    assert long.headers["transfer-encoding"] == "chunked"


@pytest.mark.parametrize("conflict", [{"system": "s"}, {"template": "t"}, {"context": [1]}])
def test_raw_conflicts(bench: Any, conflict: dict[str, Any]) -> None:
    """Raw mode takes no template, system or context."""
    call = bench.post("/api/generate", model="llama3.2", prompt="q", raw=True, **conflict)
    told = "raw mode does not support template, system, or context"
    assert (call.parse().status, call.json) == (400, {"error": told})


def test_http10_and_close(bench: Any) -> None:
    """An old client gets no chunks; who asks to close is told so."""
    old = bench.send(
        "POST",
        "/api/chat",
        {"model": "llama3.2", "messages": HELLO},
        is_http10=True,
        keep_alive=False,
    )
    bench.finish(old)
    assert old.raw.startswith(b"HTTP/1.0 200 OK\r\n")
    assert b"Transfer-Encoding" not in old.raw
    assert b"Connection: close\r\n" in bench.send("GET", "/", keep_alive=False).raw


@pytest.mark.parametrize(
    "part",
    [
        {"messages": [""]},
        {"messages": [[]]},
        {"messages": "hello"},
        {"messages": [{"content": ["parts"]}]},
        {"messages": [{"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]},
        {"messages": [{"tool_calls": [{"function": "f"}]}]},
        {"messages": HELLO, "tools": [[]]},
        {"messages": HELLO, "tools": {}},
        {"messages": HELLO, "tools": [{"function": {"name": 3}}]},
        {"messages": HELLO, "tools": [{"function": {"name": "f", "parameters": "x"}}]},
    ],
)
def test_wrong_types_inside_a_chat(bench: Any, part: dict[str, Any]) -> None:
    """Messages, tools and calls are as strictly typed as the fields around them."""
    call = bench.post("/api/chat", model="llama3.2", **part)
    assert call.parse().status == 400
    assert call.json["error"].startswith("json: cannot unmarshal ")


def test_null_inside_a_chat(bench: Any) -> None:
    """Null stands for what is empty."""
    messages = [None, {"role": "user", "content": None, "tool_calls": None}]
    call = bench.ask("/api/chat", model="llama3.2", messages=messages, tools=[None])
    assert call.status == 200


def test_head_of_a_long_body(make_bench: Any) -> None:
    """It has neither a length nor chunks, as Go's server has it; nor a body."""
    bench = make_bench(models=tuple(ModelConfig(name=f"m{n}") for n in range(50)))
    call = bench.send("HEAD", "/api/tags")
    assert call.raw.endswith(b"\r\n\r\n")
    assert b"Content-Length" not in call.raw
    assert b"Transfer-Encoding" not in call.raw


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (7_000_000_000, "7B"),
        (3_212_749_888, "3.2B"),
        (136_727_040, "136.73M"),
        (22_000_000, "22M"),
        (4_000, "4K"),
        (12, "12"),
    ],
)
def test_parameter_size(count: int, shown: str) -> None:
    """The number of parameters is shown as Ollama shows it, without decimals when whole."""
    assert ModelConfig(name="m", parameter_count=count).parameter_size == shown
