"""``python -m benchmarks``: ask the questions, print the table, write the JSON."""

from __future__ import annotations

import argparse
import select
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from benchmarks import cpu_per_chunk, memory, report, short_requests
from benchmarks.figures import Verdict
from benchmarks.questions import Comparison, ask

QUESTIONS = (cpu_per_chunk, memory, short_requests)
"""One module per question, asked in this order."""

LATEST = Path(__file__).resolve().parent / "results" / "latest.json"
DEFAULT = "benchmarks/results/latest.json"

EXAMPLES = """\
examples:
  python -m benchmarks                            all rows, five repetitions, under four minutes
  python -m benchmarks --rows chunk-200 short     two of them
  python -m benchmarks --repetitions 1            a first look
  python -m benchmarks --peers                    aiohttp + uvloop + msgspec beside (a minute more)
  python -m benchmarks --strict --json out.json   exit 1 unless every row passes

exit status:
  0 the run completed (bars are reported), 1 a client failed, or with --strict a row did not pass,
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
        asked = [ask(comparison, arguments.repetitions, _progress) for comparison in chosen]
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


def _chosen(names: list[str], *, with_peers: bool) -> list[Comparison]:
    every = [
        comparison.only(names, with_peers=with_peers)
        for module in QUESTIONS
        for comparison in module.COMPARISONS
    ]
    return [comparison for comparison in every if comparison.rows]


def _parse() -> argparse.Namespace:
    names = [
        row.name
        for module in QUESTIONS
        for comparison in module.COMPARISONS
        for row in comparison.rows
    ]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Client CPU and memory of this engine beside the bare floor and its peers.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--rows", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names)
    )
    parser.add_argument("--repetitions", type=_count, default=5, metavar="N", help="default: 5")
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
