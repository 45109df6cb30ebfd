"""What is sent, read back and made into a request again, is the same request."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from triollama.api import (
    ChatChunk,
    ChatRequest,
    EmbedRequest,
    GenerateChunk,
    GenerateRequest,
    Message,
    ToolCall,
    ToolFunction,
    decode_chat_chunk,
    decode_generate_chunk,
)
from triollama.api.transcribe import TranscribeRequest

TEXT = st.text(max_size=20)  # without surrogates
NAME = st.from_regex(r"[a-z0-9_]{1,8}(:[a-z0-9]{1,4})?", fullmatch=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECT = st.dictionaries(TEXT, JSON, max_size=3)
IMAGES = st.lists(st.binary(min_size=1, max_size=20).map(lambda data: b"\0" + data), max_size=2)
CALLS = st.lists(
    st.builds(
        ToolCall,
        function=st.builds(ToolFunction, name=NAME, arguments=OBJECT, index=st.integers(0, 9)),
        id=TEXT,
    ),
    max_size=2,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user", "assistant", "tool"]), "content": TEXT},
        optional={"thinking": TEXT, "images": IMAGES, "tool_calls": CALLS, "tool_name": TEXT},
    ),
    max_size=3,
)
COMMON: dict[str, st.SearchStrategy[Any]] = {
    "format": st.just("json") | OBJECT,
    "options": st.fixed_dictionaries(
        {}, optional={"num_ctx": st.integers(0, 99), "stop": st.lists(TEXT), "new": JSON}
    ),
    "keep_alive": st.integers(-5, 500)
    | st.sampled_from(["5m", "-1s", "1h30m", "0"])
    | st.timedeltas(timedelta(0), timedelta(days=9)),
    "think": st.booleans() | st.sampled_from(["low", "medium", "high", "max"]),
    "truncate": st.booleans(),
    "shift": st.booleans(),
    "logprobs": st.booleans(),
    "top_logprobs": st.integers(0, 20),
}
TOOLS = st.lists(
    st.builds(lambda name, more: {"function": {"name": name, "parameters": more}}, NAME, OBJECT)
)
DEBUG = "_debug_render_only"


def fields_of(body: bytes) -> dict[str, Any]:
    """The fields of a body, as arguments."""
    fields = json.loads(body)
    fields.pop("stream", None)
    if DEBUG in fields:
        fields["debug_render_only"] = fields.pop(DEBUG)
    return dict(fields)


@given(NAME, MESSAGES, st.fixed_dictionaries({}, optional={**COMMON, "tools": TOOLS}))
def test_chats(model: str, messages: Any, fields: dict[str, Any]) -> None:
    """Every field, in every form."""
    body = ChatRequest.make(model, messages, **fields).body()
    assert ChatRequest.make(**fields_of(body)).body() == body


@given(NAME, TEXT, IMAGES, st.fixed_dictionaries({}, optional={**COMMON, "suffix": TEXT}))
def test_completions(model: str, prompt: str, images: Any, fields: dict[str, Any]) -> None:
    """The same of generate."""
    body = GenerateRequest.make(model, prompt, images=images, **fields).body()
    assert GenerateRequest.make(**fields_of(body)).body() == body


@given(NAME, TEXT | st.lists(TEXT), st.integers(0, 99))
def test_vectors(model: str, texts: Any, dimensions: int) -> None:
    """The same of embed."""
    body = EmbedRequest.make(model=model, input=texts, dimensions=dimensions).body()
    assert EmbedRequest.make(**fields_of(body)).body() == body


@given(NAME, TEXT, TEXT, st.sampled_from(["json", "text"]))
def test_transcriptions(model: str, language: str, prompt: str, form: str) -> None:
    """The fields of the form."""
    given_ = {"model": model, "language": language, "prompt": prompt, "response_format": form}
    sent = TranscribeRequest.make(**given_).form()
    assert {name: value.decode() for name, value in sent} == given_


@given(TEXT, st.none() | TEXT, CALLS, st.booleans(), st.integers(0, 2**60))
def test_events(text: str, thinking: str | None, calls: Any, done: bool, count: int) -> None:  # noqa: FBT001
    """A chunk that is written as a line is the same chunk when it is read."""
    message = Message("assistant", text, thinking, tool_calls=tuple(calls))
    chat = ChatChunk(model="m", message=message, done=done, eval_count=count)
    read = decode_chat_chunk(msgspec.json.encode(chat), 0)
    assert (read.message, read.done, read.eval_count) == (message, done, count)
    generate = GenerateChunk(content=text, thinking=thinking, tool_calls=tuple(calls), done=done)
    again = decode_generate_chunk(msgspec.json.encode(generate), 0)
    assert (again.content, again.thinking, again.tool_calls) == (text, thinking, tuple(calls))
