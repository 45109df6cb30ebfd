"""A report as Markdown, for an issue."""

from __future__ import annotations

from collections.abc import Sequence

from triollama_adapters.loadtest.report.searches import Found
from triollama_adapters.loadtest.result import Result

__all__ = ["make_markdown"]


def make_markdown(results: Sequence[Result], *, search: Found | None = None) -> str:
    """The runs as Markdown: the sentence, what to know besides, tables.

    Args:
        results: at least one.
        search: as `page.make_page` takes it.
    """
    raise NotImplementedError
