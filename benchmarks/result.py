"""How a row ended, whatever kind of question it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import attrs

from benchmarks.figures import Bar, Spread, Verdict

Progress = Callable[[str], None]
"""Called with one line of text per run."""


class AnyRow(Protocol):
    """What the table prints of a row."""

    @property
    def name(self) -> str:
        """What ``--rows`` calls it."""

    @property
    def what(self) -> str:
        """The load, in words."""

    @property
    def measured(self) -> object:
        """Who has to reach the bar, or which figure."""

    @property
    def against(self) -> object | None:
        """Whom it is divided by; ``None`` for an absolute figure."""

    @property
    def unit(self) -> str:
        """What the figure counts."""

    @property
    def bar(self) -> Bar | None:
        """The figure to reach; ``None`` for a figure that is only shown."""


@attrs.frozen
class Outcome:
    """A row's result.

    Attributes:
        row: The row.
        spread: Its figure over the repetitions; ``None`` when a process did not finish.
        verdict: How it ended.
        absolute: What stands beside the figure, with its unit: each contender's own figure, or
            other figures of the same runs.
        notes: What a reader must know before believing the figure.
    """

    row: AnyRow
    spread: Spread | None
    verdict: Verdict
    absolute: dict[str, tuple[Spread, str]]
    notes: tuple[str, ...]


Asked = tuple[list[Outcome], dict[str, list[Any]]]
"""The outcome of each row of a question, and all its runs by who or what was run."""


def common_fault(faults: Sequence[Sequence[str]]) -> str:
    """Return the fault that most of the runs had, so that one hiccup does not void a median."""
    faulty = [each for each in faults if each]
    return "; ".join(faulty[0]) if len(faulty) * 2 > len(faults) else ""
