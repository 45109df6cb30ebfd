"""``python -m benchmarks.load_server``: print the port, serve until stdin closes, report."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.load_server.server import LoadServer, serve
from benchmarks.measure import raise_file_limit
from benchmarks.plan import TICK_S


def main() -> None:
    """Read the command line and serve."""
    arguments = _parse()
    raise_file_limit()
    serve(
        LoadServer(
            arguments.streams,
            interval_s=arguments.interval_s,
            tick_s=arguments.tick_s,
            tokens=arguments.tokens,
            is_stamped=arguments.stamped,
            is_prompt=arguments.prompt,
            truth=arguments.truth,
        )
    )


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load_server", description=__doc__)
    parser.add_argument("--streams", type=int, default=0, help="0: short answers, at once")
    parser.add_argument(
        "--tokens",
        type=int,
        default=0,
        help="of an answer; 0: a short one has one line, and a stream does not end",
    )
    parser.add_argument(
        "--interval-s",
        type=float,
        default=0.02,
        help="between a stream's chunks; 0: as fast as its socket takes them",
    )
    parser.add_argument("--tick-s", type=float, default=TICK_S, help="least time between turns")
    parser.add_argument(
        "--stamped", action="store_true", help="each chunk's text is the time of its sending, in ns"
    )
    parser.add_argument(
        "--prompt", action="store_true", help="a stream's first chunk is sent at once"
    )
    parser.add_argument("--truth", type=Path, help="a file for when each chunk was sent")
    arguments = parser.parse_args()
    if not arguments.interval_s and arguments.stamped:
        parser.error("what is sent as fast as it goes has no stamps")
    return arguments


if __name__ == "__main__":
    main()
