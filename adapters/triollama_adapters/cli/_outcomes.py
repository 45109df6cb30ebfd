"""What a finished stream puts into its record and into the tally. No IO.

The fields of a record are shared with the batch jobs: `batch.outcomes`.
"""

from __future__ import annotations

from typing import Any

from triollama import ChatChunk, ChatResponse, Stream, TriollamaError
from triollama_adapters.batch.output.outcomes import between_ns, text_fields, way_fields
from triollama_adapters.batch.output.outcomes import error_fields as fields_of_error
from triollama_adapters.cli._tally import Answered

__all__ = ["answer_fields", "answer_figures", "error_fields"]

ChatStream = Stream[ChatChunk, ChatResponse]


def answer_fields(answer: ChatResponse, stream: ChatStream) -> dict[str, Any]:
    """Our fields of the record of a complete answer."""
    return {**text_fields(answer), "endpoint": stream.endpoint, **way_fields(stream)}


def error_fields(error: TriollamaError, stream: ChatStream | None) -> dict[str, Any]:
    """Our fields of the record of a failed request."""
    fields = fields_of_error(type(error).__name__, str(error))
    return fields if stream is None else fields | way_fields(stream)


def answer_figures(answer: ChatResponse, stream: ChatStream) -> Answered:
    """What the tally counts of a complete answer."""
    timing = stream.timing
    return Answered(
        endpoint=stream.endpoint,
        chunks=stream.chunks,
        prompt_tokens=answer.usage.prompt_tokens,
        tokens=answer.usage.output_tokens,
        first_token_ns=between_ns(timing.sent_ns, timing.first_ns),
    )
