"""What a server tells of itself and its account; searches; the older embeddings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from triollama._errors import InvalidRequestError, ProtocolError
from triollama.api.account import (
    WebFetchRequest,
    WebSearchRequest,
    decode_account,
    decode_recommendations,
    decode_status,
    decode_web_fetch,
    decode_web_search,
)
from triollama.api.embeddings import EmbeddingsRequest, decode_embeddings


def test_status() -> None:
    """The cloud's switch; unknown fields stay."""
    told = decode_status(b'{"cloud":{"disabled":true,"source":"env","new":1},"more":2}')
    assert (told.cloud.disabled, told.cloud.source) == (True, "env")
    assert (told.cloud.extra, told.extra) == ({"new": 1}, {"more": 2})
    assert not decode_status(b"{}").cloud.disabled


def test_account_is_not_shown() -> None:
    """Fields as the server writes them; nothing of the person in ``repr``."""
    told = decode_account(
        b'{"id":"u1","email":"ann@example.org","name":"ann","firstname":"Ann","plan":"free"}'
    )
    assert (told.id, told.email, told.name, told.plan) == ("u1", "ann@example.org", "ann", "free")
    assert told.bio is None
    assert "ann" not in repr(told).lower()


def test_recommendations() -> None:
    """One entry per model; what is not told is 0."""
    each = {"model": "m", "description": "good", "vram_bytes": 5, "required_plan": "pro"}
    [told] = decode_recommendations(
        json.dumps({"recommendations": [each]}).encode()
    ).recommendations
    assert (told.model, told.vram_bytes, told.context_length) == ("m", 5, 0)
    assert told.required_plan == "pro"


def test_searches() -> None:
    """Requests leave out what is unset; answers have their pages."""
    assert json.loads(WebSearchRequest(query="trio").body()) == {"query": "trio"}
    asked = WebSearchRequest(query="trio", max_results=3)
    assert json.loads(asked.body()) == {"query": "trio", "max_results": 3}
    assert "trio" not in repr(asked)
    assert json.loads(WebFetchRequest(url="https://a").body()) == {"url": "https://a"}
    [page] = decode_web_search(b'{"results":[{"title":"t","url":"u","content":"c"}]}').results
    assert (page.title, page.url, page.content) == ("t", "u", "c")
    fetched = decode_web_fetch(b'{"title":"t","content":"c","links":["a","b"]}')
    assert fetched.links == ("a", "b")
    assert decode_web_fetch(b'{"title":"t","content":"c"}').links == ()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"query": ""}, "query is empty"),
        ({"query": 5}, "query must be a str"),
        ({"query": "q", "max_results": 0}, "between 1 and 10"),
        ({"query": "q", "max_results": 11}, "between 1 and 10"),
        ({"query": "q", "max_results": True}, "an int"),
    ],
)
def test_wrong_searches(fields: dict[str, Any], told: str) -> None:
    """Refused by the name of what is wrong."""
    with pytest.raises(InvalidRequestError, match=told):
        WebSearchRequest(**fields)


def test_a_page_without_an_address() -> None:
    """Refused as well."""
    with pytest.raises(InvalidRequestError, match="url is empty"):
        WebFetchRequest(url=" ")


def test_embeddings() -> None:
    """One vector, or none after a load; the text is not shown."""
    asked = EmbeddingsRequest(model="m", prompt="a secret", keep_alive="5m", options={"num_ctx": 9})
    assert json.loads(asked.body()) == {
        "model": "m",
        "prompt": "a secret",
        "keep_alive": "5m",
        "options": {"num_ctx": 9},
    }
    assert "secret" not in repr(asked)
    assert decode_embeddings(b'{"embedding":[0.5,-1]}').embedding == (0.5, -1.0)
    assert decode_embeddings(b'{"embedding":[]}').embedding == ()


@pytest.mark.parametrize(
    "decode",
    [
        decode_status,
        decode_account,
        decode_recommendations,
        decode_web_search,
        decode_web_fetch,
        decode_embeddings,
    ],
)
@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b"[" * 10_000])
def test_what_is_no_answer(decode: Any, body: bytes) -> None:
    """A typed error, whatever comes."""
    with pytest.raises(ProtocolError):
        decode(body)
