"""Tells whoever makes a request that an option of it does not do what it seems to.

Through `warnings`, at the place in the caller's program: `OptionsWarning` says what to do about it,
and Python's own filters how often it is heard. A request without options costs nothing here.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from triollama.api import ChatRequest, GenerateRequest, OptionsWarning, doubts, name_key

MODELS_MAX = 1024
"""Of whose runner options the last are remembered."""

_PACKAGE = str(Path(__file__).parent)
_last_runner: dict[str, dict[str, int | bool]] = {}


def tell_doubts(request: ChatRequest | GenerateRequest) -> None:
    """Warn of each doubt about a request's options.

    Whether an option makes a server load the model anew is judged by the last request of this
    process for that model.

    Raises:
        OptionsWarning: if the program's filters turn it into an error; nothing was sent.
    """
    key = name_key(request.model)
    runner = dict(request.runner_options)
    found = doubts(request.options, loaded=_last_runner.get(key))
    if runner:
        if key not in _last_runner and len(_last_runner) >= MODELS_MAX:
            del _last_runner[next(iter(_last_runner))]
        _last_runner[key] = runner
    if found:
        level = _level_of_caller()
        for doubt in found:
            warnings.warn(doubt, OptionsWarning, stacklevel=level)


def _level_of_caller() -> int:
    """How far up the first frame is that is not of this package."""
    level, frame = 1, sys._getframe(1)  # noqa: SLF001 - as `warnings` itself does
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    return level
