"""A look at the whole input before any work: what is in it, and what is wrong with it.

Owns the counts. Memory does not grow with the rows, but for 12 bytes of each ``custom_id``.
"""

from __future__ import annotations

from array import array
from collections import Counter
from hashlib import blake2b
from typing import Any, Final

import attrs
import trio

from triollama import InvalidRequestError
from triollama.api import ChatRequest, EmbedRequest, GenerateRequest
from triollama_adapters.batch.input.source import RowSource
from triollama_adapters.batch.rows import Ask, Row, RowError

__all__ = ["Survey", "check", "survey"]

PLACES_MAX: Final = 5
"""Places told of each kind of mistake: enough to find it."""

NAMES_MAX: Final = 100
"""Models and ignored fields that are counted by name; the rest is counted together."""

REST: Final = "(others)"

CHARACTERS_PER_TOKEN: Final = 4.0
"""Of English text, as OpenAI's and Llama's tokenizers have it; code and other languages have less.
A guess within a factor of two, for an order of magnitude before the first answer."""

_BUCKETS: Final = 256


@attrs.frozen
class Survey:
    """What an input holds.

    Attributes:
        rows: rows that the filter lets through, bad ones included.
        filtered: rows that it leaves out.
        bad: rows that cannot be asked, by kind.
        bad_places: of each kind, the first few places.
        first_error: what is wrong with the first of them; None if none is.
        models: how many rows ask each model.
        ignored: fields that would change the answer elsewhere and do not here, by rows.
        custom_ids: how many rows have one.
        duplicates: rows whose ``custom_id`` an earlier row has.
        duplicate_places: the numbers of the first few of them.
        characters: of all texts that are asked.
        tokens: guessed from them.
    """

    rows: int
    filtered: int
    bad: dict[str, int]
    bad_places: dict[str, tuple[str, ...]]
    first_error: str | None
    models: dict[str, int]
    ignored: dict[str, int]
    custom_ids: int
    duplicates: int
    duplicate_places: tuple[int, ...]
    characters: int
    tokens: int


async def survey(source: RowSource) -> Survey:
    """Read an input to its end and say what is in it. A source can be read only once.

    Each request is made as the engine would make it, so that what it refuses is told here.

    Args:
        source: as `open_rows` gave it.

    Raises:
        InputError: it cannot be read.
    """
    counts = _Counts()
    while (rows := await source.read()) is not None:
        for row in rows:
            counts.add(row)
    ids = await trio.to_thread.run_sync(counts.ids.judge)
    return counts.result(source.filtered, *ids)


def check(ask: Ask) -> str | None:
    """What the engine would refuse in a request; None if nothing. The message has no content."""
    try:
        _REQUESTS[ask.kind](**ask.arguments)
    except InvalidRequestError as error:
        return str(error)
    return None


_REQUESTS: Final[dict[str, Any]] = {
    "chat": ChatRequest,
    "generate": GenerateRequest,
    "embed": EmbedRequest,
}


class _Counts:
    """What has been seen so far."""

    def __init__(self) -> None:
        self.ids = _Ids()
        self._rows = 0
        self._bad: Counter[str] = Counter()
        self._places: dict[str, list[str]] = {}
        self._first_error: str | None = None
        self._models: Counter[str] = Counter()
        self._ignored: Counter[str] = Counter()
        self._characters = 0

    def add(self, row: Row) -> None:
        self._rows += 1
        if row.custom_id is not None:
            self.ids.add(row.custom_id, row.number)
        error = row.error
        if row.ask is not None:
            self._add_ask(row.ask)
            if (refused := check(row.ask)) is not None:
                error = RowError("RequestNotUsable", f"{row.place} is not usable: {refused}")
        if error is not None:
            self._add_error(error, row.place)

    def result(self, filtered: int, duplicates: int, places: tuple[int, ...]) -> Survey:
        return Survey(
            rows=self._rows,
            filtered=filtered,
            bad=dict(self._bad.most_common()),
            bad_places={kind: tuple(places) for kind, places in self._places.items()},
            first_error=self._first_error,
            models=dict(self._models.most_common()),
            ignored=dict(self._ignored.most_common()),
            custom_ids=self.ids.count,
            duplicates=duplicates,
            duplicate_places=places,
            characters=self._characters,
            tokens=round(self._characters / CHARACTERS_PER_TOKEN),
        )

    def _add_ask(self, ask: Ask) -> None:
        _count(self._models, ask.model)
        for name in ask.ignored:
            _count(self._ignored, name)
        self._characters += _characters(ask.arguments)

    def _add_error(self, error: RowError, place: str) -> None:
        self._bad[error.kind] += 1
        self._first_error = self._first_error or error.message
        places = self._places.setdefault(error.kind, [])
        if len(places) < PLACES_MAX:
            places.append(place)


class _Ids:
    """Finds names that come twice, by 8 bytes of their hashes.

    Of 10⁷ names, two are taken for the same by mistake once in 370,000 files.
    """

    def __init__(self) -> None:
        self.count = 0
        # By bucket: only one of them at a time need be a set, which takes ten times as much.
        self._hashes = [array("Q") for _ in range(_BUCKETS)]
        self._numbers = [array("I") for _ in range(_BUCKETS)]

    def add(self, name: str, number: int) -> None:
        self.count += 1
        digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        self._hashes[digest[0]].append(int.from_bytes(digest))
        self._numbers[digest[0]].append(number)

    def judge(self) -> tuple[int, tuple[int, ...]]:
        """How many are the same as an earlier one, and the numbers of the first few."""
        count = 0
        first: list[int] = []
        for hashes, numbers in zip(self._hashes, self._numbers, strict=True):
            twice = len(hashes) - len(set(hashes))
            count += twice
            if twice:
                first = sorted(first + _repeated(hashes, numbers))[:PLACES_MAX]
        return count, tuple(first)


def _repeated(hashes: array[int], numbers: array[int]) -> list[int]:
    seen: set[int] = set()
    found: list[int] = []
    for each, number in zip(hashes, numbers, strict=True):
        if each in seen:
            found.append(number)
            if len(found) == PLACES_MAX:
                break
        seen.add(each)
    return found


def _count(counter: Counter[str], name: str) -> None:
    counter[name if name in counter or len(counter) < NAMES_MAX else REST] += 1


def _characters(arguments: Any) -> int:
    """The length of what is asked; images and schemas are not counted."""
    asked = arguments.get("messages") or arguments.get("prompt") or arguments.get("input") or ""
    if isinstance(asked, str):
        return len(asked) + len(arguments.get("system") or "")
    return sum(_length(each) for each in asked) if isinstance(asked, list) else 0


def _length(part: Any) -> int:
    text = part.get("content") if isinstance(part, dict) else part
    return len(text) if isinstance(text, str) else 0
