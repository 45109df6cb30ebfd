"""What ends a batch, each with one line that says what to do.

A row that fails ends nothing: it becomes an error record. These end the whole job, or keep it from
starting. No message holds a row's text.
"""

from __future__ import annotations

__all__ = ["BatchError", "ChoiceError", "InputError"]


class BatchError(Exception):
    """A batch cannot go on as asked; the message is one line that says what, where, what to do."""


class InputError(BatchError):
    """The input cannot be read, is empty, or is plainly not what is wanted.

    Contrast `ChoiceError`, where the input is not even looked at.
    """


class ChoiceError(BatchError):
    """An option has a value that means nothing: a template, a filter, a share, a format."""
