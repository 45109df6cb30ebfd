"""`Tokenizer`: the tokens of a text, as the server that has the model would find them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol

from triollama._errors import InvalidRequestError

from .special import Piece
from .spm import SPM
from .vocabulary import Vocabulary
from .wordpiece import WordPiece

__all__ = ["Tokenizer", "check_text"]


class _Family(Protocol):
    """One kind of tokenizer, for texts without special tokens."""

    def encode(self, texts: Sequence[str]) -> list[list[int]]: ...

    def count(self, texts: Sequence[str]) -> int: ...


class Tokenizer:
    """A model's tokenizer, built from its vocabulary; the tokens are those of llama.cpp.

    It has no state that a call changes, but for a bounded memory of words, and may be used from
    several threads.

    Attributes:
        kind: ``BPE``, ``SPM``, ``Unigram`` or ``WPM`` (WordPiece).
        size: tokens in the vocabulary.

    Args:
        info: ``model_info`` of ``show`` with ``verbose``. Building takes up to half a second for
            the largest vocabularies: from async code, do it in a thread. The library behind BPE
            keeps the interpreter to itself for a third of that, about 0.15 s.

    Raises:
        TokenizerError: the kind of tokenizer is not known here, or the vocabulary makes no sense.
        MissingExtraError: the extra ``tokenize`` is not installed.
    """

    def __init__(self, info: Mapping[str, Any]) -> None:
        vocabulary = Vocabulary.read(info)
        self._special = vocabulary.special
        self._bos, self._end = vocabulary.bos, vocabulary.end
        self._opens = vocabulary.opens_with_space and vocabulary.kind == "SPM"
        self._family = _family(vocabulary)
        self.kind = vocabulary.kind
        self.size = len(vocabulary.tokens)
        self._doubt = vocabulary.doubt

    def __repr__(self) -> str:
        return f"<Tokenizer {self.kind}, {self.size} tokens>"

    def encode(
        self, text: str, *, add_special: bool = False, parse_special: bool = True
    ) -> list[int]:
        """The ids of a text's tokens.

        Args:
            text: any text; `InvalidRequestError` if half a surrogate pair is in it.
            add_special: also the tokens that the model wants before and behind a prompt.
            parse_special: whether the names of special tokens in the text, such as
                ``<|im_start|>``, are those tokens, as in the prompts that Ollama makes.
        """
        pieces = self._pieces(text, parse_special=parse_special)
        found = iter(self._family.encode([piece for piece in pieces if isinstance(piece, str)]))
        ids = [self._bos] if add_special and self._bos is not None else []
        for piece in pieces:
            ids.extend([piece] if isinstance(piece, int) else next(found))
        if add_special and self._end is not None:
            ids.append(self._end)
        return ids

    def count(self, text: str, *, add_special: bool = False, parse_special: bool = True) -> int:
        """How many tokens a text has; see `encode`."""
        pieces = self._pieces(text, parse_special=parse_special)
        texts = [piece for piece in pieces if isinstance(piece, str)]
        ends = (self._bos is not None) + (self._end is not None) if add_special else 0
        return len(pieces) - len(texts) + ends + (self._family.count(texts) if texts else 0)

    def is_doubtful(self, text: str) -> bool:
        """Whether the server may count otherwise: it does not tell all that matters here."""
        return bool(self._doubt) and len(self._pieces(text, parse_special=True)) > 1

    def _pieces(self, text: str, *, parse_special: bool) -> Sequence[Piece]:
        check_text(text)
        pieces = self._special.cut(text, parse_special=parse_special)
        if not self._opens:
            return pieces
        # A blank opens the text, and each part behind a special token.
        befores = [0, *pieces]
        return [
            f" {piece}" if isinstance(piece, str) and isinstance(before, int) else piece
            for before, piece in zip(befores, pieces, strict=False)
        ]


def check_text(text: str) -> None:
    """Refuse what no server can be sent.

    Raises:
        InvalidRequestError: it holds half a surrogate pair.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequestError(
            "the text holds half a surrogate pair, which is no text"
        ) from None


def _family(vocabulary: Vocabulary) -> _Family:
    """The tokenizer of a kind; two of them need a library that is optional."""
    if vocabulary.kind == "SPM":
        return SPM(vocabulary)
    if vocabulary.kind == "WPM":
        return WordPiece(vocabulary)
    make: Callable[[Vocabulary], _Family] = getattr(
        import_module(f"triollama.tokens.{vocabulary.kind.lower()}"), vocabulary.kind
    )
    return make(vocabulary)
