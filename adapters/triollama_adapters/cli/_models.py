"""The commands about models that are there: list, ps, show, stop, copy, delete."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Final, TypeVar

import trio
from cyclopts import Parameter
from rich.table import Table

from triollama import (
    Engine,
    FleetUnavailableError,
    TriollamaError,
    open_engine,
)
from triollama_adapters.cli._access import NOTHING_GIVEN, Access
from triollama_adapters.cli._failures import (
    EXIT_INTERRUPTED,
    EXIT_OK,
    CliError,
    UnreachableError,
    by_options,
)
from triollama_adapters.cli._interrupt import run_until_stopped
from triollama_adapters.cli._live import open_console
from triollama_adapters.cli._models_tables import (
    as_json,
    as_objects,
    list_table,
    ps_table,
    show_table,
)
from triollama_adapters.words import plain

__all__ = [
    "COPY_EXAMPLES",
    "DELETE_EXAMPLES",
    "LIST_EXAMPLES",
    "PS_EXAMPLES",
    "SHOW_EXAMPLES",
    "STOP_EXAMPLES",
    "copy",
    "delete",
    "list_models",
    "ps",
    "show",
    "stop",
]

LIST_EXAMPLES: Final = """
Examples:

* `triollama list`
* `triollama list --endpoint https://gpu-1.example --api-key-env GPU_KEY`
* `triollama list --endpoint http://gpu-1:11434 --endpoint http://gpu-2:11434 --json`
"""

PS_EXAMPLES: Final = """
Examples:

* `triollama ps`
"""

SHOW_EXAMPLES: Final = """
Examples:

* `triollama show llama3.2`
* `triollama show llama3.2 --part modelfile`
"""

STOP_EXAMPLES: Final = """
Examples:

* `triollama stop llama3.2`
"""

COPY_EXAMPLES: Final = """
Examples:

* `triollama copy llama3.2 mine`
"""

DELETE_EXAMPLES: Final = """
Examples:

* `triollama delete mine`
* `triollama rm mine other --endpoint http://gpu-1:11434`
"""

ASK_S: Final = 15.0
"""For one server's answer: a listing does no inference."""

PARTS: Final = ("license", "modelfile", "parameters", "system", "template")

Endpoints = Annotated[list[str] | None, Parameter(negative_iterable=())]
Flag = Annotated[bool, Parameter(negative=())]
T = TypeVar("T")


async def list_models(
    *, endpoint: Endpoints = None, access: Access = NOTHING_GIVEN, json: Flag = False
) -> int:
    """List the models that each server has.

    Args:
        endpoint: Address of an Ollama server; repeat it for a fleet. Default: OLLAMA_HOST, or this
            machine.
        access: What the servers want to see.
        json: Print one JSON object on standard output.

    Returns:
        The exit code.
    """

    async def do(engine: Engine) -> None:
        told = await _ask_each(engine, lambda name: engine.tags(endpoint=name))
        _print(as_objects(told) if json else list_table(told))

    return await _with_engine(endpoint, access, do)


async def ps(
    *, endpoint: Endpoints = None, access: Access = NOTHING_GIVEN, json: Flag = False
) -> int:
    """List the models that each server has loaded.

    Args:
        endpoint: Address of an Ollama server; repeat it for a fleet. Default: OLLAMA_HOST, or this
            machine.
        access: What the servers want to see.
        json: Print one JSON object on standard output.

    Returns:
        The exit code.
    """

    async def do(engine: Engine) -> None:
        told = await _ask_each(engine, lambda name: engine.ps(endpoint=name))
        _print(as_objects(told) if json else ps_table(told))

    return await _with_engine(endpoint, access, do)


async def show(
    model: str,
    *,
    part: str | None = None,
    verbose: Flag = False,
    endpoint: Endpoints = None,
    access: Access = NOTHING_GIVEN,
    json: Flag = False,
) -> int:
    """Show what a server tells about a model.

    Args:
        model: The model's name.
        part: Print only its license, modelfile, parameters, system or template.
        verbose: With --json: the vocabulary and other arrays, too.
        endpoint: Address of an Ollama server; of several, the first that has it is asked. Default:
            OLLAMA_HOST, or this machine.
        access: What the servers want to see.
        json: Print one JSON object on standard output.

    Returns:
        The exit code.
    """
    if part is not None and part not in PARTS:
        raise CliError(f"--part must be one of {', '.join(PARTS)}, not {part!r}")

    async def do(engine: Engine) -> None:
        told = await engine.show(model, verbose=verbose or None)
        if part is not None:
            text = getattr(told, part) or ""
            _print(text if text.endswith("\n") or not text else text + "\n")
        else:
            _print(as_json(told) if json else show_table(told))

    return await _with_engine(endpoint, access, do)


async def stop(model: str, *, endpoint: Endpoints = None, access: Access = NOTHING_GIVEN) -> int:
    """Unload a model as soon as its running requests have ended.

    Args:
        model: The model's name.
        endpoint: Address of an Ollama server; repeat it for a fleet. Default: OLLAMA_HOST, or this
            machine.
        access: What the servers want to see.

    Returns:
        The exit code.
    """

    async def do(engine: Engine) -> None:
        _told("stopped", model, await engine.unload(model))

    return await _with_engine(endpoint, access, do)


async def copy(
    source: str,
    destination: str,
    *,
    endpoint: Endpoints = None,
    access: Access = NOTHING_GIVEN,
) -> int:
    """Give a model one more name, on each server that has it.

    Args:
        source: The name that it has.
        destination: The name that it gets, too; a model of that name is replaced.
        endpoint: Address of an Ollama server; repeat it for a fleet. Default: OLLAMA_HOST, or this
            machine.
        access: What the servers want to see.

    Returns:
        The exit code.
    """

    async def do(engine: Engine) -> None:
        _told("copied", f"{source} to {destination}", await engine.copy(source, destination))

    return await _with_engine(endpoint, access, do)


async def delete(*model: str, endpoint: Endpoints = None, access: Access = NOTHING_GIVEN) -> int:
    """Delete models, on each server that has them.

    Args:
        model: The model's name, or several.
        endpoint: Address of an Ollama server; repeat it for a fleet. Default: OLLAMA_HOST, or this
            machine.
        access: What the servers want to see.

    Returns:
        The exit code.
    """
    if not model:
        raise CliError("which model? Name one or more to delete")

    async def do(engine: Engine) -> None:
        for each in model:
            _told("deleted", each, await engine.delete(each))

    return await _with_engine(endpoint, access, do)


async def _with_engine(
    urls: Sequence[str] | None, access: Access, do: Callable[[Engine], Awaitable[None]]
) -> int:
    endpoints = access.credentials().endpoints(urls or ())

    async def work() -> None:
        async with open_engine(*endpoints) as engine:
            await do(engine)

    return EXIT_INTERRUPTED if await run_until_stopped(work) else EXIT_OK


async def _ask_each(engine: Engine, ask: Callable[[str], Awaitable[T]]) -> dict[str, T]:
    """The answers of all servers; one that gives none is told on standard error.

    Raises:
        UnreachableError: none gave one.
    """
    told: dict[str, T] = {}
    failed: dict[str, str] = {}

    async def ask_one(name: str) -> None:
        try:
            with trio.fail_after(ASK_S):
                told[name] = await ask(name)
        except trio.TooSlowError:
            failed[name] = f"{name}: no answer within {ASK_S:g} s"
        except FleetUnavailableError as error:
            failed[name] = str(error.causes[-1] if error.causes else error)
        except TriollamaError as error:
            failed[name] = str(error)

    async with trio.open_nursery() as nursery:
        for name in engine.endpoints:
            nursery.start_soon(ask_one, name)
    if not told:
        raise UnreachableError(f"no endpoint could be used: {'; '.join(failed.values())}")
    for line in failed.values():
        sys.stderr.write(f"warning: {plain(by_options(line))}\n")
    return {name: told[name] for name in engine.endpoints if name in told}


# ---- what is printed


def _told(did: str, what: str, names: Sequence[str]) -> None:
    _print(f"{did} {what} on {', '.join(names)}\n")


def _print(told: str | Table) -> None:
    if isinstance(told, str):
        sys.stdout.write(told)
    else:
        open_console(sys.stdout).print(told)
    sys.stdout.flush()
