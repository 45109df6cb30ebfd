"""``python -m benchmarks``: ask the questions, print the table, write the JSON."""

from __future__ import annotations

import argparse
import importlib
import select
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import get_args

import attrs

from benchmarks import (
    batch_rows,
    cancelling,
    cpu_per_chunk,
    growth,
    latency,
    opening,
    questions,
    report,
    saturation,
    short_requests,
    trial,
    trials,
)
from benchmarks.document import LATEST, LATEST_LOAD
from benchmarks.figures import Verdict
from benchmarks.processes import ROOT
from benchmarks.progress import Progress, expected, together
from benchmarks.questions import Comparison
from benchmarks.result import Asked, Suite
from benchmarks.trial import Trial

QUESTIONS = (
    cpu_per_chunk,
    saturation,
    latency,
    short_requests,
    opening,
    cancelling,
    growth,
    batch_rows,
)
"""The modules whose comparisons are run, in this order; then come the trials."""

TRIALS: tuple[Trial, ...] = tuple(
    importlib.import_module(f"{trials.__name__}.{name}").TRIAL for name in trials.NAMES
)

REPETITIONS, FULL_REPETITIONS = 5, 15

FULL_WINDOWS = 3
"""How many times as long a window is with ``--full``."""

EXAMPLES = """\
examples:
  python -m benchmarks                            all rows, up to five repetitions, ten minutes
  python -m benchmarks --full                     15 repetitions, longer windows; 1.5 hours
  python -m benchmarks --suite load               the load tester beside the truth, a minute
  python -m benchmarks --rows chunk-200 short     two of them
  python -m benchmarks --rows failover-p99 stall  servers that are killed and stopped, a minute
  python -m benchmarks --repetitions 1            a first look
  python -m benchmarks --peers                    the slow peers at every load, too; minutes more
  python -m benchmarks --strict --json out.json   exit 1 unless every row passes

exit status:
  0 the run completed (bars are reported), 1 a process failed, or with --strict a row did not pass,
  2 the command line or the system is wrong, 130 interrupted"""


def main() -> int:
    """Run what the command line asks for; return the exit status."""
    arguments = _parse()
    if not hasattr(select, "epoll"):
        print("the floor and the load server need epoll, so the benchmarks need Linux")
        return 2
    signal.signal(signal.SIGTERM, _interrupt)
    started_s = time.monotonic()
    facts = report.machine()
    print(report.show_machine(facts), flush=True)
    try:
        asked = _ask_all(arguments)
    except KeyboardInterrupt:
        print("interrupted; nothing is left running", file=sys.stderr)
        return 130
    outcomes = [outcome for each, _ in asked for outcome in each]
    print(f"\n{report.show(outcomes)}")
    report.write(arguments.json, facts, asked)
    print(f"\n{time.monotonic() - started_s:.0f} s; all runs are in {arguments.json}")
    verdicts = {outcome.verdict for outcome in outcomes}
    if arguments.strict:
        return 0 if verdicts <= {Verdict.PASS} else 1
    return 1 if Verdict.ERROR in verdicts else 0


def _comparisons() -> list[Comparison]:
    return [comparison for module in QUESTIONS for comparison in module.COMPARISONS]


def _names(suite: Suite | None = None) -> list[str]:
    """The rows of a suite, or of all, in the order of the table."""
    names = [row.name for each in TRIALS if suite in {None, each.suite} for row in each.rows]
    if suite == "load":
        return names
    return [row.name for each in _comparisons() for row in each.rows] + names


def _chosen(names: list[str], *, with_peers: bool) -> list[Comparison | Trial]:
    every: list[Comparison | Trial] = []
    every += [each.only(names, with_peers=with_peers) for each in _comparisons()]
    every += [each.only(names) for each in TRIALS]
    return [question for question in every if question.rows]


def _ask_all(arguments: argparse.Namespace) -> list[Asked]:
    chosen = _chosen(arguments.rows or _names(arguments.suite), with_peers=arguments.peers)
    repetitions = arguments.repetitions or (FULL_REPETITIONS if arguments.full else REPETITIONS)
    if arguments.full:
        chosen = [_longer(each) for each in chosen]
    timeless = [each for each in chosen if isinstance(each, Trial) and each.is_timeless]
    timed = [each for each in chosen if each not in timeless]
    questions_ = [expected(each, repetitions) for each in timed]
    progress = Progress([*questions_, together(timeless, repetitions)], _write, time.monotonic)
    asked = []
    for each in timed:
        progress.begin()
        asked.append(_ask(each, repetitions, progress))
    progress.begin()
    return asked + trial.ask_together(timeless, repetitions, progress)


def _longer(question: Comparison | Trial) -> Comparison | Trial:
    """The same with more repetitions, and for a comparison longer windows."""
    if isinstance(question, Trial):
        return question.longer(FULL_REPETITIONS // REPETITIONS)
    more = question.repetitions_max * FULL_REPETITIONS // REPETITIONS
    return attrs.evolve(question, windows=FULL_WINDOWS, repetitions_max=more)


def _ask(question: Comparison | Trial, repetitions: int, progress: Progress) -> Asked:
    if isinstance(question, Trial):
        return trial.ask(question, repetitions, progress)
    return questions.ask(question, repetitions, progress)


def _parse() -> argparse.Namespace:
    names = _names()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="This engine beside the bare floor and its peers, and under failing servers.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument(
        "--suite",
        choices=get_args(Suite),
        default="engine",
        help="all rows of the engine, or of the load tester; default: engine",
    )
    repeated = f"at most; default: {REPETITIONS}, with --full {FULL_REPETITIONS}"
    parser.add_argument("--repetitions", type=_count, metavar="N", help=repeated)
    parser.add_argument("--full", action="store_true", help="longer windows, more repetitions")
    parser.add_argument("--peers", action="store_true", help="measure slow peers at every load")
    parser.add_argument(
        "--json",
        type=Path,
        metavar="PATH",
        help=f"default: {LATEST.relative_to(ROOT)}; of the load tester {LATEST_LOAD.name} there",
    )
    parser.add_argument("--strict", action="store_true", help="exit 1 unless every row passes")
    arguments = parser.parse_args()
    arguments.json = arguments.json or (LATEST_LOAD if arguments.suite == "load" else LATEST)
    return arguments


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"not a count: {text!r}")
    return int(text)


def _write(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    # As Ctrl-C does, so that a terminated harness stops its processes too.
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
