"""The servers of one command, real or simulated, asked for their models before any work."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import IO, Final

import attrs
import trio

from triollama import (
    AccessDeniedError,
    EndpointError,
    Engine,
    EngineError,
    FleetUnavailableError,
    TriollamaError,
    open_engine,
)
from triollama.api import name_key
from triollama_adapters.cli._access import NOTHING_SHOWN, Credentials
from triollama_adapters.cli._failures import (
    CliError,
    UnreachableError,
    by_options,
    is_unreachable,
    join_clauses,
)
from triollama_adapters.simulator import fast_config
from triollama_adapters.simulator.process import open_simulators

__all__ = ["Fleet", "FleetWanted", "choose_model", "open_fleet"]

ASK_WITHIN_S: Final = 15.0
"""How long the servers may take to list their models: a listing does no inference, and a name that
does not resolve takes up to 10 s to fail."""

SILENT_S: Final = 2.0
"""How long nothing is said while they are asked: a person wonders then."""

UNAUTHORIZED: Final = 401
"""Of a list of models; a proxy that has none for anybody answers 403 or 404."""

SLOTS_MIN: Final = 512
"""Slots of a simulated server: it answers all that may be in flight at once."""

BY_OPTION: Final = "with -m"

_START_HINT: Final = "start one with: ollama serve, or without a model: triollama simulate"


@attrs.frozen(kw_only=True)
class FleetWanted:
    """Which servers a command is to use.

    Attributes:
        endpoints: their addresses; none: ``OLLAMA_HOST``, or this machine.
        simulate: start that many simulated servers instead.
        model: the model to use; None: the only one there is.
        concurrency: requests in flight at most.
        needs_model: whether one must be settled; if not, each request names its own.
        named_by: how a user names one.
        credentials: what the servers are shown; simulated ones want nothing.
    """

    endpoints: Sequence[str] = ()
    simulate: int = 0
    model: str | None = None
    concurrency: int = 1
    needs_model: bool = True
    named_by: str = BY_OPTION
    credentials: Credentials = NOTHING_SHOWN


@attrs.frozen
class Fleet:
    """Servers ready to be used.

    Attributes:
        engine: the engine over them.
        model: the model to ask; empty if none was needed.
        models: all that the servers have.
    """

    engine: Engine
    model: str
    models: Sequence[str] = ()


@asynccontextmanager
async def open_fleet(wanted: FleetWanted, stderr: IO[str]) -> AsyncIterator[Fleet]:
    """Start or reach the servers, and settle which model is asked.

    Leaving it, also by cancellation, closes the engine and ends the simulated servers.

    Args:
        wanted: which servers and model.
        stderr: where a server that does not answer is mentioned.

    Yields:
        The engine and the model's name.

    Raises:
        UnreachableError: no server answered.
        CliError: the model does not exist, or none was named and there is more than one; or a
            simulated server could not be started.
        ConfigError: an address is not usable.
    """
    async with AsyncExitStack() as stack:
        urls: Sequence[str] = wanted.endpoints
        if wanted.simulate:
            simulators = open_simulators(
                wanted.simulate, fast_config(num_parallel=max(SLOTS_MIN, wanted.concurrency))
            )
            try:
                urls = await stack.enter_async_context(simulators)
            except EngineError as error:
                raise CliError(str(error)) from error
        # Every request that the command allows may end up at one server.
        # Of a simulated one it is known that it works on all of them at once; others are learnt.
        num_parallel = wanted.concurrency if wanted.simulate else None
        shown = NOTHING_SHOWN if wanted.simulate else wanted.credentials
        endpoints = shown.endpoints(
            urls, max_in_flight=wanted.concurrency, num_parallel=num_parallel
        )
        engine = await stack.enter_async_context(open_engine(*endpoints))
        models = await _list_models(engine, stderr)
        model = ""
        if wanted.needs_model or wanted.model is not None:
            model = choose_model(
                wanted.model,
                models,
                take_first=bool(wanted.simulate),
                named_by=wanted.named_by,
            )
        if wanted.simulate and model:
            await engine.load(model)  # else all would go to the one that has it loaded first
        yield Fleet(engine, model, models)


def choose_model(
    wanted: str | None,
    models: Sequence[str],
    *,
    take_first: bool = False,
    named_by: str = BY_OPTION,
) -> str:
    """Settle the model to ask.

    Args:
        wanted: the name given by the user; None if none was.
        models: those that the servers have.
        take_first: without a name take the first of several.
        named_by: how a user names one.

    Raises:
        CliError: there is no such model, no model, or more than one to choose from.
        InvalidRequestError: what is wanted is not a model's name.
    """
    listed = ", ".join(sorted(models)) or "none"
    if wanted is None:
        if len(models) == 1 or (models and take_first):
            return models[0]
        if not models:
            raise CliError("no endpoint has a model; pull one first: ollama pull llama3.2")
        raise CliError(f"which model? There are several: {listed}; name one {named_by}")
    if name_key(wanted) not in map(name_key, models):
        raise CliError(f"no endpoint has the model {wanted!r}; there are: {listed}")
    return wanted


async def _list_models(engine: Engine, stderr: IO[str]) -> list[str]:
    """The models of all servers that answer, each once, in the order in which they are listed."""
    told: dict[str, list[str] | TriollamaError] = {}
    async with trio.open_nursery() as waiting:
        waiting.start_soon(_tell_waiting, engine, told, stderr)
        async with trio.open_nursery() as asking:
            for name in engine.endpoints:
                asking.start_soon(_ask_models, engine, name, told)
        waiting.cancel_scope.cancel()
    answers = [told[name] for name in engine.endpoints]
    failures = [answer for answer in answers if isinstance(answer, TriollamaError)]
    if len(failures) == len(answers):
        raise _all_failed(failures)
    for name, answer in told.items():
        if isinstance(answer, AccessDeniedError) and answer.status == UNAUTHORIZED:
            await engine.remove_endpoint(name)  # else it would refuse its share of the work
    for failure in failures:
        stderr.write(f"warning: {by_options(str(failure))}\n")
    return list(
        dict.fromkeys(name for answer in answers if isinstance(answer, list) for name in answer)
    )


async def _ask_models(
    engine: Engine, name: str, told: dict[str, list[str] | TriollamaError]
) -> None:
    """Enter the models of one server, or why it did not tell them."""
    try:
        with trio.fail_after(ASK_WITHIN_S):
            tags = await engine.tags(endpoint=name)
    except trio.TooSlowError:
        told[name] = EndpointError(f"no answer within {ASK_WITHIN_S:g} s", endpoint=name)
    except FleetUnavailableError as error:
        told[name] = error.causes[-1] if error.causes else error
    except TriollamaError as error:
        told[name] = error
    else:
        told[name] = [model.name for model in tags.models]


async def _tell_waiting(engine: Engine, told: Mapping[str, object], stderr: IO[str]) -> None:
    """Say once whose answer is still missing."""
    await trio.sleep(SILENT_S)
    missing = ", ".join(name for name in engine.endpoints if name not in told)
    stderr.write(f"waiting for {missing} ...\n")
    stderr.flush()


def _all_failed(failures: Sequence[TriollamaError]) -> UnreachableError:
    """No server is of use; one that was reached does not have to be started."""
    if all(map(is_unreachable, failures)):
        what, hint = "no endpoint could be reached", [_START_HINT]
    else:
        what, hint = "no endpoint could be used", []
    return UnreachableError(f"{what}: {join_clauses([*map(str, failures), *hint])}")
