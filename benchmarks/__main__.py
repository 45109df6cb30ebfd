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

from benchmarks import cpu_per_chunk, memory, questions, report, short_requests, trial, trials
from benchmarks.figures import Verdict
from benchmarks.questions import Comparison
from benchmarks.result import Asked
from benchmarks.trial import Trial

QUESTIONS = (cpu_per_chunk, memory, short_requests)
"""The modules whose comparisons are run, in this order; then come the trials."""

TRIALS: tuple[Trial, ...] = tuple(
    importlib.import_module(f"{trials.__name__}.{name}").TRIAL for name in trials.NAMES
)

LATEST = Path(__file__).resolve().parent / "results" / "latest.json"
DEFAULT = "benchmarks/results/latest.json"

EXAMPLES = """\
examples:
  python -m benchmarks                            all rows, up to five repetitions, seven minutes
  python -m benchmarks --rows chunk-200 short     two of them
  python -m benchmarks --rows failover-p99 stall  servers that are killed and stopped, a minute
  python -m benchmarks --repetitions 1            a first look
  python -m benchmarks --peers                    aiohttp + uvloop + msgspec beside (a minute more)
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
    chosen = _chosen(arguments.rows, with_peers=arguments.peers)
    try:
        asked = [_ask(each, arguments.repetitions) for each in chosen]
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


def _chosen(names: list[str], *, with_peers: bool) -> list[Comparison | Trial]:
    every: list[Comparison | Trial] = []
    every += [each.only(names, with_peers=with_peers) for each in _comparisons()]
    every += [each.only(names) for each in TRIALS]
    return [question for question in every if question.rows]


def _ask(question: Comparison | Trial, repetitions: int) -> Asked:
    if isinstance(question, Trial):
        return trial.ask(question, repetitions, _progress)
    return questions.ask(question, repetitions, _progress)


def _parse() -> argparse.Namespace:
    names = [row.name for comparison in _comparisons() for row in comparison.rows]
    names += [row.name for each in TRIALS for row in each.rows]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="This engine beside the bare floor and its peers, and under failing servers.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--rows", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names)
    )
    parser.add_argument(
        "--repetitions", type=_count, default=5, metavar="N", help="at most; default: 5"
    )
    parser.add_argument("--peers", action="store_true", help="show the hand-written peers too")
    parser.add_argument(
        "--json",
        type=Path,
        default=LATEST,
        metavar="PATH",
        help="default: benchmarks/results/latest.json",
    )
    parser.add_argument("--strict", action="store_true", help="exit 1 unless every row passes")
    return parser.parse_args()


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"not a count: {text!r}")
    return int(text)


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    # As Ctrl-C does, so that a terminated harness stops its processes too.
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
