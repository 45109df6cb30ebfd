"""What ends a batch, each with one line that says what to do.

A row that fails ends nothing: it becomes an error record. These end the whole job, or keep it from
starting. No message holds a row's text.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

__all__ = [
    "BatchError",
    "ChoiceError",
    "ExportError",
    "FirstFailureError",
    "FleetDownError",
    "InputChangedError",
    "InputError",
    "JournalBrokenError",
    "JournalVersionError",
    "LedgerError",
    "NoBatchError",
    "OutputBusyError",
    "OutputExistsError",
    "RowLeftError",
    "SettingChange",
    "SettingsChangedError",
    "TooManyFailuresError",
]


class BatchError(Exception):
    """A batch cannot go on as asked; the message is one line that says what, where, what to do."""


class InputError(BatchError):
    """The input cannot be read, is empty, or is plainly not what is wanted.

    Contrast `ChoiceError`, where the input is not even looked at.
    """


class ChoiceError(BatchError):
    """An option has a value that means nothing: a template, a filter, a share, a format."""


class ExportError(BatchError):
    """The answers cannot be written as what is wanted."""


class InputChangedError(BatchError):
    """A row that has an outcome is another one now."""


class FirstFailureError(BatchError):
    """A row failed, and the job was to end then."""


class FleetDownError(BatchError):
    """No server has answered for longer than the job was to wait.

    Rows that were on their way have no outcome, and are asked when the job is resumed.
    """


class RowLeftError(BatchError):
    """A row is left as it was, without an outcome, because the job stops; it ends nothing else."""


class TooManyFailuresError(BatchError):
    """A larger share of the rows failed than the job was to bear."""


class OutputExistsError(BatchError):
    """A new batch would write over something.

    Attributes:
        path: what is there.
    """

    def __init__(self, message: str, *, path: Path) -> None:
        super().__init__(message)
        self.path = path


class NoBatchError(BatchError):
    """There is nothing to resume or to tell about: no such batch, or a file that is none."""


class OutputBusyError(BatchError):
    """Another process writes this output.

    Attributes:
        pid: its id; None if unknown.
    """

    def __init__(self, message: str, *, pid: int | None) -> None:
        super().__init__(message)
        self.pid = pid


@attrs.frozen
class SettingChange:
    """One setting that is not what it was.

    Attributes:
        name: the setting's.
        old: what it was; None if it was not set.
        new: what it would be; None if it is no longer set.
    """

    name: str
    old: Any = attrs.field(repr=False)
    new: Any = attrs.field(repr=False)


class SettingsChangedError(BatchError):
    """A batch would go on with other settings than it was begun with.

    Attributes:
        changes: the differences; the message tells long texts by length and hash only.
    """

    def __init__(self, message: str, *, changes: Sequence[SettingChange]) -> None:
        super().__init__(message)
        self.changes = tuple(changes)


class JournalVersionError(BatchError):
    """The journal was written by another version of this program, and is sound.

    Attributes:
        found: its version.
        known: the one that this program reads.
    """

    def __init__(self, message: str, *, found: int, known: int) -> None:
        super().__init__(message)
        self.found = found
        self.known = known


class JournalBrokenError(BatchError):
    """The journal cannot be read, and who asks may not repair it: opening to resume does."""


class LedgerError(BatchError):
    """Outcomes could not be written, or the files not be opened: the disk's fault or its owner's.

    What was acknowledged before is safe, and the batch can be resumed.

    Attributes:
        errno: the system's number; None if it is not an error of the system.
    """

    def __init__(self, message: str, *, errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno
