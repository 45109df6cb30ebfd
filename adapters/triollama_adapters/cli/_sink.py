"""Where the records go.

`Sink` is the whole interface, so that a durable sink (a journal that also knows what an earlier
run finished) can take the place of the plain file. `FileSink` owns one file descriptor; every
write is of whole lines and has left this process when it returns.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import trio

from triollama_adapters.cli._failures import STANDARD_OUTPUT, CliError, unwritable

__all__ = ["STANDARD", "FileSink", "Sink", "open_sink"]

STANDARD = "-"
"""The name of standard input or output."""

_HINT = "; choose another output with -o"


class Sink(Protocol):
    """Takes records in the order in which they complete."""

    async def write(self, records: Sequence[bytes]) -> None:
        """Take whole records.

        All or none under cancellation: it is not interrupted once it has begun.

        Raises:
            CliError: they could not be written.
        """

    def close(self) -> None:
        """Let go of what is held. Harmless when repeated."""


class FileSink:
    """A file, a pipe or standard output. Made by `open_sink`."""

    def __init__(self, fd: int, name: str, *, is_standard: bool, made: Path | None) -> None:
        self._fd = fd
        self._name = name
        self._is_standard = is_standard
        self._made = made
        self._is_untouched = True

    async def write(self, records: Sequence[bytes]) -> None:
        """Write whole records, in a thread."""
        await trio.to_thread.run_sync(self._write, b"".join(records))

    def close(self) -> None:
        """Close the file. One that this run made and never wrote to is removed again."""
        if self._fd < 0:
            return
        if not self._is_standard:
            os.close(self._fd)
        self._fd = -1
        if self._is_untouched and self._made is not None:
            self._made.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            if self._is_untouched:
                self._is_untouched = False
                if stat.S_ISREG(os.fstat(self._fd).st_mode) and not self._is_standard:
                    os.ftruncate(self._fd, 0)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError as error:
            raise unwritable(self._name, error, _HINT) from error


def open_sink(name: str, *, overwrite: bool, source: Path | None = None) -> FileSink:
    """Open the output, or say why that is not possible, before any work is done.

    An existing file is emptied at the first write, not here: a run that finds nothing to do, or no
    server, leaves it as it was.

    Args:
        name: a path, or ``-`` for standard output.
        overwrite: an existing file may be replaced.
        source: the input, which must not be the output too.

    Raises:
        CliError: it exists and is not to be replaced, or cannot be written.
    """
    if name == STANDARD:
        return FileSink(1, STANDARD_OUTPUT, is_standard=True, made=None)
    path = Path(name)
    try:
        return _open_new(path)
    except FileExistsError:
        return _open_existing(path, overwrite=overwrite, source=source)
    except OSError as error:
        raise unwritable(name, error, _HINT) from error


def _open_new(path: Path) -> FileSink:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _CLOEXEC, 0o666)
    return FileSink(fd, str(path), is_standard=False, made=path)


def _open_existing(path: Path, *, overwrite: bool, source: Path | None) -> FileSink:
    name = str(path)
    try:
        is_file = path.is_file()
        if is_file and source is not None and path.samefile(source):
            raise CliError(f"the output {name} is also the input; choose another output with -o")
        if is_file and not overwrite:
            raise CliError(
                f"the output {name} exists; choose another with -o, or replace it with --overwrite"
            )
        fd = os.open(path, os.O_WRONLY | _CLOEXEC)
    except OSError as error:
        raise unwritable(name, error, _HINT) from error
    return FileSink(fd, name, is_standard=False, made=None)


# Windows has no such flag, and opens in text mode unless told otherwise.
_CLOEXEC = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
