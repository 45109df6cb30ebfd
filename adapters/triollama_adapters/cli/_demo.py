"""The command ``triollama demo``: servers die under 200 streams, and no reader notices.

Starts three simulated servers, asks 200 questions at once, kills one server in the middle and stops
another, and compares what each reader got, character by character, with the unbroken answer, which
a fourth server gave before. At the end `_demo_load` puts a load on two more.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import attrs
import trio
from cyclopts import Parameter
from cyclopts.validators import Number

from triollama import (
    EndpointConfig,
    Engine,
    EngineConfig,
    ProbeConfig,
    Subscription,
    open_engine,
)
from triollama_adapters.cli._demo_load import check_report, put_load
from triollama_adapters.cli._failures import (
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_SOME_FAILED,
    CliError,
)
from triollama_adapters.cli._interrupt import run_until_stopped
from triollama_adapters.cli._limits import FILES_BESIDE, allow_files
from triollama_adapters.cli._live import Picture, open_picture
from triollama_adapters.cli._readers import Reader, follow
from triollama_adapters.cli._records import BadLine, Task, parse_line
from triollama_adapters.cli._show import KINDS, Show
from triollama_adapters.cli._source import open_source
from triollama_adapters.cli._strikes import Strikes
from triollama_adapters.simulator import (
    SimulatorConfig,
    SimulatorProcess,
    open_simulator_processes,
    open_simulators,
)

__all__ = ["DEMO_EXAMPLES", "demo"]

MODEL: Final = "llama3.2"

SERVERS: Final = 3
"""One to kill, one to stop, one to go on."""

STREAMS_MAX: Final = 1_000
"""Streams at most: what three simulated servers on one machine keep up with."""

STREAMS_AT_KILL: Final = 50
"""Streams that must run on the server that is killed; a quarter of all if those are few."""

STALL_S: Final = 1.0
"""`EngineConfig.stall_s` of the demo: 25 times the time of a token there."""

FACTS_MAX: Final = 4 * STREAMS_MAX
"""Facts that may wait to be counted: for each stream that it goes on twice, and ends."""

DONE_WITHIN_S: Final = 60.0
"""For all streams; they take some 10 s."""

_PACE: Final = SimulatorConfig(
    load_s=0.2,
    decode_tokens_per_s=25.0,
    prefill_tokens_per_s=2_000.0,
    answer_tokens_min=150,
    answer_tokens_max=200,
    num_parallel=STREAMS_MAX,
)
"""Some 7 s an answer: slow enough to watch."""

_FAST: Final = attrs.evolve(
    _PACE, load_s=0.0, decode_tokens_per_s=5_000.0, prefill_tokens_per_s=1e6
)
"""The same texts, sooner."""

_CONFIG: Final = EngineConfig(stall_s=STALL_S, probe=ProbeConfig(interval_s=0.5, timeout_s=0.5))

REPORT: Final = Path("demo-report.html")
"""Of the load test; in the folder where the demo runs, so that it is found."""

DEMO_EXAMPLES: Final = """
Examples:

* `triollama demo`
* `triollama demo --streams 50 --questions examples/questions.jsonl`
"""


async def demo(
    *,
    streams: Annotated[int, Parameter(validator=Number(gte=20, lte=STREAMS_MAX))] = 200,
    questions: str | None = None,
    report: Path = REPORT,
) -> int:
    """Kill a server under 200 streams, stall another, and compare what the readers got.

    Then a short load test, with its report. Nothing but this program is needed: the servers are
    simulated ones, on this machine. It takes about half a minute.

    Args:
        streams: How many answers are read at once.
        questions: A file of JSON lines, each with a field `question`. Default: made-up ones.
        report: Where the report of the load test goes; an old one is replaced.

    Returns:
        0; or 1 if a reader noticed anything, or nothing was proven.
    """
    if not hasattr(signal, "SIGSTOP"):
        raise CliError("the demo stops a process, which this system cannot: use Linux or macOS")
    allow_files(streams + FILES_BESIDE)
    check_report(report)
    code = EXIT_SOME_FAILED

    async def work() -> None:
        nonlocal code
        asked = await _questions(questions, streams)
        sys.stderr.write(
            f"starting {SERVERS} simulated servers, "
            "and one for the unbroken answers to compare with ...\n"
        )
        async with open_simulators(1, _FAST) as [url]:
            wholes = await _ask_all(url, asked)
        readers = [Reader(text, whole) for text, whole in zip(asked, wholes, strict=True)]
        async with open_simulator_processes(SERVERS, _PACE) as servers:
            show = await _run(servers, readers)
        code = _report(show, _enough(streams))
        _print(await put_load(report))

    if await run_until_stopped(work):
        sys.stderr.write("interrupted: the servers are stopped\n")
        return EXIT_INTERRUPTED
    return code


def _enough(streams: int) -> int:
    return min(STREAMS_AT_KILL, streams // 4)


async def _questions(path: str | None, count: int) -> list[str]:
    """So many different questions.

    Raises:
        CliError: the file cannot be read, has a bad line, or too few questions.
    """
    if path is None:
        return [f"Question {n + 1}: what becomes of a stream?" for n in range(count)]
    asked: dict[str, None] = {}
    with closing(open_source(path)) as source:
        while len(asked) < count and (lines := await source.read_lines()) is not None:
            for line in lines:
                match parse_line(line, "question"):
                    case Task() as task:
                        asked[task.prompt] = None
                    case BadLine() as bad:
                        raise CliError(f"{path}: {bad.message}")
                    case None:
                        pass
    if len(asked) < count:
        raise CliError(f"{path} has {len(asked)} different questions; lower --streams to that")
    return list(asked)[:count]


async def _ask_all(url: str, questions: Sequence[str]) -> list[str]:
    """The unbroken answers, from a server that nothing happens to."""
    wholes = [""] * len(questions)

    async def ask(place: int, question: str) -> None:
        wholes[place] = (await engine.chat(MODEL, question)).content

    async with open_engine(_endpoint(url)) as engine, trio.open_nursery() as asking:
        for place, question in enumerate(questions):
            asking.start_soon(ask, place, question)
    return wholes


def _endpoint(url: str) -> EndpointConfig:
    """One server may get all streams in the end."""
    return EndpointConfig(url, max_in_flight=STREAMS_MAX, num_parallel=STREAMS_MAX)


async def _run(servers: Sequence[SimulatorProcess], readers: Sequence[Reader]) -> Show:
    """Read, and strike meanwhile. However it ends, nothing of it goes on."""
    endpoints = [_endpoint(each.url) for each in servers]
    pids = {config.name: each.pid for config, each in zip(endpoints, servers, strict=True)}
    kill, stop = (partial(_signal, pids, number) for number in (signal.SIGKILL, signal.SIGSTOP))
    show = Show(readers, Strikes(readers, list(pids), kill=kill, stop=stop))
    with open_picture(sys.stderr) as picture:
        async with open_engine(*endpoints, config=_CONFIG) as engine:
            await engine.load(MODEL)
            async with trio.open_nursery() as helpers:
                helpers.start_soon(_display, engine, show, picture)
                listening = engine.subscribe(*KINDS, capacity=FACTS_MAX)
                async with trio.open_nursery() as hearing, listening as facts:
                    # It reads on to the end of the subscription, which is closed first.
                    hearing.start_soon(_listen, facts, show)  # noqa: ASYNC111
                    await _read_all(engine, show)
                show.unheard = facts.dropped
                helpers.cancel_scope.cancel()
            numbers = engine.statistics()
            picture.show(show.draw(numbers), show.tell(numbers))
    return show


def _signal(pids: Mapping[str, int], number: int, name: str) -> None:
    os.kill(pids[name], number)


async def _read_all(engine: Engine, show: Show) -> None:
    async with trio.open_nursery() as striking:
        striking.start_soon(show.strikes.run, _enough(len(show.readers)))
        with trio.move_on_after(DONE_WITHIN_S):
            async with trio.open_nursery() as reading:
                for reader in show.readers:
                    opening = engine.stream_chat(MODEL, reader.question)
                    reading.start_soon(follow, reader, opening)
        striking.cancel_scope.cancel()
    show.strikes.end()


async def _listen(facts: Subscription, show: Show) -> None:
    async for fact in facts:
        show.hear(fact)


async def _display(engine: Engine, show: Show, picture: Picture) -> None:
    while True:
        numbers = engine.statistics()
        picture.show(show.draw(numbers), show.tell(numbers))
        await trio.sleep(picture.every_s)


def _report(show: Show, enough: int) -> int:
    """Print what has happened, and what was not proven; the exit code."""
    _print(show.describe(STALL_S))
    failures = show.failures(enough)
    sys.stderr.write("".join(f"error: {failure}\n" for failure in failures))
    return EXIT_SOME_FAILED if failures else EXIT_OK


def _print(lines: Iterable[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
