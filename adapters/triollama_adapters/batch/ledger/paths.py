"""The names of a batch's files, all made of the output's."""

from __future__ import annotations

import itertools
from pathlib import Path

import attrs

from triollama_adapters.batch.errors import ChoiceError

__all__ = ["Paths", "beside", "free_name"]


def _has_name(_: object, __: object, output: Path) -> None:
    if not output.name:
        raise ChoiceError("the output has no name; give a file, such as answers.jsonl")


@attrs.frozen
class Paths:
    """Where a batch keeps what.

    Attributes:
        output: the answers, ``answers.jsonl``.

    Raises:
        ChoiceError: it has no name.
    """

    output: Path = attrs.field(validator=_has_name)

    @property
    def errors(self) -> Path:
        """The rows that failed for good, ``answers.errors.jsonl``."""
        return self.output.with_name(f"{self.output.stem}.errors{self.output.suffix}")

    @property
    def journal(self) -> Path:
        """The journal, ``answers.jsonl.journal``; SQLite's two files stand beside it."""
        return beside(self.output, ".journal")

    @property
    def lock(self) -> Path:
        """What keeps a second process out, ``answers.jsonl.lock``."""
        return beside(self.output, ".lock")

    @property
    def new_journal(self) -> Path:
        """A journal that is being made anew; worth nothing until it has its next name."""
        return beside(self.journal, ".new")

    @property
    def ready_journal(self) -> Path:
        """A journal that was made anew and is complete, to take the broken one's place."""
        return beside(self.journal, ".ready")


def beside(path: Path, ending: str) -> Path:
    """The path with something appended to its name."""
    return path.with_name(path.name + ending)


def free_name(path: Path, ending: str) -> Path:
    """The first of ``path.ending-1``, ``path.ending-2``, … that is not taken."""
    names = (beside(path, f".{ending}-{number}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())
