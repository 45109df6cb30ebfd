"""The body of an answer from the web, taken only as long as it may be what is wanted."""

from __future__ import annotations

from triollama.api._sniff import MEDIA_TAKEN, foreign_kind, sniff
from triollama.media.errors import FetchFailedError, FetchRefusedError
from triollama.wire.flow import FlowControl
from triollama.wire.http1 import ResponseHead

__all__ = ["MediaSink", "header"]

_KIND_BYTES = 512


def header(head: ResponseHead, name: bytes) -> bytes:
    """The first value of a header, by its lower-case name; empty if there is none."""
    return next((value for key, value in head.headers if key.lower() == name), b"")


class MediaSink:
    """Takes a body as long as it may be what is wanted.

    Args:
        host: for errors.
        bytes_max: see `Fetcher`.
        head: of the response.

    Raises:
        FetchFailedError: the head says that there is no such thing.
        FetchRefusedError: the head says that it is too large.
    """

    def __init__(self, host: str, bytes_max: int, head: ResponseHead) -> None:
        if head.status != 200:
            raise FetchFailedError(f"it answers {head.status}", endpoint=host)
        self._host = host
        self._bytes_max = bytes_max
        self._data = bytearray()
        self._is_known = False
        length = header(head, b"content-length")
        if length.isdigit() and (len(length) > 18 or int(length) > bytes_max):
            raise self._too_large()

    def bind(self, flow: FlowControl) -> None:
        """See `ByteSink`."""

    def feed(self, data: bytes) -> None:
        """See `ByteSink`.

        Raises:
            FetchRefusedError: it is too much, or not what is wanted.
        """
        if len(self._data) + len(data) > self._bytes_max:
            raise self._too_large()
        self._data += data
        if not self._is_known and len(self._data) >= _KIND_BYTES:
            self._check_kind()

    def whole(self) -> bytes:
        """All of it.

        Raises:
            FetchRefusedError: it is not what is wanted.
        """
        self._check_kind()
        return bytes(self._data)

    def _check_kind(self) -> None:
        if sniff(self._data) is None:
            found = foreign_kind(self._data) or "something else"
            raise FetchRefusedError(f"it gives {found}, not {MEDIA_TAKEN}", host=self._host)
        self._is_known = True

    def _too_large(self) -> FetchRefusedError:
        return FetchRefusedError(f"it gives more than {self._bytes_max} bytes", host=self._host)
