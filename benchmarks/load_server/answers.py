"""The bytes that the load server sends, made once: as a real Ollama writes them."""

from __future__ import annotations

import attrs

from benchmarks.load_server.forms import END, STAMP_BLANK, Form, http_chunk, stream_head, whole
from benchmarks.plan import MODEL

WORDS = (
    " The", " sky", " appears", " blue", " because", " of", " a", " phenomenon", " called",
    " Rayleigh", " scattering", ",", " which", " makes", " short", " wavelengths", " scatter",
    " more", " than", " long", " ones", ".", "\\n\\n", " \\u003cb\\u003e", " Größe", " “so”",
    " 你好", " 🙂", ' \\"', "s", " light", " air",
)  # fmt: skip
"""Pieces of text as one token each gives them, escapes and non-ASCII included."""

ANSWER = " Because of Rayleigh scattering."
"""A whole answer in one line."""

USAGE = (
    '"done_reason":"stop","total_duration":5191566416,"load_duration":1583000,'
    '"prompt_eval_count":26,"prompt_eval_duration":383809000,'
    '"eval_count":298,"eval_duration":4799921000'
)
"""The rest of a terminal line, after ``"done":true``."""

STREAM_HEAD = stream_head("application/x-ndjson")
"""Head of a streamed answer."""


def chunk(line: str) -> bytes:
    """Return one NDJSON line as one HTTP chunk."""
    return http_chunk(f"{line}\n")


def _line(index: int, content: str, rest: str = '"done":false') -> str:
    return (
        f'{{"model":"{MODEL}","created_at":"2026-08-21T10:00:00.{index % 1000:03d}417683Z",'
        f'"message":{{"role":"assistant","content":"{content}"}},{rest}}}'
    )


TOKENS = tuple(chunk(_line(index, word)) for index, word in enumerate(WORDS))
"""One HTTP chunk per token, sent round and round."""

_ANSWER = _line(7, ANSWER, f'"done":true,{USAGE}')
_LAST = chunk(_line(8, "", f'"done":true,{USAGE}')) + END

OLLAMA = Form(
    head=STREAM_HEAD,
    tokens=TOKENS,
    one_line=STREAM_HEAD + chunk(_ANSWER) + END,
    one_object=whole(_ANSWER),
    blank=chunk(_line(5, STAMP_BLANK)),
    last=_LAST,
    is_stream_default=True,
)
"""The answers of ``/api/chat``."""


def of_tokens(count: int) -> Form:
    """Return the answers of ``/api/chat`` with so many tokens, each in a chunk of its own.

    Args:
        count: At least 1.
    """
    words = [WORDS[at % len(WORDS)] for at in range(count)]
    usage = USAGE.replace('"eval_count":298', f'"eval_count":{count}')
    tokens = b"".join(chunk(_line(at, word)) for at, word in enumerate(words))
    last = chunk(_line(count, "", f'"done":true,{usage}'))
    whole_answer = _line(count, "".join(words), f'"done":true,{usage}')
    one_line = STREAM_HEAD + tokens + last + END
    return attrs.evolve(OLLAMA, one_line=one_line, one_object=whole(whole_answer), last=last + END)


_NAMED = (
    f'{{"name":"{MODEL}:latest","model":"{MODEL}:latest","modified_at":"2026-08-01T10:00:00Z",'
    f'"size":2019393189,"digest":"{"a8" * 32}","details":{{"parent_model":"","format":"gguf",'
    '"family":"llama","families":["llama"],"parameter_size":"3.2B","quantization_level":"Q4_K_M"}'
)

OTHERS = {
    b"/api/version": whole('{"version":"0.33.0"}'),
    b"/api/tags": whole(f'{{"models":[{_NAMED}}}]}}'),
    b"/api/ps": whole(
        f'{{"models":[{_NAMED},"expires_at":"2027-08-01T10:00:00Z","size_vram":2019393189,'
        '"context_length":4096}]}'
    ),
}
"""What a client may ask besides; nothing of it is measured."""

NOT_FOUND = whole('{"error":"not found"}', "404 Not Found")
"""The answer to any other path."""

FULL = whole('{"error":"more streams than the run was planned for"}', "503 Service Unavailable")
"""The answer when every place of the schedule is taken."""
