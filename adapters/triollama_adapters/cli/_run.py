"""The command ``triollama run``: a file of prompts through a fleet."""

from __future__ import annotations

import math
import sys
import time
from contextlib import closing
from functools import partial
from typing import Annotated, Final

import attrs
import msgspec
import trio
from cyclopts import Parameter
from cyclopts.validators import Number

from triollama_adapters.cli._access import NOTHING_GIVEN, Access
from triollama_adapters.cli._batch import Batch, Question
from triollama_adapters.cli._display import open_display, show_summary
from triollama_adapters.cli._failures import (
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_SOME_FAILED,
    EXIT_UNREACHABLE,
    CliError,
)
from triollama_adapters.cli._fleet import FleetWanted, open_fleet
from triollama_adapters.cli._interrupt import run_until_stopped
from triollama_adapters.cli._limits import FILES_BESIDE, allow_files
from triollama_adapters.cli._options import make_options, unknown_options
from triollama_adapters.cli._sink import STANDARD, open_sink
from triollama_adapters.cli._source import open_source
from triollama_adapters.cli._tally import Summary, Tally

__all__ = ["RUN_EXAMPLES", "run"]

CONCURRENCY_MAX: Final = 10_000
"""Requests in flight at most: each holds a socket, and common hard limits are some 10⁴ of them."""

SIMULATORS_MAX: Final = 64
"""Simulated servers at most: each is a process."""

RUN_EXAMPLES: Final = """
Examples:

* `triollama run questions.jsonl --simulate 3 -o answers.jsonl`
* `triollama run questions.jsonl -m llama3.2 --endpoint http://gpu-1:11434 -o answers.jsonl`
* `triollama run questions.jsonl --endpoint https://gpu.example --api-key-env GPU_KEY -o out.jsonl`
* `zcat big.jsonl.gz | triollama run - --json -o answers.jsonl > summary.json`
"""


def _check_path(_: object, value: str) -> None:
    """Tell a misspelt option from ``-``; both begin with a hyphen."""
    if value.startswith("-") and value != STANDARD:
        raise ValueError(f"There is no such option here; a file of that name is ./{value}")


MAY_BE_STANDARD: Final = Parameter(allow_leading_hyphen=True, validator=_check_path)


async def run(
    file: Annotated[str, MAY_BE_STANDARD],
    /,
    *,
    output: Annotated[str, Parameter(name=["--output", "-o"]), MAY_BE_STANDARD] = STANDARD,
    endpoint: Annotated[list[str] | None, Parameter(negative_iterable=())] = None,
    access: Access = NOTHING_GIVEN,
    simulate: Annotated[int, Parameter(validator=Number(gte=0, lte=SIMULATORS_MAX))] = 0,
    concurrency: Annotated[int, Parameter(validator=Number(gte=1, lte=CONCURRENCY_MAX))] = 200,
    prompt_field: str = "question",
    model: Annotated[str | None, Parameter(name=["--model", "-m"])] = None,
    system: str | None = None,
    num_predict: Annotated[int | None, Parameter(validator=Number(gte=-2))] = None,
    temperature: Annotated[float | None, Parameter(validator=Number(gte=0, lt=math.inf))] = None,
    seed: int | None = None,
    option: Annotated[list[str] | None, Parameter(negative_iterable=())] = None,
    think: bool | None = None,
    overwrite: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Ask every line of a file, many at a time, and write one line per answer.

    FILE holds one JSON object per line. Each becomes one line of the output, in the order in which
    the answers complete: `index` (the place in FILE, from 0), the fields of the input, then
    `content`, `usage`, `endpoint`, `attempts` and `timings`, or `error` with `type` and `message`.
    A field of the input that is named like one of these is written as `input_NAME`.
    A line that cannot be asked becomes an error too, and the others run; blank lines are skipped.

    Args:
        file: JSON lines in UTF-8; `-` reads standard input.
        output: Where the records go; `-` is standard output. An existing file is refused.
        endpoint: Address of an Ollama server; repeat it for a fleet. Default: OLLAMA_HOST, or this
            machine.
        access: What the servers want to see.
        simulate: Start this many simulated servers instead, and stop them at the end.
        concurrency: Requests in flight at most.
        prompt_field: The field of each line that holds the text to ask.
        model: The model to ask. Default: the only one there is, or the simulator's first.
        system: System message for every request.
        num_predict: Tokens per answer at most; -1: until the model stops.
        temperature: 0 takes the likeliest token always.
        seed: Seed of the sampler.
        option: Another option of Ollama as NAME=VALUE, such as num_ctx=8192; repeat it for more.
        think: Let the model think, or keep it from it; its thoughts are written as `thinking`.
        overwrite: Replace the output if it exists.
        json: Print the summary as one JSON object on standard output.

    Returns:
        The exit code.
    """
    if json and output == STANDARD:
        raise CliError("--json and the records would both go to standard output; add -o FILE")
    if endpoint and simulate:
        raise CliError("--endpoint and --simulate exclude each other; give one of them")
    allow_files(concurrency + FILES_BESIDE)
    options = make_options(
        option or [], num_predict=num_predict, temperature=temperature, seed=seed
    )
    for name in unknown_options(options):
        sys.stderr.write(f"warning: Ollama is not known to have an option {name!r}\n")
    wanted = FleetWanted(
        endpoints=endpoint or (),
        simulate=simulate,
        model=model,
        concurrency=concurrency,
        credentials=access.credentials(),
    )
    ask = partial(Question, prompt_field=prompt_field, system=system, options=options, think=think)
    summary, is_stopped = await _run_file(file, output, wanted, ask, overwrite=overwrite)
    _report(summary, output, is_stopped=is_stopped, as_json=json)
    return _exit_code(summary, is_stopped=is_stopped)


async def _run_file(
    file: str, output: str, wanted: FleetWanted, ask: partial[Question], *, overwrite: bool
) -> tuple[Summary, bool]:
    """Open what is needed, run the batch, and return its numbers and whether it was stopped."""
    # A FIFO blocks in open() until its other end comes: never in the loop's thread.
    source = await trio.to_thread.run_sync(open_source, file, abandon_on_cancel=True)
    with closing(source):
        open_output = partial(open_sink, output, overwrite=overwrite, source=source.path)
        with closing(await trio.to_thread.run_sync(open_output, abandon_on_cancel=True)) as sink:
            tally = Tally(time.perf_counter_ns(), source.size_bytes)

            async def work() -> None:
                async with open_fleet(wanted, sys.stderr) as fleet:
                    tally.restart(time.perf_counter_ns())
                    batch = Batch(fleet.engine, ask(model=fleet.model), source, sink, tally)
                    await batch.run(wanted.concurrency, open_display(sys.stderr))

            is_stopped = await run_until_stopped(work)
    summary = tally.summary()
    if not summary.records and not is_stopped:
        raise CliError(f"the input {file} has only blank lines: nothing to do")
    return summary, is_stopped


def _report(summary: Summary, output: str, *, is_stopped: bool, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(msgspec.json.encode(attrs.asdict(summary)).decode() + "\n")
        sys.stdout.flush()
    else:
        show_summary(summary, output, sys.stderr)
    if is_stopped:
        sys.stderr.write(
            f"interrupted: {summary.records:,} records are written, "
            f"{summary.stopped:,} unfinished requests were stopped\n"
        )


def _exit_code(summary: Summary, *, is_stopped: bool) -> int:
    if is_stopped:
        return EXIT_INTERRUPTED
    if not summary.errors:
        return EXIT_OK
    if summary.unreachable == summary.records:
        return EXIT_UNREACHABLE
    return EXIT_SOME_FAILED
