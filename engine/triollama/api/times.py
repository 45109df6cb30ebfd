"""The server's timestamps, RFC 3339 with up to nine digits of a second, and Go's durations."""

from __future__ import annotations

import re
from datetime import datetime

__all__ = ["DURATION_S_MAX", "duration_s", "is_duration", "parse_time"]

DURATION_S_MAX = (2**63 - 1) / 1e9
"""The longest that Go has, in seconds: 292 years. It counts nanoseconds in 64 bits."""

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


# Go takes both letters mu.
_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_GO_PART = r"(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)"
_GO_DURATION = re.compile(rf"[+-]?(?:0|(?:{_GO_PART})+)\Z", re.ASCII)
_PART = re.compile(r"([\d.]+)(\D+)", re.ASCII)
_DURATION_CHARS_MAX = 200


def is_duration(text: str) -> bool:
    """Whether Go takes it as a duration: ``"5m"``, ``"1h30m"``, ``"-1s"``, ``"0"``."""
    return len(text) <= _DURATION_CHARS_MAX and _GO_DURATION.match(text) is not None


def duration_s(text: str) -> float:
    """Read a duration as Go writes it; see `is_duration`.

    Returns:
        Seconds; infinity where the number is beyond a float.

    Raises:
        ValueError: it is none; a number without a unit is none either, except 0.
    """
    if not is_duration(text):
        raise ValueError("not a duration")
    parts = _PART.findall(text) if text.lstrip("+-") != "0" else []
    seconds = sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    return -seconds if text.startswith("-") else seconds
