"""`preflight`: what is there, before any load."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Final

import httpx
import msgspec
import trio

from triollama import EndpointConfig
from triollama.api import name_key
from triollama.wire.transport import open_wire_transport
from triollama_adapters.loadtest.errors import ModelMissingError, TargetError
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.targets.calibrate import calibrate
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.facts import EndpointFacts, Facts, ModelFacts
from triollama_adapters.loadtest.targets.open import endpoints_of, open_target
from triollama_adapters.loadtest.targets.shown import denial, headers_of
from triollama_adapters.loadtest.targets.verdicts import error_text
from triollama_adapters.loadtest.workload.scenario import Scenario

__all__ = ["preflight"]

QUERY_S: Final = 10.0
"""For a version and a list of models."""

UNAUTHORIZED: Final = 401
"""A gateway may have no list of models, or forbid it: then it would answer 403 or 404."""

VERSION: Final = "/api/version"

NAMED_MAX: Final = 20
"""Models that an error names."""


async def preflight(plan: Plan, *, calibrates: bool = True) -> Facts:
    """Look at every endpoint, and measure each model at a concurrency of one.

    Measuring loads the models: a run that is to begin cold must do without.

    Args:
        plan: whom the load is for.
        calibrates: whether to measure ``R0`` and the tokens of a text; seven small requests for
            each model.

    Raises:
        TargetError: an endpoint does not answer, or does not have a model (with those that it has).
    """
    endpoints = endpoints_of(plan.target)
    scenarios = list({each.model: each for each in plan.workload.scenarios}.values())
    found = await _look_at_all(plan, endpoints)
    for each in found:
        _check_models(each, scenarios)
    models = await _calibrate_all(plan, scenarios) if calibrates else {}
    is_timed = any(each.overhead_ns is not None for each in models.values())
    return Facts(tuple(found), models, is_timed, tuple(_warnings(plan, models)))


async def _look_at_all(plan: Plan, endpoints: Sequence[EndpointConfig]) -> list[EndpointFacts]:
    found: dict[str, EndpointFacts] = {}
    errors: list[TargetError] = []

    async def look(endpoint: EndpointConfig) -> None:
        try:
            found[endpoint.name] = await _look(client, plan, endpoint)
        except TargetError as error:
            errors.append(error)

    async with open_wire_transport() as transport:
        client = httpx.AsyncClient(transport=transport, timeout=QUERY_S)
        async with client, trio.open_nursery() as nursery:
            for each in endpoints:
                nursery.start_soon(look, each)
    if errors:
        raise errors[0]
    return [found[each.name] for each in endpoints]


async def _look(client: httpx.AsyncClient, plan: Plan, endpoint: EndpointConfig) -> EndpointFacts:
    """What an endpoint says of itself; a gateway may say nothing, which is no fault."""
    headers = headers_of(endpoint)

    async def ask(path: str) -> object:
        try:
            answer = await client.get(endpoint.url + path, headers=headers)
            if answer.status_code == UNAUTHORIZED and path != VERSION:
                text = error_text(answer.content)
                raise TargetError(denial(endpoint, UNAUTHORIZED, text, path))
            return msgspec.json.decode(answer.content) if answer.status_code == 200 else None
        except httpx.TimeoutException:
            raise TargetError(f"{endpoint.name} does not answer within {QUERY_S:g} s") from None
        except httpx.TransportError as error:
            raise TargetError(f"{endpoint.name} cannot be reached: {error}") from None
        except msgspec.MsgspecError:
            return None

    version = await ask(VERSION)
    path = "/v1/models" if plan.target.api == "openai" else "/api/tags"
    return EndpointFacts(endpoint.name, _field(version, "version"), _models(await ask(path)))


def _models(told: object) -> tuple[str, ...] | None:
    """The models of ``/api/tags`` or ``/v1/models``; None if that is no such list."""
    if not isinstance(told, dict) or not ({"models", "data"} & told.keys()):
        return None
    listed = told.get("models") or told.get("data") or ()
    names = (_field(each, "name") or _field(each, "id") for each in listed)
    return tuple(name for name in names if name)


def _field(told: object, name: str) -> str:
    value = told.get(name) if isinstance(told, dict) else None
    return value if isinstance(value, str) else ""


def _check_models(endpoint: EndpointFacts, scenarios: Iterable[Scenario]) -> None:
    """Whether an endpoint has what will be asked of it; one that does not say is believed.

    Raises:
        TargetError: it has not.
    """
    if endpoint.models is None:
        return
    keys = {name_key(name) for name in endpoint.models}
    for scenario in scenarios:
        if name_key(scenario.model) not in keys:
            named = ", ".join(sorted(endpoint.models)[:NAMED_MAX]) or "none"
            raise ModelMissingError(
                f"{endpoint.name} does not have the model {scenario.model!r}; it has: {named}"
            )


async def _calibrate_all(plan: Plan, scenarios: Iterable[Scenario]) -> dict[str, ModelFacts]:
    clock = RunClock(time.perf_counter_ns())
    async with open_target(plan, clock) as asker:
        return {
            each.model: await calibrate(asker, clock, each, plan.target.api) for each in scenarios
        }


def _warnings(plan: Plan, models: dict[str, ModelFacts]) -> Iterable[str]:
    for name, facts in models.items():
        if facts.overhead_ns is None:
            yield (
                "/v1 does not tell the server's times: the ledger has the client's terms only"
                if plan.target.api == "openai"
                else f"the server does not tell its times for {name!r}: there is no ledger"
            )
        if facts.characters_per_token is None and plan.target.api != "embed":
            yield f"the server does not count tokens for {name!r}: four characters are taken as one"
