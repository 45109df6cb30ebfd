"""A file that is there whole or not at all: written under another name, then given its own.

Who writes one holds a lock on it, which the system lets go when the process dies. So a part that
nobody holds was left by one that was killed, and the next one with the same name removes it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from triollama_adapters.batch.errors import ExportError

__all__ = ["placed", "refuse_existing"]


def refuse_existing(path: Path, *, force: bool) -> None:
    """See that nothing is written over that is not to be.

    Raises:
        ExportError: there is something.
    """
    if path.exists() and not force:
        raise ExportError(f"{path} exists; take another name, or write over it with --force")


@contextmanager
def placed(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """A file to write to, which gets its name when the block ends without an error.

    Until then a reader sees what was there before, or nothing. A process that is killed leaves a
    file behind whose name begins with a dot and ends with ``.part``, until something is written
    under the same name again; on Windows until somebody removes it.

    Args:
        path: its name.
        force: whether it may take the place of another.

    Raises:
        ExportError: it cannot be written, or there is one.
    """
    refuse_existing(path, force=force)
    try:
        _remove_left(path)
        file, part = _begin(path)
        try:
            with file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                if sys.platform == "win32":
                    file.close()  # an open file cannot be renamed there
                _give_name(part, path, force=force)
        finally:
            with contextlib.suppress(OSError):
                part.unlink()
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror or error}") from error


def _begin(path: Path) -> tuple[BinaryIO, Path]:
    """A new part, which is held."""
    while True:
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        file = part.open("xb")
        try:
            _hold(file)
            if os.fstat(file.fileno()).st_nlink:
                return file, part
        except BaseException:
            file.close()
            raise
        file.close()  # it was taken for one that was left, between our opening and our lock


def _remove_left(path: Path) -> None:
    """Remove the parts that processes left which were killed."""
    is_part = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}\.part").fullmatch
    found: list[Path] = []
    with contextlib.suppress(OSError):  # who may not list a folder may write in it
        found = list(path.parent.iterdir())
    for part in found:
        if is_part(part.name):
            with contextlib.suppress(OSError), part.open("r+b") as file:
                if _take(file):
                    part.unlink()


def _give_name(part: Path, path: Path, *, force: bool) -> None:
    if force:
        part.replace(path)
        return
    try:
        os.link(part, path)  # which, unlike a renaming, never writes over anything
    except FileExistsError:
        refuse_existing(path, force=False)
        raise
    except OSError:  # a disk without links
        refuse_existing(path, force=False)
        part.rename(path)


if sys.platform == "win32":

    def _hold(file: BinaryIO) -> None:
        """Nothing: whether a part is held cannot be told there."""

    def _take(file: BinaryIO) -> bool:
        del file
        return False
else:
    import fcntl

    def _hold(file: BinaryIO) -> None:
        """Lock a part; on a disk without locks none is ever removed."""
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)

    def _take(file: BinaryIO) -> bool:
        """Lock a part, unless somebody holds it."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
