"""``python -m triollama_adapters.simulator``: one server, for fixtures and other programs.

It prints one line: ``{"url": …}`` when it accepts connections, or ``{"error": …}`` if it cannot,
and then ends with exit code 2. The command for people is ``triollama simulate``.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import trio

from triollama._errors import ConfigError

from .config import SimulatorConfig, fast_config, structure
from .server import serve

__all__ = ["main"]

GC_THRESHOLDS = (2_000, 50, 1_000)
"""A look at everything stops a server with 1,000 requests for a tenth of a second, and finds
nothing: answered requests leave no cycles."""


def main() -> None:
    """Read the arguments and serve until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m triollama_adapters.simulator")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--config", help="JSON of SimulatorConfig; - reads one line of stdin")
    parser.add_argument("--fast", action="store_true", help="the fast preset")
    parser.add_argument("--truth", type=Path, help="a new file for what really happened")
    parser.add_argument(
        "--until-eof", action="store_true", help="end when stdin ends, as it does with the parent"
    )
    options = parser.parse_args()
    try:
        config = _config(options.config, is_fast=options.fast)
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        run = partial(serve, config, host=options.host, port=options.port, truth=options.truth)
        failure = trio.run(_run, run, f"{options.host}:{options.port}", options.until_eof)
    except KeyboardInterrupt:
        sys.exit(130)
    except (ConfigError, json.JSONDecodeError) as error:
        failure = f"the configuration is not usable: {error}"
    if failure:
        _say({"error": failure})
        sys.exit(2)


def _config(text: str | None, *, is_fast: bool) -> SimulatorConfig:
    if text is None:
        return fast_config() if is_fast else SimulatorConfig()
    config: SimulatorConfig = structure(
        json.loads(sys.stdin.readline() if text == "-" else text), SimulatorConfig
    )
    return config


def _say(what: dict[str, str]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def _run(serving: Callable[..., Awaitable[None]], where: str, until_eof: bool) -> str:  # noqa: FBT001
    """Serve until cancelled or until stdin ends; return what prevented it, or nothing."""
    failure = ""
    async with trio.open_nursery() as nursery:
        try:
            url = await nursery.start(serving)
        except OSError as error:
            what = f"write {error.filename}" if error.filename else f"listen on {where}"
            failure = f"cannot {what}: {error.strerror or error}"
        else:
            _say({"url": url})
            if until_eof:
                # A thread, because not every kind of stdin can be waited for otherwise.
                await trio.to_thread.run_sync(_read_to_eof, abandon_on_cancel=True)
                nursery.cancel_scope.cancel()
    return failure


def _read_to_eof() -> None:
    while sys.stdin.buffer.read(4096):
        pass


if __name__ == "__main__":
    main()
