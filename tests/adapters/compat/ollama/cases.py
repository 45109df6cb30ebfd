"""Every method of the official client, in every form of its arguments.

A case is written for both: what it makes of types (``o.Message(…)``) it makes of those of the
module that it is given.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
from tests.adapters.compat.ollama.functions import (
    add_two_numbers,
    describe,
    optional,
    paint,
    untyped,
)

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
HELLO = [{"role": "user", "content": "hello"}]
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
OPTIONS = {"temperature": 0.5, "seed": 7, "stop": ["zzz"], "num_predict": 9}

TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather.",
        "parameters": {
            "type": "object",
            "required": ["city"],
            "properties": {
                "city": {"type": "string", "description": "Where."},
                "unit": {"type": "string", "enum": ["C", "F"]},
                "days": {"type": "array", "items": {"type": "integer"}},
                "either": {"type": ["string", "null"]},
            },
        },
    },
}
CALLED: list[dict[str, Any]] = [
    {"role": "user", "content": "What is the weather?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"function": {"name": "get_weather", "arguments": {"city": "Bonn"}}}],
    },
    {"role": "tool", "content": "22 degrees", "tool_name": "get_weather"},
]
QUESTIONS: dict[str, Any] = {
    "team": {"type": "choice", "instructions": "Which team?", "criteria": {"a": "A", "b": None}},
    "is_new": {"type": "noul", "instructions": {"ask": "new?"}, "criteria": {"true": "Yes"}},
    "how": {"type": "score", "instructions": ["how much?"], "criteria": ["low", "high"]},
}

Make = Callable[[Any, Path], Mapping[str, Any]]


@attrs.frozen
class Case:
    """One call.

    Attributes:
        method: the method's name.
        id: what is special about it.
        make: makes its keyword arguments of a module and a folder.
        places: how many of them are given by position.
        before: what is done first, with the official client, so that there is something to do.
        faults: rules for the simulator.
        is_error: whether it fails.
        is_told_otherwise: whether the model sees something else than with the official client,
            because of a listed difference, and so answers something else.
    """

    method: str
    id: str
    make: Make
    places: int = 0
    before: Callable[[Any], object] | None = None
    faults: tuple[dict[str, Any], ...] = ()
    is_error: bool = False
    is_told_otherwise: bool = False

    @property
    def name(self) -> str:
        """For pytest."""
        return f"{self.method}-{self.id}"


STREAMED = ("chat", "generate", "pull", "push", "create")
"""Methods with the argument ``stream``; each of their cases is run with it as well."""


def _with(**fields: Any) -> Make:
    return lambda _module, _folder: fields


def _chat(name: str, **fields: Any) -> Case:
    base = {"model": "llama3.2", "messages": HELLO}
    return Case("chat", name, _with(**(base | fields)))


def _generate(name: str, **fields: Any) -> Case:
    return Case("generate", name, _with(**({"model": "llama3.2", "prompt": "hello"} | fields)))


def _file(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _message(module: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "llava:7b", "messages": [module.Message(role="user", **fields)]}


def _pull(client: Any) -> None:
    client.pull("tinyllama")


def _copy(client: Any) -> None:
    client.copy("llama3.2", "ada/extra")


_FAILS = {"fault": {"kind": "status", "status": 500, "text": "boom"}}
_LATE = {"fault": {"kind": "error_line", "after_tokens": 2, "text": "boom"}}

CASES = (
    # ---- chat
    Case("chat", "places", _with(model="llama3.2", messages=HELLO), places=2),
    _chat("plain"),
    Case("chat", "model-alone", _with(model="llama3.2"), places=1),
    _chat("system", messages=[{"role": "system", "content": "Be brief."}, *HELLO]),
    _chat("no-messages", messages=None),
    _chat("empty-messages", messages=[]),
    _chat("options", options=OPTIONS),
    _chat("empty-options", options={}),
    Case(
        "chat",
        "options-object",
        lambda o, _: {
            "model": "llama3.2",
            "messages": HELLO,
            "options": o.Options(temperature=0.0, seed=3, stop=["x"]),
        },
    ),
    _chat("think", model="qwen3:0.6b", think=True),
    _chat("no-think", model="qwen3:0.6b", think=False),
    _chat("think-level", model="qwen3:0.6b", think="low"),
    _chat("format-json", format="json"),
    _chat("format-empty", format=""),
    _chat("format-schema", format=SCHEMA),
    _chat("logprobs", logprobs=True, top_logprobs=2),
    _chat("keep-alive-number", keep_alive=60),
    _chat("keep-alive-fraction", keep_alive=1.5),
    _chat("keep-alive-text", keep_alive="5m"),
    _chat("unload", messages=[], keep_alive=0),
    _chat("tool-mapping", tools=[TOOL]),
    _chat("tool-function", tools=[add_two_numbers]),
    _chat("tool-functions", tools=[add_two_numbers, describe, optional, untyped]),
    attrs.evolve(_chat("tool-enum", tools=[paint]), is_told_otherwise=True),
    _chat("tool-is-called", tools=[TOOL], messages=[{"role": "user", "content": "get_weather"}]),
    Case(
        "chat",
        "tool-object",
        lambda o, _: {"model": "llama3.2", "messages": HELLO, "tools": [o.Tool(**TOOL)]},
    ),
    attrs.evolve(_chat("tool-result", messages=CALLED, tools=[TOOL]), is_told_otherwise=True),
    Case("chat", "message-object", lambda o, _: _message(o, content="hello")),
    Case("chat", "image-bytes", lambda o, _: _message(o, content="see", images=[{"value": PNG}])),
    Case(
        "chat",
        "image-path",
        lambda _, folder: {
            "model": "llava:7b",
            "messages": [{"role": "user", "content": "?", "images": [_file(folder, "p.png", PNG)]}],
        },
    ),
    Case(
        "chat",
        "image-path-text",
        lambda _, folder: {
            "model": "llava:7b",
            "messages": [
                {"role": "user", "content": "?", "images": [str(_file(folder, "p.png", PNG))]}
            ],
        },
    ),
    _chat(
        "image-base64",
        model="llava:7b",
        messages=[{"role": "user", "content": "?", "images": [base64.b64encode(PNG).decode()]}],
    ),
    Case(
        "chat",
        "image-object",
        lambda o, _: {
            "model": "llava:7b",
            "messages": [{"role": "user", "content": "?", "images": [o.Image(value=PNG)]}],
        },
    ),
    attrs.evolve(_chat("no-such-model", model="nope"), is_error=True),
    attrs.evolve(_chat("cannot-think", think=True), is_error=True),
    attrs.evolve(_chat("cannot-chat", model="nomic-embed-text"), is_error=True),
    attrs.evolve(_chat("server-fails"), is_error=True, faults=(_FAILS,)),
    attrs.evolve(_chat("fails-late"), is_error=True, faults=(_LATE,)),
    # ---- generate
    Case(
        "generate",
        "places",
        _with(model="codellama:7b-code", prompt="def f(", suffix="return 1"),
        places=3,
        is_error=True,
    ),
    _generate("plain"),
    Case("generate", "model-alone", _with(model="llama3.2"), places=1),
    _generate("load", prompt=None),
    _generate("empty-prompt", prompt=""),
    _generate("unload", prompt=None, keep_alive=0),
    _generate("system", system="Be brief.", template="{{ .System }} {{ .Prompt }}"),
    _generate("context", context=[1, 2, 3]),
    _generate("raw", raw=True),
    _generate("think", model="qwen3:0.6b", think=True),
    _generate("format-json", format="json"),
    _generate("format-schema", format=SCHEMA),
    _generate("logprobs", logprobs=True, top_logprobs=1),
    _generate("options", options=OPTIONS, keep_alive="1h"),
    _generate("images-bytes", model="llava:7b", images=[PNG]),
    Case(
        "generate",
        "images-object",
        lambda o, folder: {
            "model": "llava:7b",
            "prompt": "?",
            "images": [o.Image(value=_file(folder, "p.png", PNG)), o.Image(value=PNG)],
        },
    ),
    _generate("drawing", width=64, height=64, steps=2),
    attrs.evolve(_generate("suffix", suffix="end"), is_error=True),
    attrs.evolve(_generate("no-such-model", model="nope"), is_error=True),
    attrs.evolve(_generate("server-fails"), is_error=True, faults=(_FAILS,)),
    attrs.evolve(_generate("fails-late"), is_error=True, faults=(_LATE,)),
    # ---- embed, embeddings
    Case("embed", "places", _with(model="nomic-embed-text", input="a"), places=2),
    Case("embed", "several", _with(model="nomic-embed-text", input=["a", "b"])),
    Case(
        "embed",
        "all",
        _with(
            model="nomic-embed-text",
            input=["a"],
            truncate=True,
            options={"num_ctx": 64},
            keep_alive=10,
            dimensions=8,
        ),
    ),
    Case("embed", "load", _with(model="nomic-embed-text")),
    Case("embed", "no-such-model", _with(model="nope", input="a"), is_error=True),
    Case(
        "embed",
        "too-long",
        _with(model="nomic-embed-text", input="a " * 5000, truncate=False),
        is_error=True,
    ),
    Case("embeddings", "places", _with(model="nomic-embed-text", prompt="a"), places=2),
    Case(
        "embeddings",
        "all",
        _with(model="nomic-embed-text", prompt="a", options={"num_ctx": 64}, keep_alive="1m"),
    ),
    Case("embeddings", "model-alone", _with(model="nomic-embed-text")),
    Case("embeddings", "no-such-model", _with(model="nope", prompt="a"), is_error=True),
    # ---- models
    Case("pull", "plain", _with(model="tinyllama"), places=1),
    Case("pull", "insecure", _with(model="tinyllama", insecure=True)),
    Case("pull", "is-here", _with(model="tinyllama"), before=_pull),
    Case("pull", "no-such-model", _with(model="nope"), is_error=True),
    Case("push", "plain", _with(model="ada/extra"), places=1, before=_copy),
    Case("push", "insecure", _with(model="ada/extra", insecure=True), before=_copy),
    Case("push", "no-such-model", _with(model="ada/nope"), is_error=True),
    Case("create", "from", _with(model="mario", from_="llama3.2", system="You are Mario.")),
    Case("create", "places", _with(model="m", quantize=None, from_="llama3.2"), places=3),
    Case(
        "create",
        "all",
        lambda o, _: {
            "model": "mario",
            "from_": "llama3.2",
            "template": "{{ .Prompt }}",
            "license": ["MIT", "Apache"],
            "system": "You are Mario.",
            "parameters": o.Options(temperature=1.0, stop=["x"]),
            "messages": [o.Message(role="user", content="hi"), {"role": "user", "content": "ho"}],
        },
    ),
    Case(
        "create",
        "mappings",
        _with(model="mario", from_="llama3.2", license="MIT", parameters={"num_ctx": 64}),
    ),
    Case(
        "create",
        "quantize",
        _with(model="small", from_="smollm2:135m-instruct-fp16", quantize="q4_K_M"),
        before=lambda client: client.pull("smollm2:135m-instruct-fp16"),
    ),
    Case(
        "create",
        "missing-files",
        _with(model="m", files={"a.gguf": "sha256:" + "1" * 64}),
        is_error=True,
    ),
    Case(
        "create",
        "missing-adapters",
        _with(model="m", from_="llama3.2", adapters={"a.gguf": "sha256:" + "1" * 64}),
        is_error=True,
    ),
    Case("create_blob", "path", lambda _, folder: {"path": _file(folder, "b", b"blob")}, places=1),
    Case("create_blob", "text", lambda _, folder: {"path": str(_file(folder, "c", b"x" * 70_000))}),
    Case("create_blob", "no-file", lambda _, folder: {"path": folder / "none"}, is_error=True),
    Case("list", "plain", _with()),
    Case("ps", "nothing", _with()),
    Case("ps", "loaded", _with(), before=lambda client: client.generate("llama3.2")),
    Case("show", "plain", _with(model="llama3.2"), places=1),
    Case("show", "vision", _with(model="llava:7b")),
    Case("show", "no-such-model", _with(model="nope"), is_error=True),
    Case("show", "no-such-tag", _with(model="nope:1b"), is_error=True),
    Case("delete", "plain", _with(model="ada/extra"), places=1, before=_copy),
    Case("delete", "no-such-model", _with(model="nope"), is_error=True),
    Case("copy", "places", _with(source="llama3.2", destination="ada/extra"), places=2),
    Case("copy", "no-such-model", _with(source="nope", destination="b"), is_error=True),
    # ---- the cloud
    Case("web_search", "places", _with(query="llamas"), places=1),
    Case("web_search", "some", _with(query="llamas", max_results=2)),
    Case("web_fetch", "plain", _with(url="https://example.com/"), places=1),
    # ---- a route that 0.33 does not have
    Case(
        "systemone",
        "plain",
        _with(model="nimble", state="It is late.", questions=QUESTIONS, keep_alive="5m"),
        is_error=True,
    ),
)
