"""What the tools are given: prompts in a file, and a tokenizer that needs no download."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

END_TEXT = "<|end|>"


def write_prompts(path: Path, count: int) -> None:
    """Write as many questions, no two the same, as lines of JSON."""
    with path.open("w") as file:
        for number in range(count):
            words = f"Question {number}: why is the sky of a planet blue, and not of another hue?"
            file.write(json.dumps({"prompt": words}) + "\n")


def write_tokenizer(folder: Path) -> None:
    """Write a tokenizer of Hugging Face's kind with a token for each byte.

    It only serves tools that insist on one to make a prompt: tokens of answers are counted by the
    server.
    """
    vocabulary = {char: number for number, char in enumerate(_byte_chars())}
    end = len(vocabulary)
    level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    }
    added = {
        "id": end,
        "content": END_TEXT,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "vocab": {**vocabulary, END_TEXT: end},
        "merges": [],
    }
    whole = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added],
        "normalizer": None,
        "pre_tokenizer": level,
        "post_processor": None,
        "decoder": level,
        "model": model,
    }
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_TEXT,
        "eos_token": END_TEXT,
        "model_max_length": 100_000,
    }
    folder.mkdir()
    (folder / "tokenizer.json").write_text(json.dumps(whole))
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _byte_chars() -> Iterator[str]:
    """The character that stands for each byte: itself if it can be seen, else one from 256 on."""
    others = 256
    for byte in range(256):
        if 33 <= byte <= 126 or 161 <= byte <= 172 or 174 <= byte <= 255:
            yield chr(byte)
        else:
            yield chr(others)
            others += 1
