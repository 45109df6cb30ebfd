"""Mistakes that all first rows share end a batch at once, and others do not."""

import json
from pathlib import Path
from typing import Any

import pytest

from triollama_adapters.batch.errors import ChoiceError, InputError
from triollama_adapters.batch.input.filters import Filter, parse_condition
from triollama_adapters.batch.input.first_rows import ROWS_TOLD_BY
from triollama_adapters.batch.input.plan import Format, Plan
from triollama_adapters.batch.input.source import open_rows
from triollama_adapters.batch.input.template import field_template
from triollama_adapters.batch.input.wanted import Wanted

LACKING = json.dumps({"text": "a"})
GOOD = json.dumps({"question": "b", "lang": "en"})
MANY = [LACKING] * ROWS_TOLD_BY


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where an input is."""
    return tmp_path / "in.jsonl"


def write(path: Path, *lines: str, end: str = "\n") -> None:
    """Lines, the last one whole or not."""
    path.write_text("\n".join(lines) + end)


async def read(path: Path, **wanted: Any) -> list[str | None]:
    """The kinds of errors of all rows, which are asked for their question."""
    plan = Plan(model="m", template=field_template("question"))
    kinds: list[str | None] = []
    async with open_rows(Wanted(name=str(path), plan=plan, **wanted)) as source:
        while (rows := await source.read()) is not None:
            kinds += [None if row.error is None else row.error.kind for row in rows]
    return kinds


@pytest.mark.parametrize(
    ("lines", "rows"),
    [
        ([*MANY, GOOD], f"the first {ROWS_TOLD_BY} rows"),
        (["no JSON", *MANY, GOOD], f"the first {ROWS_TOLD_BY} rows"),
        ([LACKING, LACKING], "the rows"),
    ],
)
async def test_none_of_the_first_has_what_is_asked(path: Path, lines: list[str], rows: str) -> None:
    """Told with the fields that there are, before any row is given."""
    write(path, *lines)
    with pytest.raises(ChoiceError, match=f"'question', which none of {rows} of .* has: text;"):
        await read(path)


async def test_one_that_has_it_is_enough(path: Path) -> None:
    """The others are told each."""
    write(path, *MANY[1:], GOOD, *MANY)
    kinds = await read(path)
    assert (kinds.count("PromptMissing"), kinds.count(None)) == (2 * ROWS_TOLD_BY - 1, 1)


async def test_rows_that_are_left_out_do_not_count(path: Path) -> None:
    """They are of another kind, perhaps."""
    write(path, *MANY, GOOD)
    only = Filter(conditions=(parse_condition("lang=en"),))
    assert await read(path, filter=only) == [None]


async def test_a_last_line_without_end_may_have_it(path: Path) -> None:
    """What is not known to be all is read on."""
    write(path, LACKING, GOOD, end="")
    assert await read(path) == ["PromptMissing", None]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("id,question", "1,Why?"), "give --format csv$"),
        (("\ufeffid;question", "1;Why?"), "give --format csv --delimiter ';'$"),
        (("id\tquestion", "1\tWhy?"), r"give --format csv --delimiter \$'\\t'$"),
    ],
)
async def test_a_table_that_is_not_called_so(path: Path, lines: Any, told: str) -> None:
    """As on standard input: what to give is told, rather than an error for each line."""
    write(path, *lines)
    with pytest.raises(InputError, match=told):
        await read(path)


@pytest.mark.parametrize(
    "lines",
    [("a, b", "c"), ("a", "b"), ("[1,2", "3,4]"), ("a,b", GOOD), ("a,b",), ('"a,b"', '"c,d"')],
)
async def test_other_lines_are_told_each(path: Path, lines: Any) -> None:
    """They are no table, for all that can be seen."""
    write(path, *lines)
    assert {"LineNotJson", "LineNotAnObject"} & set(await read(path))


async def test_a_table_with_another_delimiter(tmp_path: Path) -> None:
    """The one column's name shows it."""
    path = tmp_path / "in.csv"
    write(path, "id;question", "1;Why?")
    with pytest.raises(ChoiceError, match="if that is what parts them, give --delimiter ';'; name"):
        await read(path)
    assert await read(path, delimiter=";") == [None]


async def test_a_delimiter_is_for_tables(path: Path) -> None:
    """It would mean nothing elsewhere."""
    write(path, GOOD)
    with pytest.raises(ChoiceError, match="--delimiter is for CSV"):
        await read(path, delimiter=";")
    write(path, "question;a", "Why?;b")
    assert await read(path, delimiter=";", format=Format.CSV) == [None]
