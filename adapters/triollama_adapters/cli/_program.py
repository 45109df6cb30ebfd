"""The program: its commands, its help, and how it ends.

Layers of this package, top to bottom; each imports only from below:
`_program` → `_load_command` → `_load_search`, `_load_sides`, `_load_discover`, `_load_results`,
`_load_faults` → `_load_bench`, `_load_publish` → `_load_servers`, `_load_ready`, `_load_watch`,
`_load_stored` → `_load_plan` → `_load_asked`, `_load_when`, `_load_whom`, `_load_client` →
`_load_files`, `_load_samples`, `_load_mix`, `_load_picture`, `_load_ending`, `_load_repeat`,
`_load_words`, beside which stand, and from whose lower rows they import,
`_batch_command` → `_batch_before`, `_batch_dry_run`, `_batch_job`, `_batch_status` →
`_batch_stored`, `_batch_fleet` → `_batch_use` →
`_batch_watch`, `_batch_ray`, `_run`, `_chat`, `_status`, `_simulate`, `_demo`, `_models`,
`_models_moved` → `_models_bars`, `_models_tables` → `_models_words`,
`_batch`, `_batch_sights`, `_batch_picture`, `_batch_line`, `_batch_summary`, `_batch_words`,
`_batch_check`, `_conversation`, `_fleet`, `_show`, `_strikes`, `_fleet_table` →
`_outcomes`, `_display`, `_source`, `_sink`, `_screen`, `_interrupt`, `_live`, `_readers`,
`_fleet_view` →
`_records`, `_tally`, `_options`, `_access`, `_limits`, `_lines` → `_failures`, `_console`.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from typing import Final

from cyclopts import App, CycloptsError, UnusedCliTokensError
from rich.text import Text

from triollama_adapters.cli._batch_command import describe_meant, make_batch_app
from triollama_adapters.cli._chat import CHAT_EXAMPLES, chat
from triollama_adapters.cli._console import PlainConsole
from triollama_adapters.cli._demo import DEMO_EXAMPLES, demo
from triollama_adapters.cli._failures import (
    EXIT_CODES,
    EXIT_OK,
    EXIT_USAGE,
    STANDARD_OUTPUT,
    CliError,
    explain,
    join_clauses,
)
from triollama_adapters.cli._load_command import describe_meant as describe_load_meant
from triollama_adapters.cli._load_command import make_load_app
from triollama_adapters.cli._load_repeat import ARGUMENTS
from triollama_adapters.cli._models import (
    COPY_EXAMPLES,
    DELETE_EXAMPLES,
    LIST_EXAMPLES,
    PS_EXAMPLES,
    SHOW_EXAMPLES,
    STOP_EXAMPLES,
    copy,
    delete,
    list_models,
    ps,
    show,
    stop,
)
from triollama_adapters.cli._models_moved import (
    CREATE_EXAMPLES,
    PULL_EXAMPLES,
    PUSH_EXAMPLES,
    create,
    pull,
    push,
)
from triollama_adapters.cli._run import RUN_EXAMPLES, run
from triollama_adapters.cli._simulate import SIMULATE_EXAMPLES, simulate
from triollama_adapters.cli._status import STATUS_EXAMPLES, status

__all__ = ["make_app", "run_program"]

DEBUG_FLAG: Final = "--debug"

_ABOUT = """Stream from a fleet of Ollama servers.

Results go to standard output, everything else to standard error. NO_COLOR is respected."""

_EXAMPLES = f"""
With every command:

* `{DEBUG_FLAG}` shows the traceback of an error too, and all that the library logs

Examples:

* `triollama simulate`
* `triollama chat llama3.2`
* `triollama run questions.jsonl --simulate 3 -o answers.jsonl`
* `triollama batch prompts.jsonl -o answers.jsonl`
* `triollama load --simulate 1 --rate 2/s --report report.html`
* `triollama status --endpoint http://gpu-1:11434 --watch`
"""

_ENDINGS = "\n".join(f"* `{code}` {meaning}" for code, meaning in EXIT_CODES.items())


def make_app() -> App:
    """The commands and their help."""
    app = App(
        name="triollama",
        help=_ABOUT,
        help_epilogue=f"{_EXAMPLES}\nExit codes:\n\n{_ENDINGS}",
        help_format="markdown",
        version=version("triollama"),
        suppress_keyboard_interrupt=False,
        console=PlainConsole(),
    )
    app.command(run, help_epilogue=RUN_EXAMPLES)
    app.command(make_batch_app())
    app.command(make_load_app())
    app.command(chat, help_epilogue=CHAT_EXAMPLES)
    app.command(status, help_epilogue=STATUS_EXAMPLES)
    app.command(pull, help_epilogue=PULL_EXAMPLES)
    app.command(push, help_epilogue=PUSH_EXAMPLES)
    app.command(create, help_epilogue=CREATE_EXAMPLES)
    app.command(list_models, name=("list", "ls"), help_epilogue=LIST_EXAMPLES)
    app.command(show, help_epilogue=SHOW_EXAMPLES)
    app.command(ps, help_epilogue=PS_EXAMPLES)
    app.command(stop, help_epilogue=STOP_EXAMPLES)
    app.command(copy, name=("copy", "cp"), help_epilogue=COPY_EXAMPLES)
    app.command(delete, name=("delete", "rm"), help_epilogue=DELETE_EXAMPLES)
    app.command(simulate, help_epilogue=SIMULATE_EXAMPLES)
    app.command(demo, help_epilogue=DEMO_EXAMPLES)
    return app


def run_program(arguments: Sequence[str]) -> int:
    """Run one command to its end and return the exit code.

    Args:
        arguments: what follows the program's name.
    """
    if sys.stdout is None:  # closed before the start
        sys.stdout = _ClosedOutput()
    tokens = [argument for argument in arguments if argument != DEBUG_FLAG]
    is_debug = len(tokens) < len(arguments)
    with _logging(is_debug=is_debug), _stdout_ended():
        try:
            code = _call(tokens)
        except CycloptsError as error:
            meant = describe_meant(tokens) or describe_load_meant(tokens)
            clauses = [meant] if meant else _describe_usage(error)
            return _fail(join_clauses([*clauses, _see_help(error)]), EXIT_USAGE)
        except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:  # noqa: BLE001 - the top
            if is_debug:
                traceback.print_exc()
            return _fail(*explain(error))
    return code if isinstance(code, int) else EXIT_OK


def _call(tokens: Sequence[str]) -> object:
    """Run a command; what it printed has left this process when this returns."""
    ARGUMENTS.set(tuple(tokens))
    code: object = make_app()(
        tokens,
        backend="trio",
        exit_on_error=False,
        print_error=False,
        result_action="return_value",
    )
    _flush()
    return code


class _ClosedOutput(io.TextIOBase):
    """Stands for a standard output that is closed: a program that prints nothing can do without."""

    def write(self, text: str, /) -> int:
        """Refuse."""
        del text
        raise CliError(f"cannot write {STANDARD_OUTPUT}: it is closed")


class _OneLine(logging.Formatter):
    """A record without its traceback."""

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's own name
        """Nothing."""
        del ei
        return ""


@contextmanager
def _logging(*, is_debug: bool) -> Iterator[None]:
    """Show what the library logs: warnings in one line each, with --debug everything."""
    logger = logging.getLogger("triollama")
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.DEBUG if is_debug else logging.WARNING)
    layout = "%(levelname)s: %(message)s"
    handler.setFormatter(logging.Formatter(layout) if is_debug else _OneLine(layout))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)


@contextmanager
def _stdout_ended() -> Iterator[None]:
    """Let go of what standard output would not take: Python tries again at its end, aloud."""
    yield
    try:
        _flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _flush() -> None:
    sys.stdout.flush()


def _fail(message: str, code: int) -> int:
    line = " ".join(message.split())
    with suppress(OSError):  # it may have gone the same way as standard output
        sys.stderr.write(f"error: {line}\n")
    return code


def _describe_usage(error: CycloptsError) -> list[str]:
    """What is wrong with the arguments."""
    if not isinstance(error, UnusedCliTokensError):
        return [_plain(error)]
    unused = " ".join(error.unused_tokens or ())
    return [f"unexpected: {unused}", "is an option before that misspelt?"]


def _plain(error: CycloptsError) -> str:
    return Text.from_markup(str(error)).plain.rstrip(".")


def _see_help(error: CycloptsError) -> str:
    return f"see: {' '.join(['triollama', *(error.command_chain or ())])} --help"
