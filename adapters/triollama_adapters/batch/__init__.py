"""Batch jobs: many rows through a fleet, each answered once.

Who may import whom: `input`, `ledger`, `output` and `work` are a folder per concern; `recipe`
says what is asked and written, `opening` (with `apart`) checks that and opens what is written,
`making` makes the job; `batch` is what programs use, by the names of this package. The command line
imports from the modules.

The public names are imported when they are first used: the command line needs `errors` for every
command, and must not pay for the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batch import Batch, Result, open_batch
    from .errors import (
        BatchError,
        ChoiceError,
        ExportError,
        FirstFailureError,
        FleetDownError,
        InputChangedError,
        InputError,
        JournalBrokenError,
        JournalVersionError,
        LedgerError,
        NoBatchError,
        OutputBusyError,
        OutputExistsError,
        SettingChange,
        SettingsChangedError,
        TooManyFailuresError,
    )
    from .output.exporting import ExportProgress, export_answers
    from .work.checking import Reject, Retry
    from .work.job import Limits, Progress
    from .work.windows import TimeWindow, parse_time_window

__all__ = [
    "Batch",
    "BatchError",
    "ChoiceError",
    "ExportError",
    "ExportProgress",
    "FirstFailureError",
    "FleetDownError",
    "InputChangedError",
    "InputError",
    "JournalBrokenError",
    "JournalVersionError",
    "LedgerError",
    "Limits",
    "NoBatchError",
    "OutputBusyError",
    "OutputExistsError",
    "Progress",
    "Reject",
    "Result",
    "Retry",
    "SettingChange",
    "SettingsChangedError",
    "TimeWindow",
    "TooManyFailuresError",
    "export_answers",
    "open_batch",
    "parse_time_window",
]

_HOMES = {
    "batch": ("Batch", "Result", "open_batch"),
    "output.exporting": ("ExportProgress", "export_answers"),
    "work.checking": ("Reject", "Retry"),
    "work.job": ("Limits", "Progress"),
    "work.windows": ("TimeWindow", "parse_time_window"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = _HOME_OF.get(name, "errors")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
