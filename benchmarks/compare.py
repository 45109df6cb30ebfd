"""``python -m benchmarks.compare OLD NEW``: what got slower by more than the noise, by how much.

The rule. A row has changed if its two medians differ by more than 5 % of the old one, and by more
than the noise: the larger of the two interquartile ranges, times 1 + 3/n for n repetitions, since
the quartiles of few say little. For normal noise of 8 % and five repetitions that calls one row in
25 changed that is not, and finds two of three that got slower by 20 %; with 15 repetitions it is
one in 1,000, and nine of ten.

A single repetition has no noise that could be known: such a row has changed if it met its bar and
does not any more, or the other way round. A file without the single repetitions has only the lowest
and the highest; then half of what lies between them stands for the interquartile range.

Worse is what lies farther from the side that the row's bar is on; without a bar, what the row says.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from benchmarks.document import MACHINE, Document, NotResultsError, RowRead, read
from benchmarks.figures import Verdict

CHANGE_MIN = 0.05
"""Below this share of the old figure no change is worth a word."""

FEW = 3
"""How fast the noise of few repetitions grows; see the rule."""

EXAMPLES = """\
examples:
  python -m benchmarks --json before.json         measure, change something, then
  python -m benchmarks                            measure again
  python -m benchmarks.compare before.json benchmarks/results/latest.json

exit status:
  0 nothing got slower by more than the noise, 1 something did, or has no valid figure any more,
  2 a file is not a results file, or the command line is wrong"""


@attrs.frozen
class Change:
    """How one row's figure went.

    Attributes:
        name: The row.
        unit: What the figure counts.
        old: The old median.
        new: The new median.
        noise: By how much two medians of the same thing may differ; ``None`` if nobody knows.
        is_worse: Whether the new one is worse, by however little.
        is_real: Whether the change is more than noise.
    """

    name: str
    unit: str
    old: float
    new: float
    noise: float | None
    is_worse: bool
    is_real: bool

    def show(self) -> str:
        """Return the change as one line."""
        noise = "unknown" if self.noise is None else _part(self.noise, self.old)
        by = _part(self.new - self.old, self.old, sign="+")
        return f"{self.name}: {by} ({self.old:.4g} to {self.new:.4g} {self.unit}; noise {noise})"


def noise_of(row: RowRead) -> float | None:
    """Return by how much a row's median may differ by chance; ``None`` if nobody knows."""
    values = row.repetitions
    if len(values) > 1:
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        return (high - low) * (1 + FEW / len(values))
    figure = row.value
    if values or figure is None or figure.low is None or figure.high is None:
        return None
    return (figure.high - figure.low) / 2 or None


def change(old: RowRead, new: RowRead) -> Change | None:
    """Return how a row's figure went; ``None`` if the two cannot be compared."""
    before, after = old.median, new.median
    if before is None or after is None or old.unit != new.unit:
        return None
    noises = [noise_of(old), noise_of(new)]
    known = [noise for noise in noises if noise is not None]
    noise = max(known) if len(known) == len(noises) else None
    if noise is None:
        is_real = {old.verdict, new.verdict} == {Verdict.PASS, Verdict.MISS}
    else:
        is_real = abs(after - before) > max(noise, CHANGE_MIN * abs(before))
    is_worse = after < before if new.is_more_better else after > before
    return Change(new.name, new.unit, before, after, noise, is_worse, is_real)


def compare(old: Document, new: Document) -> tuple[list[str], bool]:
    """Return what there is to say, line by line, and whether something got worse."""
    before, after = old.by_name(), new.by_name()
    both = [name for name in before if name in after]
    changes = [it for name in both if (it := change(before[name], after[name])) is not None]
    real = [each for each in changes if each.is_real]
    worse = [each.show() for each in real if each.is_worse]
    better = [each.show() for each in real if not each.is_worse]
    lost = [name for name in both if before[name].median is not None and after[name].median is None]
    lines = [*_warnings(old, new)]
    lines += _section("slower, or otherwise worse", worse)
    lines += _section("no valid figure any more", [_why(after[name]) for name in lost])
    lines += _section("faster, or otherwise better", better)
    lines.append(f"{len(changes) - len(real)} of {len(both)} rows are as they were")
    return lines, bool(worse or lost)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare what the command line names; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare",
        description="Say what got slower from one run of the benchmarks to another.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("old", type=Path, metavar="OLD", help="results of the earlier run")
    parser.add_argument("new", type=Path, metavar="NEW", help="results of the later run")
    given = parser.parse_args(arguments)
    try:
        old, new = read(given.old), read(given.new)
    except NotResultsError as error:
        print(error, file=sys.stderr)
        return 2
    lines, is_worse = compare(old, new)
    print("\n".join(lines))
    return 1 if is_worse else 0


def _warnings(old: Document, new: Document) -> Iterator[str]:
    for name in MACHINE:
        before, after = old.machine.get(name), new.machine.get(name)
        if before != after:
            yield f"warning: another machine: its {name} was {before}, and is {after}"
    rows = {"old": old.by_name(), "new": new.by_name()}
    for one, other in (("old", "new"), ("new", "old")):
        if alone := [name for name in rows[one] if name not in rows[other]]:
            yield f"warning: only the {one} file has {', '.join(alone)}"
    for name, row in rows["old"].items():
        unit = rows["new"][name].unit if name in rows["new"] else row.unit
        if unit != row.unit:
            yield f"warning: {name} was in {row.unit}, and is in {unit}: not compared"


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return [f"{title}:", *(f"  {line}" for line in lines)] if lines else []


def _why(row: RowRead) -> str:
    return ": ".join([f"{row.name} ({row.verdict})", *row.notes[:1]])


def _part(value: float, whole: float, sign: str = "") -> str:
    return f"{value / abs(whole):{sign}.0%}" if whole else f"{value:{sign}.3g}"


if __name__ == "__main__":
    sys.exit(main())
