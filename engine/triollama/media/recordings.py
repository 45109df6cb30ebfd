"""A recording on its way to a server: a form in several parts, read from disk while it is sent.

Memory: one piece of `PIECE_BYTES` per upload. All that reads files is done in threads.
"""

from __future__ import annotations

import secrets
from typing import Final

import attrs
import trio

from triollama._errors import InvalidRequestError, Problem
from triollama.actors.streams import UploadStream
from triollama.api._sniff import MediaKind, foreign_kind, is_audio, sniff
from triollama.api.transcribe import TranscribeRequest
from triollama.transfers import BlobChangedError
from triollama.transfers.sources import BlobInput, Reading, Source, Stamp, as_source

__all__ = ["AUDIO_BYTES_MAX", "Recording", "open_recording"]

AUDIO_BYTES_MAX: Final = 1024 * 1024 * 1024
"""Of one recording: 1.5 hours of CD quality. Ollama itself has no limit, and holds all of it."""

PIECE_BYTES: Final = 256 * 1024
"""One read and one send."""

_HEAD_BYTES = 512
_TYPES = {MediaKind.WAV: ("audio.wav", "audio/wav"), MediaKind.MP3: ("audio.mp3", "audio/mpeg")}


@attrs.frozen
class Recording:
    """A recording that was looked at, and the form around it. Can be sent more than once.

    Attributes:
        size_bytes: of the whole form.
        content_type: with the boundary of its parts.
    """

    size_bytes: int
    content_type: bytes
    _source: Source = attrs.field(repr=False)
    _stamp: Stamp = attrs.field(repr=False)
    _head: bytes = attrs.field(repr=False)
    _tail: bytes = attrs.field(repr=False)

    def open(self) -> RecordingStream:
        """The form's bytes from their beginning; blocks a moment, and is to be closed.

        Raises:
            InvalidRequestError: the file cannot be read any more.
        """
        return RecordingStream(self._source.open(), self._source.name, self._stamp, self)

    def parts(self) -> tuple[bytes, bytes]:
        """What stands before and behind the recording."""
        return self._head, self._tail


class RecordingStream(UploadStream):
    """A form's bytes, piece by piece.

    Args:
        reading: gives the recording; closed by `close`.
        name: the file's, for errors.
        stamp: what the file was when it was looked at.
        recording: the form.
    """

    def __init__(self, reading: Reading, name: str, stamp: Stamp, recording: Recording) -> None:
        self.size_bytes = recording.size_bytes
        self._reading = reading
        self._stamp = stamp
        self._name = name
        self._left = stamp.size_bytes
        self._head, self._tail = recording.parts()

    def __aiter__(self) -> RecordingStream:
        return self

    async def __anext__(self) -> bytes:
        """The next piece.

        Raises:
            BlobChangedError: the file is not what it was.
        """
        if self._head:
            piece, self._head = self._head, b""
        elif self._left:
            piece = await trio.to_thread.run_sync(self._read)
            self._left -= len(piece)
        elif self._tail:
            piece, self._tail = self._tail, b""
        else:
            raise StopAsyncIteration
        return piece

    def _read(self) -> bytes:
        piece = self._reading.read(min(PIECE_BYTES, self._left))
        if not piece or self._reading.stamp() != self._stamp:
            raise BlobChangedError(self._name)
        return piece

    def close(self) -> None:
        """Let the file go."""
        self._reading.close()


def open_recording(request: TranscribeRequest, file: BlobInput) -> Recording:
    """Look at a recording, and make the form around it. Blocking: for a thread.

    Raises:
        InvalidRequestError: it cannot be read, is empty, too large, or neither WAV nor MP3.
    """
    source = as_source(file, "file")
    reading = source.open()
    try:
        stamp = reading.stamp()
        kind = _kind_of(reading.read(_HEAD_BYTES), stamp.size_bytes)
    finally:
        reading.close()
    boundary = secrets.token_hex(16)
    head, tail = _around(request, kind, boundary)
    content_type = f"multipart/form-data; boundary={boundary}".encode()
    size_bytes = len(head) + stamp.size_bytes + len(tail)
    return Recording(size_bytes, content_type, source, stamp, head, tail)


def _around(request: TranscribeRequest, kind: MediaKind, boundary: str) -> tuple[bytes, bytes]:
    """What stands before and behind the recording. Its own name is not told."""
    begin = b'--%s\r\nContent-Disposition: form-data; name="%s"'
    mark = boundary.encode()
    parts = [
        b"%s\r\n\r\n%s\r\n" % (begin % (mark, name.encode()), value)
        for name, value in request.form()
    ]
    name, content_type = _TYPES[kind]
    named = b'; filename="%s"\r\nContent-Type: %s\r\n\r\n' % (name.encode(), content_type.encode())
    return b"".join(parts) + begin % (mark, b"file") + named, b"\r\n--%s--\r\n" % mark


def _kind_of(head: bytes, size_bytes: int) -> MediaKind:
    kind = sniff(head)
    if not 0 < size_bytes <= AUDIO_BYTES_MAX:
        found, allowed = f"{size_bytes} bytes", f"1 to {AUDIO_BYTES_MAX} bytes"
    elif kind is None or not is_audio(kind):
        name = f"a {kind} picture" if kind is not None else foreign_kind(head)
        found, allowed = name or "something else", "WAV or MP3 audio"
    else:
        return kind
    raise InvalidRequestError(problems=[Problem("file", found, allowed)])
