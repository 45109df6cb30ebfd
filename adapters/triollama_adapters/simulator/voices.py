"""In whose words an answer is given: Ollama's own, OpenAI's or Anthropic's.

Owns the choice alone; the words stand in `lines`, `openai_lines`, `anthropic` and
`responses_lines`.
"""

from __future__ import annotations

from collections.abc import Iterator
from zlib import crc32

from .anthropic import MessagesTranslator
from .calls import TextCall
from .encoding import Stamps, encode_json
from .lines import Lines
from .openai_lines import CompletionLines, CreatedStamps, OpenAiLines, SecondsStamps
from .response import Response
from .responses_lines import ResponsesTranslator
from .translated import Translated
from .vocabulary import Kind, Piece, piece

__all__ = ["transcript", "way_of", "without_thinking", "words_of"]

_NS = 1_000_000_000


def way_of(call: TextCall, response: Response, wall_ns: int) -> Response | Translated:
    """Choose where an answer goes: to the client, or through a translator.

    Args:
        call: the request.
        response: to the client.
        wall_ns: when the request came, in nanoseconds since 1970.
    """
    if call.dialect == "messages":
        return Translated(response, MessagesTranslator(call))
    if call.dialect == "responses":
        return Translated(response, ResponsesTranslator(call, wall_ns // _NS))
    return response


def words_of(call: TextCall, asked: str, stamps: Stamps, arrived: float) -> tuple[Stamps, Lines]:
    """Choose what writes an answer's events, and the times in them.

    Args:
        call: the request.
        asked: its last words.
        stamps: tells the time.
        arrived: when the request came, on the caller's clock.
    """
    if not call.is_openai or call.transcript:
        return stamps, Lines(call.model, is_chat=call.is_chat)
    number = crc32(asked.encode("utf-8", "replace"))
    stream, usage = call.stream, call.has_usage
    if not call.is_chat:
        lines = CompletionLines(call.model, number, is_stream=stream, has_usage=usage)
        return SecondsStamps(stamps), lines
    began = CreatedStamps(stamps.wall_ns(arrived))
    return began, OpenAiLines(call.model, number, is_stream=stream, has_usage=usage)


def without_thinking(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Leave out what is thought, which completions have no field for; its events are empty."""
    for entry in pieces:
        is_thought = entry.kind == Kind.THINKING
        yield piece("", sway=entry.sway) if is_thought else entry


def transcript(text: str, form: str) -> bytes:
    """What ``/v1/audio/transcriptions`` answers, in one of its two forms."""
    return text.encode() if form == "text" else encode_json({"text": text}) + b"\n"
