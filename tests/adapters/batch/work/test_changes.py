"""An input that is compared with what has outcomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from triollama_adapters.batch.errors import InputChangedError
from triollama_adapters.batch.input.filters import Filter, parse_condition
from triollama_adapters.batch.input.plan import Plan
from triollama_adapters.batch.input.source import Wanted, open_rows
from triollama_adapters.batch.ledger.standing import Answered, Standings, short_digest
from triollama_adapters.batch.work.changes import compare

ROWS = 30


def write(path: Path, count: int, changed: int | None = None) -> str:
    """An input of so many rows, perhaps one of them another one."""
    rows = [f"row {number}" if number != changed else "new" for number in range(count)]
    path.write_text("".join(f'{{"prompt": "{row}", "lang": "en"}}\n' for row in rows))
    return str(path)


@pytest.fixture
async def standings(tmp_path: Path) -> Standings:
    """Rows that all have an outcome, of which every fifth one failed."""
    found = Standings()
    async with open_rows(Wanted(name=write(tmp_path / "in.jsonl", ROWS), plan=Plan())) as rows:
        while (some := await rows.read()) is not None:
            found.add(
                (each.number, short_digest(each.digest), each.number % 5 == 4) for each in some
            )
    return found


async def compared(name: str, standings: Standings, **which: object) -> None:
    """Compare an input of this name."""
    wanted = Wanted(name=name, plan=Plan(), filter=Filter(**which))  # type: ignore[arg-type]
    async with open_rows(wanted) as rows:
        await compare(rows, Answered(standings))


async def test_the_same_and_a_longer_one_pass(tmp_path: Path, standings: Standings) -> None:
    """Also where not all of its rows are looked at."""
    path = tmp_path / "in.jsonl"
    await compared(str(path), standings)
    await compared(write(path, ROWS + 5), standings)
    for which in ({"limit": 3}, {"shard": (1, 4)}, {"sample": 0.5}):
        await compared(str(path), standings, **which)
    await compared(str(path), standings, conditions=(parse_condition("lang=de"),))


@pytest.mark.parametrize("which", [{}, {"limit": ROWS}, {"shard": (0, 4)}])
async def test_a_shorter_one_does_not(
    tmp_path: Path, standings: Standings, which: dict[str, object]
) -> None:
    """Unless only rows are gone that are to be forgotten."""
    path = tmp_path / "in.jsonl"
    shorter = write(path, ROWS - 1)
    with pytest.raises(InputChangedError, match="has 29 rows now, and row 30 has an outcome"):
        await compared(shorter, standings, **which)
    await compared(shorter, standings.without_failed(), **which)
    with pytest.raises(InputChangedError, match="row 29 has an outcome"):
        await compared(write(path, ROWS - 2), standings.without_failed(), **which)


async def test_a_row_that_is_another_one_does_not(tmp_path: Path, standings: Standings) -> None:
    """Unless it is to be forgotten."""
    path = tmp_path / "in.jsonl"
    for changed in (3, 4):
        with pytest.raises(InputChangedError, match=f"line {changed + 1} was answered"):
            await compared(write(path, ROWS, changed), standings)
    await compared(str(path), standings.without_failed())
    with pytest.raises(InputChangedError, match="line 4 was answered"):
        await compared(write(path, ROWS, 3), standings.without_failed())
