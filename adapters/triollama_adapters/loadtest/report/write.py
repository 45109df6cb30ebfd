"""A report on the disk: whole or not at all, and never over something by accident."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from triollama_adapters.loadtest.errors import ReportError

__all__ = ["check_report_path", "write_report"]


def check_report_path(path: Path, *, force: bool = False) -> None:
    """Refuse a path that a report cannot be written to; before a long run, and again after it.

    Args:
        path: where it would be.
        force: whether a file that is there may be replaced.

    Raises:
        ReportError: there is something, or no folder that can be written to.
    """
    if path.is_dir():
        raise ReportError(f"{path} is a folder: name a file for the report")
    if path.exists() and not force:
        raise ReportError(f"{path} exists: choose another name, or replace it with --force")
    if not path.parent.is_dir():
        raise ReportError(f"{path.parent} is not a folder: make it, or choose another path")
    beside = _beside(path)
    try:
        beside.touch()
        beside.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error


def write_report(path: Path, text: str, *, force: bool = False) -> None:
    """Write a report; who reads the path sees the old file or the new one, never a part.

    Args:
        path: where to.
        text: all of it, as UTF-8.
        force: whether a file that is there may be replaced.

    Raises:
        ReportError: as `check_report_path`; or the disk is full or may not be written to.
    """
    check_report_path(path, force=force)
    try:
        _write_whole(path, text)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> ReportError:
    return ReportError(f"{path} cannot be written: {error.strerror or type(error).__name__}")


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _write_whole(path: Path, text: str) -> None:
    beside = _beside(path)
    try:
        with beside.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
