"""A report in a terminal, at the end of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from triollama_adapters.loadtest.report.searches import Found
from triollama_adapters.loadtest.result import Result

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["make_table"]


def make_table(results: Sequence[Result], *, search: Found | None = None) -> RenderableType:
    """The runs for a terminal: the sentence, what to know besides, latencies, the ledger.

    Args:
        results: at least one.
        search: as `page.make_page` takes it.
    """
    raise NotImplementedError
