"""A batch whose servers are asked by workers of a Ray cluster: the option ``--ray``."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import IO, Final

import attrs

from triollama import EndpointConfig
from triollama.api import name_key
from triollama_adapters.batch.figures.snapshot import Lane
from triollama_adapters.batch.work.limits import Limits
from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._fleet import FleetWanted, choose_model, open_fleet
from triollama_adapters.ray.crew import Crew, open_crew
from triollama_adapters.ray.fleet import LOCAL, RayFleet, parse_pin

__all__ = [
    "OFF",
    "CrewFleet",
    "check_simulated",
    "crew_lanes",
    "open_crew_fleet",
    "ray_fleet_of",
]

OFF: Final = "off"
"""The address that leaves Ray, for a job that was begun on it."""

ALL_READY_S: Final = 5.0
"""How long all workers are waited for, when the first ones do not know the model: a worker's
process takes a second."""


@attrs.frozen
class CrewFleet:
    """Servers that workers ask; beside `Fleet`.

    Attributes:
        engine: the workers.
        model: the model to ask; empty if none was needed.
    """

    engine: Crew
    model: str


def ray_fleet_of(
    address: str | None, endpoints: Iterable[str], pins: Iterable[str], workers: int | None
) -> RayFleet | None:
    """What the options say of Ray; None if they say nothing.

    Raises:
        CliError: they need ``--ray``, which is not there.
        ChoiceError: a value means nothing.
    """
    pins = tuple(pins)
    if address is None or address == OFF:
        if address is None and (pins or workers is not None):
            raise CliError("--pin and --ray-workers are for jobs on Ray; give --ray ADDRESS, too")
        return None
    by_machine: defaultdict[str, list[str]] = defaultdict(list)
    for machine, url in map(parse_pin, pins):
        by_machine[machine].append(url)
    return RayFleet(address=address, endpoints=endpoints, pins=by_machine, workers=workers)


def check_simulated(address: str | None) -> None:
    """See that who asks reaches servers that are simulated by this process.

    Args:
        address: of the cluster, as ``--ray`` takes it.

    Raises:
        CliError: it may have other machines.
    """
    if address not in (None, LOCAL, OFF):
        raise CliError(
            "--simulate starts servers that other machines do not reach; use it with "
            f"--ray {LOCAL}, or give --endpoint"
        )


@asynccontextmanager
async def open_crew_fleet(
    fleet: RayFleet, wanted: FleetWanted, limits: Limits, tries: int, stderr: IO[str]
) -> AsyncIterator[CrewFleet]:
    """Start the workers, and settle which model is asked.

    Args:
        fleet: the cluster.
        wanted: which model, how many rows at a time, and how many simulated servers.
        limits: how long nobody may answer.
        tries: how often a row is asked before it has failed.
        stderr: where is told what happens to workers.

    Raises:
        BatchError: the cluster cannot be used.
        CliError: the model does not exist, or none was named and there is more than one.
    """
    async with AsyncExitStack() as stack:
        if wanted.simulate:
            check_simulated(fleet.address)
            simulated = await stack.enter_async_context(open_fleet(wanted, stderr))
            rows_max = wanted.concurrency
            servers = [
                EndpointConfig(f"http://{name}", max_in_flight=rows_max, num_parallel=rows_max)
                for name in simulated.engine.endpoints
            ]
            fleet = attrs.evolve(fleet, endpoints=servers)
        else:
            fleet = _with_credentials(fleet, wanted)
        crew = await stack.enter_async_context(
            open_crew(
                fleet,
                rows_max=wanted.concurrency,
                tries=tries,
                outage_s_max=limits.outage_s_max,
                tell=lambda line: _tell(line, stderr),
            )
        )
        model = await _choose(crew, wanted)
        # Ray brings 50,000 objects that stay: to look through them for cycles, again and again,
        # costs 20 µs a row.
        gc.freeze()
        try:
            yield CrewFleet(crew, model)
        finally:
            gc.unfreeze()


def crew_lanes(crew: Crew, model: str) -> list[Lane]:
    """The servers of all workers, as they are.

    Args:
        crew: the workers.
        model: whose slots are told; empty: those of all models together.
    """
    key = name_key(model) if model else None
    return [
        Lane(
            endpoint=name,
            health="" if any(look.is_in_service for look in looks) else "out of service",
            in_flight=in_flight,
            slots=sum(_slots(look.slots, key) for look in looks) or None,
        )
        for name, (in_flight, looks) in crew.servers.by_endpoint().items()
    ]


def _slots(slots: Mapping[str, int], key: str | None) -> int:
    return slots.get(key, 0) if key else sum(slots.values())


def _with_credentials(fleet: RayFleet, wanted: FleetWanted) -> RayFleet:
    """The same fleet, whose workers show its servers what this process would.

    Raises:
        CliError: there are credentials, and no server that they are for.
    """
    shown = wanted.credentials
    if shown.is_nothing:
        return fleet
    if not fleet.endpoints and not fleet.pins:
        raise CliError(
            "with --ray each machine would ask its own server: name those that --header or "
            "--api-key-env is for, by --endpoint or --pin"
        )
    rows_max = wanted.concurrency

    def given(servers: Iterable[str | EndpointConfig]) -> list[EndpointConfig]:
        urls = [each if isinstance(each, str) else each.url for each in servers]
        return shown.endpoints(urls, max_in_flight=rows_max) if urls else []

    pins = {machine: given(servers) for machine, servers in fleet.pins.items()}
    return attrs.evolve(fleet, endpoints=given(fleet.endpoints), pins=pins)


async def _choose(crew: Crew, wanted: FleetWanted) -> str:
    if not wanted.needs_model and wanted.model is None:
        return ""
    known = map(name_key, crew.models)
    if wanted.model is None or name_key(wanted.model) not in known:
        await crew.wait_ready(within_s=ALL_READY_S)
    return choose_model(wanted.model, crew.models, take_first=bool(wanted.simulate))


def _tell(line: str, stderr: IO[str]) -> None:
    stderr.write(f"{line}\n")
    stderr.flush()
