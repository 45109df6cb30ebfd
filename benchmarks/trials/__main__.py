"""``python -m benchmarks.trials NAME --seed N``: run one trial once, print what it found."""

from __future__ import annotations

import argparse
import importlib
import math
import signal
import sys
from types import FrameType

from benchmarks.measure import raise_file_limit
from benchmarks.trial import Finding
from benchmarks.trials import NAMES


def main() -> int:
    """Run what the command line names; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.trials", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default: 1")
    parser.add_argument("--deadline-s", type=float, default=300.0, metavar="S", help="default: 300")
    parser.add_argument("--full", action="store_true", help="the long way, where there is one")
    arguments = parser.parse_args()
    # As Ctrl-C, so that the servers that a trial started end with it, one that it stopped included.
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGALRM, _interrupt)
    signal.alarm(math.ceil(arguments.deadline_s))
    raise_file_limit()
    module = importlib.import_module(f"benchmarks.trials.{arguments.name}")
    try:
        run = module.run_full if arguments.full else module.run
        finding: Finding = run(arguments.seed)
    except (KeyboardInterrupt, BaseExceptionGroup) as error:
        # What ends a nursery's tasks leaves it in a group, with what they raised meanwhile.
        if isinstance(error, BaseExceptionGroup) and not error.subgroup(KeyboardInterrupt):
            raise
        print("interrupted, or not done by the deadline", file=sys.stderr)
        return 130
    print(finding.encode(), flush=True)
    return 0


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    sys.exit(main())
