"""Where the lines come from: a file, a pipe or standard input, read in blocks by a thread.

Owns one file descriptor. What a user may give by mistake is told apart before any work starts.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

import trio

from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._lines import Line, LineSplitter
from triollama_adapters.cli._sink import STANDARD

__all__ = ["Source", "open_source"]

BLOCK_BYTES: Final = 256 * 1024
"""One thread hop (about 0.1 ms) per some hundred lines, and small beside the limit on a line."""

_FOREIGN = {
    b"\xff\xfe": "is UTF-16, not UTF-8; convert it: iconv -f UTF-16 -t UTF-8",
    b"\xfe\xff": "is UTF-16, not UTF-8; convert it: iconv -f UTF-16 -t UTF-8",
    b"\x1f\x8b": "is compressed with gzip; unpack it: zcat FILE | triollama run -",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd; unpack it: zstdcat FILE | triollama run -",
    b"PK\x03\x04": "is a zip archive; unpack it first",
}
"""How files begin that are taken for JSON lines by mistake, and what to do."""


class Source:
    """An open input. Made by `open_source`.

    Attributes:
        size_bytes: how long it is; None if that cannot be known.
        path: its path; None for standard input.
    """

    def __init__(self, fd: int, name: str, path: Path | None, size_bytes: int | None) -> None:
        self._fd = fd
        self._name = name
        self._splitter = LineSplitter()
        self._is_fresh = True
        self._is_ended = False
        self.path = path
        self.size_bytes = size_bytes

    async def read_lines(self) -> list[Line] | None:
        """Give the lines that the next block completes, perhaps none; None at the end.

        Cancellation leaves at once, even while a pipe has nothing to give.

        Raises:
            CliError: the input cannot be read, is not a text in UTF-8, or is empty.
        """
        if self._is_ended:
            return None
        block = await self._read_block()
        if self._is_fresh:
            if not block:
                raise CliError(f"the input {self._name} is empty: nothing to do")
            _refuse_foreign(block, self._name)
            self._is_fresh = False
        self._is_ended = not block
        return self._splitter.feed(block) if block else self._splitter.close()

    def close(self) -> None:
        """Close the file. Harmless when repeated."""
        # Standard input is not ours to close, and a thread may still wait in it.
        if self._fd > 0:
            os.close(self._fd)
        self._fd = -1

    async def _read_block(self) -> bytes:
        try:
            return await trio.to_thread.run_sync(
                os.read, self._fd, BLOCK_BYTES, abandon_on_cancel=True
            )
        except OSError as error:
            raise _unreadable(self._name, error) from error


def open_source(name: str) -> Source:
    """Open the input, or say why that is not possible.

    Args:
        name: a path, or ``-`` for standard input.

    Raises:
        CliError: it is missing, a directory, empty, not readable, or plainly not a text in UTF-8.
    """
    if name == STANDARD:
        return Source(0, "standard input", None, None)
    path = Path(name)
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
        status = os.fstat(fd)
    except OSError as error:
        raise _unreadable(name, error) from error
    is_regular = stat.S_ISREG(status.st_mode)
    source = Source(fd, name, path, status.st_size if is_regular else None)
    try:
        _check_kind(fd, name, status)
    except BaseException:
        source.close()
        raise
    return source


def _check_kind(fd: int, name: str, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise CliError(f"the input {name} is a directory; give a file of JSON lines")
    if stat.S_ISREG(status.st_mode):
        if not status.st_size:
            raise CliError(f"the input {name} is empty: nothing to do")
        _refuse_foreign(os.read(fd, 4), name)
        os.lseek(fd, 0, os.SEEK_SET)


def _refuse_foreign(start: bytes, name: str) -> None:
    for signature, what in _FOREIGN.items():
        if start.startswith(signature):
            raise CliError(f"the input {name} {what}")


def _unreadable(name: str, error: OSError) -> CliError:
    return CliError(f"cannot read the input {name}: {error.strerror or error}")
