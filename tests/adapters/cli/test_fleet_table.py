"""The table of a fleet."""

from __future__ import annotations

import io
import re
from typing import Any

import attrs
import pytest
from rich.console import Console

from triollama_adapters.cli._fleet_table import NARROW, WIDE, describe_stay, make_fleet_table
from triollama_adapters.cli._fleet_view import EndpointView, FleetView, Loaded
from triollama_adapters.words import plain

WELL = EndpointView(
    endpoint="gpu-1:11434",
    version="0.33.0",
    health="well",
    reason="",
    is_reached=True,
    loaded=(Loaded("llama3.2:latest", 295.0), Loaded("qwen3:0.6b", None)),
    slots={"llama3.2:latest": 4, "qwen3:0.6b": 2},
    in_flight=0,
    first_token_s=None,
    probe_s=0.0031,
)


BUSY = attrs.evolve(WELL, in_flight=1)


def draw(*rows: EndpointView, width: int = 200) -> list[str]:
    """The lines of the table, on a screen of some columns."""
    view = FleetView(endpoints=rows, reached=1, waiting=0, predicted_wait_s=0.0)
    out = io.StringIO()
    Console(file=out, width=width).print(make_fleet_table(view, width))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_one_row_per_endpoint() -> None:
    """Every column has its number, with its unit."""
    head, row = draw(attrs.evolve(WELL, in_flight=3, first_token_s=0.12))
    names = ["endpoint", "version", "health", "slots", "in", "flight", "TTFT", "probe", "loaded"]
    assert head.split() == [*names, "(stays)"]
    loaded = "llama3.2:latest (5 min), qwen3:0.6b"
    assert re.split(" {2,}", row)[:-1] == [
        *["gpu-1:11434", "0.33.0", "well", "2-4 each", "3", "120 ms", "3 ms"]
    ]
    assert row.endswith(f"ms  {loaded}")


def test_the_reason_stands_in_the_row() -> None:
    """A server that is not reached has no version and no models, but a reason."""
    gone = attrs.evolve(
        WELL, version="", health="not reached", reason="Connection refused", loaded=(), slots={}
    )
    _, _, row = draw(WELL, gone)
    assert row.split() == [
        *["gpu-1:11434", "?", "not", "reached", "-", "0", "-", "3", "ms", "Connection", "refused"]
    ]


def test_a_narrow_screen_leaves_out_what_says_nothing() -> None:
    """On 80 columns the names of models have room, until there is traffic to show."""
    assert "in flight" not in draw(WELL, width=80)[0]
    assert "in flight" in draw(WELL, width=WIDE)[0]
    assert any("in flight  TTFT" in line for line in draw(BUSY, width=80))
    assert all(len(line) <= 80 for line in draw(WELL, width=80))


def test_what_is_left_out_is_named() -> None:
    """Nothing vanishes silently; the narrower the screen, the more of it."""
    assert "left out" not in "".join(draw(WELL, width=WIDE))
    told = draw(WELL, width=80)[-1]
    assert told.strip() == "left out: slots, in flight, TTFT; they need more columns, or --json"
    narrow = " ".join(draw(WELL, width=NARROW - 1))
    assert "left out: version, probe, slots, in flight, TTFT" in narrow
    assert "0.33.0" not in narrow
    busy = draw(BUSY, width=NARROW - 1)
    assert any("in flight  TTFT" in line for line in busy)
    assert "version, probe;" in " ".join(busy)


@pytest.mark.parametrize(
    ("slots", "told"),
    [
        ({}, "-"),
        ({"m": 4}, "4"),
        ({"m": 4, "n": 4, "o": 4}, "4 each"),
        ({"n:1b": 2, "m": 4}, "2-4 each"),
    ],
)
def test_slots_say_that_each_model_has_them(slots: dict[str, int], told: str) -> None:
    """One number where one model has them, else how many each has."""
    _, row = draw(attrs.evolve(WELL, slots=slots, loaded=()))
    assert re.split(" {2,}", row)[3] == told


@pytest.mark.parametrize(
    ("stays_s", "told"),
    [
        (None, ""),
        (-0.4, "0 s"),
        (0.0, "0 s"),
        (59.0, "59 s"),
        (60.0, "1 min"),
        (299.9, "5 min"),
        (7200.0, "2 h"),
        (3 * 86_400.0, "3 d"),
        (9e9, "for ever"),
    ],
)
def test_how_long_a_model_stays(stays_s: float | None, told: str) -> None:
    """In the largest unit that gives at least 1."""
    assert describe_stay(stays_s) == told


def test_a_server_cannot_drive_the_terminal() -> None:
    """Control characters and markup of a name or a version are shown, not obeyed."""
    hostile: Any = "\x1b[2J[red]0.33\n\r\x07\u202e"
    assert plain(hostile) == "\ufffd[2J[red]0.33\ufffd\ufffd\ufffd\ufffd"
    _, row = draw(attrs.evolve(WELL, version=hostile, loaded=(Loaded(hostile, None),)))
    assert "\x1b" not in row
    assert row.count("[red]") == 2
