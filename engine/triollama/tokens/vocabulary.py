"""The vocabulary of a model as ``show`` tells it with ``verbose``, checked and made whole.

Owns the defaults that llama.cpp takes for what a model's file leaves out: they depend on the kind
of tokenizer, and decide about the tokens before and after a text.
"""

from __future__ import annotations

import base64
import binascii
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from .errors import TokenizerError
from .pretokenizers import PRETOKENIZERS, Pretokenizer
from .special import Special, find_special

__all__ = ["BYTE", "CONTROL", "NORMAL", "UNKNOWN", "UNUSED", "USER_DEFINED", "Vocabulary"]

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = range(1, 7)
"""Kinds of tokens, numbered as in GGUF."""

_PREFIX: Final = "tokenizer.ggml."

_KINDS: Final = {"gpt2": "BPE", "gemma4": "BPE", "llama": "SPM", "t5": "Unigram", "bert": "WPM"}
"""Kinds of tokenizers by ``tokenizer.ggml.model``."""

_IDS: Final[dict[str, dict[str, int]]] = {
    "gpt2": {"bos": 11, "eos": 11},
    "gemma4": {},
    "llama": {"bos": 1, "eos": 2, "unknown": 0},
    "t5": {"eos": 1, "unknown": 2},
    "bert": {"bos": 101, "unknown": 100, "seperator": 102},
}
"""Ids that are taken where the file names none. The misspelt key is GGUF's own."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Vocabulary:
    """All that a tokenizer is built from.

    Attributes:
        kind: ``BPE``, ``SPM``, ``Unigram`` or ``WPM`` (WordPiece).
        tokens: by id.
        ids: the reverse.
        types: by id, numbered as in GGUF.
        merges: of BPE, as two tokens with a space between them, the first to be made first.
        scores: by id, in single precision; empty where there are none.
        pretokenizer: how BPE cuts a text into words.
        special: the tokens that are looked for in a text before all else.
        bos: put before a text when special tokens are added; None for none.
        end: put behind it.
        unknown: stands for what no token fits.
        opens_with_space: a text is given a space before it.
        merges_spaces: Unigram: runs of spaces count as one.
        charsmap: Unigram: SentencePiece's compiled rules of normalisation.
        lowercases: WordPiece: letters become small.
        strips_accents: WordPiece: letters lose their accents.
        doubt: why counts may differ from the server's where a special token stands before a blank;
            empty if they cannot.
    """

    kind: str
    tokens: Sequence[str]
    ids: Mapping[str, int]
    types: Sequence[int]
    merges: Sequence[str] = ()
    scores: Sequence[float] = ()
    pretokenizer: Pretokenizer = attrs.field(factory=Pretokenizer)
    special: Special
    bos: int | None
    end: int | None
    unknown: int | None
    opens_with_space: bool = False
    merges_spaces: bool = False
    charsmap: bytes = b""
    lowercases: bool = True
    strips_accents: bool = True
    doubt: str = ""

    @classmethod
    def read(cls, info: Mapping[str, Any]) -> Vocabulary:
        """Read it from ``model_info``.

        Raises:
            TokenizerError: the kind of tokenizer is unknown, or something is missing or makes no
                sense.
        """
        return _Reader(info).vocabulary()


class _Reader:
    """Takes a vocabulary out of ``model_info``."""

    def __init__(self, info: Mapping[str, Any]) -> None:
        self._info = info
        model = self._value("model", str, None)
        if model is None:
            raise TokenizerError("the server tells of no tokenizer")
        if model not in _KINDS:
            raise TokenizerError(f"the kind of tokenizer {model!r} is not known here")
        self._model: str = model
        self._pre: str = "gemma4" if model == "gemma4" else self._value("pre", str, "default")

    def vocabulary(self) -> Vocabulary:
        kind = _KINDS[self._model]
        tokens, ids = self._tokens()
        types = self._types(len(tokens))
        pretokenizer = self._pretokenizer(kind)
        bos, end = self._ends(kind, pretokenizer, len(tokens))
        lowercases = self._flag("normalizer.lowercase", default=True)
        return Vocabulary(
            kind=kind,
            tokens=tokens,
            ids=ids,
            types=types,
            merges=self._merges() if kind == "BPE" else (),
            scores=self._scores(len(tokens)) if kind in {"SPM", "Unigram"} else (),
            pretokenizer=pretokenizer,
            special=find_special(ids, types, self._has_key, self._info.get("general.architecture")),
            bos=bos,
            end=end,
            unknown=self._id("unknown", len(tokens)),
            opens_with_space=self._flag("add_space_prefix", default=kind == "SPM"),
            merges_spaces=self._flag("remove_extra_whitespaces", default=False),
            charsmap=self._bytes("precompiled_charsmap"),
            lowercases=lowercases,
            strips_accents=self._flag("normalizer.strip_accents", default=lowercases),
            doubt=self._doubt(kind),
        )

    # ---- the parts

    def _tokens(self) -> tuple[Sequence[str], dict[str, int]]:
        tokens = self._strings("tokens")
        if not tokens:
            raise TokenizerError(
                "the server does not tell the tokens; it has to be asked verbosely"
            )
        ids = dict(zip(tokens, range(len(tokens)), strict=True))
        if "" in ids:
            tokens = [token or f"[EMPTY_{at}]" for at, token in enumerate(tokens)]
            ids = dict(zip(tokens, range(len(tokens)), strict=True))
        if len(ids) != len(tokens):
            raise TokenizerError("a token is in the vocabulary twice")
        return tokens, ids

    def _types(self, count: int) -> Sequence[int]:
        types = self._info.get(f"{_PREFIX}token_type")
        if types is None:
            return [NORMAL] * count
        if not isinstance(types, list) or len(types) < count or set(map(type, types)) - {int}:
            raise TokenizerError("the types of the tokens are not told for each of them")
        return types

    def _merges(self) -> Sequence[str]:
        if self._info.get(f"{_PREFIX}merges") is None:
            raise TokenizerError("the server does not tell the merges of its tokens")
        return self._strings("merges")

    def _scores(self, count: int) -> Sequence[float]:
        scores = self._info.get(f"{_PREFIX}scores")
        if scores is None:
            return [0.0] * count
        try:
            single = array("f", scores)
        except (TypeError, OverflowError):
            raise TokenizerError("the scores of the tokens are no numbers") from None
        if len(single) < count:
            raise TokenizerError("the scores of the tokens are not told for each of them")
        return single

    def _pretokenizer(self, kind: str) -> Pretokenizer:
        if kind != "BPE":
            return Pretokenizer()
        if self._pre not in PRETOKENIZERS:
            raise TokenizerError(f"the pre-tokenizer {self._pre!r} is not known here")
        return PRETOKENIZERS[self._pre]

    def _ends(
        self, kind: str, pretokenizer: Pretokenizer, count: int
    ) -> tuple[int | None, int | None]:
        """What is put before and behind a text."""
        if kind == "WPM":
            return self._id("bos", count), self._id("seperator", count)
        bos = self._id("bos", count)
        eos = self._id("eos", count)
        adds_bos = self._flag("add_bos_token", default=kind == "SPM" or pretokenizer.adds_bos)
        adds_eos = self._flag("add_eos_token", default=kind == "Unigram")
        adds_bos = adds_bos or pretokenizer.always_adds_bos
        return bos if adds_bos else None, eos if adds_eos else None

    def _doubt(self, kind: str) -> str:
        """Phi-3's special tokens swallow blanks, if the model's name says so: it is not told."""
        if kind == "SPM" and self._info.get("general.architecture") == "phi3":
            return "whether its special tokens swallow blanks behind them is not told"
        return ""

    # ---- one value

    def _value(self, name: str, kind: type, default: Any) -> Any:
        value = self._info.get(_PREFIX + name)
        return value if isinstance(value, kind) else default

    def _flag(self, name: str, *, default: bool) -> bool:
        value: bool = self._value(name, bool, default)
        return value

    def _has_key(self, name: str) -> bool:
        return _PREFIX + name in self._info

    def _id(self, name: str, count: int) -> int | None:
        value = self._info.get(f"{_PREFIX}{name}_token_id")
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < count:
            return value
        default = _IDS[self._model].get(name)
        return default if default is not None and default < count else None

    def _strings(self, name: str) -> Sequence[str]:
        value = self._info.get(_PREFIX + name)
        if value is None:
            return ()
        if not isinstance(value, list) or set(map(type, value)) - {str}:
            raise TokenizerError(f"its {name} are no texts")
        return value

    def _bytes(self, name: str) -> bytes:
        """Bytes, told as numbers, signed or not, or in base64 as Go writes them."""
        value = self._info.get(_PREFIX + name)
        try:
            if isinstance(value, str):
                return base64.b64decode(value, validate=True)
            return bytes(number & 0xFF for number in value or ())
        except (TypeError, binascii.Error):
            raise TokenizerError(f"its {name} is not told as bytes") from None
