"""How a chat's answer is worded: the bytes of each part, made once."""

from __future__ import annotations

from functools import cached_property

import attrs

STAMP_DIGITS = 19
"""As many as any time of the monotonic clock has in nanoseconds; fixed, and so the chunk's size."""

STAMP_BLANK = "0" * STAMP_DIGITS
"""Stands in a chunk where the time of its sending will."""

END = b"0\r\n\r\n"
"""The last chunk of a chunked body."""


@attrs.frozen(slots=False)
class Form:
    """One API's wording.

    Attributes:
        head: Head of a streamed answer; it goes out with the first chunk, never before it.
        tokens: One HTTP chunk per token, sent round and round.
        one_line: A whole streamed answer at once.
        one_object: The same answer where no stream is wanted.
        blank: A chunk whose text is `STAMP_BLANK`.
        last: What ends a stream, behind its last token.
        is_stream_default: Whether a request that does not say gets a stream.
    """

    head: bytes
    tokens: tuple[bytes, ...]
    one_line: bytes
    one_object: bytes
    blank: bytes
    last: bytes
    is_stream_default: bool

    @cached_property
    def burst(self) -> bytes:
        """All tokens, to be sent together."""
        return b"".join(self.tokens)

    @cached_property
    def _around_stamp(self) -> tuple[bytes, bytes]:
        before, _, after = self.blank.partition(STAMP_BLANK.encode())
        return before, after

    def stamped(self, now_ns: int) -> bytes:
        """Return a chunk whose text is a time."""
        before, after = self._around_stamp
        return b"%b%019d%b" % (before, now_ns, after)

    def wants_stream(self, body: bytes) -> bool:
        """Return whether a request's body asks for a stream."""
        said = body.replace(b" ", b"")
        if self.is_stream_default:
            return b'"stream":false' not in said
        return b'"stream":true' in said


def http_chunk(body: str) -> bytes:
    """Return a text as one chunk of a chunked body."""
    data = body.encode()
    return b"%x\r\n%b\r\n" % (len(data), data)


def stream_head(content_type: str) -> bytes:
    """Return the head of a streamed answer."""
    return (
        f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n"
        "Date: Fri, 21 Aug 2026 10:00:00 GMT\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()


def whole(body: str, status: str = "200 OK") -> bytes:
    """Return a whole response with a JSON body and its length."""
    encoded = body.encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json; charset=utf-8\r\n"
        f"Date: Fri, 21 Aug 2026 10:00:00 GMT\r\nContent-Length: {len(encoded)}\r\n\r\n"
    )
    return head.encode() + encoded
