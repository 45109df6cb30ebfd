"""The command ``triollama status``: a fleet as it is now."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Final

import msgspec
import trio
from cyclopts import Parameter
from rich.console import Group
from rich.text import Text

from triollama import (
    AccessDeniedError,
    Engine,
    EngineConfig,
    FleetUnavailableError,
    ProbeConfig,
    RunningModel,
    TriollamaError,
    open_engine,
)
from triollama_adapters.cli._access import NOTHING_GIVEN, Access
from triollama_adapters.cli._failures import (
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_UNREACHABLE,
    by_options,
)
from triollama_adapters.cli._fleet_table import make_fleet_table
from triollama_adapters.cli._fleet_view import FleetView, Glance, Loaded, view_fleet
from triollama_adapters.cli._interrupt import run_until_stopped
from triollama_adapters.cli._live import open_console, open_picture
from triollama_adapters.words import plain

__all__ = ["STATUS_EXAMPLES", "status"]

FIRST_LOOK_S: Final = 5.0
"""For the first answers of all servers. A hung one takes the 2 s of its probe, a name that does not
resolve up to 10 s; it is shown as not having answered yet."""

GLANCE_S: Final = 2.0
"""For the list of loaded models, which no server needs to look up: as long as a probe has."""

LOOK_EVERY_S: Final = 2.0
"""Between two looks at a server: ``--watch`` shows a death about as soon as somebody wonders."""

JSON_EVERY_S: Final = 1.0
"""Between two lines of ``--watch --json``."""

_CONFIG: Final = EngineConfig(
    connect_s=GLANCE_S, probe=ProbeConfig(interval_s=LOOK_EVERY_S, timeout_s=GLANCE_S)
)

STATUS_EXAMPLES: Final = """
Examples:

* `triollama status`
* `triollama status --endpoint http://gpu-1:11434 --endpoint http://gpu-2:11434 --watch`
* `triollama status --endpoint https://gpu-1.example --api-key-env GPU_KEY`
* `triollama status --json | jq '.endpoints[] | select(.is_reached | not) | .reason'`
"""


async def status(
    *,
    endpoint: Annotated[list[str] | None, Parameter(negative_iterable=())] = None,
    access: Access = NOTHING_GIVEN,
    watch: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Show the servers of a fleet: version, health, loaded models, and how fast they answer.

    Slots, requests in flight and in line, and the predicted time to first token (TTFT) are this
    program's own: what others send is not in them, and without traffic nothing is learnt.

    Args:
        endpoint: Address of an Ollama server; repeat it for a fleet. Default: OLLAMA_HOST, or this
            machine.
        access: What the servers want to see.
        watch: Show it again and again, until Ctrl-C.
        json: Print one JSON object on standard output; with --watch, one line a second.

    Returns:
        0; or 3 if no server could be reached.
    """
    code = EXIT_OK
    endpoints = access.credentials().endpoints(endpoint or ())

    async def work() -> None:
        nonlocal code
        async with open_engine(*endpoints, config=_CONFIG) as engine, trio.open_nursery() as asking:
            glances: dict[str, Glance] = {}
            for name in engine.endpoints:
                asking.start_soon(_keep_looking, engine, name, glances)
            await _wait_seen(engine, glances)

            def look() -> FleetView:
                return view_fleet(engine.statistics(), glances)

            if watch:
                await (_watch_json(look) if json else _watch(look))
            view = look()
            _print(view, is_json=json)
            code = EXIT_OK if view.reached else EXIT_UNREACHABLE
            asking.cancel_scope.cancel()

    return EXIT_INTERRUPTED if await run_until_stopped(work) else code


async def _wait_seen(engine: Engine, glances: dict[str, Glance]) -> None:
    """Wait until each server has answered, or failed to, both the prober and us."""
    with trio.move_on_after(FIRST_LOOK_S):
        while True:
            probes = engine.statistics().health.endpoints
            if len(glances) == len(probes) and all(each.probes for each in probes):
                return
            await trio.sleep(0.02)


async def _keep_looking(engine: Engine, name: str, glances: dict[str, Glance]) -> None:
    while True:
        glances[name] = await _glance(engine, name)
        await trio.sleep(LOOK_EVERY_S)


async def _glance(engine: Engine, name: str) -> Glance:
    """What is loaded there, or why that cannot be told."""
    try:
        with trio.fail_after(GLANCE_S):
            running = await engine.ps(endpoint=name)
    except trio.TooSlowError:
        return Glance(error=f"no answer within {GLANCE_S:g} s")
    except FleetUnavailableError as error:
        told = str(error.causes[0]) if error.causes else str(error)
        return Glance(error=told.removeprefix(f"{name}: "))
    except TriollamaError as error:
        told = by_options(str(error)).removeprefix(f"{name}: ").removeprefix(f"{name} ")
        return Glance(
            error=told,
            denied=error.status if isinstance(error, AccessDeniedError) else 0,
        )
    return Glance(tuple(map(_loaded, running.models)))


def _loaded(model: RunningModel) -> Loaded:
    try:
        until = datetime.fromisoformat(model.expires_at)
        stays_s = (until - datetime.now(until.tzinfo)).total_seconds()
    except ValueError:  # it is not told, or as nobody else tells it
        return Loaded(model.name, None)
    return Loaded(model.name, stays_s)


async def _watch(look: Callable[[], FleetView]) -> None:
    """Show it until cancelled."""
    with open_picture(sys.stdout) as picture:
        while True:
            view = look()
            rows = "; ".join(f"{each.endpoint} {each.health}" for each in view.endpoints)
            told = view.describe()
            table = make_fleet_table(view, picture.width)
            picture.show(Group(table, Text(told)), f"{told}: {plain(rows)}")
            await trio.sleep(picture.every_s)


async def _watch_json(look: Callable[[], FleetView]) -> None:
    """Print it until cancelled."""
    while True:
        _print(look(), is_json=True)
        await trio.sleep(JSON_EVERY_S)


def _print(view: FleetView, *, is_json: bool) -> None:
    if is_json:
        sys.stdout.write(msgspec.json.encode(view).decode() + "\n")
    else:
        console = open_console(sys.stdout)
        console.print(make_fleet_table(view, console.width))
        sys.stdout.write(view.describe() + "\n")
    sys.stdout.flush()
