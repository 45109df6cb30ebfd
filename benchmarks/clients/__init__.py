"""One module per client, all with the same functions; the package's docstring says which."""

from __future__ import annotations

NAMES = (
    "floor",
    "engine",
    "ollama_async",
    "aiohttp_uvloop",
    "httpx_asyncio",
    "httpx_trio",
    "openai_async",
    "langchain_ollama",
)
"""The modules here that are clients."""

TASKS = (
    "chunks",
    "collect",
    "requests",
    "requests_without_reuse",
    "delays",
    "opening",
    "cancelling",
    "batch",
    "batch_without_reuse",
)
"""What a client may be asked to do; each has those that make sense for it.

``chunks``: a reader woken for each chunk; ``collect``: woken once, at the end; ``requests``:
one-line answers, ``requests_without_reuse`` on a new connection each; ``delays``: chunks that say
when they were sent; ``opening`` and ``cancelling``: all streams at once; ``batch`` and
``batch_without_reuse``: the rows of a file are answered into another one.
"""
