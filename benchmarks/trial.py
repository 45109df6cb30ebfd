"""A question that one process answers by itself: its rows name the figures that it found.

A trial is a module of `benchmarks.trials` with a ``TRIAL`` that says what is judged, and a function
``run(seed) -> Finding`` that measures it. A comparison shares its clients and its load with others;
a trial makes its own load, sees to it that there was one, and says so in its faults if there was
not.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence

import attrs
import msgspec

from benchmarks.figures import Bar, Spread, verdict
from benchmarks.processes import RunError, lanes, open_threads, run_to_end
from benchmarks.result import Asked, Beside, Kind, Outcome, Progress, Suite, common_fault

FULL_SPARE = 3.0
"""How many times as long as expected the full way of a trial may take."""


@attrs.frozen
class Finding:
    """What a trial found, printed as one JSON line.

    Attributes:
        figures: By name; one that could not be measured is missing, and a fault says why.
        faults: What made this run another load than its rows name; empty when nothing did.
    """

    figures: dict[str, float]
    faults: tuple[str, ...] = ()

    def encode(self) -> str:
        """Return the finding as one JSON line without its newline.

        JSON has no NaN and no infinity: such a figure could not be measured, and is left out.
        """
        known = {name: value for name, value in self.figures.items() if math.isfinite(value)}
        return msgspec.json.encode(attrs.evolve(self, figures=known)).decode()

    def figure(self, name: str) -> float:
        """Return a figure; NaN if it could not be measured."""
        return self.figures.get(name, math.nan)


@attrs.frozen
class TrialRow:
    """One line of the table.

    Attributes:
        name: What ``--rows`` calls it.
        what: The load, in words.
        measured: Which figure of the finding has to reach the bar.
        unit: What the figure counts.
        bar: The figure to reach; ``None`` for a figure that is only shown.
        beside: Other figures that are shown with it, by name, with their units.
        kind: See `AnyRow`.
    """

    name: str
    what: str
    measured: str
    unit: str
    bar: Bar | None
    beside: tuple[tuple[str, str], ...] = ()
    kind: Kind = "figure"

    @property
    def against(self) -> None:
        """Nobody: the figures of a trial are absolute."""

    @property
    def load(self) -> str:
        """As the row."""
        return ""


@attrs.frozen
class Trial:
    """Rows that share a run.

    Attributes:
        name: The module in `benchmarks.trials`.
        rows: What is judged.
        repetitions_max: Upper limit on repetitions; each has a seed of its own.
        deadline_s: After this the process is ended, in seconds.
        run_s: About how long a run takes, in seconds, to tell how long there is to wait.
        is_alone: Whether it is a single process, which then gets a core of its own.
        is_timeless: Whether nothing of it depends on how fast the machine is; such trials run
            beside each other.
        is_full: Whether its module's ``run_full`` is run instead of ``run``: once, and for as long
            as it takes.
        full_s: About how long that is, in seconds; 0 if there is none.
        suite: See ``--suite``.
    """

    name: str
    rows: tuple[TrialRow, ...]
    repetitions_max: int = 100
    deadline_s: float = 60.0
    run_s: float = 5.0
    is_alone: bool = True
    is_timeless: bool = False
    is_full: bool = False
    full_s: float = 0.0
    suite: Suite = "engine"

    def longer(self, times: int) -> Trial:
        """Return what is run with ``--full``: so many times as often, or its module's other way."""
        if not self.full_s:
            return attrs.evolve(self, repetitions_max=self.repetitions_max * times)
        deadline_s = self.deadline_s + FULL_SPARE * self.full_s
        return attrs.evolve(
            self, is_full=True, repetitions_max=1, run_s=self.full_s, deadline_s=deadline_s
        )

    def only(self, names: Iterable[str]) -> Trial:
        """Return this trial with the rows that are named."""
        chosen = set(names)
        return attrs.evolve(self, rows=tuple(row for row in self.rows if row.name in chosen))


def run_trial(trial: Trial, seed: int) -> Finding:
    """Run a trial once, in a fresh process.

    Raises:
        RunError: It did not finish, or not within ``trial.deadline_s``.
    """
    return run_to_end(
        trial.name,
        "benchmarks.trials",
        [
            trial.name,
            f"--seed={seed}",
            f"--deadline-s={trial.deadline_s}",
            *(["--full"] if trial.is_full else []),
        ],
        prints=Finding,
        deadline_s=trial.deadline_s,
        cores=[lanes()[0].client] if trial.is_alone and not trial.is_timeless else (),
    )


def ask(trial: Trial, repetitions: int, progress: Progress) -> Asked:
    """Run a trial and judge its rows.

    Args:
        trial: What to run.
        repetitions: How often; at least 1.
        progress: Called with one line of text per run.

    Returns:
        The outcome of each row, and all findings by the trial's name.
    """
    findings: list[Finding] = []
    error = ""
    for seed in range(1, min(repetitions, trial.repetitions_max) + 1):
        try:
            findings.append(run_trial(trial, seed))
        except RunError as raised:
            error = str(raised)
            progress(error)
            break  # it would fail again, and each time take its whole deadline
        progress(_describe(trial, findings[-1]))
    return [_judge(row, findings, error) for row in trial.rows], {trial.name: findings}


def ask_together(trials: Sequence[Trial], repetitions: int, progress: Progress) -> list[Asked]:
    """Run trials that are timeless, as many at once as there are cores; see `ask`."""
    with open_threads(len(os.sched_getaffinity(0))) as threads:
        # The longest first, so that it is not the last to begin.
        longest_first = sorted(trials, key=lambda each: -each.run_s)
        asked = {
            each.name: threads.submit(ask, each, repetitions, progress) for each in longest_first
        }
        return [asked[each.name].result() for each in trials]


def _describe(trial: Trial, finding: Finding) -> str:
    figures = [f"{row.name}  {finding.figure(row.measured):.4g} {row.unit}" for row in trial.rows]
    return "  ".join([*figures, *finding.faults])


def _judge(row: TrialRow, findings: Sequence[Finding], error: str) -> Outcome:
    fault = common_fault([finding.faults for finding in findings])
    values = () if error else _values(findings, row.measured)
    spread = Spread.of(values) if values else None
    return Outcome(
        row=row,
        values=values,
        spread=spread,
        verdict=verdict(spread, row.bar, is_valid=not fault),
        is_more_better=row.bar is not None and row.bar.is_at_least,
        absolute={
            name: Beside(Spread.of(_values(findings, name)), unit)
            for name, unit in row.beside
            if findings
        },
        notes=tuple(note for note in (error, fault) if note),
    )


def _values(findings: Sequence[Finding], name: str) -> tuple[float, ...]:
    return tuple(finding.figure(name) for finding in findings)
