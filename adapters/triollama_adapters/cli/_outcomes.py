"""What a finished stream puts into its record and into the tally. No IO."""

from __future__ import annotations

from typing import Any

import attrs

from triollama import ChatChunk, ChatResponse, Stream, Timing, TriollamaError
from triollama_adapters.cli._tally import Answered

__all__ = ["answer_fields", "answer_figures", "error_fields"]

ChatStream = Stream[ChatChunk, ChatResponse]


def answer_fields(answer: ChatResponse, stream: ChatStream) -> dict[str, Any]:
    """Our fields of the record of a complete answer."""
    fields: dict[str, Any] = {"content": answer.content}
    if answer.thinking:
        fields["thinking"] = answer.thinking
    fields["done_reason"] = answer.done_reason
    fields["usage"] = attrs.asdict(answer.usage)
    fields["endpoint"] = stream.endpoint
    return fields | _way(stream)


def error_fields(error: TriollamaError, stream: ChatStream | None) -> dict[str, Any]:
    """Our fields of the record of a failed request."""
    fields: dict[str, Any] = {"error": {"type": type(error).__name__, "message": str(error)}}
    return fields if stream is None else fields | _way(stream)


def answer_figures(answer: ChatResponse, stream: ChatStream) -> Answered:
    """What the tally counts of a complete answer."""
    timing = stream.timing
    return Answered(
        endpoint=stream.endpoint,
        chunks=stream.chunks,
        prompt_tokens=answer.usage.prompt_tokens,
        tokens=answer.usage.output_tokens,
        first_token_ns=_between(timing.sent_ns, timing.first_ns),
    )


def _way(stream: ChatStream) -> dict[str, Any]:
    """How the answer came about: its attempts and times."""
    attempts = [
        {
            "endpoint": attempt.endpoint,
            "duration_ms": _ms(_between(attempt.started_ns, attempt.ended_ns)),
            "way": attempt.way,
            "characters": attempt.characters,
            "why": attempt.why,
            "error": attempt.error or None,
        }
        for attempt in stream.attempts
    ]
    return {"attempts": attempts, "timings": _timings(stream.timing)}


def _timings(timing: Timing) -> dict[str, float | None]:
    return {
        "queued_ms": _ms(_between(timing.scheduled_ns, timing.sent_ns)),
        "first_token_ms": _ms(_between(timing.sent_ns, timing.first_ns)),
        "total_ms": _ms(_between(timing.scheduled_ns, timing.done_ns)),
    }


def _between(start_ns: int, end_ns: int) -> int | None:
    """The time between two stamps, where 0 is a stamp that was never made."""
    return end_ns - start_ns if start_ns and end_ns else None


def _ms(ns: int | None) -> float | None:
    return None if ns is None else round(ns / 1e6, 3)
