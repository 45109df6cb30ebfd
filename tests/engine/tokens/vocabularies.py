"""Vocabularies of every kind, small but whole, as ``model_info`` of ``show`` would have them."""

from __future__ import annotations

import json
import random
import struct
from collections import Counter
from functools import cache
from typing import Any

from tests.engine.tokens.texts import questions, texts, words
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)

SPECIAL = ("<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>", "<|im_end|>", "<|im_start|>x")
"""The last one is longer than another that it begins with."""

USER = ("<tool_call>", "\n\n\n", "  \t", "_")

_BLANK = "\u2581"

_Learned = tuple[list[str], list[tuple[str, str]]]


def _corpus() -> list[str]:
    made = [*questions(400), *texts(400, seed=99), " ".join(words(5, 3_000))]
    return [text.replace("\0", "") for text in made]


@cache
def _byte_level() -> _Learned:
    """Tokens and merges of bytes in disguise."""
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    trainer = trainers.BpeTrainer(
        vocab_size=1_500,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    learner.train_from_iterator(_corpus(), trainer)
    return _parts(learner)


@cache
def _raw_level(*, crosses: bool) -> _Learned:
    """The same of plain text with a mark for a blank; tokens may go over several words."""
    learner = Tokenizer(models.BPE())
    learner.normalizer = normalizers.Replace(" ", _BLANK)
    cut = ("\n", "isolated") if crosses else (_BLANK, "merged_with_next")
    learner.pre_tokenizer = pre_tokenizers.Split(*cut)
    trainer = trainers.BpeTrainer(vocab_size=1_500, show_progress=False, limit_alphabet=400)
    learner.train_from_iterator([" ".join(text.split()[:30]) for text in _corpus()], trainer)
    return _parts(learner)


def _parts(learner: Tokenizer) -> _Learned:
    told = json.loads(learner.to_str())["model"]
    tokens = sorted(told["vocab"], key=told["vocab"].__getitem__)
    assert not any("\0" in token for token in tokens), "the format of files ends a token there"
    return tokens, [(left, right) for left, right in told["merges"]]


def bpe(pre: str, **more: Any) -> dict[str, Any]:
    """Byte-level BPE with a pre-tokenizer; of plain text for those that want it."""
    is_raw = pre in {"gemma4", "sarvam-moe", "granite-embed-multi-311m"}
    learned, merges = _raw_level(crosses=True) if is_raw else _byte_level()
    runs = ["\n", "\n\n", "\n\n\n\n"] if is_raw else []
    tokens = list(dict.fromkeys([*learned, *runs]))
    taken = set(tokens)
    user = [each for each in USER if each not in taken and (" " not in each or not is_raw)]
    extra = [f"<0x{byte:02X}>" for byte in range(256)] if is_raw else []
    first = len(tokens) + len(extra)
    return {
        "general.architecture": "llama",
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": [*tokens, *extra, *SPECIAL, *user],
        "tokenizer.ggml.token_type": [
            *[NORMAL] * len(tokens),
            *[BYTE] * len(extra),
            *[CONTROL] * len(SPECIAL),
            *[USER_DEFINED] * len(user),
        ],
        "tokenizer.ggml.merges": [f"{left} {right}" for left, right in merges],
        "tokenizer.ggml.bos_token_id": first,
        "tokenizer.ggml.eos_token_id": first + 1,
        **more,
    }


def spm(*, ties: bool = False, crosses: bool = False, **more: Any) -> dict[str, Any]:
    """SentencePiece's BPE.

    Args:
        ties: some scores are equal, and some characters of tokens are no tokens themselves.
        crosses: tokens may go over several words.
        more: put over the rest.
    """
    learned, _ = _raw_level(crosses=crosses)
    draw = random.Random(3)
    base = ["<unk>", "<s>", "</s>", *[f"<0x{byte:02X}>" for byte in range(256)]]
    tokens = [each for each in learned if each not in base and "\n" not in each]
    if ties:
        tokens = [each for each in tokens if len(each) > 1 or draw.random() < 0.7]
        scores = [float(draw.randint(-30, 0)) for _ in tokens]
    else:
        singles = [each for each in tokens if len(each) == 1]
        tokens = [*[each for each in tokens if len(each) > 1], *singles]
        scores = [-float(at) for at in range(len(tokens))]
    user = [each for each in ("<tool_call>", "\n\n\n") if each not in tokens]
    return {
        "general.architecture": "llama",
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": [*base, *tokens, *SPECIAL, *user],
        "tokenizer.ggml.token_type": [
            UNKNOWN,
            CONTROL,
            CONTROL,
            *[BYTE] * 256,
            *[NORMAL] * len(tokens),
            *[CONTROL] * len(SPECIAL),
            *[USER_DEFINED] * len(user),
        ],
        "tokenizer.ggml.scores": [0.0] * 259 + scores + [0.0] * (len(SPECIAL) + len(user)),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_eos_token": False,
        **more,
    }


def wordpiece(**more: Any) -> dict[str, Any]:
    """BERT's, of the commonest beginnings, middles and ends of words."""
    counted: Counter[str] = Counter()
    for text in _corpus():
        for word in text.lower().split():
            counted.update(_BLANK + word[:end] for end in range(1, min(len(word), 8) + 1))
            counted.update(word[at : at + 3] for at in range(1, len(word)))
            counted.update(word[1:])
    common = [each for each, _ in counted.most_common(3_000)]
    tokens = list(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *common]))
    return {
        "general.architecture": "bert",
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [CONTROL] * 5 + [NORMAL] * (len(tokens) - 5),
        "tokenizer.ggml.padding_token_id": 0,
        "tokenizer.ggml.unknown_token_id": 1,
        "tokenizer.ggml.bos_token_id": 2,
        "tokenizer.ggml.seperator_token_id": 3,
        **more,
    }


@cache
def _unigram() -> tuple[tuple[str, float], ...]:
    learner = Tokenizer(models.Unigram())
    learner.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=4_000, show_progress=False, unk_token="<unk>", special_tokens=["<unk>"]
    )
    learner.train_from_iterator([_bare(text) for text in _corpus()], trainer)
    return tuple((text, score) for text, score in json.loads(learner.to_str())["model"]["vocab"])


def unigram(*, rules: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """T5's and XLM-R's."""
    learned = [pair for pair in _unigram() if pair[0] not in {"<unk>", ""}]
    base = ["<pad>", "</s>", "<unk>"]
    user = ["<mask>", "<extra_id_0>"]
    if rules:
        more["tokenizer.ggml.precompiled_charsmap"] = list(charsmap(rules))
    return {
        "general.architecture": "t5",
        "tokenizer.ggml.model": "t5",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": [*base, *[text for text, _ in learned], *user, "<unused>"],
        "tokenizer.ggml.token_type": [
            CONTROL,
            CONTROL,
            UNKNOWN,
            *[NORMAL] * len(learned),
            USER_DEFINED,
            USER_DEFINED,
            UNUSED,
        ],
        "tokenizer.ggml.scores": [
            *[0.0] * 3,
            *[struct.unpack("f", struct.pack("f", score))[0] for _, score in learned],
            *[0.0] * 3,
        ],
        "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.ggml.unknown_token_id": 2,
        "tokenizer.ggml.add_space_prefix": True,
        **more,
    }


def charsmap(rules: dict[str, str]) -> bytes:
    """Compile rules of normalisation as SentencePiece does, with a block of cells per node."""
    trie: dict[bytes, int] = {b"": 0}
    offsets: dict[bytes, int] = {}
    replacements = b""
    for source, target in rules.items():
        data = source.encode()
        for end in range(1, len(data) + 1):
            trie.setdefault(data[:end], 0)
        offsets[data] = len(replacements)
        replacements += target.encode() + b"\0"
    nodes = sorted(trie, key=len)
    blocks = {node: 256 * (at + 1) for at, node in enumerate(nodes)}
    cells = [0] * (256 * (len(nodes) + 1))
    for node in nodes:
        place = blocks[node[:-1]] ^ node[-1] if node else 0
        base = place ^ blocks[node] if node else blocks[node]
        assert base < 1 << 21
        cells[place] = base << 10 | (node[-1] if node else 0)
        if node in offsets:
            cells[place] |= 1 << 8
            cells[blocks[node]] = 1 << 31 | offsets[node]
    return struct.pack(f"<I{len(cells)}I", 4 * len(cells), *cells) + replacements


def _bare(text: str) -> str:
    """The text with the characters of a few scripts only, of which all have to be tokens."""
    return "".join(character for character in text if ord(character) < 0x500)
