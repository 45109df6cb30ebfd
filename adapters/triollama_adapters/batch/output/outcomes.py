"""What a finished request puts into its record, whatever the record's format. No IO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs

from triollama import Attempt, Timing, Usage

__all__ = ["Text", "Way", "between_ns", "error_fields", "text_fields", "way_fields"]


class Text(Protocol):
    """An answer of words: `ChatResponse` or `GenerateResponse`."""

    @property
    def content(self) -> str:
        """The text."""

    @property
    def thinking(self) -> str | None:
        """What the model thought."""

    @property
    def done_reason(self) -> str | None:
        """Why it ended."""

    @property
    def usage(self) -> Usage:
        """What it cost."""


class Way(Protocol):
    """How an answer came about; a `Stream` tells it."""

    @property
    def endpoint(self) -> str:
        """Who answered."""

    @property
    def attempts(self) -> Sequence[Attempt]:
        """Every try, in order."""

    @property
    def timing(self) -> Timing:
        """When what happened."""


def text_fields(answer: Text) -> dict[str, Any]:
    """The fields of a complete answer; ``thinking`` only if there was any."""
    fields: dict[str, Any] = {"content": answer.content}
    if answer.thinking:
        fields["thinking"] = answer.thinking
    fields["done_reason"] = answer.done_reason
    fields["usage"] = attrs.asdict(answer.usage)
    return fields


def error_fields(kind: str, message: str, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The field of a failure.

    Args:
        kind: its name.
        message: what happened.
        more: what else is known.
    """
    return {"error": {"type": kind, "message": message, **(more or {})}}


def way_fields(way: Way) -> dict[str, Any]:
    """How an answer came about: its attempts and times."""
    attempts = [
        {
            "endpoint": attempt.endpoint,
            "duration_ms": _ms(between_ns(attempt.started_ns, attempt.ended_ns)),
            "way": attempt.way,
            "characters": attempt.characters,
            "why": attempt.why,
            "error": attempt.error or None,
        }
        for attempt in way.attempts
    ]
    return {"attempts": attempts, "timings": _timings(way.timing)}


def between_ns(start_ns: int, end_ns: int) -> int | None:
    """The time between two stamps, where 0 is a stamp that was never made."""
    return end_ns - start_ns if start_ns and end_ns else None


def _timings(timing: Timing) -> dict[str, float | None]:
    return {
        "queued_ms": _ms(between_ns(timing.scheduled_ns, timing.sent_ns)),
        "first_token_ms": _ms(between_ns(timing.sent_ns, timing.first_ns)),
        "total_ms": _ms(between_ns(timing.scheduled_ns, timing.done_ns)),
    }


def _ms(ns: int | None) -> float | None:
    return None if ns is None else round(ns / 1e6, 3)
