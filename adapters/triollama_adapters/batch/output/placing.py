"""A file that is there whole or not at all: written under another name, then given its own."""

from __future__ import annotations

import contextlib
import os
import secrets
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
    file behind whose name begins with a dot and ends with ``.part``.

    Args:
        path: its name.
        force: whether it may take the place of another.

    Raises:
        ExportError: it cannot be written, or there is one.
    """
    refuse_existing(path, force=force)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        try:
            with part.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            _give_name(part, path, force=force)
        finally:
            with contextlib.suppress(OSError):
                part.unlink()
    except OSError as error:
        raise ExportError(f"cannot write {path}: {error.strerror or error}") from error


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
