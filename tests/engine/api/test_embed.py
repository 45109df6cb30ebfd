"""Embed: the request and its answer."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama._errors import InvalidRequestError, ProtocolError
from triollama.api import EmbedRequest, EmbedResponse, Usage, decode_embed


@pytest.mark.parametrize(
    ("given_input", "sent"),
    [("a", "a"), (["a", "b"], ["a", "b"]), (("a",), ["a"]), ([""], [""]), ("", ""), ([], [])],
)
def test_one_text_or_several_are_sent(given_input: Any, sent: object) -> None:
    """As given; an empty text in a list is embedded, not a load."""
    assert json.loads(EmbedRequest(model="m", input=given_input).body())["input"] == sent


def test_every_field_is_sent_under_its_name() -> None:
    """And what is unset is not; without input it only loads."""
    assert EmbedRequest(model="m").body() == b'{"model":"m"}'
    fields: dict[str, Any] = {
        "input": "x",
        "truncate": False,
        "dimensions": 8,
        "keep_alive": -1,
        "options": {"num_ctx": 4},
    }
    request = EmbedRequest(model="m", **fields)
    assert json.loads(request.body()) == {"model": "m", **fields}
    assert request.runner_options == (("num_ctx", 4),)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"input": 3}, "input must be a str or a list of str"),
        ({"input": ["s3cret", 1]}, "input must be"),
        ({"input": b"s3cret"}, "input must be"),
        ({"dimensions": -1}, "dimensions must not be negative"),
        ({"dimensions": 1.0}, "dimensions must be an int"),
        ({"truncate": 1}, "truncate must be a bool"),
    ],
)
def test_a_bad_field_is_refused_by_name(fields: dict[str, Any], told: str) -> None:
    """The message names the field and shows no content."""
    with pytest.raises(InvalidRequestError, match=told) as caught:
        EmbedRequest(model="m", **fields)
    assert "s3cret" not in str(caught.value)


def test_texts_are_not_shown_in_repr() -> None:
    """They are prompts too."""
    assert "s3cret" not in repr(EmbedRequest(model="m", input=["s3cret"]))


def test_the_answer_is_read() -> None:
    """Vectors in order, durations and counts as usage, unknown fields kept."""
    body = (
        b'{"model":"m","embeddings":[[0.6,-0.8],[1,0]],"total_duration":9,"load_duration":2,'
        b'"prompt_eval_count":5,"new":{"a":1}}'
    )
    answer = decode_embed(body)
    assert answer == EmbedResponse(
        model="m",
        embeddings=((0.6, -0.8), (1.0, 0.0)),
        total_duration=9,
        load_duration=2,
        prompt_eval_count=5,
        extra={"new": {"a": 1}},
    )
    assert answer.usage == Usage(prompt_tokens=5, total_ns=9, load_ns=2)


def test_a_load_has_no_vectors() -> None:
    """Nothing but the model's name."""
    assert decode_embed(b'{"model":"m","embeddings":[]}') == EmbedResponse(model="m")
    assert decode_embed(b'{"model":"m","embeddings":null}') == EmbedResponse(model="m")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "truncated"),
        (b"[]", "Expected `object`"),
        (b'{"embeddings":[["s3cret"]]}', "field 'embeddings' .*Expected `float`"),
        (b'{"embeddings":[[NaN]]}', "malformed"),
        (b'{"prompt_eval_count":"s3cret"}', "'prompt_eval_count'"),
        (b'{"model":"\xff"}', "not UTF-8"),
        pytest.param(b'{"x":' * 100_000, "too deeply", id="deep"),
    ],
)
def test_a_bad_answer_is_a_protocol_error(body: bytes, told: str) -> None:
    """The message names the field and its type, and nothing of the content."""
    with pytest.raises(ProtocolError, match=told) as caught:
        decode_embed(body)
    assert "s3cret" not in str(caught.value)


@given(st.binary())
def test_any_bytes_are_an_answer_or_a_protocol_error(body: bytes) -> None:
    """Reading is total."""
    with contextlib.suppress(ProtocolError):
        assert decode_embed(body).usage.slot_wait_ns >= 0
