"""The table that people read, and the JSON that programs read."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import msgspec

from benchmarks.result import Asked, Outcome

PACKAGES = (
    "triollama",
    "trio",
    "httptools",
    "msgspec",
    "httpx",
    "ollama",
    "aiohttp",
    "uvloop",
    "openai",
    "langchain-ollama",
)
"""Whose versions a figure depends on."""

INDENT = " " * 9
"""Under a row's verdict, whose longest is ``INVALID``."""


def machine() -> dict[str, Any]:
    """Return what a figure depends on: cores, processor, kernel, Python, versions."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "load_average": os.getloadavg()[0],
    }


def show_machine(facts: dict[str, Any]) -> str:
    """Return the machine as one or two printed lines."""
    packages = ", ".join(f"{name} {version}" for name, version in facts["packages"].items())
    return (
        f"{facts['cores']} cores of {facts['processor']}, {facts['kernel']}, {facts['python']}, "
        f"load {facts['load_average']:.2f}\n{packages}"
    )


def show(outcomes: Iterable[Outcome]) -> str:
    """Return the table: per row its words, its figure beside the bar, and in grey what it is of."""
    return "\n".join(line for outcome in outcomes for line in _show_row(outcome))


def _show_row(outcome: Outcome) -> list[str]:
    row = outcome.row
    measured = outcome.spread.show(row.unit) if outcome.spread else "no figure"
    bar = f"bar {row.bar.show()}" if row.bar else "no bar"
    figures = [f"{who}: {beside.show()}" for who, beside in outcome.absolute.items()]
    return [
        f"{outcome.verdict:<{len(INDENT)}}{row.name}: {row.what}",
        f"{INDENT}{measured}, {bar}",
        *(_grey(f"{INDENT}{figure}") for figure in figures),
        *(f"{INDENT}! {line}" for note in outcome.notes for line in note.splitlines()),
    ]


def write(path: Path, facts: dict[str, Any], asked: Sequence[Asked]) -> None:
    """Write everything that was measured as one JSON file.

    Raises:
        OSError: The file or its folder cannot be written.
    """
    document = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": facts,
        "rows": [_row(outcome) for outcomes, _ in asked for outcome in outcomes],
        "runs": [
            {"rows": [outcome.row.name for outcome in outcomes], "contender": who, "run": run}
            for outcomes, runs in asked
            for who, all_runs in runs.items()
            for run in all_runs
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")


def _row(outcome: Outcome) -> dict[str, Any]:
    row = outcome.row
    return {
        "name": row.name,
        "what": row.what,
        "measured": str(row.measured),
        "against": str(row.against) if row.against else None,
        "unit": row.unit,
        "kind": row.kind,
        "load": row.load or row.name,
        "bar": row.bar,
        "value": outcome.spread,
        "values": outcome.values,
        "verdict": outcome.verdict,
        "is_more_better": outcome.is_more_better,
        "absolute": {
            who: attrs.asdict(beside.spread) | attrs.asdict(beside, filter=_is_not_spread)
            for who, beside in outcome.absolute.items()
        },
        "notes": outcome.notes,
    }


def _is_not_spread(attribute: attrs.Attribute[Any], _value: object) -> bool:
    return attribute.name != "spread"


def _grey(text: str) -> str:
    return f"\x1b[90m{text}\x1b[0m" if sys.stdout.isatty() else text


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
