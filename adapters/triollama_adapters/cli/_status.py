"""The command ``triollama status``: a fleet as it is now."""

from __future__ import annotations

import sys
from typing import Annotated, Final

import attrs
import msgspec
import trio
from cyclopts import Parameter
from rich.console import Console

from triollama import EndpointConfig, Engine, EngineStatistics, open_engine
from triollama_adapters.cli._failures import EXIT_INTERRUPTED, EXIT_OK, EXIT_UNREACHABLE
from triollama_adapters.cli._fleet_table import make_table, open_fleet_table
from triollama_adapters.cli._interrupt import run_until_stopped

__all__ = ["STATUS_EXAMPLES", "status"]

FIRST_LOOK_S: Final = 5.0
"""For the first probe of every server; one that takes longer is shown as it is."""

WATCH_EVERY_S: Final = 1.0

STATUS_EXAMPLES: Final = """
Examples:

* `triollama status`
* `triollama status --endpoint http://gpu-1:11434 --endpoint http://gpu-2:11434 --watch`
* `triollama status --json | jq .pool.endpoints[].state`
"""


async def status(
    *,
    endpoint: Annotated[list[str] | None, Parameter(negative_iterable=())] = None,
    watch: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Show the servers of a fleet: version, health, loaded models, slots, and how fast they answer.

    Slots and the time to first token are what this program itself has learnt, so they are empty
    for one that has sent nothing.

    Args:
        endpoint: Address of an Ollama server; repeat it for a fleet. Default: OLLAMA_HOST, or this
            machine.
        watch: Show it again every second, until Ctrl-C.
        json: Print all numbers as one JSON object on standard output.

    Returns:
        The exit code.
    """
    code = EXIT_OK

    async def work() -> None:
        nonlocal code
        async with open_engine(*[EndpointConfig(url) for url in endpoint or ()]) as engine:
            await _wait_probed(engine)
            numbers = engine.statistics()
            if json:
                text = msgspec.json.encode(attrs.asdict(numbers), enc_hook=str).decode()
                sys.stdout.write(text + "\n")
            elif watch:
                await _watch(engine)
            else:
                Console(file=sys.stdout, width=None).print(make_table(numbers))
            if not _reached(numbers):
                code = EXIT_UNREACHABLE

    return EXIT_INTERRUPTED if await run_until_stopped(work) else code


async def _wait_probed(engine: Engine) -> None:
    """Wait until each server has answered a probe, or failed one."""
    with trio.move_on_after(FIRST_LOOK_S):
        while True:
            probes = engine.statistics().health.endpoints
            if len(probes) == len(engine.endpoints) and all(each.probes for each in probes):
                return
            await trio.sleep(0.02)


def _reached(numbers: EngineStatistics) -> int:
    return sum(each.age_s is not None for each in numbers.health.endpoints)


async def _watch(engine: Engine) -> None:
    with open_fleet_table(sys.stdout) as table:
        while True:
            numbers = engine.statistics()
            reached = _reached(numbers)
            table.show(numbers, f"{reached} of {len(numbers.endpoints)} servers reached")
            await trio.sleep(WATCH_EVERY_S)
