"""JSON files that the options of ``triollama load`` name: scenarios, tools, schemas."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from triollama_adapters.cli._failures import CliError
from triollama_adapters.loadtest.workload.scenario import Answers, Prompts, Scenario, Workload

__all__ = ["FILE_BYTES_MAX", "read_json", "read_mix"]

FILE_BYTES_MAX: Final = 4 << 20
"""Of a file of scenarios, tools or a schema: what is sent with every request is far smaller."""

_INNER: Final[Mapping[str, type[msgspec.Struct]]] = {"prompts": Prompts, "answers": Answers}


def read_json(option: str, path: Path, hint: str = "") -> Any:
    """What a file has.

    Args:
        option: which option names it.
        path: the file.
        hint: said when there is none.

    Raises:
        CliError: it cannot be read, is too long, or is not JSON.
    """
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise CliError(f"{option} {path} is longer than {FILE_BYTES_MAX:,} bytes")
        return msgspec.json.decode(path.read_bytes())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CliError(f"{option}: cannot read {path}: {reason}{hint}") from error
    except (ValueError, RecursionError) as error:
        raise CliError(f"{option} {path} is not JSON: {error}") from error


def read_mix(path: Path, model: str) -> Workload:
    """The scenarios of a file: an array of them, or an object with ``scenarios``.

    A key that is misspelt is told: a scenario without it would measure something else. What values
    may be is `check_plan`'s.

    Args:
        path: the file.
        model: of scenarios that name none; empty if there is none.

    Raises:
        CliError: the file cannot be read, or is no mix; it says which scenario and why.
    """
    told = read_json("--mix", path)
    rows = told.get("scenarios") if isinstance(told, dict) else told
    if not isinstance(rows, list) or not rows:
        raise CliError(f"--mix {path} must be a JSON array of scenarios, with at least one")
    scenarios = [_scenario(path, number, row, model) for number, row in enumerate(rows, 1)]
    return Workload(scenarios=tuple(scenarios))


def _scenario(path: Path, number: int, row: Any, model: str) -> Scenario:
    where = f"--mix {path}, scenario {number}"
    if not isinstance(row, dict):
        raise CliError(f"{where} must be an object")
    _check_keys(where, row, Scenario)
    for key, inner in _INNER.items():
        if isinstance(row.get(key), dict):
            _check_keys(f"{where}, {key}", row[key], inner)
    defaults = {"name": f"scenario {number}"} | ({"model": model} if model else {})
    try:
        return msgspec.convert(defaults | row, Scenario)
    except msgspec.ValidationError as error:
        what = "names no model, and --model gives none" if "`model`" in str(error) else str(error)
        raise CliError(f"{where}: {what}") from error


def _check_keys(where: str, row: Mapping[str, Any], kind: type[msgspec.Struct]) -> None:
    known = kind.__struct_fields__
    for key in row:
        if key not in known:
            raise CliError(f"{where} has no {key!r}; it can have: {', '.join(known)}")
