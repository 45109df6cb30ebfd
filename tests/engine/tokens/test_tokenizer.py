"""Tokenizers built by hand, where each token can be worked out; and vocabularies that are wrong."""

from __future__ import annotations

import base64
import struct
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.tokens import vocabularies

from triollama import InvalidRequestError, Tokenizer, TokenizerError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
INFOS = {
    "BPE": vocabularies.bpe("llama-bpe"),
    "SPM": vocabularies.spm(),
    "SPM over words": vocabularies.spm(crosses=True, ties=True),
    "WPM": vocabularies.wordpiece(),
    "Unigram": vocabularies.unigram(rules={"\u00a0": " ", "e\u0301": "\u00e9"}),
}
TOKENIZERS = {name: Tokenizer(info) for name, info in INFOS.items()}


def small(**changes: Any) -> dict[str, Any]:
    """Byte-level BPE of five letters and two words."""
    letters = [chr(code) for code in range(33, 127)]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.tokens": [*letters, "\u0120", "he", "ll", "hell", "hello", "<|a|>", "<|a"],
        "tokenizer.ggml.token_type": [1] * 99 + [3, 4],
        "tokenizer.ggml.merges": ["h e", "l l", "he ll", "hell o"],
        **{f"tokenizer.ggml.{name}": value for name, value in changes.items()},
    }


def named(info: dict[str, Any], text: str, **how: bool) -> list[str]:
    """The tokens of a text, by their texts."""
    return [info["tokenizer.ggml.tokens"][each] for each in Tokenizer(info).encode(text, **how)]


def test_merges_are_made_in_their_order() -> None:
    """The first merge of the list that fits is made first."""
    assert named(small(), "hello hell") == ["hello", "\u0120", "hell"]
    swapped = small(merges=["l l", "h e", "he ll", "hell o"])
    assert named(swapped, "hello") == ["hello"]
    assert named(
        small(merges=["e l", "h e"], tokens=[*small()["tokenizer.ggml.tokens"], "el"])
        | {"tokenizer.ggml.token_type": None},
        "hel",
    ) == ["h", "el"]


def test_without_merges_each_byte_is_a_token() -> None:
    """An empty list of merges is one."""
    assert named(small(merges=[]), "hell") == list("hell")


def test_longest_special_token_is_found_first() -> None:
    """A special token that begins as another one is found whole; none is found in part."""
    assert named(small(), "<|a|>") == ["<|a|>"]
    assert named(small(), "x<|a|<|a|>") == ["x", "<|a", "|", "<|a|>"]


def test_control_tokens_are_text_where_they_are_not_parsed() -> None:
    """Only what the vocabulary calls a user's token is still found."""
    assert named(small(), "<|a|>", parse_special=False) == ["<|a", "|", ">"]


def test_what_opens_and_ends_a_prompt_is_added_when_asked() -> None:
    """The model's file decides which tokens these are."""
    info = small(add_bos_token=True, bos_token_id=95, add_eos_token=True, eos_token_id=96)
    assert named(info, "h", add_special=True) == ["he", "h", "ll"]
    assert Tokenizer(info).count("h", add_special=True) == 3
    assert named(info, "h") == ["h"]
    assert named(small(), "h", add_special=True) == ["h"]


def test_bytes_without_tokens_are_no_tokens() -> None:
    """They keep what stands around them apart all the same."""
    assert named(small(), "h\u00e9ello") == ["h", "e", "ll", "o"]
    assert Tokenizer(small()).count("h\u00e9ello") == 4


def test_texts_that_end_an_answer_are_special_whatever_their_type() -> None:
    """So it is in llama.cpp."""
    tokens = [*small()["tokenizer.ggml.tokens"], "<|im_end|>"]
    info = small(tokens=tokens, token_type=[1] * len(tokens))
    assert named(info, "h<|im_end|>") == ["h", "<|im_end|>"]


def test_spm_joins_the_best_score_first_then_the_leftmost() -> None:
    """Scores decide, and among equals the place in the text."""
    tokens = ["<unk>", "<s>", "</s>", "a", "b", "ab", "ba", "\u2581"]
    scores = [0.0, 0, 0, -9, -9, -1, -1, -9]
    info = {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [2, 3, 3, 1, 1, 1, 1, 1],
        "tokenizer.ggml.scores": scores,
        "tokenizer.ggml.add_space_prefix": False,
    }
    assert named(info, "aba") == ["ab", "a"]
    assert named(info, "bab") == ["ba", "b"]
    assert named(info | {"tokenizer.ggml.scores": [*scores[:6], -0.5, -9]}, "aba") == ["a", "ba"]
    assert named(info, "a", add_special=True) == ["<s>", "a"]
    assert named(info | {"tokenizer.ggml.add_space_prefix": True}, "a<s>b") == [
        *("\u2581", "a"),
        "<s>",
        *("\u2581", "b"),
    ]


def test_wordpiece_takes_the_longest_beginning() -> None:
    """A word that cannot be cut whole is unknown as a whole."""
    info = {
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.tokens": [
            "[UNK]",
            "[CLS]",
            "[SEP]",
            "\u2581un",
            "\u2581u",
            "do",
            "\u2581,",
        ],
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.seperator_token_id": 2,
    }
    assert named(info, "Undo, \u00fbndone", add_special=True) == [
        "[CLS]",
        *("\u2581un", "do", "\u2581,", "[UNK]"),
        "[SEP]",
    ]


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(text=TEXT)
def test_count_is_the_number_of_ids(kind: str, text: str) -> None:
    """Whether special tokens are parsed or added, or not."""
    tokenizer = TOKENIZERS[kind]
    for asked in ({}, {"parse_special": False}, {"add_special": True}):
        ids = tokenizer.encode(text, **asked)
        assert tokenizer.count(text, **asked) == len(ids)
        assert all(0 <= each < tokenizer.size for each in ids)


@given(text=TEXT)
def test_bytes_are_all_there(text: str) -> None:
    """The tokens of byte-level BPE say the text, byte for byte."""
    tokens = INFOS["BPE"]["tokenizer.ggml.tokens"]
    ids = TOKENIZERS["BPE"].encode(text, parse_special=False)
    user = set(vocabularies.USER)
    said = b"".join(
        tokens[each].encode() if tokens[each] in user else bytes(map(_BYTES.index, tokens[each]))
        for each in ids
    )
    assert said == text.encode()


@given(text=TEXT, name=st.sampled_from(vocabularies.SPECIAL[:4]))
def test_special_tokens_part_a_text(text: str, name: str) -> None:
    """What stands before and behind one is counted as if it stood alone, in byte-level BPE."""
    tokenizer = TOKENIZERS["BPE"]
    apart = [*tokenizer.encode(text), *tokenizer.encode(name), *tokenizer.encode(text)]
    if "<|" not in text and not text.startswith("x"):
        assert tokenizer.encode(text + name + text) == apart


def test_rules_of_normalisation_in_base64() -> None:
    """Go writes bytes in base64; both ways of telling them are the same."""
    rules = vocabularies.charsmap({"\u00bd": "1/2"})
    listed = vocabularies.unigram(**{"tokenizer.ggml.precompiled_charsmap": list(rules)})
    signed = [byte - 256 if byte > 127 else byte for byte in rules]
    for told in (base64.b64encode(rules).decode(), signed):
        other = listed | {"tokenizer.ggml.precompiled_charsmap": told}
        assert named(other, "\u00bd x") == named(listed, "\u00bd x") == named(listed, "1/2 x")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no tokenizer": ({}, "tells of no tokenizer"),
    "unknown kind": (small(model="rwkv"), "'rwkv' is not known"),
    "unknown pre-tokenizer": (small(pre="brand-new"), "'brand-new' is not known"),
    "not verbose": (small(tokens=None), "asked verbosely"),
    "no texts": (small(tokens=[1, 2]), "tokens are no texts"),
    "twice": (small(tokens=["a", "a"]), "twice"),
    "types missing": (small(token_type=[1]), "types of the tokens"),
    "types are texts": (small(token_type=["x"] * 200), "types of the tokens"),
    "merge of nothing": (small(merges=["h \u4e00"]), "what is no token"),
    "merge that makes nothing": (small(merges=["h o"]), "what is no token"),
    "no merges": (small(merges=None), "does not tell the merges"),
    "merges are no texts": (small(merges=[["h", "e"]]), "merges are no texts"),
    "scores are no numbers": (
        vocabularies.spm(**{"tokenizer.ggml.scores": ["x"]}),
        "scores of the tokens are no numbers",
    ),
    "scores missing": (vocabularies.spm(**{"tokenizer.ggml.scores": [0.0]}), "each of them"),
    "rules damaged": (
        vocabularies.unigram(**{"tokenizer.ggml.precompiled_charsmap": [1, 2, 3, 4, 5]}),
        "damaged",
    ),
    "rules are no bytes": (
        vocabularies.unigram(**{"tokenizer.ggml.precompiled_charsmap": "!"}),
        "not told as bytes",
    ),
    "nothing unknown": (
        vocabularies.unigram(**{"tokenizer.ggml.tokens": ["a"]}),
        "stands for what is unknown",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_vocabulary(what: str) -> None:
    """A typed error says what is wrong, and offers the estimate."""
    info, told = WRONG[what]
    with pytest.raises(TokenizerError, match=told) as caught:
        Tokenizer(info)
    assert "estimate=True" in str(caught.value)


@given(noise=st.binary(max_size=64), text=st.text("ab \u00bd", max_size=8))
def test_damaged_rules_end_in_an_error(noise: bytes, text: str) -> None:
    """Never in a hang, a crash or another error."""
    blob = struct.pack("<I", len(noise) // 4 * 4) + noise + b"x\0"
    info = vocabularies.unigram(**{"tokenizer.ggml.precompiled_charsmap": list(blob)})
    with suppress(TokenizerError):
        assert Tokenizer(info).count(text) <= 8 * len(noise) + len(text) + 3


def _byte_characters() -> list[str]:
    shown = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    moved = iter(range(0x100, 0x200))
    return [chr(byte if byte in shown else next(moved)) for byte in range(0x100)]


_BYTES = _byte_characters()


@pytest.mark.parametrize("name", TOKENIZERS)
def test_half_a_surrogate_pair_is_refused(name: str) -> None:
    """By each family alike, with an error that says what is wrong."""
    for work in (TOKENIZERS[name].encode, TOKENIZERS[name].count):
        with pytest.raises(InvalidRequestError, match="surrogate"):
            work("half \ud800")


def test_vocabulary_that_makes_the_library_panic() -> None:
    """It is refused like any other; a panic alone would end the program."""
    info = vocabularies.bpe("llama-bpe")
    wrong = small(tokens=[" "], token_type=[1], merges=info["tokenizer.ggml.merges"])
    with pytest.raises(TokenizerError, match="a merge joins"):
        Tokenizer(wrong)
