"""The server's timestamps: RFC 3339 with up to nine digits of a second."""

from __future__ import annotations

import re
from datetime import datetime

__all__ = ["parse_time"]

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)\Z", re.ASCII)


def parse_time(text: str) -> datetime | None:
    """Read a timestamp as Ollama writes it, ``Z`` or an offset behind.

    Digits beyond the microsecond are cut off, because Python's datetime holds no more.

    Returns:
        An aware datetime; None if the text is no such time (some servers that imitate Ollama send
        something else, and nothing depends on it).
    """
    match = _TIME.match(text)
    if match is None:
        return None
    seconds, fraction, zone = match.groups()
    micros = (fraction or "0")[:6].ljust(6, "0")
    try:
        return datetime.fromisoformat(f"{seconds}.{micros}{'+00:00' if zone == 'Z' else zone}")
    except ValueError:  # a 30th of February, a 25th hour
        return None
