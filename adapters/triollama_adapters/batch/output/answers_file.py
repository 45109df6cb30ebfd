"""The whole records of an output, read in order, also while a job writes it. Blocking.

Where there is a journal, only what it has acknowledged is read: behind that may stand records that
are cut off when the job is resumed. Where there is none, all whole lines are.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import attrs
import msgspec

from triollama_adapters.batch.errors import ExportError
from triollama_adapters.batch.ledger.journal import UNREADABLE
from triollama_adapters.batch.ledger.lock import holder_of
from triollama_adapters.batch.ledger.looking import look_into
from triollama_adapters.batch.ledger.paths import Paths

__all__ = ["AnswersFile", "Tick", "decode_record"]

BLOCK_BYTES: Final = 1 << 20
"""Read at a time."""

ERRORS: Final = ".errors"

Tick = Callable[[int], None]
"""Is told how many bytes were read, after each block; may raise, to end it."""

_decode = msgspec.json.Decoder().decode


@attrs.frozen
class AnswersFile:
    """The records that an output had when it was opened.

    Attributes:
        path: the file.
        size_bytes: what counts of it.
    """

    path: Path
    size_bytes: int

    @classmethod
    def open(cls, path: Path) -> AnswersFile:
        """See what there is.

        Raises:
            ExportError: it cannot be read.
        """
        try:
            size = path.stat().st_size
            if not path.is_file():
                raise ExportError(f"{path} is no file with answers")
            kept = _acknowledged(path)
            return cls(path, _whole(path, size) if kept is None else min(kept, size))
        except OSError as error:
            raise _unreadable(path, error) from error

    def lines(self, tick: Tick) -> Iterator[bytes]:
        """The records, undecoded, without their line ends.

        Raises:
            ExportError: it cannot be read, or has become shorter.
        """
        left, rest = self.size_bytes, b""
        try:
            with self.path.open("rb") as file:
                while left:
                    block = file.read(min(BLOCK_BYTES, left))
                    if not block:
                        raise ExportError(f"{self.path} became shorter while it was read")
                    left -= len(block)
                    *lines, rest = (rest + block).split(b"\n")
                    yield from filter(None, lines)
                    tick(len(block))
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if rest:
            yield rest


def decode_record(line: bytes) -> dict[str, Any]:
    """One record. A text that is no valid Unicode has U+FFFD in its place.

    Raises:
        ExportError: it is none.
    """
    try:
        record = _decode(line)
    except (ValueError, UnicodeError):
        record = _decode_loosely(line)
    except RecursionError:
        record = None
    if not isinstance(record, dict):
        raise ExportError(
            "a line of the output is no record: it must be a JSON object; is it a batch's output?"
        )
    return record


def _decode_loosely(line: bytes) -> Any:
    # An input's own fields go through undecoded, and may have half a surrogate pair.
    try:
        text = json.dumps(json.loads(line), ensure_ascii=False)
        return json.loads(text.encode(errors="replace"))
    except (ValueError, RecursionError):
        return None


def _acknowledged(path: Path) -> int | None:
    """How much of a file its journal knows; None if it has none."""
    is_errors = path.stem.endswith(ERRORS)
    name = f"{path.stem.removesuffix(ERRORS)}{path.suffix}"
    for paths in [Paths(path), Paths(path.with_name(name))]:
        if paths.journal.exists():
            is_errors &= paths.errors == path
            break
    else:
        return None
    try:
        pid = holder_of(paths.lock)
        with look_into(paths.journal, is_held=pid is not None) as journal:
            last = journal.last()
    except UNREADABLE as error:
        raise ExportError(
            f"the journal {paths.journal} cannot be read; resuming the batch repairs it"
        ) from error
    return last.errors.end if is_errors else last.answers.end


def _whole(path: Path, size: int) -> int:
    """Where the last whole line ends."""
    with path.open("rb") as file:
        at = size
        while at:
            start = max(0, at - BLOCK_BYTES)
            file.seek(start)
            found = file.read(at - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            at = start
    return 0


def _unreadable(path: Path, error: OSError) -> ExportError:
    return ExportError(f"cannot read {path}: {error.strerror or os.strerror(error.errno or 0)}")
