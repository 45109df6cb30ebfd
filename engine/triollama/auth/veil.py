"""Takes secrets out of an error: servers and proxies may repeat what they were sent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from triollama.auth.credentials import HIDDEN

__all__ = ["hide_in", "secret_parts"]

SECRET_CHARS_MIN = 4
"""Shorter ones cannot be told from ordinary text: to replace each ``a`` would tell more than it
hides."""

PART_CHARS_MIN = 8
"""Of a header's value: it may be a key as well as a word such as ``true``."""

CAUSES_MAX = 20
"""Errors behind an error that are looked at."""


def secret_parts(headers: Mapping[str, str]) -> tuple[str, ...]:
    """What may be secret in headers that a user gave: their values, and the words of these."""
    parts: list[str] = []
    for value in headers.values():
        parts += [value, *re.split(r"[\s;,=\"]+", value)]
    return tuple(part for part in parts if len(part) >= PART_CHARS_MIN)


def hide_in(error: BaseException, secrets: Iterable[str]) -> None:
    """Replace secrets in the texts of an error, its attributes and the errors behind it."""
    found = {each for each in secrets if len(each) >= SECRET_CHARS_MIN}
    if not found:
        return
    longest_first = sorted(found, key=len, reverse=True)
    chain: list[BaseException | None] = [error]
    seen: set[int] = set()
    while chain and len(seen) < CAUSES_MAX:
        each = chain.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        each.args = tuple(_hidden(part, longest_first) for part in each.args)
        state = vars(each)
        state.update({name: _hidden(value, longest_first) for name, value in state.items()})
        chain += [each.__cause__, each.__context__]


def _hidden(part: object, secrets: Iterable[str]) -> object:
    if not isinstance(part, str):
        return part
    text = str(part)
    for each in secrets:
        text = text.replace(each, HIDDEN)
        for length in range(min(len(each), len(text)), SECRET_CHARS_MIN - 1, -1):
            if text.endswith(each[:length]):  # a text that is too long is cut anywhere
                text = text[:-length] + HIDDEN
                break
    return text
