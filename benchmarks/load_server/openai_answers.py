"""The bytes of ``/v1/chat/completions``, made once: as Ollama writes them for OpenAI's clients."""

from __future__ import annotations

from benchmarks.load_server.answers import ANSWER, WORDS
from benchmarks.load_server.forms import END, STAMP_BLANK, Form, http_chunk, stream_head, whole
from benchmarks.plan import MODEL

STREAM_HEAD = stream_head("text/event-stream")
"""Head of a streamed answer."""

DONE = http_chunk("data: [DONE]\n\n")
"""The event that ends the events of an answer."""

_COMMON = f'"created":1787306400,"model":"{MODEL}","system_fingerprint":"fp_ollama"'

_USAGE = '"usage":{"prompt_tokens":26,"completion_tokens":298,"total_tokens":324}'


def event(content: str, reason: str = "null") -> bytes:
    """Return one event as one HTTP chunk.

    Args:
        content: The text, as it stands between quotes in JSON.
        reason: The reason of the end, as JSON.
    """
    return http_chunk(
        f'data: {{"id":"chatcmpl-554","object":"chat.completion.chunk",{_COMMON},"choices":['
        f'{{"index":0,"delta":{{"role":"assistant","content":"{content}"}},'
        f'"finish_reason":{reason}}}]}}\n\n'
    )


_OBJECT = (
    f'{{"id":"chatcmpl-554","object":"chat.completion",{_COMMON},"choices":['
    f'{{"index":0,"message":{{"role":"assistant","content":"{ANSWER}"}},'
    f'"finish_reason":"stop"}}],{_USAGE}}}'
)

OPENAI = Form(
    head=STREAM_HEAD,
    tokens=tuple(event(word) for word in WORDS),
    one_line=STREAM_HEAD + event(ANSWER, '"stop"') + DONE + END,
    one_object=whole(_OBJECT),
    blank=event(STAMP_BLANK),
    last=event("", '"stop"') + DONE + END,
    is_stream_default=False,
)
"""The answers of ``/v1/chat/completions``."""
