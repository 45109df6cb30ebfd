"""One HTML file that holds a whole report: data, script and style, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from triollama_adapters.loadtest.report.searches import Found
from triollama_adapters.loadtest.result import Result

__all__ = ["make_page"]


def make_page(results: Sequence[Result], *, search: Found | None = None) -> str:
    """The page of one or several runs.

    Args:
        results: at least one; of a sweep or a comparison, in the order that they are to have.
        search: what was found from them, see `search.found`; None for runs by themselves.
    """
    raise NotImplementedError
