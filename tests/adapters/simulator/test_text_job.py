"""Generate and chat, event by event, with a hand-driven clock."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest

from triollama_adapters.simulator import ModelConfig
from triollama_adapters.simulator.template import Message, fit_messages, render

GENERATE_FIRST = ["model", "created_at", "response", "done"]
METRICS = [
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
]
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?(Z|[+-]\d\d:\d\d)")
HELLO = [{"role": "user", "content": "hello"}]


def texts(events: list[dict[str, Any]], field: str = "content") -> str:
    """Join one field of a chat's events."""
    return "".join(event["message"].get(field, "") for event in events)


def test_generate_stream(bench: Any) -> None:
    """G01, G03: each event has its fields in order; the last alone is done; one event a chunk."""
    call = bench.ask("/api/generate", model="llama3.2", prompt="why?")
    events = call.events
    assert call.headers["content-type"] == "application/x-ndjson"
    assert call.headers["transfer-encoding"] == "chunked"
    assert "server" not in call.headers
    assert len(call.chunks) == len(events)
    stamps = [event["created_at"] for event in events]
    assert all(RFC3339.fullmatch(stamp) for stamp in stamps)
    assert stamps == sorted(stamps, key=lambda stamp: float(stamp[17:-1]))
    assert all(list(event) == GENERATE_FIRST for event in events[:-1])
    assert all(event["model"] == "llama3.2" for event in events)
    assert [event["done"] for event in events] == [False] * (len(events) - 1) + [True]
    assert list(events[-1]) == [*GENERATE_FIRST, "done_reason", "context", *METRICS]


def test_chat_stream(bench: Any) -> None:
    """G02: every event has the assistant's message, also the last."""
    events = bench.ask("/api/chat", model="LLAMA3.2:latest", messages=HELLO).events
    assert all(list(event) == ["model", "created_at", "message", "done"] for event in events[:-1])
    assert all(event["message"]["role"] == "assistant" for event in events)
    assert all(isinstance(event["message"]["content"], str) for event in events)
    assert list(events[-1]) == ["model", "created_at", "message", "done", "done_reason", *METRICS]
    assert events[0]["model"] == "LLAMA3.2:latest"


def test_metrics_add_up(bench: Any) -> None:
    """G04, G05: the total is the sum of its parts, and the time that passed."""
    began = bench.now
    last = bench.ask("/api/chat", model="llama3.2", messages=HELLO).events[-1]
    assert last["done_reason"] == "stop"
    parts = last["load_duration"] + last["prompt_eval_duration"] + last["eval_duration"]
    assert last["total_duration"] >= parts
    assert last["total_duration"] == pytest.approx((bench.now - began) * 1e9, rel=0.001)
    assert all(isinstance(last[name], int) and last[name] > 0 for name in METRICS)


@pytest.mark.parametrize("model", ["llama3.2", "qwen3:0.6b"])
def test_without_stream_the_same_text(bench: Any, model: str) -> None:
    """G06, G56: one object, whose text and thinking are those of the stream."""
    events = bench.ask("/api/chat", model=model, messages=HELLO).events
    whole = bench.ask("/api/chat", model=model, messages=HELLO, stream=False)
    assert whole.json["message"]["content"] == texts(events)
    assert whole.json["message"].get("thinking", "") == texts(events, "thinking")
    assert whole.headers["content-type"] == "application/json; charset=utf-8"
    assert not whole.body.endswith(b"\n")
    generated = bench.ask("/api/generate", model=model, prompt="hello", stream=False).json
    streamed = bench.ask("/api/generate", model=model, prompt="hello").events
    assert generated["response"] == "".join(event["response"] for event in streamed)
    assert generated["eval_count"] == streamed[-1]["eval_count"]
    assert generated["context"] == streamed[-1]["context"]


def test_num_predict(bench: Any) -> None:
    """G07: so many tokens, and the reason says so."""
    events = bench.ask(
        "/api/generate", model="llama3.2", prompt="q", options={"num_predict": 3}
    ).events
    assert (events[-1]["eval_count"], events[-1]["done_reason"], len(events)) == (3, "length", 4)
    fraction = bench.ask(
        "/api/generate", model="llama3.2", prompt="q", options={"num_predict": 2.9}
    )
    assert fraction.events[-1]["eval_count"] == 2


def test_num_predict_is_bounded_by_ten_contexts(make_bench: Any) -> None:
    """An answer without end stops after ten contexts."""
    bench = make_bench(answer_tokens_min=10**6, answer_tokens_max=10**6)
    last = bench.ask("/api/chat", model="llama3.2", messages=HELLO, options={"num_ctx": 16}).events[
        -1
    ]
    assert (last["eval_count"], last["done_reason"]) == (160, "length")


@pytest.mark.parametrize("stream", [True, False])
def test_stop(bench: Any, *, stream: bool) -> None:
    """G08: the text ends before the stop text, which may lie across tokens."""
    whole = bench.ask("/api/generate", model="llama3.2", prompt="q", stream=False).json["response"]
    stop = whole[40:47]
    call = bench.ask(
        "/api/generate", model="llama3.2", prompt="q", stream=stream, options={"stop": ["@@", stop]}
    )
    events = call.events if stream else [call.json]
    assert "".join(event["response"] for event in events) == whole[: whole.index(stop)]
    assert events[-1]["done_reason"] == "stop"
    missed = bench.ask(
        "/api/generate", model="llama3.2", prompt="q", stream=False, options={"stop": [".@"]}
    )
    assert missed.json["response"] == whole


@pytest.mark.parametrize("stream", [True, False])
def test_load_and_unload(bench: Any, *, stream: bool) -> None:
    """G10, G11, G12: one JSON object without metrics, also where a stream was asked."""
    call = bench.ask("/api/generate", model="llama3.2", stream=stream)
    assert call.headers["content-type"] == "application/json; charset=utf-8"
    assert list(call.json) == [*GENERATE_FIRST, "done_reason"]
    assert (call.json["response"], call.json["done"], call.json["done_reason"]) == (
        "",
        True,
        "load",
    )
    chat = bench.ask("/api/chat", model="llama3.2", messages=[], stream=stream).json
    assert list(chat) == ["model", "created_at", "message", "done", "done_reason"]
    assert chat["message"] == {"role": "assistant", "content": ""}
    for zero in (0, "0", "0s"):
        assert (
            bench.post("/api/chat", model="llama3.2", keep_alive=zero).json["done_reason"]
            == "unload"
        )
        assert not bench.ps


def test_unload_needs_no_loaded_model_and_no_capability(bench: Any) -> None:
    """An unload of what is not loaded, or of an embedding model, works; of an unknown one not."""
    call = bench.post("/api/generate", model="nomic-embed-text", keep_alive=0)
    assert call.json["done_reason"] == "unload"
    assert bench.post("/api/generate", model="nope", keep_alive=0).parse().status == 404


def test_images(bench: Any) -> None:
    """G33: an image counts in the prompt; bad base64 is 400."""
    png = "iVBORw0KGgo="
    with_image = bench.ask("/api/generate", model="llava:7b", prompt="q", images=[png]).events[-1]
    without = bench.ask("/api/generate", model="llava:7b", prompt="q").events[-1]
    assert with_image["prompt_eval_count"] > without["prompt_eval_count"] + 700
    bad = bench.post(
        "/api/chat", model="llava:7b", messages=[{"role": "user", "images": ["data:x"]}]
    )
    assert (bad.parse().status, bad.json) == (400, {"error": "illegal base64 data at input byte 4"})


def test_think(bench: Any) -> None:
    """G35: thinking is apart, on by default, off by false, refused where the model cannot."""
    for on in ({}, {"think": True}, {"think": "high"}):
        events = bench.ask("/api/chat", model="qwen3:0.6b", messages=HELLO, **on).events
        assert texts(events, "thinking")
        assert "think>" not in texts(events)
    off = bench.ask("/api/chat", model="qwen3:0.6b", messages=HELLO, think=False).events
    assert not texts(off, "thinking")
    refused = bench.post("/api/chat", model="llama3.2", messages=HELLO, think=True)
    assert refused.parse().status == 400
    assert refused.json == {"error": '"llama3.2" does not support thinking'}
    assert (
        bench.ask("/api/chat", model="llama3.2", messages=HELLO, think=False).parse().status == 200
    )
    wrong = bench.post("/api/chat", model="qwen3:0.6b", messages=HELLO, think="x")
    told = 'invalid think value: "x" (must be "high", "medium", "low", "max", true, or false)'
    assert (wrong.parse().status, wrong.json) == (400, {"error": told})
    assert (
        bench.post("/api/chat", model="qwen3:0.6b", messages=HELLO, think=3).parse().status == 400
    )


@pytest.mark.parametrize("stream", [True, False])
def test_logprobs(bench: Any, *, stream: bool) -> None:
    """G36: an entry for each token, with its alternatives."""
    more = {"logprobs": True, "top_logprobs": 2, "stream": stream}
    call = bench.ask("/api/chat", model="llama3.2", messages=HELLO, **more)
    events = call.events if stream else [call.json]
    entries = [entry for event in events for entry in event.get("logprobs", ())]
    text = b"".join(bytes(entry["bytes"]) for entry in entries).decode()
    assert text == texts(events)
    assert len(entries) == events[-1]["eval_count"]
    assert all(entry["logprob"] <= 0 and len(entry["top_logprobs"]) == 2 for entry in entries)
    assert (
        bench.post("/api/chat", model="llama3.2", messages=HELLO, top_logprobs=21).parse().status
        == 400
    )


def test_context_overflow(bench: Any) -> None:
    """G54: a long chat loses its oldest messages; a long prompt its middle, or is refused."""
    long = [{"role": "user", "content": "word " * 800} for _ in range(4)]
    small = {"num_ctx": 2048}
    roles = [
        {"role": "system", "content": "be brief"},
        *long[:1],
        {"role": "assistant", "content": "a"},
        *long[1:2],
    ]
    for messages in (roles, [{"role": "user", "content": "word " * 9000}]):
        last = bench.ask("/api/chat", model="llama3.2", messages=messages, options=small).events[-1]
        assert 900 < last["prompt_eval_count"] <= 2048
    prompt = "word " * 9000
    last = bench.ask("/api/generate", model="llama3.2", prompt=prompt, options=small).events[-1]
    assert last["prompt_eval_count"] <= 2048
    refused = bench.ask(
        "/api/generate", model="llama3.2", prompt=prompt, options=small, shift=False
    )
    assert refused.parse().status == 400
    assert refused.json["error"].startswith("the prompt is longer than the context length")
    assert refused.headers["content-type"] == "application/json"
    runner = bench.ask(
        "/api/generate", model="llama3.2", prompt=prompt, options=small, truncate=False
    )
    inner = json.loads(runner.json["error"])["error"]
    assert (runner.status, inner["type"], inner["n_ctx"]) == (
        400,
        "exceed_context_size_error",
        2048,
    )


def test_without_shift_a_full_context_ends_the_answer(make_bench: Any) -> None:
    """The answer has as many tokens as the context has left."""
    bench = make_bench(answer_tokens_min=500, answer_tokens_max=500)
    body = {"model": "llama3.2", "messages": HELLO, "options": {"num_ctx": 64}}
    last = bench.ask("/api/chat", **body, shift=False).events[-1]
    assert (last["prompt_eval_count"] + last["eval_count"], last["done_reason"]) == (64, "length")
    assert bench.ask("/api/chat", **body).events[-1]["eval_count"] == 500


def test_escapes_on_the_wire(make_bench: Any) -> None:
    """G55: HTML is escaped, other text is raw UTF-8, and no character is split between events."""
    bench = make_bench(answer_tokens_min=3000, answer_tokens_max=3000)
    call = bench.ask("/api/generate", model="llama3.2", prompt="q")
    text = "".join(event["response"] for event in call.events)
    assert all(trap in text for trap in ("<b>", "&amp;", "\u2028", "😀", "世界"))
    assert rb"\u003cb\u003e" in call.body
    assert rb"\u2028" in call.body
    assert "世界".encode() in call.body
    assert not set(b"<>&") & set(call.body)
    for chunk in call.chunks:
        chunk.decode()


def test_debug_render_only(bench: Any) -> None:
    """The rendered prompt comes without a generation, and raw with a part behind it goes on."""
    chat = bench.ask("/api/chat", model="llama3.2", messages=HELLO, _debug_render_only=True).json
    rendered = chat["_debug_info"]["rendered_template"]
    assert rendered == "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"
    assert list(chat) == ["model", "created_at", "message", "done", "_debug_info"]
    whole = texts(bench.ask("/api/chat", model="llama3.2", messages=HELLO).events)
    for cut in range(0, len(whole), 17):
        body = {"model": "llama3.2", "prompt": rendered + whole[:cut], "raw": True}
        call = bench.ask("/api/generate", **body)
        assert whole[:cut] + "".join(event["response"] for event in call.events) == whole
        assert "context" not in call.events[-1]
    generated = bench.ask(
        "/api/generate", model="llama3.2", prompt="hello", _debug_render_only=True
    )
    assert generated.json["_debug_info"]["rendered_template"] == rendered
    assert bench.state.generations_started == 1 + len(range(0, len(whole), 17))


def test_context_is_put_before_the_prompt(bench: Any) -> None:
    """The tokens of an answer, sent back, stand before the next prompt."""
    first = bench.ask("/api/generate", model="llama3.2", prompt="one", stream=False).json
    body = {"model": "llama3.2", "prompt": "two", "context": first["context"]}
    rendered = bench.ask("/api/generate", **body, _debug_render_only=True).json
    text = rendered["_debug_info"]["rendered_template"]
    assert first["response"] in text
    assert text.index("one") < text.index("two")


def rendered(bench: Any, path: str, **body: Any) -> str:
    """What the model would read."""
    call = bench.ask(path, model="m", _debug_render_only=True, **body)
    text: str = call.json["_debug_info"]["rendered_template"]
    return text


def test_the_models_own_system_prompt(make_bench: Any) -> None:
    """It stands first, unless the first message is a system prompt or the request has one."""
    bench = make_bench(models=(ModelConfig(name="m", system="OWN"),))
    given = {"role": "system", "content": "GIVEN"}
    assert rendered(bench, "/api/chat", messages=HELLO).count("OWN") == 1
    assert "OWN" not in rendered(bench, "/api/chat", messages=[given, *HELLO])
    late = rendered(bench, "/api/chat", messages=[*HELLO, given])
    assert late.index("OWN") < late.index("hello") < late.index("GIVEN")
    assert "OWN" not in rendered(bench, "/api/generate", prompt="q", system="GIVEN")
    assert "OWN" in rendered(bench, "/api/generate", prompt="q", system="")


@pytest.mark.parametrize("count", [1, 2, 9, 40])
@pytest.mark.parametrize("tokens", [1, 30, 100, 10_000])
def test_as_many_old_messages_are_dropped_as_must_be(count: int, tokens: int) -> None:
    """One message less dropped would not fit; system messages and the last one stay."""
    roles = ("system", "user", "assistant", "tool")
    messages = [Message(roles[n % 4], f"message {n} " * (n % 3)) for n in range(count)]
    kept, prompt = fit_messages(messages, tokens, think=None)
    assert prompt == render(kept, think=None)
    lost = [message for message in messages if message not in kept]
    assert messages[-1] in kept
    assert not any(message.role == "system" for message in lost)
    if lost:
        more = [message for message in messages if message in kept or message is lost[-1]]
        assert render(more, think=None).tokens > tokens


def test_a_long_chat_is_cut_quickly(bench: Any) -> None:
    """Thousands of messages do not keep the other streams waiting for seconds."""
    messages = [
        {"role": ("user", "assistant")[n % 2], "content": "some words"} for n in range(5_001)
    ]
    began = time.process_time()
    last = bench.ask("/api/chat", model="llama3.2", messages=messages).events[-1]
    assert last["prompt_eval_count"] > 3000
    assert time.process_time() - began < 2
