"""Triollama for blocking programs: the same names and types, without ``async``.

    from triollama_adapters import blocking as triollama

    with triollama.open_engine("http://gpu-1:11434", "http://gpu-2:11434") as engine:
        with engine.stream_chat("llama3.2", "Why is the sky blue?") as stream:
            for chunk in stream:
                print(chunk.content, end="", flush=True)

The engine runs in a thread of its own; any number of threads may use it at once. All public names
of `triollama` are here. What waits there for ``await`` waits here; ``async with`` is ``with`` and
``async for`` is ``for``; and what is awaited as a whole, such as ``await engine.pull(…)``, is
``engine.pull(…).result()``.

* `open_engine` gives an engine for a block, `start_engine` one that is closed by hand.
* A ``for`` loop over ``engine.stream_chat(…)`` itself needs no block; leaving the loop stops the
  answer.
* Ctrl-C while something waits cancels its request, closes its connection, and then is raised.
* `fail_after` limits how long the calls of a block may take.
"""

from typing import Any

import triollama as _triollama
from triollama_adapters.blocking.objects import MIRRORS as _MIRRORS
from triollama_adapters.blocking.opening import EngineOpening as EngineOpening
from triollama_adapters.blocking.opening import open_engine as open_engine
from triollama_adapters.blocking.opening import start_engine as start_engine
from triollama_adapters.blocking.waiting import fail_after as fail_after
from triollama_adapters.portal.mirror import HOMES as _HOMES

_OWN = {"EngineOpening", "fail_after", "open_engine", "start_engine"}

__all__ = sorted({*_triollama.__all__, *_HOMES, *_OWN})  # noqa: PLE0605 - it is a list


def __getattr__(name: str) -> Any:
    if name == "Fetcher":  # few programs need it
        from triollama_adapters.blocking.fetching import Fetcher  # noqa: PLC0415

        return Fetcher
    if name in _HOMES:
        return _MIRRORS.named(name)
    if name in _triollama.__all__:
        return getattr(_triollama, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
