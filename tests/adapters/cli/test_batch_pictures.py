"""A batch job's figures as a picture, as a line, and as a summary."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from triollama_adapters.batch.figures.eta import TimeLeft
from triollama_adapters.batch.figures.snapshot import Failure, Lane, Lately, Snapshot, Spread
from triollama_adapters.batch.ledger.recovery import Recovery
from triollama_adapters.cli._batch_line import COLUMNS_MAX, make_line
from triollama_adapters.cli._batch_picture import make_picture
from triollama_adapters.cli._batch_summary import describe_recovery, make_summary
from triollama_adapters.cli._batch_words import describe_left, describe_stopping, rate, roughly

LANES = tuple(
    Lane(
        endpoint=f"gpu-{number}.example.net:11434",
        health="well" if number else "out for 28 s",
        in_flight=4,
        slots=4,
        rows=312 + number,
        tokens=12_000,
        tokens_per_s=412.0,
    )
    for number in range(3)
)
SHOT = Snapshot(
    at_s=1_100.0,
    begun_s=1_000.0,
    ran_s=100.0,
    done=51,
    failed=3,
    running=12,
    left=186,
    rows=240,
    is_rows_known=True,
    rows_per_s=1.2,
    rows_per_s_overall=0.51,
    tokens_per_s=1_234.0,
    tokens_per_s_overall=812.0,
    left_s=TimeLeft(120.0, 155.0, 200.0),
    input_tokens=2_000,
    output_tokens=5_000,
    failures=(Failure(kind="NotFoundError", rows=3, message="gpu-1:11434: no model m"),),
    lately=(
        Lately(at_s=1_090.0, kind="StallError", message="gpu-0: nothing came", rows=2),
        Lately(at_s=1_095.0, kind="NotFoundError", message="gpu-1: no model m"),
    ),
    lanes=LANES,
    latency_ms=Spread(count=54, p50=900.0, p90=1_700.0),
    first_token_ms=Spread(count=54, p50=40.0, p90=70.5),
    tokens=Spread(count=54, p50=93, p90=180),
)
NOTHING = Snapshot(at_s=0.0, begun_s=0.0, ran_s=0.0)


def draw(shot: Snapshot, width: int = 80, height: int = 24) -> list[str]:
    """The lines of a picture."""
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, highlight=False)
    console.print(make_picture(shot, "reviews.csv -> out.jsonl", width, height))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_a_picture_has_all_figures() -> None:
    """What the job is, how far it is, how fast, how long, who works, and what failed."""
    text = "\n".join(draw(SHOT))
    for told in (
        "reviews.csv -> out.jsonl",
        "1:40",
        "22%",
        "54 of 240 rows",
        "12 running",
        "3 failed",
        "186 left",
        "1.2 rows/s (overall 0.51)",
        "1,234 tokens/s (overall 812)",
        "about 2.6 min left (2.0 min to 3.3 min)",
        "in flight",
        "4 of 4",
        "out for 28 s",
        "StallError x2  gpu-0: nothing came",
    ):
        assert told in text


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("height", [3, 5, 8, 10, 24, 60])
@pytest.mark.parametrize("lanes", [0, 3, 40])
def test_a_picture_fits(width: int, height: int, lanes: int) -> None:
    """Into any screen, also with more endpoints than it has lines."""
    many = tuple(replace(LANES[1], endpoint=f"gpu-{number}:1") for number in range(lanes))
    lines = draw(replace(SHOT, lanes=many), width, height)
    assert len(lines) < height or height < 6
    assert all(len(line) <= width for line in lines)
    assert "reviews.csv" in lines[0]
    if lanes == 40 and height == 24 and width == 80:
        assert any("endpoints more" in line for line in lines)


def test_a_picture_of_nothing() -> None:
    """No bar, no rates, no time left, as long as nobody knows them."""
    lines = draw(NOTHING)
    assert lines == ["reviews.csv -> out.jsonl" + " " * 52 + "0:00", *lines[1:]]
    assert lines[1:] == ["0 rows   0 running   0 failed", "0 tokens"]


def test_what_is_waited_for_is_told() -> None:
    """Instead of a time left, which nobody knows then."""
    waiting = replace(SHOT, waiting="no server answers, for 2:10", cost=1.234)
    text = "\n".join(draw(waiting))
    assert "waiting: no server answers, for 2:10" in text
    assert "2.6 min" not in text
    assert "cost 1.23" in text
    assert "waiting: no server answers" in make_line(waiting)


def test_what_a_server_says_cannot_drive_the_terminal() -> None:
    """Neither in the picture nor in the summary; markup is shown as it is."""
    hostile = "\x1b[2J[red]no"
    shot = replace(
        SHOT,
        lanes=(replace(LANES[0], endpoint=hostile),),
        lately=(Lately(at_s=0.0, kind=hostile, message=hostile),),
        failures=(Failure(kind=hostile, rows=1, message=hostile),),
    )
    text = "".join(draw(shot)) + "".join(make_summary(shot, Path("out.jsonl")))
    assert "\x1b" not in text
    assert "[red]no" in text


def test_a_line_is_short() -> None:
    """What has no room is left out whole, the least important first."""
    assert make_line(SHOT) == (
        "1:40  54 of 240 rows, 3 failed, 12 running, 1.2 rows/s, 1,234 tokens/s"
    )
    short = replace(SHOT, left_s=TimeLeft(8.0, 8.0, 8.0))
    assert make_line(short).endswith("1,234 tokens/s, about 8 s left")
    large = replace(SHOT, done=10**9, rows=10**10, failed=10**8, rows_per_s=1e6, tokens_per_s=1e9)
    assert len(make_line(large)) <= COLUMNS_MAX
    assert make_line(NOTHING) == "0:00  0 rows, 0 failed, 0 running"


def test_a_summary_of_a_job_that_was_stopped() -> None:
    """How far it came, what failed and why, where it is told, what it took, and how to go on."""
    lane = replace(LANES[0], endpoint="gpu-0:11434", rows=31)
    whence = replace(SHOT, lanes=(lane,), embedded=7, earlier=12, cut_off=9)
    stopped = replace(whence, state="interrupted", left_s=None, cost=0.0123)
    lines = list(make_summary(stopped, Path("out.jsonl")))
    assert lines == [
        "rows                  54 of 240 rows; interrupted; 186 rows are left",
        "rows answered         51",
        "rows failed           3",
        "  NotFoundError       3  first: gpu-1:11434: no model m",
        "errors in             out.errors.jsonl",
        "cut off               9 rows, to be asked again",
        "tokens                5,000  (prompts: 2,000)",
        "this run              1:40  (0.51 rows/s, 812 tokens/s)",
        "cost                  0.0123",
        "first token           p50 40.0 ms, p90 70.5 ms",
        "latency               p50 900.0 ms, p90 1,700.0 ms",
        "tokens per row        p50 93, p90 180",
        "from gpu-0:11434      31",
        "from (embeddings)     7",
        "from (earlier runs)   12",
        "from (not noted)      1",
        "answers in            out.jsonl",
        "go on with            triollama batch resume out.jsonl",
        "failed rows again     triollama batch retry-failed out.jsonl",
    ]


def test_a_summary_of_a_job_that_is_complete() -> None:
    """Has nothing to go on with; one that runs says how fast and how long."""
    done = replace(SHOT, state="complete", done=237, left=0, lanes=())
    lines = list(make_summary(done, Path("out.jsonl")))
    assert lines[0] == "rows                  240 of 240 rows; complete"
    assert lines[-1] == "failed rows again     triollama batch retry-failed out.jsonl"
    assert not any("resume" in line for line in lines)
    assert list(make_summary(replace(done, failed=0, done=240), Path("out.jsonl")))[-1] == (
        "answers in            out.jsonl"
    )
    text = "\n".join(make_summary(replace(SHOT, lanes=()), Path("out.jsonl")))
    assert "186 rows are left" in text
    assert "lately                1.2 rows/s, 1,234 tokens/s" in text
    assert "time left             about 2.6 min left (2.0 min to 3.3 min)" in text
    short = replace(SHOT, ran_s=0.74, rows_per_s_overall=0.0, left=1)
    text = "\n".join(make_summary(short, Path("out.jsonl")))
    assert re.search("^this run +0.7 s$", text, re.MULTILINE)
    assert "; running; 1 row is left\n" in text
    aborted = replace(SHOT, state="aborted", reason="a row failed", is_rows_known=False)
    assert next(iter(make_summary(aborted, Path("o")))).endswith(
        "54 of about 240 rows; aborted: a row failed; about 186 rows are left"
    )


def test_nothing_is_resumed_that_has_nothing_left() -> None:
    """A job that its last row ended has failed rows only; what died may have had no room."""
    over = replace(SHOT, state="aborted", reason="a row failed", done=237, left=0)
    text = "\n".join(make_summary(over, Path("my out.jsonl")))
    assert "batch resume" not in text
    assert "triollama batch retry-failed 'my out.jsonl'" in text
    lost = replace(over, lanes=(), failures=(Failure(kind="StallError", rows=3),))
    assert "  StallError          3  first: unknown" in list(make_summary(lost, Path("o")))
    died = "\n".join(make_summary(replace(SHOT, state="died"), Path("out.jsonl")))
    assert "; died, or had no room on the disk to say how it ended; 186 rows are left\n" in died
    assert "triollama batch resume out.jsonl" in died


def test_an_outage_has_no_rates() -> None:
    """They are stopped, and how long it takes nobody knows; rows held back are not running."""
    away = replace(
        SHOT,
        waiting="nobody has answered for 0:12",
        running=0,
        held=19,
        rows_per_s=None,
        tokens_per_s=None,
        left_s=None,
        lanes=(),
    )
    lines = list(make_summary(away, Path("out.jsonl")))
    assert "running               0  (held back: 19)" in lines
    assert "lately                nothing" in lines
    assert "time left             unknown" in lines
    assert "0 running   19 held back   3 failed" in "\n".join(draw(away))
    assert make_line(away) == (
        "1:40  54 of 240 rows, 3 failed, 0 running, 19 held back, "
        "waiting: nobody has answered for 0:12"
    )


def test_a_line_of_a_job_that_nobody_runs() -> None:
    """Says so."""
    assert make_line(replace(SHOT, state="died")).startswith("1:40  54 of 240 rows, 3 failed, died")


def test_a_narrow_picture_has_fewer_columns() -> None:
    """Rather than columns of which nothing can be read."""
    head = next(line for line in draw(SHOT, width=40) if line.startswith("endpoint"))
    assert head.split() == ["endpoint", "rows", "health"]
    wide = next(line for line in draw(SHOT, width=64) if line.startswith("endpoint"))
    assert wide.split() == ["endpoint", "in", "flight", "rows", "tokens/s", "health"]
    for width in range(36, 120):
        head = next(line for line in draw(SHOT, width=width) if line.startswith("endpoint"))
        assert "…" not in head


def test_slots_that_nobody_has_are_not_told() -> None:
    """What is in flight stands alone then."""
    lane = replace(LANES[1], endpoint="a:1", in_flight=7, rows=5, tokens_per_s=None)
    for slots, told in ((8, "7 of 8"), (1_024, "7"), (None, "7")):
        [line] = [
            line
            for line in draw(replace(SHOT, lanes=(replace(lane, slots=slots),)))
            if line.startswith("a:1")
        ]
        assert line.split() == ["a:1", *told.split(), "5", "-", "well"]


def test_rows_are_counted_in_english() -> None:
    """One row is no rows; what ends at once finishes none."""
    one = replace(NOTHING, done=1, rows=1, left=0, is_rows_known=True)
    assert make_line(one).startswith("0:00  1 of 1 row, ")
    assert describe_stopping(0) == "stopping; Ctrl-C again stops at once"
    assert describe_stopping(1).startswith("stopping: finishing 1 row that runs;")
    assert describe_stopping(1_200).startswith("stopping: finishing 1,200 rows that run;")


@pytest.mark.parametrize(
    ("recovery", "told"),
    [
        (
            Recovery(forgotten_rows=240, missing=(Path("a/out.jsonl"),)),
            "out.jsonl is missing or empty: its 240 rows are asked again",
        ),
        (
            Recovery(forgotten_rows=1, missing=(Path("o"), Path("o.errors"))),
            "o and o.errors are missing or empty: their 1 row is asked again",
        ),
        (Recovery(forgotten_rows=2), "the end of the output is missing; 2 rows are asked again"),
        (Recovery(cut_bytes=1_024), "1,024 bytes that no journal knows are cut off"),
        (Recovery(is_rebuilt=True), "the journal is made anew from the output"),
    ],
)
def test_what_was_repaired(recovery: Recovery, told: str) -> None:
    """Says what was found, and never that nothing was cut off."""
    assert describe_recovery(recovery) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.2, "0 s"),
        (8.4, "8 s"),
        (89, "89 s"),
        (90, "1.5 min"),
        (1_200, "20 min"),
        (200_000, "2.3 d"),
    ],
)
def test_a_duration_has_the_digits_that_count(seconds: float, told: str) -> None:
    """In the unit that suits it."""
    assert roughly(seconds) == told


def test_numbers_have_the_digits_that_count() -> None:
    """A range whose ends are told alike is none."""
    assert [rate(each) for each in (None, 0.123, 3.21, 99.9, 12_345.6)] == [
        *["-", "0.12", "3.2", "99.9", "12,346"]
    ]
    assert describe_left(TimeLeft(3_600.0, 3_601.0, 3_602.0)) == "about 60 min left"
    assert describe_left(None) == describe_left(TimeLeft(0.0, 0.0, 0.0)) == ""
