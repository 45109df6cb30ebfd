"""A question as data: rows with bars, contenders that are run in turn, and their outcome."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack

import attrs

from benchmarks.figures import Bar, Spread, verdict
from benchmarks.harness import Contender, Run, run_once
from benchmarks.plan import Plan
from benchmarks.processes import Lane, RunError, lanes, open_threads
from benchmarks.result import Asked, Beside, Client, Kind, Outcome, Progress, common_fault

ONLOOKER_REPETITIONS = 1
"""Enough to see the size of a figure that nobody is judged by."""


@attrs.frozen
class Absolute:
    """How one run's own figure is shown.

    Attributes:
        value: The figure.
        unit: What it counts.
        is_more_better: Whether larger is better.
    """

    value: Callable[[Run], float]
    unit: str
    is_more_better: bool = False

    def over(self, run: Run, other: Run) -> float:
        """Return how many times another run's figure it is; NaN if that is nothing."""
        return self.value(run) / (self.value(other) or math.nan)


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
        value: The row's figure from one run of each, both of the same repetition; ``None``: what is
            absolute, divided by that of `against` if there is one.
        may_lag: Whether `against` may fall behind the load. It then reads several chunks at once,
            and each costs it less than one by one would: the ratio errs in its favour. What it did
            not take in is not counted, and the row says that it fell behind.
        absolute: How one run's own figure is shown here; ``None``: as in the whole comparison.
        beside: Whose figures are shown beside; ``None``: those of all onlookers.
        server: What is shown of the load server, too.
        kind: See `AnyRow`.
        load: See `AnyRow`.
    """

    name: str
    what: str
    measured: Contender
    against: Contender | None
    unit: str
    bar: Bar | None
    value: Callable[[Run, Run], float] | None = None
    may_lag: bool = False
    absolute: Absolute | None = None
    beside: tuple[Contender, ...] | None = None
    server: Absolute | None = None
    kind: Kind = "figure"
    load: str = ""


@attrs.frozen
class Comparison:
    """Rows that share a load, and so their runs.

    Attributes:
        plan: The load and the times.
        rows: What is judged.
        absolute: How one run's own figure is shown.
        onlookers: Measured beside, `onlooker_repetitions` times at most, and never judged.
        peers: The same, but only when asked for, for want of time.
        repetitions_max: Upper limit on repetitions, for loads that are slow to set up.
        onlooker_repetitions: Enough to see the size of a figure that nobody is judged by.
        is_paired: Whether contenders run on two lanes at once, each on cores of its own, and change
            lanes from round to round. That halves the time, and what slows the machine for a while
            slows all. Machines with fewer than four cores run them one after the other.
        windows: How many times as long the windows are as the plans say.
    """

    plan: Plan
    rows: tuple[Row, ...]
    absolute: Absolute
    onlookers: tuple[Contender, ...] = ()
    peers: tuple[Contender, ...] = ()
    repetitions_max: int = 100
    onlooker_repetitions: int = ONLOOKER_REPETITIONS
    is_paired: bool = False
    windows: int = 1

    def plan_of(self, contender: Contender) -> Plan:
        """Return the load of one contender, and its times."""
        return (contender.plan or self.plan).longer(self.windows)

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
    _told: set[Contender] = attrs.field(factory=set)

    def is_told(self, who: Contender) -> bool:
        """Whether this was asked before."""
        return who in self._told or self._told.add(who) is not None


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
    cores = lanes() if comparison.is_paired else lanes()[:1]
    with ExitStack() as stack:
        threads = [stack.enter_context(open_threads(1)) for _ in cores]
        turns = [
            (who, threads[at].submit(_run, results, who, cores[at], comparison))
            for who, at in _turns(comparison, repetitions, len(cores))
        ]
        for who, turn in turns:
            if (run := turn.result()) is not None:
                results.runs.setdefault(who, []).append(run)
                progress(_describe(who, run, comparison))
            elif not results.is_told(who):
                progress(f"{who}: {results.errors[who]}")
    outcomes = [_judge(row, comparison, results) for row in comparison.rows]
    return outcomes, {str(who): runs for who, runs in results.runs.items()}


def _turns(
    comparison: Comparison, repetitions: int, lanes_: int
) -> Iterator[tuple[Contender, int]]:
    """Who runs, in which order, and on which lane, by its number.

    From round to round they change cores: one core may have more to do for the kernel.
    """
    for round_ in range(min(repetitions, comparison.repetitions_max)):
        onlookers = comparison.onlookers if round_ < comparison.onlooker_repetitions else ()
        for place, who in enumerate((*comparison.contenders(), *onlookers)):
            yield who, (place + round_) % lanes_


def _run(results: _Results, contender: Contender, lane: Lane, comparison: Comparison) -> Run | None:
    # A client that failed once would fail again, and each time take its whole deadline.
    if contender in results.errors:
        return None
    try:
        return run_once(contender, comparison.plan_of(contender), lane)
    except RunError as error:
        results.errors[contender] = str(error)
        return None


def _describe(contender: Contender, run: Run, comparison: Comparison) -> str:
    own, name = comparison.absolute, "/".join(row.name for row in comparison.rows)
    figure = f"{own.value(run):.4g} {own.unit}"
    return f"{name}  {contender}  {figure}  {'; '.join(run.notes())}".rstrip()


def _judge(row: Row, comparison: Comparison, results: _Results) -> Outcome:
    own = row.absolute or comparison.absolute
    pair = [row.measured] if row.against is None else [row.measured, row.against]
    beside = comparison.onlookers if row.beside is None else row.beside
    shown = tuple(dict.fromkeys((*pair, *beside)))
    values = () if results.errors.keys() & set(pair) else _values(row, own, results)
    spread = Spread.of(values) if values else None
    return Outcome(
        row=row,
        values=values,
        spread=spread,
        verdict=verdict(spread, row.bar, is_valid=_is_valid(row, results)),
        is_more_better=row.bar.is_at_least if row.bar else own.is_more_better,
        absolute=_absolute(row, own, shown, results),
        notes=tuple(f"{who}: {note}" for who in shown for note in _notes(who, results)),
    )


def _values(row: Row, own: Absolute, results: _Results) -> tuple[float, ...]:
    measured = results.runs[row.measured]
    if row.against is None:
        return tuple(map(own.value, measured))
    value, pairs = row.value or own.over, zip(measured, results.runs[row.against], strict=True)
    return tuple(value(run, other) for run, other in pairs)


def _absolute(
    row: Row, own: Absolute, shown: Iterable[Contender], results: _Results
) -> dict[str, Beside]:
    found = {
        str(who): attrs.evolve(_beside(own, runs), client=_client(who, runs))
        for who in shown
        if (runs := results.runs.get(who))
    }
    if row.server is not None and (runs := results.runs.get(row.measured)):
        found["the load server"] = _beside(row.server, runs)
    return found


def _beside(own: Absolute, runs: Sequence[Run]) -> Beside:
    spread = Spread.of([own.value(run) for run in runs])
    return Beside(spread, own.unit, own.is_more_better)


def _client(who: Contender, runs: Sequence[Run]) -> Client:
    measured = [run.measurement for run in runs]
    switches = [each.switches / each.count for each in measured if each.count]
    return Client(
        who.client,
        who.task,
        streams=who.plan.streams if who.plan else None,
        peak_mib=statistics.median(each.rss_bytes_max for each in measured) / 2**20,
        switches_each=statistics.median(switches) if switches else None,
    )


def _is_valid(row: Row, results: _Results) -> bool:
    """Whether most runs saw the load that the row names."""
    measured = results.runs.get(row.measured, [])
    against = results.runs.get(row.against, []) if row.against else []
    faults = [
        run.overload() + run.disturbance() if row.may_lag else run.faults() for run in against
    ]
    return not common_fault([run.faults() for run in measured]) and not common_fault(faults)


def _notes(who: Contender, results: _Results) -> list[str]:
    """What most of a contender's runs had in common, and how it failed."""
    common = common_fault([run.notes() for run in results.runs.get(who, [])])
    return [note for note in (results.errors.get(who, ""), common) if note]
