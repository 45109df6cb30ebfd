"""Triollama for asyncio programs: the same names and types.

    from triollama_adapters import aio as triollama

    async with triollama.open_engine("http://gpu-1:11434", "http://gpu-2:11434") as engine:
        async with engine.stream_chat("llama3.2", "Why is the sky blue?") as stream:
            async for chunk in stream:
                print(chunk.content, end="", flush=True)

The engine runs on trio, in a thread of its own; any number of tasks, of any number of asyncio loops
(uvloop's as well), may use it at once. All public names of `triollama` are here.

* A task that is cancelled while it waits cancels its request, and goes on when its connection is
  closed. ``asyncio.timeout`` works by that.
* Async functions that are given as tools, and async iterators of texts, run in the asyncio loop
  that gave them.
* Context variables are carried into the engine's thread and into tools.
"""

from typing import Any

import triollama as _triollama
from triollama_adapters.aio.objects import MIRRORS as _MIRRORS
from triollama_adapters.aio.opening import EngineOpening as EngineOpening
from triollama_adapters.aio.opening import open_engine as open_engine
from triollama_adapters.portal.mirror import HOMES as _HOMES

_OWN = {"EngineOpening", "open_engine"}

__all__ = sorted({*_triollama.__all__, *_HOMES, *_OWN})  # noqa: PLE0605 - it is a list


def __getattr__(name: str) -> Any:
    if name == "Fetcher":  # few programs need it
        from triollama_adapters.aio.fetching import Fetcher  # noqa: PLC0415

        return Fetcher
    if name in _HOMES:
        return _MIRRORS.named(name)
    if name in _triollama.__all__:
        return getattr(_triollama, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
