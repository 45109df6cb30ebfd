"""The input as blocks of bytes: a file, a pipe or standard input. Blocking: for threads.

Owns one file descriptor. What a user may give by mistake is told apart before any work starts.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from triollama_adapters.batch.errors import InputError

__all__ = [
    "BLOCK_BYTES",
    "FOREIGN",
    "GZIP",
    "PARQUET",
    "STANDARD",
    "ZSTD",
    "Blocks",
    "open_blocks",
]

STANDARD: Final = "-"
"""The name of standard input."""

BLOCK_BYTES: Final = 256 * 1024
"""One thread hop (about 0.1 ms) per some hundred lines, and small beside the limit on a line."""

GZIP: Final = b"\x1f\x8b"
ZSTD: Final = b"\x28\xb5\x2f\xfd"
PARQUET: Final = b"PAR1"

FOREIGN: Final = {
    b"\xff\xfe": "is UTF-16, not UTF-8; convert it: iconv -f UTF-16 -t UTF-8",
    b"\xfe\xff": "is UTF-16, not UTF-8; convert it: iconv -f UTF-16 -t UTF-8",
    b"PK\x03\x04": "is a zip archive; unpack it first",
    PARQUET: "is Parquet, which is not read; convert it to JSON lines",
}
"""How files begin that are taken for lines of text by mistake, and what to do."""

_SIGNATURE_BYTES = 4

_FIRST_BYTES = 64 * 1024
"""The first block, which may lie here for a while."""


class Blocks:
    """An open input. Made by `open_blocks`.

    Attributes:
        name: as it stands in messages.
        path: its path; None for standard input.
        size_bytes: how long it is; None if that cannot be known.
        read_bytes: how much of it has been read.
    """

    def __init__(
        self,
        fd: int,
        name: str,
        path: Path | None,
        size_bytes: int | None,
        foreign: Mapping[bytes, str] = FOREIGN,
    ) -> None:
        self._fd = fd
        self._foreign = foreign
        self._held: bytes | None = None
        self._signature: bytes | None = None
        self.name = name
        self.path = path
        self.size_bytes = size_bytes
        self.read_bytes = 0

    @property
    def signature(self) -> bytes:
        """The first bytes. Blocking: of a pipe it waits for them.

        Raises:
            InputError: as `read`.
        """
        if self._signature is None:
            self._held = self._first()
            self._signature = self._held[:_SIGNATURE_BYTES]
        return self._signature

    def read(self, size_bytes: int = BLOCK_BYTES) -> bytes:
        """The next bytes, as many as there are now and about so many at most; none at the end.

        Raises:
            InputError: it cannot be read, is empty, or plainly not what is wanted.
        """
        _ = self.signature
        block, self._held = self._held, None
        if block is None:
            block = self._read(size_bytes)
        self.read_bytes += len(block)
        return block

    def close(self) -> None:
        """Close the file. Harmless when repeated."""
        # Standard input is not ours to close, and a thread may still wait in it.
        if self._fd > 0:
            os.close(self._fd)
        self._fd = -1

    def _first(self) -> bytes:
        start = b""
        while len(start) < _SIGNATURE_BYTES and (block := self._read(_FIRST_BYTES)):
            start += block
        if not start:
            raise InputError(f"the input {self.name} is empty: nothing to do")
        for signature, what in self._foreign.items():
            if start.startswith(signature):
                raise InputError(f"the input {self.name} {what}")
        return start

    def _read(self, size_bytes: int) -> bytes:
        try:
            return os.read(self._fd, size_bytes)
        except OSError as error:
            raise _unreadable(self.name, error) from error


def open_blocks(name: str, foreign: Mapping[bytes, str] = FOREIGN) -> Blocks:
    """Open the input, or say why that is not possible. A FIFO blocks until its other end comes.

    Args:
        name: a path, or ``-`` for standard input.
        foreign: beginnings that are refused, and what to do about them.

    Raises:
        InputError: it is missing, a directory, empty, not readable, or begins like that.
    """
    if name == STANDARD:
        return Blocks(0, "standard input", None, None, foreign)
    path = Path(name)
    try:
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
        status = os.fstat(fd)
    except OSError as error:
        raise _unreadable(name, error) from error
    is_regular = stat.S_ISREG(status.st_mode)
    blocks = Blocks(fd, name, path, status.st_size if is_regular else None, foreign)
    try:
        _check_kind(blocks, status)
    except BaseException:
        blocks.close()
        raise
    return blocks


def _check_kind(blocks: Blocks, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise InputError(f"the input {blocks.name} is a directory; give a file of JSON lines")
    if stat.S_ISREG(status.st_mode):
        _ = blocks.signature


def _unreadable(name: str, error: OSError) -> InputError:
    return InputError(f"cannot read the input {name}: {error.strerror or error}")
