"""`Fetcher` for asyncio programs."""

from __future__ import annotations

import asyncio

import trio

import triollama

__all__ = ["Fetcher"]


class Fetcher(triollama.Fetcher):
    """`triollama.Fetcher` for asyncio; it needs no engine, and has a thread while it fetches."""

    async def fetch(self, url: str) -> bytes:
        """What stands at an address; see `triollama.Fetcher.fetch`.

        If cancelled, its result is dropped, and it ends by its own deadline at the latest.
        """
        return await asyncio.to_thread(trio.run, super().fetch, url)
