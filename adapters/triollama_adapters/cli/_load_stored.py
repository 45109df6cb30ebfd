"""What load tests found, as JSON: one run, or a search with all its runs. Blocking where it reads.

A run is `Result` itself, so that any program can read it. A search has ``kind`` and ``found``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs
import msgspec

from triollama_adapters.loadtest.errors import ReportError
from triollama_adapters.loadtest.measures.storage import decode_result, encode_result
from triollama_adapters.loadtest.report.searches import Found
from triollama_adapters.loadtest.result import SCHEMA, Result
from triollama_adapters.loadtest.search.found import (
    AbFound,
    Capacity,
    Discovered,
    PoliciesFound,
    Sweep,
)

__all__ = ["Stored", "decode_found", "encode_found", "load_found", "results_of"]

FOUND: Final = "found"

KINDS: Final[Mapping[str, type[Found]]] = {
    "sweep": Sweep,
    "capacity": Capacity,
    "ab": AbFound,
    "policies": PoliciesFound,
    "discover": Discovered,
}
"""What ``kind`` can be."""


class _Head(msgspec.Struct):
    """As much of a file as says what it is."""

    kind: str = ""
    schema: int = 0


@attrs.frozen
class Stored:
    """What a file has.

    Attributes:
        results: the runs.
        search: what was found from them; None for a run by itself.
    """

    results: tuple[Result, ...]
    search: Found | None = None


def results_of(search: Found) -> tuple[Result, ...]:
    """The runs that something was found from."""
    match search:
        case Sweep() | PoliciesFound():
            return search.results
        case Capacity():
            return tuple(each.result for each in search.steps)
        case AbFound():
            return (search.a, search.b)
        case Discovered():
            return ()


def encode_found(results: Sequence[Result], search: Found | None) -> str:
    """As JSON.

    Args:
        results: one run, if nothing was searched.
        search: what was found.
    """
    if search is None:
        return encode_result(results[0]).decode()
    kind = next(name for name, each in KINDS.items() if isinstance(search, each))
    told = {"schema": SCHEMA, "kind": kind, FOUND: search}
    return msgspec.json.encode(told).decode() + "\n"


def load_found(path: Path) -> Stored:
    """Read a file that `encode_found` gave.

    Raises:
        ReportError: it cannot be read, or has something else.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ReportError(f"cannot read {path}: {why}") from error
    return decode_found(data, name=str(path))


def decode_found(data: bytes, *, name: str) -> Stored:
    """The same from its bytes.

    Args:
        data: JSON.
        name: of where it came from, for the error.

    Raises:
        ReportError: it is something else, or of another version.
    """
    try:
        head = msgspec.json.decode(data, type=_Head)
    except (ValueError, RecursionError):
        head = _Head()  # what is wrong is told below
    kind = KINDS.get(head.kind)
    if kind is None:
        return Stored((decode_result(data, name=name),))
    if head.schema != SCHEMA:
        raise ReportError(
            f"{name} is of version {head.schema}, and this program reads version {SCHEMA}; "
            "make it again"
        )
    try:
        search: Found = getattr(msgspec.json.decode(data, type=_holder(kind)), FOUND)
    except ValueError as error:
        raise ReportError(f"{name} is no {head.kind} of a load test: {error}") from error
    return Stored(results_of(search), search)


def _holder(kind: type[Found]) -> type[msgspec.Struct]:
    return msgspec.defstruct("Holder", [(FOUND, kind)])
