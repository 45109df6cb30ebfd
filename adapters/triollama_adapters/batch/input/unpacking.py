"""Compressed input, unpacked piece by piece. Blocking where its source is; no IO of its own.

A piece that comes out is bounded, however small the piece was that went in: a file of zeros that
was packed to a thousandth must not fill the memory.
"""

from __future__ import annotations

import zlib
from importlib import import_module
from typing import Any, Final, Protocol

from triollama_adapters.batch.errors import InputError
from triollama_adapters.batch.input.blocks import BLOCK_BYTES, GZIP, ZSTD, Blocks

__all__ = ["Gzip", "Inflow", "Unpacked", "Zstd", "unpacked"]

PIECE_BYTES: Final = 512
"""Packed bytes that zstd is given at once. It has no limit on what comes out: a block of 128 KiB
may stand in 4 bytes, so this is 16 MiB at the very worst, and costs 2 µs per KiB."""


class Inflow(Protocol):
    """Bytes, block by block."""

    def read(self) -> bytes:
        """The next ones; none at the end."""


class Packing(Protocol):
    """One way of unpacking, with the state of the member or frame that it is in."""

    def feed(self, data: bytes) -> None:
        """Take packed bytes. Only once the last ones are used up."""

    def take(self) -> bytes:
        """Give what comes of them, in several goes; nothing when they are used up.

        Raises:
            ValueError: they are damaged.
        """

    def is_whole(self) -> bool:
        """Whether the file may end here."""


class Gzip:
    """Gzip, of one member or several, as `cat a.gz b.gz` makes them."""

    def __init__(self) -> None:
        self._rest = b""
        self._member: Any = None

    def feed(self, data: bytes) -> None:
        """Take packed bytes."""
        self._rest = data

    def take(self) -> bytes:
        """Give at most one block of what comes of them."""
        while True:
            if self._member is None:
                self._rest = self._rest.lstrip(b"\0")  # some tools fill up the last sector
                if not self._rest:
                    return b""
                self._member = zlib.decompressobj(wbits=31)
            try:
                out: bytes = self._member.decompress(self._rest, BLOCK_BYTES)
            except zlib.error as error:
                raise ValueError(str(error)) from None
            self._rest = self._member.unconsumed_tail
            if self._member.eof:
                self._rest = self._member.unused_data
                self._member = None
            if out or not (self._rest or self._member is None):
                return out

    def is_whole(self) -> bool:
        """Whether no member has begun."""
        return self._member is None


class Zstd:
    """Zstandard, of one frame or several.

    Raises:
        InputError: the package for it is not installed.
    """

    def __init__(self) -> None:
        try:
            self._module = import_module("zstandard")
        except ModuleNotFoundError:
            raise InputError(
                "an input packed with zstd needs the package zstandard; install it with: "
                "pip install 'triollama[zstd]', or unpack the input: zstdcat FILE | …"
            ) from None
        self._rest = b""
        self._frame: Any = None

    def feed(self, data: bytes) -> None:
        """Take packed bytes."""
        self._rest = data

    def take(self) -> bytes:
        """Give what comes of the next piece of them that gives anything."""
        while self._rest:
            piece, self._rest = self._rest[:PIECE_BYTES], self._rest[PIECE_BYTES:]
            if self._frame is None:
                self._frame = self._module.ZstdDecompressor().decompressobj()
            try:
                out: bytes = self._frame.decompress(piece)
            except self._module.ZstdError as error:
                raise ValueError(str(error)) from None
            if self._frame.eof:
                self._rest = self._frame.unused_data + self._rest
                self._frame = None
            if out:
                return out
        return b""

    def is_whole(self) -> bool:
        """Whether no frame has begun."""
        return self._frame is None


class Unpacked:
    """What comes of a packed input.

    Args:
        blocks: the packed bytes.
        packing: how they are packed.
    """

    def __init__(self, blocks: Blocks, packing: Packing) -> None:
        self._blocks = blocks
        self._packing = packing

    def read(self) -> bytes:
        """The next bytes; none at the end.

        Raises:
            InputError: it cannot be read, is damaged, or ends too early.
        """
        while not (out := self._take()):
            data = self._blocks.read()
            if not data:
                if self._packing.is_whole():
                    return b""
                raise InputError(f"the input {self._blocks.name} ends within its packed data")
            self._packing.feed(data)
        return out

    def _take(self) -> bytes:
        try:
            return self._packing.take()
        except ValueError as error:
            name = self._blocks.name
            raise InputError(f"the input {name} is packed, and damaged: {error}") from None


def unpacked(blocks: Blocks) -> Inflow:
    """The input as it is without its packing, which is seen at its first bytes.

    Raises:
        InputError: it cannot be read, or what unpacks it is not installed.
    """
    if blocks.signature.startswith(GZIP):
        return Unpacked(blocks, Gzip())
    if blocks.signature.startswith(ZSTD):
        return Unpacked(blocks, Zstd())
    return blocks
