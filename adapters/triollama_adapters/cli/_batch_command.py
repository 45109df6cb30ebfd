"""The command ``triollama batch``: a file of prompts, each answered once, whatever dies."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Final, Literal

import trio
from cyclopts import App, Parameter
from cyclopts.validators import Number

from triollama_adapters.batch.input.source import name_of
from triollama_adapters.batch.opening import check_choices
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.cli._batch_answers import AS_THEY_COME, Answers
from triollama_adapters.cli._batch_before import check_known, check_output, check_use
from triollama_adapters.cli._batch_dry_run import dry_run as check
from triollama_adapters.cli._batch_export import export
from triollama_adapters.cli._batch_job import begin, go_on
from triollama_adapters.cli._batch_status import show_status
from triollama_adapters.cli._batch_stored import used_before
from triollama_adapters.cli._batch_use import Use
from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._options import make_options, split_names
from triollama_adapters.cli._run import MAY_BE_STANDARD

__all__ = ["describe_meant", "make_batch_app"]

BATCH_EXAMPLES: Final = """
Examples:

* `triollama batch prompts.jsonl -o answers.jsonl --model llama3.2`
* `triollama batch reviews.csv -o out.jsonl --prompt "Summarise: {text}" --where lang=en`
* `triollama batch resume answers.jsonl`
* `triollama batch status answers.jsonl --watch`
* `triollama batch retry-failed answers.jsonl`
* `triollama batch export answers.jsonl -o answers.parquet --sorted`
"""

_SUBCOMMANDS: Final = ("resume", "status", "retry-failed", "export")

_LIKENESS_MIN: Final = 0.75
"""Of a misspelt name: one letter of six is wrong, or missing."""

Flag = Annotated[bool, Parameter(negative=())]
Repeated = Annotated[list[str] | None, Parameter(negative_iterable=())]

AS_BEFORE: Final = Use()


def make_batch_app() -> App:
    """The command and its subcommands."""
    app = App(name="batch", help_epilogue=BATCH_EXAMPLES, help_format="markdown")
    app.default(batch)
    app.command(resume)
    app.command(status)
    app.command(retry_failed, name="retry-failed")
    app.command(export)
    return app


def describe_meant(tokens: Sequence[str]) -> str:
    """Which subcommand was meant by a name that is nearly its own; empty if none was.

    Args:
        tokens: the arguments of the program, which could not be used.
    """
    if len(tokens) < 2 or tokens[0] != "batch" or Path(tokens[1]).exists():
        return ""
    given = tokens[1].replace("_", "-")
    found = get_close_matches(given, _SUBCOMMANDS, n=1, cutoff=_LIKENESS_MIN)
    if not found or found[0] == tokens[1]:
        return ""
    return f"there is no command or file {tokens[1]!r}; did you mean: triollama batch {found[0]}?"


async def batch(
    file: Annotated[str, MAY_BE_STANDARD],
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"], allow_leading_hyphen=True)],
    model: Annotated[str | None, Parameter(name=["--model", "-m"])] = None,
    model_for: Repeated = None,
    prompt: str | None = None,
    field: str | None = None,
    system: str | None = None,
    kind: Literal["chat", "generate", "embed"] = "chat",
    format: Literal["plain", "csv", "openai", "ollama"] | None = None,  # noqa: A002 - the option
    delimiter: str | None = None,
    where: Repeated = None,
    limit: int | None = None,
    sample: float = 1.0,
    shard: str | None = None,
    select: str | None = None,
    num_predict: Annotated[int | None, Parameter(validator=Number(gte=-2))] = None,
    temperature: Annotated[float | None, Parameter(validator=Number(gte=0))] = None,
    seed: int | None = None,
    option: Repeated = None,
    think: bool | None = None,
    answers: Answers = AS_THEY_COME,
    use: Use = AS_BEFORE,
    go_on_existing: Annotated[bool, Parameter(name="--go-on", negative=())] = False,
    accept_changes: Flag = False,
    dry_run: Flag = False,
    json: Flag = False,
) -> int:
    """Ask every row of a file; each is answered once, whatever dies and however often.

    Answers go to OUTPUT, rows that failed for good to OUTPUT with `.errors` before its suffix, and
    beside them stands a journal. After Ctrl-C, a crash or a power cut: `triollama batch resume`.

    Args:
        file: JSON lines, OpenAI batch lines, bodies of Ollama's API, CSV or Parquet; lines may be
            packed with gzip or zstd; a folder, each of whose files is a row; `-` reads standard
            input.
        output: Where the answers go. An existing one is refused; see `resume`.
        model: The model of rows whose field model names none. Default: the only one there is.
        model_for: Ask another model than rows name, such as gpt-4o=llama3.2; repeat it for more.
            '*=llama3.2' asks that one whatever they name, as of a table of cars.
        prompt: What is asked, such as "Summarise: {text}"; names in braces are fields of the row.
        field: The field that is asked as it is. Default: prompt, question or text.
        system: System message of every row.
        kind: What rows without a format of their own ask for.
        format: What the rows are. Default: found out.
        delimiter: Between the cells of CSV.
        where: Ask only rows that fulfil it, such as lang=en; repeat it for more. Also != ~ < >.
        limit: Ask so many rows at most.
        sample: Ask this share of the rows, by their content.
        shard: Ask only part K of N, such as 3/8.
        select: The fields of the records, separated by commas. Default: all.
        num_predict: Tokens per answer at most; -1: until the model stops.
        temperature: 0 takes the likeliest token always.
        seed: Seed of the sampler.
        option: Another option of Ollama as NAME=VALUE; repeat it for more.
        think: Let the model think, or keep it from it.
        answers: What becomes of each answer.
        use: Which servers, and how.
        go_on_existing: Go on with an existing output; for one whose journal is broken or lost.
        accept_changes: With --go-on: also if settings, or rows that are done, have changed.
        dry_run: Only say what would be asked and what is wrong with it; nothing is written.
        json: Tell how far it is as JSON, one object a line on standard output; of a --dry-run, one
            object.

    Returns:
        The exit code.
    """
    options = make_options(
        option or [], num_predict=num_predict, temperature=temperature, seed=seed
    )
    recipe = Recipe(
        input=name_of(file),
        format=format,
        delimiter=delimiter,
        prompt=prompt,
        field=field,
        system=system,
        kind=kind,
        model=model,
        models=dict(map(_parse_alias, model_for or ())),
        options=options or {},
        think=think,
        where=where or (),
        limit=limit,
        sample=sample,
        shard=shard,
        select=split_names(select) if select else (),
        **answers.settings(),
    )
    await trio.to_thread.run_sync(check_output, output)
    await check_choices(recipe, output)  # what means nothing is told before anything is begun
    check_use(use, is_new=not go_on_existing)
    if go_on_existing:
        use = await used_before(output, use)
    if dry_run:
        return await check(
            output,
            recipe,
            use,
            is_resumed=go_on_existing,
            accepts_changes=accept_changes,
            json=json,
        )
    return await begin(
        output,
        recipe,
        use,
        is_resumed=go_on_existing,
        accepts_changes=accept_changes,
        is_json=json,
    )


async def resume(
    output: Path,
    /,
    *,
    use: Use = AS_BEFORE,
    limit: Annotated[int | None, Parameter(validator=Number(gte=0))] = None,
    accept_changes: Flag = False,
    json: Flag = False,
) -> int:
    """Go on with a job that was stopped, killed or cut off, as it was begun.

    Rows that have an answer, or failed for good, are not asked again.

    Args:
        output: The output of the job.
        use: Which servers, and how.
        limit: Ask so many rows at most, those before counted; 0: all.
        accept_changes: Go on although rows of the input that are done have changed since.
        json: Tell how far it is as JSON, one object a line on standard output.

    Returns:
        The exit code.
    """
    check_use(use, is_new=False)
    await trio.to_thread.run_sync(check_known, output)
    return await go_on(output, use, accepts_changes=accept_changes, limit=limit, is_json=json)


async def retry_failed(
    output: Path,
    /,
    *,
    use: Use = AS_BEFORE,
    accept_changes: Flag = False,
    json: Flag = False,
) -> int:
    """Ask the rows again that failed, and go on with those that were never asked.

    A row that failed may have been put right in the input.

    Args:
        output: The output of the job.
        use: Which servers, and how.
        accept_changes: Go on although rows of the input that were answered have changed since.
        json: Tell how far it is as JSON, one object a line on standard output.

    Returns:
        The exit code.
    """
    check_use(use, is_new=False)
    await trio.to_thread.run_sync(check_known, output)
    return await go_on(
        output, use, accepts_changes=accept_changes, retries_failed=True, is_json=json
    )


async def status(output: Path, /, *, watch: Flag = False, json: Flag = False) -> int:
    """Show how far a job is, while it runs and after: rows, rates, time left, errors, tokens, cost.

    Args:
        output: The output of the job.
        watch: Show it again and again, until it is complete, or Ctrl-C.
        json: Print one JSON object; with --watch, one a line.

    Returns:
        The exit code.
    """
    await trio.to_thread.run_sync(check_known, output)
    return await show_status(output, is_watched=watch, is_json=json)


def _parse_alias(text: str) -> tuple[str, str]:
    named, equals, asked = text.partition("=")
    if not named or not equals or not asked:
        raise CliError(f"--model-for takes NAMED=ASKED, such as gpt-4o=llama3.2, not {text!r}")
    return named, asked
