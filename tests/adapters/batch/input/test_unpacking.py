"""Packed input: members, damage, ends that come too early, and bombs."""

import gzip
import random
import sys
from pathlib import Path
from typing import Any

import pytest

from triollama_adapters.batch.errors import InputError
from triollama_adapters.batch.input.blocks import BLOCK_BYTES, Blocks, open_blocks
from triollama_adapters.batch.input.unpacking import Unpacked, unpacked

DATA = random.Random(1).randbytes(100_000) + b"x" * 900_000


def zstd(data: bytes) -> bytes:
    """Pack with zstd, if there is such a package."""
    packed: bytes = pytest.importorskip("zstandard").ZstdCompressor().compress(data)
    return packed


PACKERS = pytest.mark.parametrize("pack", [gzip.compress, zstd])


def open_file(path: Path, data: bytes) -> Blocks:
    """A file of that content, opened."""
    path.write_bytes(data)
    return open_blocks(str(path))


def read_all(blocks: Blocks) -> bytes:
    """What comes of a file, piece by piece."""
    inflow = unpacked(blocks)
    pieces = list(iter(inflow.read, b""))
    blocks.close()
    return b"".join(pieces)


@PACKERS
def test_what_was_packed_comes_back(tmp_path: Path, pack: Any) -> None:
    """Of one member and of several, an empty one among them."""
    path = tmp_path / "in"
    assert read_all(open_file(path, pack(DATA))) == DATA
    assert read_all(open_file(path, pack(DATA) + pack(b"") + pack(b"tail"))) == DATA + b"tail"


@PACKERS
def test_it_does_not_matter_where_blocks_end(tmp_path: Path, pack: Any) -> None:
    """Byte by byte."""
    packed = pack(b"one") + pack(b"two")
    blocks = open_file(tmp_path / "in", packed)

    class ByteByByte:
        name = "in"

        def __init__(self) -> None:
            self.rest = packed

        def read(self) -> bytes:
            byte, self.rest = self.rest[:1], self.rest[1:]
            return byte

    inflow = unpacked(blocks)
    assert isinstance(inflow, Unpacked)
    inflow._blocks = ByteByByte()  # type: ignore[assignment]
    assert b"".join(iter(inflow.read, b"")) == b"onetwo"
    blocks.close()


def test_zeros_behind_gzip_are_padding(tmp_path: Path) -> None:
    """Tapes and some tools fill up the last block."""
    assert read_all(open_file(tmp_path / "in", gzip.compress(b"x") + b"\0" * 600)) == b"x"


@PACKERS
@pytest.mark.parametrize("lost", [1, 9, 1000])
def test_an_end_that_comes_too_early_is_told(tmp_path: Path, pack: Any, lost: int) -> None:
    """A download that broke off must not pass for the whole input."""
    with pytest.raises(InputError, match="ends within"):
        read_all(open_file(tmp_path / "in", pack(DATA)[:-lost]))


@PACKERS
def test_damage_is_told(tmp_path: Path, pack: Any) -> None:
    """Also what stands behind the last member."""
    packed = bytearray(pack(DATA))
    packed[6] ^= 0xFF
    packed[50_000] ^= 0xFF
    for data in (bytes(packed), pack(b"x") + b"garbage"):
        with pytest.raises(InputError, match=r"damaged|ends within"):
            read_all(open_file(tmp_path / "in", data))


@PACKERS
def test_a_bomb_comes_out_piece_by_piece(tmp_path: Path, pack: Any) -> None:
    """Memory is bounded by the piece, not by what the file unpacks to."""
    blocks = open_file(tmp_path / "in", pack(b"\0" * 20_000_000))
    inflow = unpacked(blocks)
    sizes = [len(piece) for piece in iter(inflow.read, b"")]
    blocks.close()
    assert sum(sizes) == 20_000_000
    assert max(sizes) <= (BLOCK_BYTES if pack is gzip.compress else 32 * 2**20)


def test_without_the_package_zstd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what is to be installed."""
    monkeypatch.setitem(sys.modules, "zstandard", None)
    with pytest.raises(InputError, match=r"triollama\[zstd\]"):
        read_all(open_file(tmp_path / "in", b"\x28\xb5\x2f\xfd rest"))
