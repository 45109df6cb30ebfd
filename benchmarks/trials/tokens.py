"""How long until tokens can be counted, and how fast is it then? With Llama 3's size of vocabulary.

The vocabulary is made up, and so is the text: words of a lexicon, a few of them often and most of
them seldom, as in prose.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from itertools import accumulate, chain, repeat
from typing import Any

import msgspec

from benchmarks.figures import Bar
from benchmarks.trial import Finding, Trial, TrialRow
from triollama.tokens.tokenizer import Tokenizer
from triollama.tokens.told import read_vocabulary

TOKENS = 128_256
TEXT_BYTES = 1_000_000
LEXICON, WORD_LETTERS_MAX = 30_000, 11
SHORT_CHARACTERS, SHORT_COUNTS = 400, 500

TRIAL = Trial(
    name="tokens",
    rows=(
        TrialRow(
            "tokens-load",
            f"a vocabulary of {TOKENS:,} tokens, from a server's answer to a tokenizer, once",
            "load",
            "s",
            Bar(0.5),
            (("answer", "MB"),),
        ),
        TrialRow(
            "tokens-count",
            "count the tokens of a megabyte of text with it",
            "count",
            "MB/s",
            Bar(1, is_at_least=True),
            (("again", "MB/s"), ("SPM", "MB/s"), (f"{SHORT_CHARACTERS} characters", "µs")),
        ),
    ),
    repetitions_max=1,
    run_s=3.0,
)


def run(seed: int) -> Finding:
    """Build a tokenizer and count with it."""
    draw = random.Random(seed)
    _import()
    lexicon = _lexicon(draw)
    answer = msgspec.json.encode({"model_info": _byte_level(draw, lexicon)})
    began_s = time.perf_counter()
    tokenizer = Tokenizer(read_vocabulary(answer))
    load_s = time.perf_counter() - began_s
    text = _text(draw, lexicon)
    cold_s, warm_s = _timed(tokenizer.count, text), _timed(tokenizer.count, text)
    count = tokenizer.count(text)
    spm = Tokenizer(_sentence_piece(lexicon))
    short = text[:SHORT_CHARACTERS]
    short_s = _timed(lambda each: [tokenizer.count(each) for _ in range(SHORT_COUNTS)], short)
    figures = {
        "load": load_s,
        "answer": len(answer) / 1e6,
        "count": TEXT_BYTES / 1e6 / cold_s,
        "again": TEXT_BYTES / 1e6 / warm_s,
        "SPM": TEXT_BYTES / 1e6 / _timed(spm.count, text),
        f"{SHORT_CHARACTERS} characters": short_s / SHORT_COUNTS * 1e6,
    }
    is_prose = TEXT_BYTES / 10 < count < TEXT_BYTES
    return Finding(figures, () if is_prose else (f"the text had {count} tokens",))


def _import() -> None:
    """Import the library behind it, which is not what is measured."""
    Tokenizer(_info("gpt2", [chr(code) for code in range(33, 127)], merges=[]))


def _timed(work: Callable[[str], object], text: str) -> float:
    began_s = time.perf_counter()
    work(text)
    return time.perf_counter() - began_s


def _info(model: str, tokens: list[str], **more: Any) -> dict[str, Any]:
    told = {"model": model, "pre": "llama-bpe", "tokens": tokens, **more}
    told["token_type"] = [1] * len(tokens)
    return {f"tokenizer.ggml.{name}": value for name, value in told.items()}


def _byte_level(draw: random.Random, lexicon: list[str]) -> dict[str, Any]:
    """The characters that stand for bytes, then the beginnings of words, each by one letter longer.

    Half of the lexicon's words are among them, and many others.
    """
    shown = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    tokens = [chr(code) for code in sorted(shown | set(range(0x100, 0x144)))]
    known, merges = set(tokens), []
    words = chain(lexicon[::2], chain.from_iterable(_lexicon(draw) for _ in repeat(None)))
    while len(tokens) < TOKENS:
        word = f"\u0120{next(words)}"
        for end in range(2, len(word) + 1):
            if word[:end] not in known and len(tokens) < TOKENS:
                known.add(word[:end])
                tokens.append(word[:end])
                merges.append(f"{word[: end - 1]} {word[end - 1]}")
    return _info("gpt2", tokens, merges=merges)


def _sentence_piece(lexicon: list[str]) -> dict[str, Any]:
    """Every beginning of the words of a lexicon, so that each word can be joined to its end."""
    words = {f"\u2581{word}"[:end] for word in lexicon for end in range(2, 7)}
    singles = {character for word in words for character in word}
    tokens = ["<unk>", "<s>", "</s>", *sorted(words, key=len), *sorted(singles), *"0123456789.,"]
    scores = [-float(at) for at in range(len(tokens))]
    tokens += [f"<0x{byte:02X}>" for byte in range(256)]
    return _info("llama", tokens, scores=[*scores, *[0.0] * 256])


def _lexicon(draw: random.Random) -> list[str]:
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    weights = list(range(len(letters), 0, -1))
    lengths = [draw.randint(2, WORD_LETTERS_MAX) for _ in range(LEXICON)]
    return ["".join(draw.choices(letters, weights, k=length)) for length in lengths]


def _text(draw: random.Random, lexicon: list[str]) -> str:
    weights = list(accumulate(1 / (rank + 1) for rank in range(len(lexicon))))
    words = draw.choices(lexicon, cum_weights=weights, k=TEXT_BYTES // 3)
    ends = draw.choices(
        [" ", " ", " ", " ", ", ", ".\n", f" {draw.randint(0, 9999)} "], k=len(words)
    )
    return "".join(word + end for word, end in zip(words, ends, strict=True))[:TEXT_BYTES]
