"""Results as files: JSON to read again, CSV for a spreadsheet. Blocking."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from triollama_adapters.loadtest.errors import ReportError
from triollama_adapters.loadtest.result import (
    SCHEMA,
    EndpointFound,
    Interval,
    Result,
)
from triollama_adapters.words import one_line

__all__ = [
    "decode_result",
    "encode_result",
    "figures_csv",
    "load_result",
    "save_result",
    "write_figures",
]

_HEAD: Final = ("scope", "name", "figure", "unit", "value", "low", "high")

_Row = tuple[str, str, str, str, object, object, object]


class _Version(msgspec.Struct):
    """Of any result, whatever else it has."""

    schema: int


def encode_result(result: Result) -> bytes:
    """As JSON in one line, with a newline at the end."""
    return msgspec.json.encode(result) + b"\n"


def decode_result(data: bytes, *, name: str = "the result") -> Result:
    """What `encode_result` gave.

    Args:
        data: JSON.
        name: of where it came from, for the error.

    Raises:
        ReportError: it is no result, or one of another version.
    """
    try:
        version = msgspec.json.decode(data, type=_Version).schema
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReportError(
            f"{name} is no result of a load test: {one_line(str(error))}; "
            "give a file that --json wrote"
        ) from None
    if version != SCHEMA:
        older = "an older" if version < SCHEMA else "a newer"
        raise ReportError(
            f"{name} was written by {older} triollama, with schema {version}; this one reads "
            f"schema {SCHEMA}: read it with that version, or measure again"
        )
    try:
        return msgspec.json.decode(data, type=Result)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ReportError(
            f"{name} is a result of a load test, but a damaged one: {one_line(str(error))}"
        ) from None


def save_result(result: Result, path: Path) -> None:
    """Write a result; a file that is there is replaced whole or not at all.

    Raises:
        ReportError: it cannot be written.
    """
    _write(path, encode_result(result))


def load_result(path: Path) -> Result:
    """Read a result.

    Raises:
        ReportError: it cannot be read, is no result, or one of another version.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ReportError(f"{path} cannot be read: {error.strerror or error}") from error
    return decode_result(data, name=str(path))


def write_figures(result: Result, path: Path) -> None:
    """Write all figures as CSV, see `figures_csv`.

    Raises:
        ReportError: it cannot be written.
    """
    _write(path, figures_csv(result).encode())


def figures_csv(result: Result) -> str:
    """All figures, one to a line: scope, name, figure, unit, value, and its interval's ends.

    A percentile that is withheld has no value.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEAD)
    writer.writerows(_rows(result))
    return text.getvalue()


def _rows(result: Result) -> Iterator[_Row]:
    scope, name = "run", result.name
    yield scope, name, "window", "s", result.window_s, None, None
    whole = EndpointFound(name, result.counts, result.rates, result.metrics, result.ledger)
    yield from _part(scope, whole)
    if result.attained is not None:
        yield _with_interval(scope, name, "attainment", "share", result.attained.share)
        for each in result.attained.judged:
            unit = "share" if each.objective.lower().startswith("errors") else "s"
            yield _with_interval(scope, name, f"{each.objective} {each.met}", unit, each.value)
    client = result.client
    yield scope, name, f"client {client.validity}", "s", client.start_delay_p99_s, None, None
    yield scope, name, "timing_error", "s", client.timing_error_s, None, None
    for scope, found in _scopes(result):
        yield from _part(scope, found)


def _scopes(result: Result) -> Iterator[tuple[str, EndpointFound]]:
    yield from (("endpoint", each) for each in result.endpoints)
    yield from (("scenario", each) for each in result.scenarios)


def _part(scope: str, found: EndpointFound) -> Iterator[_Row]:
    name = found.name
    for field in ("scheduled", "sent", "ok", "cancelled", "censored"):
        yield scope, name, field, "requests", getattr(found.counts, field), None, None
    for error, count in found.counts.errors.items():
        yield scope, name, f"error {error}", "requests", count, None, None
    for field in found.rates.__struct_fields__:
        yield scope, name, field, "/s", getattr(found.rates, field), None, None
    for metric, spread in found.metrics.items():
        yield scope, name, f"{metric}_count", "values", spread.count, None, None
        yield scope, name, f"{metric}_mean", "s", spread.mean_s, None, None
        for percentile, interval in spread.percentiles.items():
            yield _with_interval(scope, name, f"{metric}_{percentile}", "s", interval)
    for term, mean_s in (found.ledger.mean_s if found.ledger is not None else {}).items():
        yield scope, name, f"ledger {term}", "s", mean_s, None, None


def _with_interval(scope: str, name: str, figure: str, unit: str, found: Interval | None) -> _Row:
    if found is None:
        return scope, name, figure, unit, None, None, None
    return scope, name, figure, unit, found.value, found.low, found.high


def _write(path: Path, data: bytes) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(data)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise ReportError(f"{path} cannot be written: {error.strerror or error}") from error
