"""How many rows an input will still give."""

from __future__ import annotations

import pytest

from triollama_adapters.batch.figures.total import UNSEEN, InputSeen, rows_ahead


@pytest.mark.parametrize(
    ("seen", "rows"),
    [
        (UNSEEN, None),
        (InputSeen(given=10, read_bytes=10), None),  # a pipe
        (InputSeen(size_bytes=100), None),
        (InputSeen(given=100, size_bytes=1_000, read_bytes=100), 900),
        (InputSeen(given=100, ahead=140, size_bytes=500, read_bytes=500), 140),
        (InputSeen(given=50, filtered=50, ahead=100, size_bytes=400, read_bytes=200), 150),
        (InputSeen(given=50, filtered=50, size_bytes=400, read_bytes=200, rows_max=80), 30),
        (InputSeen(given=80, size_bytes=400, read_bytes=200, rows_max=80), 0),
        (InputSeen(given=10, size_bytes=400, read_bytes=500), 0),  # it was cut meanwhile
    ],
)
def test_the_rest_is_taken_to_be_as_what_was_read(seen: InputSeen, rows: int | None) -> None:
    """In bytes per row, and in how many the filter leaves out."""
    assert rows_ahead(seen) == rows
