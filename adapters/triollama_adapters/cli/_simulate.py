"""The command ``triollama simulate``: an Ollama server without a model."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import attrs
import msgspec
import trio
from cyclopts import Parameter
from cyclopts.validators import Number

from triollama import ConfigError
from triollama_adapters.cli._failures import EXIT_OK, CliError
from triollama_adapters.cli._interrupt import run_until_stopped
from triollama_adapters.simulator import SimulatorConfig, fast_config, serve, structure

__all__ = ["SIMULATE_EXAMPLES", "make_config", "simulate"]

CONFIG_BYTES_MAX: Final = 16 * 1024 * 1024
"""Largest configuration file: thousands of models and fault rules are far smaller."""

SIMULATE_EXAMPLES: Final = """
Examples:

* `triollama simulate --port 11434`
* `triollama simulate --port 11435 --num-parallel 1 --decode-tokens-per-s 20`
* `triollama simulate --fast --port 0`
"""

_Count = Annotated[int | None, Parameter(validator=Number(gte=1))]


def _as_field(name: str) -> Parameter:
    """An option whose value has to be one that this field of the configuration takes."""
    field = getattr(attrs.fields(SimulatorConfig), name)

    def check(_: object, value: object) -> None:
        field.validator(None, field, value)

    return Parameter(validator=check)


async def simulate(
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 11434,
    config: Path | None = None,
    fast: Annotated[bool, Parameter(negative=())] = False,
    num_parallel: _Count = None,
    max_queue: _Count = None,
    max_loaded_models: _Count = None,
    keep_alive_s: Annotated[float | None, _as_field("keep_alive_s")] = None,
    load_s: Annotated[float | None, _as_field("load_s")] = None,
    prefill_tokens_per_s: Annotated[float | None, _as_field("prefill_tokens_per_s")] = None,
    decode_tokens_per_s: Annotated[float | None, _as_field("decode_tokens_per_s")] = None,
    jitter: Annotated[float | None, _as_field("jitter")] = None,
    answer_tokens_min: _Count = None,
    answer_tokens_max: _Count = None,
    seed: int | None = None,
    truth: Path | None = None,
) -> int:
    """Run an Ollama server without a model, until Ctrl-C.

    It answers as Ollama does, with a text that is made up but always the same for the same
    question: slots, queues, loading, keep-alive, usage and speeds included.

    Args:
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        config: A JSON file with any field of SimulatorConfig: models, faults and the options below,
            which go before it.
        fast: Many slots, high speeds and short answers.
        num_parallel: Slots per loaded model.
        max_queue: Places in the line for loads.
        max_loaded_models: Models resident at once.
        keep_alive_s: How long an idle model stays loaded, in seconds; negative: for ever.
        load_s: How long a load takes, in seconds.
        prefill_tokens_per_s: Speed of reading the prompt, per slot.
        decode_tokens_per_s: Speed of writing the answer, per slot.
        jitter: How far the gaps between tokens stray from their mean, as a share within 0 and 0.9.
        answer_tokens_min: Shortest answer, in tokens.
        answer_tokens_max: Longest answer, in tokens.
        seed: Enters every text.
        truth: A new file for what really happened: when each request came, had its slot, and when
            each of its tokens was sent.

    Returns:
        The exit code.
    """
    changes = {
        "num_parallel": num_parallel,
        "max_queue": max_queue,
        "max_loaded_models": max_loaded_models,
        "keep_alive_s": keep_alive_s,
        "load_s": load_s,
        "prefill_tokens_per_s": prefill_tokens_per_s,
        "decode_tokens_per_s": decode_tokens_per_s,
        "jitter": jitter,
        "answer_tokens_min": answer_tokens_min,
        "answer_tokens_max": answer_tokens_max,
        "seed": seed,
    }
    data = None if config is None else await trio.to_thread.run_sync(_read_config, config)
    try:
        settled = make_config(data, changes, is_fast=fast)
    except ConfigError as error:
        if config is None:
            raise
        raise _bad_config(config, data, error) from error
    await run_until_stopped(partial(_serve, settled, host, port, truth))
    return EXIT_OK


def make_config(data: Any, changes: dict[str, Any], *, is_fast: bool) -> SimulatorConfig:
    """Settle the configuration.

    Args:
        data: the decoded configuration file; None without one.
        changes: fields given one by one; None leaves a field as it is.
        is_fast: begin with the fast preset.

    Raises:
        CliError: a file and the preset were both given.
        ConfigError: a value is not usable.
    """
    if data is not None and is_fast:
        raise CliError("--config and --fast exclude each other; give one of them")
    base = fast_config() if is_fast else SimulatorConfig()
    if data is not None:
        base = structure(data, SimulatorConfig)
    given = {name: value for name, value in changes.items() if value is not None}
    return attrs.evolve(base, **given)


def _read_config(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            data = file.read(CONFIG_BYTES_MAX + 1)
    except OSError as error:
        raise CliError(f"cannot read the configuration {path}: {error.strerror}") from error
    if len(data) > CONFIG_BYTES_MAX:
        raise CliError(f"the configuration {path} is longer than {CONFIG_BYTES_MAX:,} bytes")
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise CliError(f"the configuration {path} is not JSON: {error}") from None


def _bad_config(path: Path, data: Any, error: ConfigError) -> CliError:
    """Say which file it is, and what its keys can be where one is none."""
    names = [field.name for field in attrs.fields(SimulatorConfig)]
    is_misspelt = isinstance(data, dict) and not data.keys() <= set(names)
    hint = f"; its keys can be: {', '.join(names)}" if is_misspelt else ""
    return CliError(f"the configuration {path}: {error}{hint}")


async def _serve(config: SimulatorConfig, host: str, port: int, truth: Path | None) -> None:
    """Serve until cancelled, and say where as soon as that is known."""
    async with trio.open_nursery() as nursery:
        try:
            url = await nursery.start(partial(serve, config, host=host, port=port, truth=truth))
        except OSError as error:
            if error.filename is not None:
                raise CliError(f"cannot write {error.filename}: {error.strerror}") from error
            what = f"cannot listen on {host}:{port}: {error.strerror or error}"
            raise CliError(f"{what}; choose another --port or --host") from error
        model = config.models[0].name if config.models else "MODEL"
        sys.stderr.write(
            f"an Ollama server without a model listens on {url}; Ctrl-C stops it\n"
            f"try: curl {url}/api/generate -d "
            f'\'{{"model": "{model}", "prompt": "Why is the sky blue?"}}\'\n'
        )
        sys.stderr.flush()
