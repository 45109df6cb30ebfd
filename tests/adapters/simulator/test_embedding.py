"""Embeddings as ``ollama-api.md`` §2.3 and §2.4 have them."""

from __future__ import annotations

import math
from typing import Any

import pytest


def test_embed_with_keep_alive_zero_works(bench: Any) -> None:
    """Embedding has no unload shortcut: the vector comes, then the model goes."""
    call = bench.ask("/api/embed", model="nomic-embed-text", input="x", keep_alive=0)
    assert len(call.json["embeddings"]) == 1
    assert not bench.ps


def test_embed(bench: Any) -> None:
    """G27, G29: unit vectors in order; other texts give others; dimensions cut and normalise."""
    call = bench.ask("/api/embed", model="nomic-embed-text", input=["a", "b", "a"])
    answer = call.json
    assert list(answer) == [
        "model",
        "embeddings",
        "total_duration",
        "load_duration",
        "prompt_eval_count",
    ]
    one, two, three = answer["embeddings"]
    assert one == three != two
    assert len(one) == 768
    assert math.hypot(*one) == pytest.approx(1, abs=1e-5)
    assert answer["prompt_eval_count"] == 3
    cut = bench.ask("/api/embed", model="nomic-embed-text", input="a", dimensions=5).json[
        "embeddings"
    ][0]
    assert len(cut) == 5
    assert math.hypot(*cut) == pytest.approx(1, abs=1e-5)
    assert cut[0] / cut[1] == pytest.approx(one[0] / one[1], rel=1e-4)
    for ignored in (768, 9999, 0, -1):
        more = bench.ask("/api/embed", model="nomic-embed-text", input="a", dimensions=ignored)
        assert more.json["embeddings"] == [one]


def test_embed_too_long(bench: Any) -> None:
    """G28: cut by default; refused where that is forbidden, and on the legacy route."""
    long = "word " * 4000
    assert bench.ask("/api/embed", model="nomic-embed-text", input=long).parse().status == 200
    refused = bench.ask("/api/embed", model="nomic-embed-text", input=long, truncate=False)
    assert refused.parse().status == 400
    assert refused.json == {"error": "the input length exceeds the context length"}
    assert bench.ask("/api/embeddings", model="nomic-embed-text", prompt=long).parse().status == 500


def test_embed_keep_alive(bench: Any) -> None:
    """G30: a stay given with an embed is kept."""
    bench.ask("/api/embed", model="nomic-embed-text", input="a", keep_alive=-1)
    assert bench.ps[0]["expires_at"] > "2300"


@pytest.mark.parametrize("nothing", [None, "", []])
def test_embed_nothing_loads(bench: Any, nothing: Any) -> None:
    """G31: without input the model is loaded, and the reply has no durations."""
    call = bench.ask("/api/embed", model="nomic-embed-text", input=nothing)
    assert call.parse().body == b'{"model":"nomic-embed-text","embeddings":[]}'
    assert len(bench.ps) == 1


@pytest.mark.parametrize("wrong", [3, {}, [3], ["a", None], True])
def test_embed_wrong_input(bench: Any, wrong: Any) -> None:
    """G31: another type is 400."""
    call = bench.post("/api/embed", model="nomic-embed-text", input=wrong)
    assert (call.parse().status, call.json) == (400, {"error": "invalid input type"})


def test_embed_empty_text_is_embedded(bench: Any) -> None:
    """An array with an empty text gives a vector for it."""
    assert (
        len(bench.ask("/api/embed", model="nomic-embed-text", input=[""]).json["embeddings"]) == 1
    )


def test_embeddings(bench: Any) -> None:
    """G32: the legacy route gives the same float32, widened."""
    wide = bench.ask("/api/embeddings", model="nomic-embed-text", prompt="a")
    assert list(wide.json) == ["embedding"]
    short = bench.ask("/api/embed", model="nomic-embed-text", input="a").json["embeddings"][0]
    assert wide.json["embedding"] == pytest.approx(short, rel=1e-6)
    assert wide.json["embedding"] != short
    assert (
        bench.ask("/api/embeddings", model="nomic-embed-text").parse().body == b'{"embedding":[]}'
    )


def test_embed_on_a_model_without(bench: Any) -> None:
    """It is loaded first, then answers 501."""
    call = bench.ask("/api/embed", model="llama3.2", input="a")
    assert call.parse().status == 501
    assert "does not support embeddings" in call.json["error"]
    assert len(bench.ps) == 1


def test_many_texts_leave_others_their_turn(bench: Any) -> None:
    """A long list is embedded in parts, with others' steps between; nothing is mixed up."""
    texts = [f"text {number}" for number in range(50)]
    call = bench.post("/api/embed", model="nomic-embed-text", input=texts, dimensions=4)
    bench.pass_s(0.5)  # the load
    seen = []
    while call.ending is None:
        before = bench.now
        bench.step()
        seen.append(bench.now - before)
    answer = call.json
    assert len(seen) >= 3
    assert answer["prompt_eval_count"] == 2 * len(texts)
    for index in (0, 17, 49):
        alone = bench.ask(
            "/api/embed", model="nomic-embed-text", input=texts[index], dimensions=4
        ).json
        assert alone["embeddings"] == [answer["embeddings"][index]]
