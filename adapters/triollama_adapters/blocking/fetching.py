"""`Fetcher` for blocking programs."""

from __future__ import annotations

import trio

import triollama

__all__ = ["Fetcher"]


class Fetcher(triollama.Fetcher):
    """`triollama.Fetcher` for programs that wait; it needs no engine."""

    def fetch(self, url: str) -> bytes:  # type: ignore[override]  # it waits
        """What stands at an address; see `triollama.Fetcher.fetch`. Ctrl-C ends it."""
        return trio.run(super().fetch, url)
