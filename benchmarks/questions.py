"""A question as data: rows with bars, contenders that are run in turn, and their outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import attrs

from benchmarks.figures import Bar, Spread, verdict
from benchmarks.harness import Contender, Run, run_once
from benchmarks.plan import Plan
from benchmarks.processes import RunError
from benchmarks.result import Asked, Outcome, Progress, common_fault


@attrs.frozen
class Row:
    """One line of the table.

    Attributes:
        name: What ``--rows`` calls it.
        what: The load, in words.
        measured: Who has to reach the bar.
        against: Whom it is divided by; ``None`` for an absolute figure.
        unit: What the figure counts.
        bar: The figure to reach; ``None`` for a figure that is only shown.
        value: The row's figure from one run of each, both of the same repetition. The second
            argument is the first again where there is nobody to compare with.
    """

    name: str
    what: str
    measured: Contender
    against: Contender | None
    unit: str
    bar: Bar | None
    value: Callable[[Run, Run], float]


@attrs.frozen
class Comparison:
    """Rows that share a load, and so their runs.

    Attributes:
        plan: The load and the times.
        rows: What is judged.
        absolute: How one run's own figure is shown: its value and its unit.
        onlookers: Measured beside, `ONLOOKER_REPETITIONS` times at most, and never judged.
        peers: The same, but only when asked for: they need packages that few have installed.
        repetitions_max: Upper limit on repetitions, for loads that are slow to set up.
    """

    plan: Plan
    rows: tuple[Row, ...]
    absolute: tuple[Callable[[Run], float], str]
    onlookers: tuple[Contender, ...] = ()
    peers: tuple[Contender, ...] = ()
    repetitions_max: int = 100

    def only(self, names: Iterable[str], *, with_peers: bool) -> Comparison:
        """Return this comparison with the rows that are named, its peers among the onlookers."""
        chosen = set(names)
        return attrs.evolve(
            self,
            rows=tuple(row for row in self.rows if row.name in chosen),
            onlookers=self.onlookers + (self.peers if with_peers else ()),
        )

    def contenders(self) -> tuple[Contender, ...]:
        """Return who is judged or compared with, each once, in the order of the rows."""
        both = (who for row in self.rows for who in (row.against, row.measured) if who is not None)
        return tuple(dict.fromkeys(both))


@attrs.define
class _Results:
    """Runs by contender, in the order of repetitions, and the first failure of each."""

    runs: dict[Contender, list[Run]] = attrs.field(factory=dict)
    errors: dict[Contender, str] = attrs.field(factory=dict)


ONLOOKER_REPETITIONS = 2
"""Enough to see the size of a figure that nobody is judged by."""


def ask(comparison: Comparison, repetitions: int, progress: Progress) -> Asked:
    """Run a comparison and judge its rows.

    Args:
        comparison: What to run.
        repetitions: Rounds of A B C; at least 1.
        progress: Called with one line of text per run.

    Returns:
        The outcome of each row, and all runs by contender.
    """
    results = _Results()
    for round_ in range(min(repetitions, comparison.repetitions_max)):
        onlookers = comparison.onlookers if round_ < ONLOOKER_REPETITIONS else ()
        for contender in (*comparison.contenders(), *onlookers):
            # A client that failed once would fail again, and each time take its whole deadline.
            if contender not in results.errors:
                progress(_run_into(results, contender, comparison))
    outcomes = [_judge(row, comparison, results) for row in comparison.rows]
    return outcomes, {str(who): runs for who, runs in results.runs.items()}


def _run_into(results: _Results, contender: Contender, comparison: Comparison) -> str:
    try:
        run = run_once(contender, comparison.plan)
    except RunError as error:
        results.errors[contender] = str(error)
        return f"{contender}: {error}"
    results.runs.setdefault(contender, []).append(run)
    value, unit = comparison.absolute
    name = "/".join(row.name for row in comparison.rows)
    return f"{name}  {contender}  {value(run):.4g} {unit}  {'; '.join(run.faults())}".rstrip()


def _judge(row: Row, comparison: Comparison, results: _Results) -> Outcome:
    pair = (row.measured, row.against or row.measured)
    failed = [who for who in dict.fromkeys(pair) if who in results.errors]
    spread = None if failed else Spread.of(_values(row, results))
    faults = {who: _fault(results.runs.get(who, [])) for who in dict.fromkeys(pair)}
    is_valid = not any(faults.values())
    shown = (*dict.fromkeys(pair), *comparison.onlookers)
    value, unit = comparison.absolute
    notes = [f"{who}: {results.errors[who]}" for who in shown if who in results.errors]
    notes += [f"{who}: {fault}" for who in shown if (fault := _fault(results.runs.get(who, [])))]
    return Outcome(
        row=row,
        spread=spread,
        verdict=verdict(spread, row.bar, is_valid=is_valid),
        absolute={
            str(who): (Spread.of([value(run) for run in runs]), unit)
            for who in shown
            if (runs := results.runs.get(who))
        },
        notes=tuple(notes),
    )


def _values(row: Row, results: _Results) -> Sequence[float]:
    measured = results.runs[row.measured]
    against = results.runs[row.against] if row.against else measured
    return [row.value(run, other) for run, other in zip(measured, against, strict=True)]


def _fault(runs: Sequence[Run]) -> str:
    return common_fault([run.faults() for run in runs])
