"""The ``triollama`` command.

This module owns only the entry point: it imports nothing of the extra ``cli`` until it is called,
so that an installation without it gets one clear line instead of a traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

__all__ = ["main"]

_OF_THE_EXTRA = frozenset({"cyclopts", "rich"})


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        argv: the arguments after the program's name; default: those of this process.

    Returns:
        The exit code: 0, 1, 2, 3, 70 or 130, as ``triollama --help`` lists them.
    """
    try:
        program = import_module("triollama_adapters.cli._program")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in _OF_THE_EXTRA:
            raise
        sys.stderr.write(
            "error: the command line needs the two packages of the extra triollama[cli]; "
            "install them with: pip install cyclopts rich\n"
        )
        return 2
    except KeyboardInterrupt:  # what follows tells of it by itself
        sys.stderr.write("interrupted\n")
        return 130
    code: int = program.run_program(sys.argv[1:] if argv is None else list(argv))
    return code
