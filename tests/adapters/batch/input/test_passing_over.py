"""Rows that were done before are passed over: one by one, or many at once."""

from hashlib import blake2b
from pathlib import Path

import attrs
import pytest

from triollama_adapters.batch.input.filters import Filter
from triollama_adapters.batch.input.plan import Plan
from triollama_adapters.batch.input.row_source import RECORDS_AT_ONCE, RowSource
from triollama_adapters.batch.input.source import Wanted, open_rows

ROWS = 4 * RECORDS_AT_ONCE


@attrs.define
class Done:
    """Rows that were done, and what is asked of them.

    Attributes:
        rows: the digests by the rows' numbers.
        alone: how many rows it was asked of one by one.
    """

    rows: dict[int, bytes]
    alone: int = 0

    def is_one(self, number: int, digest: bytes, _place: str) -> bool:
        """Whether a row was done."""
        self.alone += 1
        return self.rows.get(number) == digest

    def are_all(self, first: int, digests: bytes) -> bool:
        """Whether rows in a row were done."""
        return all(
            self.rows.get(first + at, b"")[:8] == digests[8 * at : 8 * at + 8]
            for at in range(len(digests) // 8)
        )


def line_of(number: int) -> bytes:
    """A line of the input."""
    return b'{"prompt": "row %d"}' % number


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """An input."""
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"".join(line_of(number) + b"\n" for number in range(ROWS)))
    return path


def done(*numbers: int) -> Done:
    """Some rows that were done."""
    return Done({n: blake2b(line_of(n), digest_size=16).digest() for n in numbers})


async def given(source: Path, before: Done, limit: int | None = None) -> tuple[list[int], int]:
    """The numbers of the rows that are given, and how many are passed over."""
    plan, numbers = Plan(model="m"), []
    wanted = Wanted(name=str(source), plan=plan, filter=Filter(limit=limit))
    async with open_rows(wanted) as rows:
        rows.pass_over(before.is_one, before.are_all)
        while (some := await rows.read()) is not None:
            numbers += [row.number for row in some]
        assert isinstance(rows, RowSource)
        assert rows.given == len(numbers) + rows.passed_over
        return numbers, rows.passed_over


async def test_rows_in_a_row_are_passed_over_together(source: Path) -> None:
    """Nobody is asked of each of them; those after them are given."""
    before = done(*range(3 * RECORDS_AT_ONCE))
    numbers, passed_over = await given(source, before)
    assert numbers == list(range(3 * RECORDS_AT_ONCE, ROWS))
    assert passed_over == 3 * RECORDS_AT_ONCE
    assert before.alone < 2 * RECORDS_AT_ONCE  # the last rows, and where a block ends


async def test_gaps_are_given(source: Path) -> None:
    """A row that was not done among thousands that were."""
    gaps = [0, 700, ROWS - 1]
    before = done(*(number for number in range(ROWS) if number not in gaps))
    assert await given(source, before) == (gaps, ROWS - len(gaps))


async def test_rows_that_were_passed_over_count_for_the_limit(source: Path) -> None:
    """As many rows in all as if the batch had not been stopped."""
    limit = RECORDS_AT_ONCE + 10
    numbers, passed_over = await given(source, done(*range(RECORDS_AT_ONCE)), limit)
    assert numbers == list(range(RECORDS_AT_ONCE, limit))
    assert passed_over == RECORDS_AT_ONCE
    assert await given(source, done(*range(ROWS)), limit) == ([], limit)
