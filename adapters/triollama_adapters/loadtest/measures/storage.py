"""Results as files. Blocking."""

from __future__ import annotations

from pathlib import Path

from triollama_adapters.loadtest.result import Result

__all__ = ["decode_result", "encode_result", "load_result", "save_result", "write_figures"]


def encode_result(result: Result) -> bytes:
    """As JSON, one line for each of its fields' beginnings; ends with a newline."""
    raise NotImplementedError


def decode_result(data: bytes, *, name: str = "the result") -> Result:
    """What `encode_result` gave.

    Args:
        data: JSON.
        name: of where it came from, for the error.

    Raises:
        ReportError: it is no result, or one of another version.
    """
    raise NotImplementedError


def save_result(result: Result, path: Path) -> None:
    """Write a result; a file that is there is replaced whole or not at all.

    Raises:
        ReportError: it cannot be written.
    """
    raise NotImplementedError


def load_result(path: Path) -> Result:
    """Read a result.

    Raises:
        ReportError: it cannot be read, is no result, or one of another version.
    """
    raise NotImplementedError


def write_figures(result: Result, path: Path) -> None:
    """Write all figures as CSV: scope, figure, unit, value, low, high.

    Raises:
        ReportError: it cannot be written.
    """
    raise NotImplementedError
