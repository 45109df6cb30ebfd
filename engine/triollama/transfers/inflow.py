"""The lines of progress, as they come off a connection."""

from __future__ import annotations

from collections.abc import Callable

from triollama._config import EngineConfig
from triollama._errors import TruncatedError
from triollama.actors.streams import DocumentInflow
from triollama.api.transfer import SUCCESS, ProgressLine, decode_progress
from triollama.wire.flow import FlowControl
from triollama.wire.ndjson import LineSplitter

__all__ = ["PROGRESS_LINE_BYTES_MAX", "ProgressInflow"]

PROGRESS_LINE_BYTES_MAX = 64 * 1024
"""Ollama's have some 200 bytes, and an error some more."""


class ProgressInflow(DocumentInflow[bool]):
    """Reads one attempt's lines. Holds no more than one of them.

    Args:
        on_line: told each line; must not wait. What it raises ends the attempt.
        config: the limits.
    """

    def __init__(self, on_line: Callable[[ProgressLine], None], config: EngineConfig) -> None:
        super().__init__(bool, config)
        self._on_line = on_line
        self._lines = LineSplitter(min(PROGRESS_LINE_BYTES_MAX, config.line_bytes_max))

    def bind(self, flow: FlowControl) -> None:
        """See `ByteSink`."""
        self.sent_ns = flow.sent_ns or self.sent_ns

    def feed(self, data: bytes) -> None:
        """See `ByteSink`.

        Raises:
            ProtocolError: a line is none.
            TriollamaError: whoever is told refuses it.
        """
        self.received_bytes += len(data)
        for line in self._lines.feed(data):
            self._take(line)

    def finish(self) -> None:
        """See `Inflow`.

        Raises:
            TruncatedError: the last line was not that of success.
        """
        rest = self._lines.finish()
        if rest:
            self._take(rest)
        if not self.is_whole:
            raise TruncatedError(f"the progress ended without {SUCCESS!r}")

    def _take(self, line: bytes) -> None:
        progress = decode_progress(line)
        self.is_whole = progress.status == SUCCESS
        self._on_line(progress)
