"""Special tokens: which tokens are looked for in a text before all else, and cutting it at them.

llama.cpp looks for the longest of them first, in the whole text, then for the next in what is left;
so does this. What the file calls them is not all: some tokens count as special by their text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import attrs

__all__ = ["Special", "find_special"]

_UNKNOWN, _CONTROL, _USER_DEFINED = 2, 3, 4

_BAR, _GAP = "\uff5c", "\u2581"
"""DeepSeek's own bar and blank, in the names of its tokens."""

_ENDS: Final = frozenset(
    {"<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>"}
    | {"<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]"}
    | {"<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>", "[e~["}
    | {f"<{_BAR}end{_GAP}of{_GAP}sentence{_BAR}>"}
)
"""Texts that end an answer in some model: control tokens, whatever type the file gives them."""

_SHOWN: Final = frozenset({"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"})
"""Of gpt-oss: always looked for."""

_MIDDLES: Final[dict[str, tuple[str, ...]]] = {
    "fim_pre": (
        "<|fim_prefix|>",
        "<fim-prefix>",
        "<fim_prefix>",
        f"<{_BAR}fim{_GAP}begin{_BAR}>",
        "<PRE>",
        "▁<PRE>",
        "<|code_prefix|>",
        "<|prefix|>",
    ),
    "fim_suf": (
        "<|fim_suffix|>",
        "<fim-suffix>",
        "<fim_suffix>",
        f"<{_BAR}fim{_GAP}hole{_BAR}>",
        "<SUF>",
        "▁<SUF>",
        "<|code_suffix|>",
        "<|suffix|>",
    ),
    "fim_mid": (
        "<|fim_middle|>",
        "<fim-middle>",
        "<fim_middle>",
        f"<{_BAR}fim{_GAP}end{_BAR}>",
        "<MID>",
        "▁<MID>",
        "<|code_middle|>",
        "<|middle|>",
    ),
    "fim_pad": ("<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"),
    "fim_rep": ("<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"),
    "fim_sep": ("<|file_sep|>",),
}
"""Texts for filling in the middle, by the key that would name the token."""

_HEAD_CHARACTERS: Final = 4
"""Most vocabularies with thousands of special tokens have few beginnings: one look tells of all."""

Piece = str | int
"""Ordinary text, or the id of a special token."""


@attrs.frozen(eq=False, repr=False)
class Special:
    """The special tokens of a vocabulary.

    Attributes:
        ids: by text.
        visible: those that are looked for even where special tokens are not to be parsed.
        strips_left: those before which blanks are swallowed.
    """

    ids: Mapping[str, int]
    visible: frozenset[str]
    strips_left: frozenset[str] = frozenset()
    _heads: dict[str, list[str]] = attrs.field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        for text in self.ids:
            self._heads.setdefault(text[:_HEAD_CHARACTERS], []).append(text)

    def cut(self, text: str, *, parse_special: bool) -> Sequence[Piece]:
        """Cut a text at its special tokens; no piece of text is empty."""
        found = [
            token
            for head, tokens in self._heads.items()
            if head in text
            for token in tokens
            if token in text and (parse_special or token in self.visible)
        ]
        pieces: Sequence[Piece] = [text] if text else []
        for token in sorted(found, key=_length, reverse=True):
            pieces = list(self._cut_at(token, pieces))
        return pieces

    def _cut_at(self, token: str, pieces: Sequence[Piece]) -> Iterator[Piece]:
        token_id = self.ids[token]
        for piece in pieces:
            if isinstance(piece, int):
                yield piece
                continue
            *before, last = piece.split(token)
            for each in before:
                left = each.rstrip(" \t\n\v\f\r") if token in self.strips_left else each
                if left:
                    yield left
                yield token_id
            if last:
                yield last


def find_special(
    ids: Mapping[str, int],
    types: Sequence[int],
    has_key: Callable[[str], bool],
    architecture: object,
) -> Special:
    """Find the special tokens of a vocabulary.

    Args:
        ids: the vocabulary.
        types: by id, as in GGUF.
        has_key: whether the file has a key ``tokenizer.ggml.NAME``.
        architecture: the model's.
    """
    kinds = (_UNKNOWN, _CONTROL, _USER_DEFINED)
    special = {text: number for text, number in ids.items() if types[number] in kinds}
    visible = {text for text, number in special.items() if types[number] == _USER_DEFINED}
    controls = _controls(ids, has_key)
    special |= {text: ids[text] for text in controls | (_SHOWN & ids.keys())}
    visible = (visible - controls) | (_SHOWN & ids.keys())
    if "<|tool_response>" in ids and "</s>" in ids:  # Gemma 4, to which </s> is ordinary text
        special.pop("</s>", None)
    calls = {"<|return|>", "<|call|>"} <= ids.keys() or {"<|calls|>", "<|flush|>"} <= ids.keys()
    if calls and "<|end|>" in ids:
        visible.add("<|end|>")
    strips = architecture in ("nomic-bert-moe", "jina-bert-v3")
    return Special(special, frozenset(visible), frozenset({"<mask>"} if strips else ()))


def _controls(ids: Mapping[str, int], has_key: Callable[[str], bool]) -> set[str]:
    """What is a control token because of its text."""
    controls = _ENDS & ids.keys()
    for name, texts in _MIDDLES.items():
        if not has_key(f"{name}_token_id"):
            controls |= {text for text in texts if text in ids}
    return set(controls)


def _length(token: str) -> int:
    return len(token.encode())
