"""``python -m benchmarks.clients CLIENT TASK PLAN``: run one client once, print its measurement."""

from __future__ import annotations

import argparse
import importlib
import math
import signal
import sys

from benchmarks.clients import NAMES, TASKS
from benchmarks.measure import raise_file_limit
from benchmarks.plan import Plan


def main() -> int:
    """Run what the command line names; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clients", description=__doc__)
    parser.add_argument("client", choices=NAMES)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("plan", type=Plan.decode, help="a plan as JSON, its url included")
    arguments = parser.parse_args()
    # The default action ends the process, whatever it is doing: a client that hangs cannot outlive
    # its deadline even when the harness is gone.
    signal.alarm(math.ceil(arguments.plan.deadline_s))
    raise_file_limit()
    try:
        module = importlib.import_module(f"benchmarks.clients.{arguments.client}")
    except ImportError as error:
        print(f"{arguments.client} cannot be imported here: {error}", file=sys.stderr)
        return 1
    task = getattr(module, arguments.task, None)
    if task is None:
        print(f"{arguments.client} has no task {arguments.task}", file=sys.stderr)
        return 1
    print(task(arguments.plan).encode(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
