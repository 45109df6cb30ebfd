"""Requests of ``/v1/audio/transcriptions``, turned into those of ``/api/chat``.

Owns what of the form Ollama honours and its errors (``ollama-api.md`` §7.2). What is heard is made
up, as all answers are: it depends on the bytes of the file.
"""

from __future__ import annotations

from .calls import TextCall
from .errors import ApiError
from .multipart import read_form
from .template import Message

__all__ = ["read_transcription"]

_ASKED = "Transcribe the audio."


def read_transcription(content_type: bytes, body: bytes) -> TextCall:
    """Read the form.

    Raises:
        ApiError: 400 for what is none, or lacks a model or a file.
    """
    try:
        parts = read_form(content_type, body)
    except ValueError as error:
        raise ApiError(400, f"failed to parse multipart form: {error}") from None
    texts = {
        name: part.content.decode("utf-8", "replace")
        for name, part in parts.items()
        if part.filename is None
    }
    if not texts.get("model"):
        raise ApiError(400, "model is required")
    file = parts.get("file")
    if file is None or file.filename is None:
        raise ApiError(400, "file is required: http: no such file")
    if not file.content:
        raise ApiError(400, "audio file is empty")
    asked = " ".join(texts[name] for name in ("language", "prompt") if texts.get(name)) or _ASKED
    message = Message("user", asked, images=(file.content,))
    return TextCall(
        model=texts["model"],
        is_chat=True,
        stream=False,
        think=False,
        messages=(message,),
        transcript="text" if texts.get("response_format") == "text" else "json",
        is_openai=True,
    )
