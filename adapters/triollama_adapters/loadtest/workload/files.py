"""Prompts and pictures from files. Blocking; read once, before the run."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from triollama_adapters.loadtest.errors import PlanError

__all__ = ["FILE_BYTES_MAX", "read_pictures", "read_prompts"]

FILE_BYTES_MAX: Final = 256 * 1024 * 1024
"""All prompts are held in memory, in every process: they are taken in turn, again and again."""

PICTURE_BYTES_MAX: Final = 64 * 1024 * 1024
"""A picture goes with every request; a larger one is surely a mistake."""

_TEXT_SUFFIXES: Final = frozenset({".txt", ".text"})


def read_prompts(path: str, field: str) -> tuple[str, ...]:
    """The prompts of a file: a JSON object or text on each line; of ``.txt``, each line itself.

    Args:
        path: the file; empty lines are left out.
        field: which one of an object is the prompt.

    Raises:
        PlanError: it cannot be read, has no prompt, or a line has none; with the line's number.
    """
    content = _read(path, "prompts", FILE_BYTES_MAX)
    is_text = Path(path).suffix.lower() in _TEXT_SUFFIXES
    found: list[str] = []
    for number, line in enumerate(content.split(b"\n"), 1):
        if stripped := line.strip():
            where = f"the prompts {path}, line {number}"
            found.append(_text(stripped, where) if is_text else _prompt(stripped, field, where))
    if not found:
        raise PlanError(f"the prompts {path} are empty: nothing to ask", field="path")
    return tuple(found)


def read_pictures(paths: Sequence[str]) -> tuple[str, ...]:
    """The files, base64 as on the wire.

    Raises:
        PlanError: one cannot be read, is empty or too large.
    """
    return tuple(
        base64.b64encode(_read(path, "picture", PICTURE_BYTES_MAX)).decode() for path in paths
    )


def _read(path: str, what: str, bytes_max: int) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(bytes_max + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise PlanError(f"the {what} {path} cannot be read: {reason}", field="path") from error
    if len(content) > bytes_max:
        raise PlanError(f"the {what} {path} has more than {bytes_max >> 20} MiB", field="path")
    if not content:
        raise PlanError(f"the {what} {path} is empty", field="path")
    return content


def _prompt(line: bytes, field: str, where: str) -> str:
    try:
        row = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PlanError(
            f"{where} is not JSON; of a file of plain lines the name ends in .txt", field="path"
        ) from error
    if isinstance(row, dict):
        if field not in row:
            fields = ", ".join(list(row)[:10]) or "none"
            raise PlanError(f"{where} has no field {field!r}; it has: {fields}", field="field")
        row = row[field]
    if not isinstance(row, str) or not row.strip():
        raise PlanError(f"{where}: {field!r} is not a text", field="field")
    return row


def _text(line: bytes, where: str) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise PlanError(f"{where} is not UTF-8", field="path") from error
