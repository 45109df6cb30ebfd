"""The engine's documentation, in the words of blocking programs."""

from __future__ import annotations

from typing import Final

__all__ = ["without_async"]

WORDS: Final = (
    ("asynchronous iterator", "iterator"),
    ("``async with``", "``with``"),
    ("``async for``", "``for``"),
    ("async with ", "with "),
    ("async for ", "for "),
    ("``await``", "``result()``"),
    ("await ", ""),
)


def without_async(doc: str) -> str:
    """The same documentation for programs that wait."""
    for found, told in WORDS:
        doc = doc.replace(found, told)
    return doc
