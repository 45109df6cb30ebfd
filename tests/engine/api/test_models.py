"""Version, tags and ps."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama._errors import ProtocolError
from triollama.api import (
    ListedModel,
    ModelDetails,
    PsResponse,
    RunningModel,
    TagsResponse,
    VersionResponse,
    decode_ps,
    decode_tags,
    decode_version,
)

DETAILS = {
    "parent_model": "",
    "format": "gguf",
    "family": "llama",
    "families": ["llama"],
    "parameter_size": "8.0B",
    "quantization_level": "Q4_K_M",
}
LISTED = {
    "name": "m:latest",
    "model": "m:latest",
    "modified_at": "2026-08-21T03:00:00.5-07:00",
    "size": 4_900_000_000,
    "digest": "ab" * 32,
    "details": {**DETAILS, "context_length": 8192, "embedding_length": 4096},
    "capabilities": ["completion", "tools"],
}
RUNNING = {
    "name": "m:latest",
    "model": "m:latest",
    "size": 6_000_000_000,
    "digest": "ab" * 32,
    "details": DETAILS,
    "expires_at": "2318-08-21T03:00:00.123456789Z",
    "size_vram": 5_000_000_000,
    "context_length": 4096,
}


def test_the_version_is_read() -> None:
    """With what a newer server adds."""
    assert decode_version(b'{"version":"0.33.0"}') == VersionResponse(version="0.33.0")
    assert decode_version(b'{"version":"1","build":7}').extra == {"build": 7}


def test_listed_models_are_read_in_full() -> None:
    """Every field, and the key and the time that follow from them."""
    (model,) = decode_tags(json.dumps({"models": [LISTED]}).encode()).models
    assert model == ListedModel(
        name="m:latest",
        model="m:latest",
        modified_at="2026-08-21T03:00:00.5-07:00",
        size=4_900_000_000,
        digest="ab" * 32,
        details=ModelDetails(
            format="gguf",
            family="llama",
            families=("llama",),
            parameter_size="8.0B",
            quantization_level="Q4_K_M",
            context_length=8192,
            embedding_length=4096,
        ),
        capabilities=("completion", "tools"),
    )
    assert model.key == "m:latest"
    assert model.modified_time == datetime(2026, 8, 21, 10, 0, 0, 500_000, tzinfo=UTC)


def test_running_models_are_read_in_full() -> None:
    """Every field, and the key and the time that follow from them."""
    (model,) = decode_ps(json.dumps({"models": [RUNNING]}).encode()).models
    assert isinstance(model, RunningModel)
    assert (model.size, model.size_vram, model.context_length) == (6 * 10**9, 5 * 10**9, 4096)
    assert model.details.context_length == 0
    assert model.key == "m:latest"
    assert model.expires_time == datetime(2318, 8, 21, 3, 0, 0, 123_456, tzinfo=UTC)


def test_older_servers_and_nulls_are_tolerated() -> None:
    """What is missing or null has its default; a time that is none gives None."""
    model = {"name": "M", "details": {"families": None}, "modified_at": "yesterday", "digest": None}
    (listed,) = decode_tags(json.dumps({"models": [model]}).encode()).models
    assert listed == ListedModel(name="M", modified_at="yesterday")
    assert listed.key == "m:latest"
    assert listed.modified_time is None
    assert decode_tags(b'{"models":null}') == TagsResponse()
    assert decode_ps(b"{}") == PsResponse()


def test_unknown_fields_are_kept_at_every_level() -> None:
    """Of the answer, of a model, and of its details; a field called extra among them."""
    model = {"name": "m", "details": {"a": 1}, "b": [2], "extra": 3}
    answer = decode_tags(json.dumps({"models": [model], "c": None}).encode())
    assert answer.extra == {"c": None}
    assert answer.models[0].extra == {"b": [2], "extra": 3}
    assert answer.models[0].details.extra == {"a": 1}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"Ollama is running", "the answer of /api/tags is not as Ollama writes it"),
        (b"null", "Expected `object`"),
        (b'{"models":{}}', "field 'models' .*Expected `array`"),
        (b'{"models":["s3cret"]}', "Expected `object`"),
        (b'{"models":[{"size":"s3cret"}]}', "field 'models', field 'size' .*Expected `int`"),
        (b'{"models":[{"details":{"families":["a",1]}}]}', "field 'families'"),
        (b'{"models":[{"details":"s3cret"}]}', "field 'details'"),
    ],
)
def test_a_bad_answer_is_a_protocol_error(body: bytes, told: str) -> None:
    """The message names the fields and types, and nothing of the content."""
    with pytest.raises(ProtocolError, match=told) as caught:
        decode_tags(body)
    assert "s3cret" not in str(caught.value)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab\u2028😀"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["models", *LISTED, *RUNNING, *DETAILS, "x"]), inner)
    ),
    max_leaves=8,
)


@pytest.mark.slow
@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_an_answer_or_a_protocol_error(body: bytes) -> None:
    """Reading is total for each of the three."""
    for decode in (decode_version, decode_tags, decode_ps):
        try:
            answer: Any = decode(body)
        except ProtocolError:
            continue
        for model in getattr(answer, "models", ()):
            assert isinstance(model.key, str)
