"""How a row ended, whatever kind of question it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

import attrs

from benchmarks.figures import Bar, Spread, Verdict, digits

Progress = Callable[[str], None]
"""Called with one line of text per run."""

Kind = Literal["figure", "curve", "stack"]
"""How a row is drawn: by itself, as points of curves over the number of streams, or as a stack in
which each of the figures beside is what one more layer adds."""


Suite = Literal["engine", "load"]
"""Rows that are run together: the engine beside its peers, the load tester beside the truth."""


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
    def kind(self) -> Kind:
        """How it is drawn."""

    @property
    def load(self) -> str:
        """What its load is called in charts; empty: as the row."""

    @property
    def bar(self) -> Bar | None:
        """The figure to reach; ``None`` for a figure that is only shown."""


@attrs.frozen
class Client:
    """Whose figure it is, and what its process took: medians of its runs.

    Attributes:
        name: The module in `benchmarks.clients`.
        task: What it did.
        streams: How many it read, where not all contenders read the same number.
        peak_mib: The largest resident memory that it ever had, in MiB.
        switches_each: Its context switches per chunk or request; ``None`` if none arrived.
    """

    name: str
    task: str
    streams: int | None = None
    peak_mib: float | None = None
    switches_each: float | None = None

    def show(self) -> str:
        """Return what its process took."""
        return f"{digits(self.peak_mib)} MiB, {digits(self.switches_each)} switches each"


@attrs.frozen
class Beside:
    """A figure that stands beside a row's.

    Attributes:
        spread: The figure over its repetitions.
        unit: What it counts.
        is_more_better: Whether larger is better.
        client: Whose it is; ``None`` for another figure of the same runs.
    """

    spread: Spread
    unit: str
    is_more_better: bool = False
    client: Client | None = None

    def show(self) -> str:
        """Return the figure as the table prints it."""
        told = self.spread.show(self.unit)
        return f"{told}; {self.client.show()}" if self.client else told


@attrs.frozen
class Outcome:
    """A row's result.

    Attributes:
        row: The row.
        values: Its figure in each repetition; none when a process did not finish.
        spread: Its figure over the repetitions; ``None`` when a process did not finish.
        verdict: How it ended.
        is_more_better: Whether a larger figure is the better one.
        absolute: What stands beside the figure: each contender's own figure, or other figures of
            the same runs.
        notes: What a reader must know before believing the figure.
    """

    row: AnyRow
    values: tuple[float, ...]
    spread: Spread | None
    verdict: Verdict
    is_more_better: bool
    absolute: dict[str, Beside]
    notes: tuple[str, ...]


Asked = tuple[list[Outcome], dict[str, list[Any]]]
"""The outcome of each row of a question, and all its runs by who or what was run."""


def common_fault(faults: Sequence[Sequence[str]]) -> str:
    """Return the fault that most of the runs had, so that one hiccup does not void a median."""
    faulty = [each for each in faults if each]
    return "; ".join(faulty[0]) if len(faulty) * 2 > len(faults) else ""
