"""The commands ``triollama pull``, ``push`` and ``create``: models that come, go and are made."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import attrs
import msgspec
from cyclopts import Parameter

from triollama import Engine, Transfer, TransferResult, open_engine
from triollama_adapters.cli._access import NOTHING_GIVEN, Access
from triollama_adapters.cli._failures import EXIT_INTERRUPTED, EXIT_OK, CliError
from triollama_adapters.cli._interrupt import run_until_stopped
from triollama_adapters.cli._models_bars import open_bars
from triollama_adapters.cli._models_words import describe_bytes
from triollama_adapters.cli._options import make_options
from triollama_adapters.words import clock

__all__ = [
    "CREATE_EXAMPLES",
    "PULL_EXAMPLES",
    "PUSH_EXAMPLES",
    "create",
    "pull",
    "push",
]

PULL_EXAMPLES: Final = """
Examples:

* `triollama pull llama3.2`
* `triollama pull llama3.2 --endpoint https://gpu-1.example --api-key-env GPU_KEY`
* `triollama pull llama3.2 --endpoint http://gpu-1:11434 --endpoint http://gpu-2:11434`
"""

PUSH_EXAMPLES: Final = """
Examples:

* `triollama push me/mario --endpoint http://gpu-1:11434`
"""

CREATE_EXAMPLES: Final = """
Examples:

* `triollama create mario --from llama3.2 --system "You are Mario." --parameter temperature=1`
* `triollama create mine --file model-f16.gguf --quantize q4_K_M`
* `triollama create tuned --from llama3.2 --adapter lora.gguf`
"""

Endpoints = Annotated[list[str] | None, Parameter(negative_iterable=())]
Flag = Annotated[bool, Parameter(negative=())]
Many = Annotated[list[str] | None, Parameter(negative_iterable=())]


async def pull(
    model: str,
    *,
    endpoint: Endpoints = None,
    access: Access = NOTHING_GIVEN,
    insecure: Flag = False,
    stall: float | None = None,
    json: Flag = False,
) -> int:
    """Fetch a model from its registry, on every server that is named, side by side.

    A pull that is interrupted keeps what it has: the next one goes on there.

    Args:
        model: The model's name, such as llama3.2:1b.
        endpoint: Address of an Ollama server; repeat it for a fleet. Default: OLLAMA_HOST, or this
            machine.
        access: What the servers want to see.
        insecure: Let the server talk plain HTTP to the registry.
        stall: Begin again after so many seconds without news of a layer.
        json: Print the result as one JSON object on standard output.

    Returns:
        The exit code.
    """

    def begin(engine: Engine) -> Transfer:
        return engine.pull(model, insecure=insecure or None, stall_s=stall)

    return await _run("pulled", begin, endpoint or (), access, is_json=json)


async def push(
    model: str,
    *,
    endpoint: Endpoints = None,
    access: Access = NOTHING_GIVEN,
    insecure: Flag = False,
    stall: float | None = None,
    json: Flag = False,
) -> int:
    """Send a model from a server to its registry.

    Args:
        model: The model's name with its namespace, such as me/mario.
        endpoint: Address of the Ollama server that has it. Default: OLLAMA_HOST, or this machine.
        access: What the server wants to see.
        insecure: Let the server talk plain HTTP to the registry.
        stall: Begin again after so many seconds without news of a layer.
        json: Print the result as one JSON object on standard output.

    Returns:
        The exit code.
    """

    def begin(engine: Engine) -> Transfer:
        return engine.push(model, insecure=insecure or None, stall_s=stall)

    return await _run("pushed", begin, endpoint or (), access, is_json=json)


async def create(
    model: str,
    *,
    from_: Annotated[str | None, Parameter(name="--from")] = None,
    file: Many = None,
    adapter: Many = None,
    quantize: str | None = None,
    system: str | None = None,
    template: str | None = None,
    parameter: Many = None,
    license: Many = None,  # noqa: A002 - the option's name
    endpoint: Endpoints = None,
    access: Access = NOTHING_GIVEN,
    json: Flag = False,
) -> int:
    """Make a model of another one, or of files, which are uploaded first where they are missing.

    Args:
        model: The name that it gets; a model of that name is replaced.
        from_: The model that it begins with; a server that does not have it pulls it.
        file: A GGUF file, or one of several, or of a set of safetensors; repeat it for more.
        adapter: A file of a LoRA adapter; repeat it for more.
        quantize: One of q4_K_M, q4_K_S, q8_0, f16, bf16, f32.
        system: Its system prompt; @FILE reads it from a file.
        template: Its template in Go's syntax; @FILE reads it from a file.
        parameter: An option of Ollama as NAME=VALUE, such as num_ctx=8192; repeat it for more.
        license: The text of a licence; @FILE reads it from a file; repeat it for more.
        endpoint: Address of an Ollama server; repeat it for a fleet. Default: OLLAMA_HOST, or this
            machine.
        access: What the servers want to see.
        json: Print the result as one JSON object on standard output.

    Returns:
        The exit code.
    """
    fields: dict[str, Any] = {
        "from_": from_,
        "files": file,
        "adapters": adapter,
        "quantize": quantize,
        "system": _text(system, "--system"),
        "template": _text(template, "--template"),
        "license": [_text(each, "--license") for each in license or ()] or None,
        "parameters": make_options(parameter or [], option="--parameter"),
    }

    def begin(engine: Engine) -> Transfer:
        return engine.create(model, **{k: v for k, v in fields.items() if v is not None})

    return await _run("created", begin, endpoint or (), access, is_json=json)


_KEPT: Final = {
    "pulled": "a server keeps what it has of a layer, and the next pull goes on there",
    "pushed": "layers that the registry has are not sent again",
    "created": "a file that was not uploaded whole is sent anew",
}
"""What is left of a transfer that was interrupted."""


async def _run(
    did: str,
    begin: Callable[[Engine], Transfer],
    urls: Sequence[str],
    access: Access,
    *,
    is_json: bool,
) -> int:
    """Run one transfer to its end, with its bars, and print what came of it."""
    result: TransferResult | None = None
    endpoints = access.credentials().endpoints(urls)

    async def work() -> None:
        nonlocal result
        async with open_engine(*endpoints) as engine, begin(engine) as progress:
            with open_bars(sys.stderr) as show:
                async for event in progress:
                    show(event)
            result = await progress.result()

    if await run_until_stopped(work) and result is None:
        sys.stderr.write(f"interrupted; {_KEPT[did]}\n")
        return EXIT_INTERRUPTED
    assert result is not None
    sys.stdout.write(_as_json(result) if is_json else _as_lines(did, result))
    sys.stdout.flush()
    return EXIT_OK


def _as_json(result: TransferResult) -> str:
    return msgspec.json.encode(attrs.asdict(result)).decode() + "\n"


def _as_lines(did: str, result: TransferResult) -> str:
    return "".join(
        f"{did} {result.model} on {each.endpoint}: "
        f"{describe_bytes(each.moved_bytes)} moved in {clock(each.took_s)}\n"
        for each in result.endpoints
    )


def _text(given: str | None, option: str) -> str | None:
    """A text, or that of the file behind an @."""
    if given is None or not given.startswith("@"):
        return given
    path = Path(given[1:])
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise CliError(f"{option}: cannot read {str(path)!r}: {told}") from error
