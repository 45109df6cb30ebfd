"""What ends the program, in one line and one number.

Owns the exit codes and the map from errors to them. Nothing here prints.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable
from typing import Final

from triollama import (
    AccessDeniedError,
    CallerError,
    ConnectError,
    EndpointError,
    EngineFaultError,
    FleetUnavailableError,
    PartialFailureError,
    TransferFailedError,
    TriollamaError,
)
from triollama_adapters.batch.errors import BatchError
from triollama_adapters.loadtest.errors import (
    LoadTestError,
    ModelMissingError,
    PlanError,
    TargetError,
)
from triollama_adapters.ray.errors import RayServersError

__all__ = [
    "EXIT_ABORTED",
    "EXIT_CODES",
    "EXIT_DEFECT",
    "EXIT_INTERRUPTED",
    "EXIT_OK",
    "EXIT_SOME_FAILED",
    "EXIT_UNREACHABLE",
    "EXIT_USAGE",
    "STANDARD_OUTPUT",
    "AbortedError",
    "CliError",
    "UnreachableError",
    "by_options",
    "explain",
    "is_unreachable",
    "join_clauses",
    "unwritable",
]

EXIT_OK: Final = 0
EXIT_SOME_FAILED: Final = 1
EXIT_USAGE: Final = 2
EXIT_UNREACHABLE: Final = 3
EXIT_ABORTED: Final = 4
EXIT_DEFECT: Final = 70
EXIT_INTERRUPTED: Final = 130

EXIT_CODES: Final = {
    EXIT_OK: "everything was answered",
    EXIT_SOME_FAILED: "some records are errors; of a load test: an objective is not met",
    EXIT_USAGE: "wrong usage, input, output or configuration",
    EXIT_UNREACHABLE: "no endpoint could be reached or used",
    EXIT_ABORTED: "a batch ended early, by --fail-fast, --max-error-rate, the disk, or no server; "
    "of a load test: INVALID, the client was the bottleneck",
    EXIT_DEFECT: "a defect of this program (sysexits.h: EX_SOFTWARE)",
    EXIT_INTERRUPTED: "interrupted by Ctrl-C or SIGTERM; simulate, which has no other end, gives 0",
}
"""The exit codes and what they mean, as the help prints them."""


STANDARD_OUTPUT: Final = "standard output"

_IN_CODE: Final = re.compile(r"give EndpointConfig\(….*")
_BY_OPTION: Final = "give --api-key-env NAME, or --header 'NAME: VALUE'"

_OF_WRITING: Final = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Only a write fails with these, and only what is printed is not told of where it is written."""


class CliError(Exception):
    """The command cannot go on as asked; the message says what, where, and what to do."""


class AbortedError(CliError):
    """A batch that had begun ended before its end; what has an outcome keeps it."""


class UnreachableError(CliError):
    """No endpoint answered as an Ollama server does."""


def explain(error: BaseException) -> tuple[str, int]:
    """The one line that a user reads, and the exit code.

    Of a group of errors it tells the first that this program knows.
    """
    leaves = _leaves(error)
    if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaves):
        return "interrupted", EXIT_INTERRUPTED
    known = [leaf for leaf in leaves if _code_of(leaf) != EXIT_DEFECT]
    leaf = (known or leaves)[0]
    code = _code_of(leaf)
    if code == EXIT_DEFECT:
        name = type(leaf).__name__
        return f"an unexpected {name}: {leaf}; run it again with --debug and report this", code
    if isinstance(leaf, OSError) and leaf.errno in _OF_WRITING:
        leaf = unwritable(STANDARD_OUTPUT, leaf)
    if isinstance(leaf, PlanError) and leaf.field.startswith("--"):
        return f"{leaf.field}: {leaf}", code
    return by_options(str(leaf)), code


def by_options(text: str) -> str:
    """What is said of a server, for whom writes no code: credentials are given by options."""
    return _IN_CODE.sub(_BY_OPTION, text)


def unwritable(name: str, error: OSError, hint: str = "") -> CliError:
    """Say that something cannot be written; also that the other end of a pipe has had enough.

    Args:
        name: what was written to.
        error: what came of it.
        hint: what to do, where the place itself is to blame.
    """
    if isinstance(error, BrokenPipeError):
        return CliError(f"cannot write {name}: its reader has left")
    return CliError(f"cannot write {name}: {error.strerror or error}{hint}")


def join_clauses(clauses: Iterable[str]) -> str:
    """One line of several clauses; a question has its mark already."""
    return "; ".join(clauses).replace("?;", "?")


def is_unreachable(error: TriollamaError) -> bool:
    """Whether a request failed because no server was even reached."""
    match error:
        case FleetUnavailableError():
            return all(map(is_unreachable, error.causes))
        case _:
            return isinstance(error, ConnectError)


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for child in error.exceptions for leaf in _leaves(child)]


def _code_of(error: BaseException) -> int:
    match error:
        case AbortedError():
            code = EXIT_ABORTED
        case PartialFailureError(done=()):
            codes = {_code_of(each) for each in error.failures.values()}
            code = codes.pop() if len(codes) == 1 else EXIT_SOME_FAILED
        case TransferFailedError():
            code = EXIT_SOME_FAILED  # the server was reached, and said so
        case UnreachableError() | FleetUnavailableError() | EndpointError() | RayServersError():
            code = EXIT_UNREACHABLE
        case AccessDeniedError(is_servers_own=False):
            code = EXIT_UNREACHABLE  # it cannot be used, whatever it is asked
        case TargetError() if not isinstance(error, ModelMissingError):
            code = EXIT_UNREACHABLE
        case LoadTestError() | CliError() | BatchError() | CallerError() | OSError():
            code = EXIT_USAGE
        case TriollamaError() if not isinstance(error, EngineFaultError):
            code = EXIT_SOME_FAILED
        case _:
            code = EXIT_DEFECT
    return code
