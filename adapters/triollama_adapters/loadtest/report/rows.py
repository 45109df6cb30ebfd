"""A report as CSV, one row per run: for a spreadsheet, or for a plot over many runs."""

from __future__ import annotations

from collections.abc import Sequence

from triollama_adapters.loadtest.result import Result

__all__ = ["make_csv"]


def make_csv(results: Sequence[Result]) -> str:
    """The runs as CSV with a header; times are in seconds, what is not known is empty.

    Args:
        results: any number.
    """
    raise NotImplementedError
