"""Progress and the table at the end."""

import io

import attrs
import pytest

from triollama_adapters.cli._display import WIDE, describe, open_display, show_summary
from triollama_adapters.cli._tally import Answered, Snapshot, Tally

SNAPSHOT = Snapshot(
    done=1234,
    errors=2,
    in_flight=200,
    records_per_s=98.76,
    chunks_per_s=12345.6,
    share=0.5,
    left_s=3725.0,
    elapsed_s=61.0,
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def test_the_numbers_fit_into_a_line() -> None:
    """What is left first, then counts and rates; hours where there are any."""
    assert describe(SNAPSHOT) == (
        "50% of the bytes, 1:02:05 left, 1,234 done, 2 errors, 200 in flight, "
        "98.8 records/s, 12,346 chunks/s"
    )


def test_what_is_not_known_is_not_told() -> None:
    """A pipe has no share, and a beginning no end."""
    told = describe(attrs.evolve(SNAPSHOT, share=None, left_s=None))
    assert told.startswith("1,234 done")


@pytest.mark.parametrize(
    ("columns", "last"),
    [(1, "50% of the bytes"), (30, "1:02:05 left"), (41, "1:02:05 left"), (42, "1,234 done")],
)
def test_numbers_without_room_are_left_out_whole(columns: int, last: str) -> None:
    """None is cut in the middle."""
    assert describe(SNAPSHOT, columns).endswith(last)


def test_a_log_gets_plain_lines() -> None:
    """Without a terminal: no control characters, one line per snapshot."""
    stderr = io.StringIO()
    display = open_display(stderr)
    display.show(SNAPSHOT)
    display.close()
    assert stderr.getvalue() == f"1:01 {describe(SNAPSHOT)}\n"
    assert display.every_s == 2.0


def test_a_terminal_gets_a_bar_that_is_wiped_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar is drawn over itself, and the cursor is shown again at the end."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")
    stderr = Terminal()
    display = open_display(stderr)
    display.show(SNAPSHOT)
    display.close()
    assert "12,346 chunks/s" in stderr.getvalue()
    assert stderr.getvalue().rstrip("\r").endswith(("\x1b[2K", "\x1b[?25h")) or "\x1b[?25h" in (
        stderr.getvalue()
    )


@pytest.mark.parametrize(
    ("columns", "last"), [(40, "left"), (60, "errors"), (80, "errors"), (160, "chunks/s")]
)
def test_a_narrow_terminal_gets_one_line(
    monkeypatch: pytest.MonkeyPatch, columns: int, last: str
) -> None:
    """Numbers that have no room are left out, not cut and not put on a second line."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    stderr = Terminal()
    display = open_display(stderr)
    display.show(SNAPSHOT)
    picture = stderr.getvalue()
    display.close()
    assert "\n" not in picture
    assert "50% of the bytes, 1:02:05 left" in picture
    assert picture.rstrip().endswith(last)
    assert ("━" in picture) == (columns >= WIDE)


def test_the_table_tells_everything_once() -> None:
    """Streams, errors by kind, time, chunks, tokens, first token and endpoints."""
    tally = Tally(0)
    tally.begin()
    tally.answer(Answered("gpu-1:11434", 10, 5, 9, 2_000_000), 100)
    tally.refuse("LineNotJson", "line 2 is\n\x1bnot JSON", 10)
    tally.refuse("LineNotJson", "line 3 is not JSON", 10)
    tally.begin()
    tally.stop()
    tally.end(2_000_000_000)
    stderr = io.StringIO()
    show_summary(tally.summary(), "out.jsonl", stderr)
    lines = [" ".join(line.split()) for line in stderr.getvalue().splitlines()]
    assert lines == [
        "streams complete 1",
        "errors 2 (2 LineNotJson)",
        "first error line 2 is not JSON",
        "stopped 1 unfinished, without a record",
        "wall time 2.00 s",
        "chunks 10 (5 per second)",
        "tokens 9 (prompts: 5)",
        "first token p50 2.0 ms, p99 2.0 ms",
        "from gpu-1:11434 1",
        "records in out.jsonl",
    ]
