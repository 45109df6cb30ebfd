"""Where a batch job's figures are shown."""

from __future__ import annotations

import io
import json

import pytest
from msgspec.structs import replace

from triollama_adapters.batch.figures.snapshot import Lately, Snapshot
from triollama_adapters.cli._batch_sights import ERRORS_MAX, Events, open_sight

SHOT = Snapshot(at_s=12.0, begun_s=2.0, ran_s=10.0, done=3, left=1, rows=4)
ERROR = Lately(at_s=11.0, kind="StallError", message="a:1: nothing came")


class Terminal(io.StringIO):
    """Text that claims to go to a terminal."""

    def isatty(self) -> bool:
        """So rich draws."""
        return True


def test_elsewhere_there_are_lines() -> None:
    """And the first failure of each kind."""
    out = io.StringIO()
    with open_sight("title", out) as sight:
        sight.show(SHOT)
        sight.tell([ERROR, ERROR], 10.0)
        sight.tell([ERROR], 65.0)
    assert out.getvalue().splitlines() == [
        "0:10  3 of about 4 rows, 0 failed, 0 running",
        "0:10  first StallError: a:1: nothing came",
    ]


def test_a_terminal_is_left_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture goes, for the summary tells the same; NO_COLOR keeps colours away."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    out = Terminal()
    with open_sight("title", out) as sight:
        sight.show(SHOT)
        sight.tell([ERROR], 10.0)
        assert "title" in out.getvalue()
    assert "\x1b[31m" not in out.getvalue()
    assert out.getvalue().endswith("\x1b[2K")


def test_the_last_picture_is_of_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a job that ended between two pictures; a log has the summary."""
    monkeypatch.setenv("TERM", "xterm")
    ended = replace(SHOT, state="complete", done=4, left=0, is_rows_known=True)
    out, log = Terminal(), io.StringIO()
    with open_sight("title", out) as sight:
        sight.show(SHOT)
        sight.finish(ended)
        assert "100%" in out.getvalue()
    with open_sight("title", log) as sight:
        sight.finish(ended)
    Events(log, "out.jsonl").finish(ended)
    assert log.getvalue() == ""


def test_programs_get_json() -> None:
    """One object per line: begun, progress, errors as they come, and how it ended."""
    out = io.StringIO()
    events = Events(out, "out.jsonl")
    events.show(SHOT)
    events.tell([ERROR], 10.0)
    events.show(SHOT)
    events.end(SHOT, 1)
    begun, error, progress, ended = map(json.loads, out.getvalue().splitlines())
    assert (begun["event"], begun["output"], begun["done"]) == ("begun", "out.jsonl", 3)
    assert error == {"event": "error", "kind": "StallError", "message": "a:1: nothing came"}
    assert (progress["event"], progress["rows"], progress["left_s"]) == ("progress", 4, None)
    assert (ended["event"], ended["exit_code"]) == ("ended", 1)


def test_errors_do_not_flood_who_reads_events() -> None:
    """Only so many between two of progress, which counts them."""
    out = io.StringIO()
    events = Events(out, "out.jsonl")
    events.tell([ERROR] * 70, 1.0)
    events.tell([ERROR] * 70, 1.0)
    events.tell([ERROR] * 70, 1.0)
    assert out.getvalue().count("\n") == ERRORS_MAX
    events.show(SHOT)
    events.tell([ERROR], 1.0)
    assert out.getvalue().count("\n") == ERRORS_MAX + 2
