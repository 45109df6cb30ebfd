"""Recordings that are written down."""

# ruff: noqa: PLC0415 - what few programs need is imported when it is called

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import TYPE_CHECKING, Literal

import trio

from triollama._engine.base import Base
from triollama._errors import InvalidRequestError
from triollama._requests import Urgency
from triollama.actors.streams import Call, Terms, Upload
from triollama.api import name_key

if TYPE_CHECKING:
    from triollama.api.transcribe import TranscribeRequest, Transcription
    from triollama.media import SpeechOpening, SpeechStream
    from triollama.transfers import BlobInput


class Speech(Base):
    """The part of `Engine` that transcribes."""

    async def transcribe(
        self,
        model: str,
        file: BlobInput,
        *,
        language: str | None = None,
        prompt: str | None = None,
        response_format: Literal["json", "text"] = "json",
        deadline_s: float | None = None,
        priority: int = 0,
        caller: str = "",
        tags: Collection[str] = (),
    ) -> Transcription:
        """Write down what is said in a recording. If cancelled, the server stops.

        The recording is read from disk while it is sent, and again if another endpoint is tried.
        `EngineConfig.first_token_s` is for sending and transcribing together.

        Args:
            model: a model that takes audio.
            file: WAV or MP3: a path, bytes, or a seekable binary file, which stays open.
            language: what is spoken, such as ``en``.
            prompt: words before it, which help with names and terms.
            response_format: how the server answers; the result is the same.
            deadline_s: as in `Engine.stream_chat`.
            priority: as in `Engine.stream_chat`.
            caller: as in `Engine.stream_chat`.
            tags: as in `Engine.stream_chat`.

        Raises:
            InvalidRequestError: the file cannot be read, or is neither WAV nor MP3.
            BlobChangedError: the file changed while it was sent.
            TriollamaError: see the class.
        """
        from triollama.api.transcribe import (
            TranscribeRequest,
            decode_transcript,
            decode_transcription,
        )

        urgency = Urgency(deadline_s, priority, "raise", caller, tags)
        given = {"language": language, "prompt": prompt, "response_format": response_format}
        make = partial(TranscribeRequest.make, model=model, **given)
        request, terms = self._checked(make, urgency)
        decode = decode_transcription if response_format == "json" else decode_transcript
        return await self._runtime.fetch(await _call(request, file), terms, decode)

    def stream_transcribe(
        self,
        model: str,
        file: BlobInput,
        *,
        language: str | None = None,
        prompt: str | None = None,
        deadline_s: float | None = None,
        priority: int = 0,
        caller: str = "",
        tags: Collection[str] = (),
    ) -> SpeechOpening:
        """The same as `transcribe`, with the text as it comes: ``async with``, then ``async for``.

        Ollama sends the text in one piece; what sends it in several is heard as it speaks. An
        answer that breaks after a part of it came is not tried again: `StreamBrokenError` has what
        came.

        Args: as in `transcribe`.
        """
        from triollama.media import SpeechOpening, SpeechStream
        from triollama.media.transcribing import TextInflow

        urgency = Urgency(deadline_s, priority, "raise", caller, tags)
        given = {"model": model, "language": language, "prompt": prompt, "response_format": "text"}

        async def begin() -> SpeechStream:
            from triollama.api.transcribe import TranscribeRequest

            request, terms = self._checked(partial(TranscribeRequest.make, **given), urgency)
            inflow = TextInflow(self._runtime.config)
            call = await _call(request, file)
            return SpeechStream(self._runtime.spawn(call, terms, inflow), inflow)

        return SpeechOpening(begin)

    def _checked(
        self, make: Callable[[], TranscribeRequest], urgency: Urgency
    ) -> tuple[TranscribeRequest, Terms]:
        """The request and its terms; if anything is wrong, all of it is told."""
        from triollama.api._problems import each_problem

        find_terms = partial(urgency.terms, self._runtime.config.total_s)
        try:
            return make(), find_terms()
        except InvalidRequestError as first:
            raise each_problem([make, find_terms]) or first from None


async def _call(request: TranscribeRequest, file: BlobInput) -> Call:
    """The call, once the file was looked at."""
    from triollama.media.recordings import open_recording

    recording = await trio.to_thread.run_sync(partial(open_recording, request, file))
    upload = Upload(recording.content_type, recording.open)
    key = name_key(request.model)
    return Call("POST", request.path, model=request.model, model_key=key, upload=upload)
