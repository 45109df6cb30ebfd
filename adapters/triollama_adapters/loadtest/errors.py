"""What keeps a load test from beginning or ends it, each with one line that says what to do.

A request that fails ends nothing: it becomes a sample with its outcome. No message holds a prompt
or a secret.
"""

from __future__ import annotations

from triollama import TriollamaError

__all__ = [
    "LoadTestError",
    "ModelMissingError",
    "ObjectiveError",
    "PlanError",
    "ReportError",
    "TargetError",
    "TraceError",
]


class LoadTestError(TriollamaError):
    """A load test cannot do as asked; the message is one line that says what, where, what to do."""


class PlanError(LoadTestError):
    """What is asked for means nothing or cannot be: the user's to mend, before anything is sent.

    Contrast `TargetError`, where what is asked for is sound and the server is not up to it.

    Attributes:
        field: which value is wrong, such as ``shape.phases[1].duration_s``; empty if it is none.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class TraceError(LoadTestError):
    """A recorded trace cannot be replayed.

    Attributes:
        path: the file.
        line: where in it, from 1; 0 where it is the whole file's fault.
    """

    def __init__(self, message: str, *, path: str = "", line: int = 0) -> None:
        super().__init__(message)
        self.path = path
        self.line = line


class ObjectiveError(LoadTestError):
    """An objective cannot be understood; the message shows how one is written."""


class TargetError(LoadTestError):
    """Whom the load is for cannot take it: not reached, without the model, or dead in warm-up."""


class ModelMissingError(TargetError):
    """A server does not have a model that is to be asked; the message names those that it has."""


class ReportError(LoadTestError):
    """A result or a report cannot be written or read."""
