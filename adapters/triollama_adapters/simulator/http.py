"""Requests out of bytes, under limits.

Owns the parser of one connection. A request that breaks the rules is a `BadRequestError` with the
status to answer before the connection closes.
"""

from __future__ import annotations

import httptools

from .response import Request

__all__ = ["BODY_BYTES_MAX", "HEAD_BYTES_MAX", "BadRequestError", "RequestReader"]

HEAD_BYTES_MAX = 1024 * 1024
"""Go's own default for the head of a request."""
BODY_BYTES_MAX = 256 * 1024 * 1024
"""Ollama has no limit; this one keeps a mistake from taking the machine's memory."""


class BadRequestError(Exception):
    """What came is no request that could be answered.

    Attributes:
        status: what to answer.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"status {status}")
        self.status = status


class RequestReader:
    """Reads the requests of one connection, one behind the other."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._done: list[Request] = []
        self._in_body = False
        self._head_bytes = 0
        self._clear()
        self.wants_continue = False

    def feed(self, data: bytes) -> list[Request]:
        """Take bytes and return the requests that they completed.

        Raises:
            BadRequestError: they are no HTTP, or beyond a limit.
        """
        if not self._in_body:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # answered as the plain request that it is; what follows it is not read
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            raise cause if isinstance(cause, BadRequestError) else BadRequestError(400) from None
        except httptools.HttpParserError:
            raise BadRequestError(400) from None
        if not self._in_body and self._head_bytes > HEAD_BYTES_MAX:
            raise BadRequestError(431)
        done, self._done = self._done, []
        return done

    def _clear(self) -> None:
        self._target = b""
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._expects = False

    # ---- called by the parser

    def on_message_begin(self) -> None:
        """A request begins."""
        self._clear()

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; only one of them matters here."""
        if name.lower() == b"expect" and value.lower() == b"100-continue":
            self._expects = True

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._in_body = True
        self.wants_continue = self._expects

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        self.wants_continue = False
        self._body_bytes += len(data)
        if self._body_bytes > BODY_BYTES_MAX:
            raise BadRequestError(413)
        self._body.append(data)

    def on_message_complete(self) -> None:
        """A request is whole."""
        self._in_body = False
        self._head_bytes = 0
        self.wants_continue = False
        parser = self._parser
        self._done.append(
            Request(
                method=parser.get_method().decode("latin-1"),
                target=_path(self._target.decode("latin-1")),
                body=b"".join(self._body),
                keep_alive=parser.should_keep_alive(),
                is_http10=parser.get_http_version() == "1.0",
            )
        )


def _path(target: str) -> str:
    """Take scheme and host off an absolute target, which proxies' clients send."""
    if target.startswith("/"):
        return target
    _scheme, found, rest = target.partition("://")
    slash = rest.find("/")
    return rest[slash:] if found and slash >= 0 else "/"
