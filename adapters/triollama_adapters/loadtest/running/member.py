"""One worker, as the crew that it belongs to sees it."""

from __future__ import annotations

import attrs

from triollama_adapters.loadtest.running.links import Link
from triollama_adapters.loadtest.running.progress import Progress

__all__ = ["Member"]


@attrs.define
class Member:
    """A worker.

    Attributes:
        name: what people call it.
        link: to tell and to hear it.
        is_ready: whether it waits for `Go`.
        is_done: whether it did its part.
        progress: its last.
        is_fresh: whether that was not told yet.
        lost: why it is not there any more; empty if it is, or did its part.
    """

    name: str
    link: Link
    is_ready: bool = False
    is_done: bool = False
    progress: Progress | None = None
    is_fresh: bool = False
    lost: str = ""
