"""Records in the order of their rows, however many: sorted in parts, then merged. Blocking.

Bounds: `RUN_BYTES` of records in memory, or more where that would make more than `RUNS_MAX` parts;
as much disk as the records take, in files without a name, so that nothing stays if this dies.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

import msgspec

from triollama_adapters.batch.errors import ExportError

__all__ = ["RUN_BYTES", "in_order"]

RUN_BYTES: Final = 32 << 20
"""Of one part."""

RUNS_MAX: Final = 256
"""Parts: each is an open file, and common limits are some 10³ of them."""

_Numbered = tuple[int, bytes]


class _Index(msgspec.Struct):
    index: int


_decode = msgspec.json.Decoder(_Index).decode


def in_order(
    lines: Iterable[bytes], size_bytes: int, folder: Path, *, run_bytes: int = RUN_BYTES
) -> Iterator[bytes]:
    """The same records by their index.

    Args:
        lines: the records, without line ends.
        size_bytes: what they take together, about.
        folder: where parts are put if they do not fit in memory.
        run_bytes: of one part.

    Raises:
        ExportError: one has no index, or the parts cannot be written.
    """
    run_bytes = max(run_bytes, size_bytes // RUNS_MAX)
    part: list[_Numbered] = []
    taken = 0
    with ExitStack() as files:
        runs: list[IO[bytes]] = []
        for line in lines:
            part.append((_index_of(line), line))
            taken += len(line)
            if taken >= run_bytes:
                runs.append(_put_away(part, files, folder))
                part, taken = [], 0
        part.sort(key=_number)
        merged = heapq.merge(*map(_taken_back, runs), part, key=_number)
        yield from (line for _, line in merged)


def _put_away(part: list[_Numbered], files: ExitStack, folder: Path) -> IO[bytes]:
    part.sort(key=_number)
    try:
        file = files.enter_context(TemporaryFile(dir=folder))  # noqa: SIM115 - it is
        file.writelines(line + b"\n" for _, line in part)
        file.seek(0)
    except OSError as error:
        raise ExportError(f"cannot sort in {folder}: {error.strerror}") from error
    return file


def _taken_back(file: IO[bytes]) -> Iterator[_Numbered]:
    for line in file:
        yield _index_of(line), line.removesuffix(b"\n")


def _number(each: _Numbered) -> int:
    return each[0]


def _index_of(line: bytes) -> int:
    try:
        return _decode(line).index
    except (ValueError, UnicodeError, RecursionError):
        raise ExportError(
            "a line of the output has no index, and so no place in the order of the input; "
            "is it a batch's output?"
        ) from None
