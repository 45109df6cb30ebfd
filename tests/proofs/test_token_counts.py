"""Tokens are those that a real llama.cpp finds, id by id, for every kind of vocabulary.

The model files are made here, with vocabularies learned from the texts; llama.cpp's own server, in
this process, tokenizes with them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.engine.tokens import vocabularies
from tests.engine.tokens.texts import questions, texts

from triollama.tokens import Tokenizer
from triollama.tokens.pretokenizers import PRETOKENIZERS

pytest.importorskip("gguf", reason="needs gguf, to make model files")
pytest.importorskip("xllamacpp", reason="needs xllamacpp, a real llama.cpp")

from tests.engine.tokens.llama_cpp import open_llama_cpp

RULES = {
    "\u00a0": " ",
    "\u3000": " ",
    "\t": " ",
    "\n": " ",
    "\r": " ",
    "\x85": " ",
    "\u200b": "",
    "\u200d": "",
    "e\u0301": "\u00e9",
    "\u00bd": "1/2",
    "\uff21": "A",
}
"""A few of the rules of normalisation that vocabularies of Unigram have."""

STRIPPED = {"tokenizer.ggml.remove_extra_whitespaces": True}

FAMILIES: dict[str, Callable[[], dict[str, Any]]] = {
    "SPM": vocabularies.spm,
    "SPM over several words": lambda: vocabularies.spm(crosses=True),
    "SPM with equal scores": lambda: vocabularies.spm(ties=True, crosses=True),
    "SPM without a blank in front": lambda: vocabularies.spm(
        **{"tokenizer.ggml.add_space_prefix": False, "tokenizer.ggml.add_eos_token": True}
    ),
    "WordPiece": vocabularies.wordpiece,
    "WordPiece with capitals": lambda: vocabularies.wordpiece(
        **{"tokenizer.ggml.normalizer.lowercase": False}
    ),
    "Unigram": vocabularies.unigram,
    "Unigram with rules": lambda: vocabularies.unigram(rules=RULES),
    "Unigram that merges blanks": lambda: vocabularies.unigram(rules=RULES, **STRIPPED),
}
DISTINCT = {pretokenizer: name for name, pretokenizer in reversed(PRETOKENIZERS.items())}
"""One name for each way of cutting words."""

SPECIAL = (*vocabularies.SPECIAL, *vocabularies.USER, "<s>", "</s>", "<mask>", "[MASK]", "<unk>")


def check(info: dict[str, Any], folder: Path, *, count: int, seed: int) -> None:
    """Both find the same tokens in texts, with and without special ones."""
    tokenizer = Tokenizer(info)
    with open_llama_cpp(info, folder) as llama_cpp:
        for at, text in enumerate(texts(count, seed=seed, special=SPECIAL)):
            asked = {"add_special": at % 2 == 0, "parse_special": at % 3 != 0}
            found = tokenizer.encode(text, **asked)
            assert found == llama_cpp.tokenize(text, **asked), (at, ascii(text))
            assert tokenizer.count(text, **asked) == len(found)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_families(family: str, tmp_path: Path) -> None:
    """Each family finds the tokens that llama.cpp finds."""
    check(FAMILIES[family](), tmp_path, count=400, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("pre", DISTINCT.values())
def test_pretokenizers(pre: str, tmp_path: Path) -> None:
    """So does BPE with each way of cutting words."""
    check(vocabularies.bpe(pre), tmp_path, count=300, seed=2)


@pytest.mark.slow
@pytest.mark.parametrize("pre", PRETOKENIZERS)
def test_names(pre: str, tmp_path: Path) -> None:
    """Each name of a pre-tokenizer is known to llama.cpp, and stands for the same there."""
    check(vocabularies.bpe(pre), tmp_path, count=40, seed=3)


@pytest.mark.nightly
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("seed", [11, 12])
def test_families_at_length(family: str, seed: int, tmp_path: Path) -> None:
    """The same on 5,000 texts each."""
    check(FAMILIES[family](), tmp_path, count=5_000, seed=seed)


@pytest.mark.nightly
@pytest.mark.parametrize("pre", DISTINCT.values())
def test_pretokenizers_at_length(pre: str, tmp_path: Path) -> None:
    """The same on 5,000 texts each."""
    check(vocabularies.bpe(pre), tmp_path, count=5_000, seed=13)


@pytest.mark.slow
@pytest.mark.parametrize("make", [lambda: vocabularies.bpe("llama-bpe"), vocabularies.spm])
def test_prompts_that_are_run(make: Callable[[], dict[str, Any]], tmp_path: Path) -> None:
    """A prompt that is run has as many tokens as were counted before, special ones included."""
    info = make()
    tokenizer = Tokenizer(info)
    prompts = [*questions(20), "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"]
    with open_llama_cpp(info, tmp_path) as llama_cpp:
        for prompt in prompts:
            assert tokenizer.count(prompt, add_special=True) == llama_cpp.evaluated(prompt)
        for prompt in prompts:
            messages = [
                {"role": "system", "content": "Answer briefly."},
                {"role": "user", "content": prompt},
            ]
            rendered, evaluated = llama_cpp.chat(messages)
            assert tokenizer.count(rendered, add_special=True) == evaluated
