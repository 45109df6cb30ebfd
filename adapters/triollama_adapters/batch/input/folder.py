r"""A folder as records: each file is one, with the fields ``name`` and ``text``. Blocking.

Files are taken in the order of their names, folder by folder, those within folders too. What is
hidden (a name with a dot at its beginning), what is no regular file, and folders behind symbolic
links are left out; ``--where name~\.txt$`` chooses among the others. A file that is longer than
`FILE_BYTES_MAX`, is not UTF-8, or cannot be read is a record with that as its problem.

Memory grows with the names in one folder, not with the files' content.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

import attrs
import msgspec

from triollama_adapters.batch.errors import InputError
from triollama_adapters.batch.fields import Fields, UnusableError, without_mark
from triollama_adapters.batch.input.json_lines import DIGEST_BYTES
from triollama_adapters.batch.input.lines import LINE_BYTES_MAX

__all__ = ["FILE_BYTES_MAX", "FileRecord", "FolderRecords"]

FILE_BYTES_MAX: Final = LINE_BYTES_MAX
"""As of a line: a file is a row like any other."""

FILES_AT_ONCE: Final = 128
BYTES_AT_ONCE: Final = 4 * 1024 * 1024
"""Files of one reading at most, and what they take together, but for the last one."""

COLUMNS: Final = ("name", "text")

_encode = msgspec.json.Encoder().encode


@attrs.frozen(slots=True)
class FileRecord:
    """One file, not looked into yet.

    Attributes:
        number: its place in the folder, from 0.
        name: its path within the folder, with slashes.
        size_bytes: of the file.
        content: what is in it; empty if it could not be read.
        problem: why not.
    """

    number: int
    name: str
    size_bytes: int
    content: bytes = attrs.field(repr=False)
    problem: UnusableError | None = None

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        shown = self.name.encode("utf-8", "backslashreplace").decode()
        return f"file {shown}"

    def digest(self) -> bytes:
        """Of its name and content; if it could not be read, of its size."""
        name = os.fsencode(self.name)
        known = b"%d" % self.size_bytes if self.problem is not None else self.content
        return blake2b(name + b"\0" + known, digest_size=DIGEST_BYTES).digest()

    def fields(self) -> Fields:
        """Its name and its text.

        Raises:
            UnusableError: it is too long, not UTF-8, or cannot be read; its name is known still.
        """
        try:
            known = {"name": msgspec.Raw(_encode(self.name))}
        except UnicodeEncodeError:
            raise UnusableError("LineNotUtf8", "has a name that is not UTF-8") from None
        if self.problem is not None:
            raise UnusableError(self.problem.kind, self.problem.what, known)
        try:
            text = without_mark(self.content).decode()
        except UnicodeDecodeError as error:
            what = f"is not UTF-8: byte {error.start + 1} is not valid there"
            raise UnusableError("LineNotUtf8", what, known) from None
        return known | {"text": msgspec.Raw(_encode(text))}


class FolderRecords:
    """Reads the files of a folder.

    Args:
        path: of the folder.
        name: of the input, for messages.

    Raises:
        InputError: it cannot be read, or has no files.
    """

    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self.columns = COLUMNS
        self._files = _files(path, "", name)
        self._first = next(self._files, None)
        self._count = 0
        if self._first is None:
            raise InputError(f"the input {name} is a folder without files: nothing to do")

    def read(self) -> list[FileRecord] | None:
        """The next files; None at the end.

        Raises:
            InputError: a folder cannot be read.
        """
        records: list[FileRecord] = []
        size_bytes = 0
        while len(records) < FILES_AT_ONCE and size_bytes < BYTES_AT_ONCE:
            found, self._first = self._first or next(self._files, None), None
            if found is None:
                break
            record = _read(self._count, *found)
            records.append(record)
            size_bytes += len(record.content)
            self._count += 1
        return records or None


def _files(folder: Path, within: str, name: str) -> Iterator[tuple[str, Path]]:
    """The files of a folder, by their names within the input."""
    try:
        with os.scandir(folder) as entries:
            visible = [each for each in entries if not each.name.startswith(".")]
    except OSError as error:
        told = f"{name}/{within}".rstrip("/")
        raise InputError(f"cannot read the input {told}: {error.strerror or error}") from error
    for entry in sorted(visible, key=lambda each: each.name):
        if entry.is_dir(follow_symlinks=False):
            yield from _files(Path(entry.path), f"{within}{entry.name}/", name)
        elif _is_file(entry):
            yield within + entry.name, Path(entry.path)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a symbolic link to itself, say
        return False


def _read(number: int, name: str, path: Path) -> FileRecord:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
            size_bytes = max(len(content), os.fstat(file.fileno()).st_size)
    except OSError as error:
        problem = UnusableError("FileNotReadable", f"cannot be read: {error.strerror or error}")
        return FileRecord(number, name, 0, b"", problem)
    if len(content) > FILE_BYTES_MAX:
        what = f"is longer than the limit: {size_bytes:,} bytes"
        return FileRecord(number, name, size_bytes, b"", UnusableError("LineTooLong", what))
    return FileRecord(number, name, len(content), content)
