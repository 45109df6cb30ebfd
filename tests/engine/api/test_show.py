"""Show: all about one model."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama._errors import InvalidRequestError, ProtocolError
from triollama.api import Message, ShowRequest, ShowResponse, Tensor, decode_show

FULL: dict[str, Any] = {
    "license": "MIT",
    "modelfile": "FROM x",
    "parameters": "stop  a",
    "template": "{{ .Prompt }}",
    "system": "be brief",
    "renderer": "r",
    "parser": "p",
    "details": {"family": "llama", "new": 1},
    "messages": [{"role": "user", "content": "hi"}],
    "remote_model": "rm",
    "remote_host": "rh",
    "model_info": {
        "general.architecture": "llama",
        "llama.context_length": 8192,
        "tokenizer.ggml.tokens": None,
    },
    "projector_info": {"general.architecture": "clip"},
    "tensors": [{"name": "t", "type": "Q4_K", "shape": [2, 3]}],
    "capabilities": ["completion"],
    "modified_at": "2026-08-21T10:00:00Z",
    "requires": "0.20.0",
}


def test_the_request_sends_what_is_set() -> None:
    """The model alone, or every field."""
    assert ShowRequest(model="m").body() == b'{"model":"m"}'
    fields: dict[str, Any] = {"verbose": True, "system": "s", "options": {"seed": 1}}
    assert json.loads(ShowRequest(model="m", **fields).body()) == {"model": "m", **fields}
    with pytest.raises(InvalidRequestError, match="verbose must be a bool"):
        ShowRequest(model="m", verbose="yes")


def test_the_answer_is_read_in_full() -> None:
    """Every field of it, and what follows from them."""
    answer = decode_show(json.dumps({**FULL, "new": 2}).encode())
    for name in ("license", "modelfile", "parameters", "template", "system", "renderer", "parser"):
        assert getattr(answer, name) == FULL[name]
    for name in ("remote_model", "remote_host", "model_info", "projector_info", "requires"):
        assert getattr(answer, name) == FULL[name]
    assert answer.details.family == "llama"
    assert answer.details.extra == {"new": 1}
    assert answer.messages == (Message(role="user", content="hi"),)
    assert answer.tensors == (Tensor(name="t", type="Q4_K", shape=(2, 3)),)
    assert answer.capabilities == ("completion",)
    assert answer.modified_time == datetime(2026, 8, 21, 10, tzinfo=UTC)
    assert answer.extra == {"new": 2}
    assert answer.context_length == 8192


@pytest.mark.parametrize(
    "info",
    [
        {},
        None,
        {"general.architecture": "llama"},
        {"llama.context_length": 1},
        {"general.architecture": "llama", "llama.context_length": None},
        {"general.architecture": "llama", "llama.context_length": True},
        {"general.architecture": ["llama"], "llama.context_length": 1},
    ],
)
def test_the_context_length_may_be_unknown(info: object) -> None:
    """Then it is None."""
    assert decode_show(json.dumps({"model_info": info}).encode()).context_length is None


def test_an_empty_answer_has_defaults() -> None:
    """An old server tells little, and nothing is an error."""
    assert decode_show(b"{}") == ShowResponse()
    assert decode_show(json.dumps(dict.fromkeys(FULL)).encode()) == ShowResponse()


@pytest.mark.parametrize("name", [name for name in FULL if name != "model_info"])
def test_each_field_of_a_wrong_type_is_a_protocol_error(name: str) -> None:
    """It is named."""
    with pytest.raises(ProtocolError, match=f"field '{name}'"):
        decode_show(json.dumps({name: 3}).encode())


def test_prompts_are_not_shown_in_repr() -> None:
    """The model's own system prompt and conversation neither."""
    texts = dict.fromkeys(("system", "template", "modelfile"), "s3cret")
    assert "s3cret" not in repr(decode_show(json.dumps(texts).encode()))


@given(st.dictionaries(st.sampled_from([*FULL, "x"]), st.none() | st.text() | st.lists(st.none())))
def test_any_object_is_an_answer_or_a_protocol_error(fields: dict[str, Any]) -> None:
    """Reading is total."""
    with contextlib.suppress(ProtocolError):
        assert repr(decode_show(json.dumps(fields).encode()))
