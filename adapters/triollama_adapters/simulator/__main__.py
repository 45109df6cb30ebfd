"""``python -m triollama_adapters.simulator``: one server, for fixtures and other programs.

It prints ``{"url": …}`` as one line when it accepts connections. The command for people is
``triollama simulate``.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial

import trio

from .config import SimulatorConfig, fast_config, structure
from .server import serve

__all__ = ["main"]


def main() -> None:
    """Read the arguments and serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m triollama_adapters.simulator")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--config", help="JSON of SimulatorConfig; - reads one line of stdin")
    parser.add_argument("--fast", action="store_true", help="the fast preset")
    parser.add_argument(
        "--until-eof", action="store_true", help="end when stdin ends, as it does with the parent"
    )
    options = parser.parse_args()
    config = fast_config() if options.fast else SimulatorConfig()
    if options.config is not None:
        text = sys.stdin.readline() if options.config == "-" else options.config
        config = structure(json.loads(text), SimulatorConfig)
    try:
        trio.run(_run, config, options.host, options.port, options.until_eof)
    except KeyboardInterrupt:
        sys.exit(130)


async def _run(config: SimulatorConfig, host: str, port: int, until_eof: bool) -> None:  # noqa: FBT001
    async with trio.open_nursery() as nursery:
        url = await nursery.start(partial(serve, config, host=host, port=port))
        sys.stdout.write(json.dumps({"url": url}) + "\n")
        sys.stdout.flush()
        if until_eof:
            # A thread, because not every kind of stdin can be waited for otherwise.
            await trio.to_thread.run_sync(_read_to_eof, abandon_on_cancel=True)
            nursery.cancel_scope.cancel()


def _read_to_eof() -> None:
    while sys.stdin.buffer.read(4096):
        pass


if __name__ == "__main__":
    main()
