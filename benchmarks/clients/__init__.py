"""One module per client, all with the same functions; the package's docstring says which."""

from __future__ import annotations

NAMES = ("floor", "engine", "ollama_async", "aiohttp_uvloop")
"""The modules here that are clients."""

TASKS = ("chunks", "collect", "hold", "requests", "requests_without_reuse")
"""What a client may be asked to do; each has those that make sense for it."""
