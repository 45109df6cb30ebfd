"""The tokenizer that show tells of is one: it can be built, and gives back each text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.simulator import ModelConfig, SimulatorConfig, config_to_json, structure
from triollama_adapters.simulator.tokenizer import tokenizer_info

tokenizers = pytest.importorskip("tokenizers")
INFO = tokenizer_info(verbose=True)
TOKENS: list[str] = INFO["tokenizer.ggml.tokens"]
MERGES = [tuple(merge.split(" ")) for merge in INFO["tokenizer.ggml.merges"]]


def built() -> Any:
    """The tokenizer, by an independent library."""
    vocabulary = {token: number for number, token in enumerate(TOKENS)}
    made = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=MERGES))
    made.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = tokenizers.decoders.ByteLevel()
    return made


TOKENIZER = built()


@given(st.text())
def test_each_text_comes_back(text: str) -> None:
    """All bytes are tokens, so any text can be encoded; decoding gives it back."""
    ids = TOKENIZER.encode(text, add_special_tokens=False).ids
    assert TOKENIZER.decode(ids, skip_special_tokens=False) == text


def test_it_is_consistent() -> None:
    """Each merge joins two tokens into a third one; types and tokens go together."""
    known = set(TOKENS)
    assert len(known) == len(TOKENS)
    assert len(set(MERGES)) == len(MERGES)
    assert all({left, right, left + right} <= known for left, right in MERGES)
    types = INFO["tokenizer.ggml.token_type"]
    assert len(types) == len(TOKENS)
    special = {TOKENS[number] for number, kind in enumerate(types) if kind == 3}
    for name in ("bos", "eos", "eot", "padding"):
        assert TOKENS[INFO[f"tokenizer.ggml.{name}_token_id"]] in special


def test_words_of_its_own_are_short() -> None:
    """The merges were learned from what the simulator says."""
    assert len(TOKENIZER.encode(" the water").tokens) <= 5


def test_another_tokenizer_can_be_configured(make_bench: Any) -> None:
    """What is configured replaces the whole tokenizer, and other metadata; arrays hide as ever."""
    metadata = {
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.tokens": ["[UNK]", "a"],
        "general.license": "mit",
        "llama.rope.freq_base": 500_000.5,
    }
    model = ModelConfig(name="m", metadata=metadata)
    config = SimulatorConfig(models=(model,))
    assert structure(config_to_json(config), SimulatorConfig) == config
    bench = make_bench(models=(model,))
    info = bench.post("/api/show", model="m", verbose=True).json["model_info"]
    assert info.items() >= metadata.items()
    assert "tokenizer.ggml.merges" not in info
    assert info["llama.vocab_size"] == 2
    assert bench.post("/api/show", model="m").json["model_info"]["tokenizer.ggml.tokens"] is None
