"""Every answer that the reference of Ollama's API describes is read, whole and with more in it.

The documents have all fields of its tables, those that may be left out included.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama._errors import ProtocolError, TruncatedError
from triollama.api import (
    decode_chat_chunk,
    decode_embed,
    decode_generate_chunk,
    decode_ps,
    decode_show,
    decode_tags,
    decode_version,
)
from triollama.api.account import (
    decode_account,
    decode_recommendations,
    decode_status,
    decode_web_fetch,
    decode_web_search,
)
from triollama.api.embeddings import decode_embeddings
from triollama.api.transcribe import decode_transcription
from triollama.api.transfer import decode_progress

NOW = "2026-08-21T10:00:00.1234Z"
METRICS = {
    "total_duration": 91000000,
    "load_duration": 1500000,
    "prompt_eval_count": 7,
    "prompt_eval_duration": 20000000,
    "eval_count": 2,
    "eval_duration": 16000000,
}
LOGPROB = {"token": "a", "logprob": -0.5, "bytes": [97]}
LOGPROBS = [{**LOGPROB, "top_logprobs": [LOGPROB, {"token": "", "logprob": -1}]}]
CALL = {"id": "call_a1b2c3d4", "function": {"index": 0, "name": "f", "arguments": {"x": 1}}}
BASE = {"model": "m1", "created_at": NOW}
REMOTE = {"remote_model": "r", "remote_host": "https://ollama.com:443"}
LAST = {"done": True, "done_reason": "stop", **METRICS}
SAID = {"role": "assistant", "content": "", "thinking": "hm", "tool_calls": [CALL]}
DEBUG = {"_debug_info": {"rendered_template": "<s>", "image_count": 1}}
DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "llama",
    "families": None,
    "parameter_size": "8.0B",
    "quantization_level": "Q4_K_M",
}
LISTED = {"name": "m:latest", "model": "m:latest", "size": 5, "digest": "a" * 64}
LENGTHS = {"context_length": 8192, "embedding_length": 4096}
LOCAL = "2026-08-21T03:00:00-07:00"
SHOWN = {
    "license": "MIT",
    "modelfile": "# Modelfile",
    "parameters": "stop  x",
    "template": "{{ .Prompt }}",
    "system": "s",
    "renderer": "r",
    "parser": "p",
    "details": DETAILS,
    "messages": [{"role": "user", "content": "hi"}],
    **REMOTE,
    "model_info": {"general.architecture": "llama", "tokenizer.ggml.tokens": None},
    "projector_info": {"general.architecture": "clip"},
    "tensors": [{"name": "t", "type": "Q4_K", "shape": [1, 2]}],
    "capabilities": ["completion", "vision"],
    "modified_at": LOCAL,
    "requires": "0.30.0",
}

Decode = Callable[[bytes], Any]
chat: Decode = partial(decode_chat_chunk, arrived_ns=0)
generate: Decode = partial(decode_generate_chunk, arrived_ns=0)

ANSWERS: list[tuple[Decode, dict[str, Any]]] = [
    (generate, {**BASE, "response": "Hel", "done": False}),
    (generate, {**BASE, **REMOTE, "response": "", "thinking": "hm", "done": False}),
    (generate, {**BASE, "response": "", **LAST, "context": [1, 2, 3]}),
    (generate, {**BASE, "response": "", **LAST, "tool_calls": [CALL], "logprobs": LOGPROBS}),
    (generate, {**BASE, "response": "", "done": False, **DEBUG}),
    (generate, {**BASE, "response": "", "done": True, "done_reason": "load"}),
    (generate, {**BASE, "response": "", "done": True, "done_reason": "unload"}),
    (generate, {"error": "model runner has unexpectedly stopped"}),
    (chat, {**BASE, "message": {"role": "assistant", "content": "Hel"}, "done": False}),
    (chat, {**BASE, **REMOTE, "message": SAID, "done": False, "logprobs": LOGPROBS}),
    (chat, {**BASE, "message": SAID, **LAST, **DEBUG}),
    (chat, {**BASE, "message": {"role": "assistant", "content": ""}, "done": True}),
    (chat, {"error": "an error was encountered while running the model: x"}),
    (
        decode_embed,
        {
            "model": "m1",
            "embeddings": [[0.010071029, -1], [1e-7, 0]],
            "total_duration": 5,
            "load_duration": 2,
            "prompt_eval_count": 3,
        },
    ),
    (decode_embed, {"model": "m1", "embeddings": []}),
    (decode_embeddings, {"embedding": [0.5, -0.25]}),
    (decode_embeddings, {"embedding": []}),
    (decode_tags, {"models": []}),
    (
        decode_tags,
        {
            "models": [
                {
                    **LISTED,
                    **REMOTE,
                    "modified_at": LOCAL,
                    "capabilities": ["tools"],
                    "details": {**DETAILS, **LENGTHS},
                }
            ]
        },
    ),
    (decode_ps, {"models": []}),
    (
        decode_ps,
        {
            "models": [
                {**LISTED, "details": DETAILS, "expires_at": LOCAL, "size_vram": 0}
                | {"context_length": 4096}
            ]
        },
    ),
    (decode_show, SHOWN),
    (decode_show, {"details": DETAILS, "model_info": {}, "modified_at": LOCAL}),
    (decode_version, {"version": "0.33.0"}),
    (decode_progress, {"status": "pulling manifest"}),
    (decode_progress, {"status": "x", "digest": "sha256:" + "a" * 64, "total": 9, "completed": 3}),
    (decode_progress, {"status": "success"}),
    (decode_transcription, {"text": "hello"}),
]

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
DECODERS: list[Decode] = list(dict.fromkeys(decode for decode, _ in ANSWERS))
DECODERS += [decode_account, decode_status, decode_recommendations]
DECODERS += [decode_web_fetch, decode_web_search]


@pytest.mark.parametrize(("decode", "document"), ANSWERS)
def test_each_answer_is_read(decode: Decode, document: dict[str, Any]) -> None:
    """Without a field left over: what the reference has, has a place here."""
    answer = decode(json.dumps(document).encode())
    assert not getattr(answer, "extra", {})
    for name in ("model", "done", "error", "version", "status", "text"):
        if name in document:
            assert getattr(answer, name) == document[name]


@given(st.sampled_from(ANSWERS), st.dictionaries(st.text(min_size=1), ANYTHING, max_size=3))
def test_unknown_fields_survive(
    answer: tuple[Decode, dict[str, Any]], more: dict[str, Any]
) -> None:
    """Whatever a newer server adds is kept, and hides nothing that is known."""
    decode, document = answer
    more = {f"new {name}": value for name, value in more.items()}
    read = decode(json.dumps({**document, **more}).encode())
    assert getattr(read, "extra", more) == more
    plain = decode(json.dumps(document).encode())
    for name in ("model", "done", "message", "details", "models", "embeddings", "text"):
        assert getattr(read, name, None) == getattr(plain, name, None)


@given(st.sampled_from(ANSWERS), st.sampled_from(["absent", "null"]), st.data())
def test_a_field_may_be_missing(
    answer: tuple[Decode, dict[str, Any]], how: str, data: st.DataObject
) -> None:
    """An older server leaves it out, an imitation sends null."""
    decode, document = answer
    name = data.draw(st.sampled_from(sorted(document)))
    less = {**document, name: None} if how == "null" else {**document}
    if how == "absent":
        del less[name]
    if decode is decode_transcription:
        return  # of one that has nothing else it cannot be missing
    decode(json.dumps(less).encode())


@given(
    st.sampled_from(DECODERS), ANYTHING.map(lambda value: json.dumps(value).encode()) | st.binary()
)
def test_anything_is_an_answer_or_a_typed_error(decode: Decode, body: bytes) -> None:
    """No parser raises anything else, or repeats what it read."""
    error: ProtocolError | TruncatedError | None = None
    try:
        decode(body)
    except (ProtocolError, TruncatedError) as raised:
        error = raised
    assert error is None or len(str(error)) < 500


@pytest.mark.parametrize("decode", DECODERS)
def test_depth_is_bounded(decode: Decode) -> None:
    """A document nested a hundred thousand levels deep is refused, not followed."""
    for deep in (b"[" * 100_000, b'{"a":' * 100_000, b'{"message":' * 100_000):
        with pytest.raises(ProtocolError):
            decode(deep)
