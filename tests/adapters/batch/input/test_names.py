"""Fields that are named by mistake: told at once of a table, else when no row had them."""

import json
from pathlib import Path
from typing import Any

import pytest

from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.batch.input.source import RowSource, open_rows
from triollama_adapters.batch.recipe import Recipe

TABLE = "id,text\n1,a\n2,b\n"
LINES = '{"id": 1, "text": "a"}\n{"id": 2, "text": "b", "more": 3}\n'


def write(path: Path, content: str) -> str:
    """Make a file."""
    path.write_text(content)
    return str(path)


async def read_all(source: RowSource) -> int:
    """Read to the end; how many rows there were."""
    count = 0
    while (rows := await source.read()) is not None:
        count += len(rows)
    return count


async def of_table(tmp_path: Path, content: str = TABLE, **choices: Any) -> int:
    """How many rows a table gives."""
    name = write(tmp_path / "in.csv", content)
    async with open_rows(Recipe(input=name, model="m", **choices).wanted()) as source:
        return await read_all(source)


async def unseen(tmp_path: Path, content: str = LINES, **choices: Any) -> list[str]:
    """What no line has had."""
    name = write(tmp_path / "in.jsonl", content)
    async with open_rows(Recipe(input=name, model="m", **choices).wanted()) as source:
        await read_all(source)
        return source.unseen


@pytest.mark.parametrize(
    ("choices", "told"),
    [
        ({"where": ["nosuch=1"]}, "--where names 'nosuch', which is no column of .*in.csv"),
        ({"where": ["id=1", "Text~a"]}, "--where names 'Text'"),
        ({"select": ["id", "foo"]}, "--select names 'foo'"),
        ({"field": "foo"}, "what is asked is 'foo', which"),
        ({"prompt": "{id} {foo}"}, "what is asked is 'foo'"),
    ],
)
async def test_a_column_that_a_table_has_not_is_an_error(
    tmp_path: Path, choices: dict[str, Any], told: str
) -> None:
    """With those that it has."""
    with pytest.raises(ChoiceError, match=f"{told}.*its columns are: id, text"):
        await of_table(tmp_path, **choices)


async def test_it_is_told_at_the_first_look(tmp_path: Path) -> None:
    """Which the command takes before it reaches for servers or writes anything."""
    name = write(tmp_path / "in.csv", TABLE)
    for choices in ({"where": ["nosuch=1"]}, {"field": "foo"}):
        async with open_rows(Recipe(input=name, **choices).wanted()) as source:  # type: ignore[arg-type]
            with pytest.raises(ChoiceError):
                await source.look()


async def test_a_table_without_a_usual_column_says_so(tmp_path: Path) -> None:
    """Once, rather than in each row."""
    with pytest.raises(ChoiceError, match="what is asked is 'prompt', which is no column"):
        await of_table(tmp_path, "id,body\n1,a\n")


async def test_what_is_there_or_ours_is_no_error(tmp_path: Path) -> None:
    """Fields of the answer, and names that were taken."""
    select = ["id", "index", "content", "usage", "error", "input_content", "embeddings"]
    assert await of_table(tmp_path, where=["id>=1"], select=select) == 2
    assert await unseen(tmp_path, where=["id>=1"], select=select) == []


async def test_what_no_line_has_is_known_at_the_end(tmp_path: Path) -> None:
    """Lines may have different fields, so one that has it is enough."""
    assert await unseen(tmp_path, where=["nosuch!=1", "more!=9"], select=["foo", "text"]) == [
        "foo",
        "nosuch",
    ]
    assert await unseen(tmp_path, where=["nosuch=1"]) == ["nosuch"]


async def test_of_no_line_and_of_bad_ones_nothing_is_said(tmp_path: Path) -> None:
    """There may be one that has it."""
    assert await unseen(tmp_path, "bad\n", where=["nosuch=1"]) == []
    assert await unseen(tmp_path, LINES, where=["nosuch=1"], shard="3/3") == []


async def test_of_rows_that_are_passed_over_nothing_is_said(tmp_path: Path) -> None:
    """They were not looked at."""
    name = write(tmp_path / "in.jsonl", LINES)
    async with open_rows(Recipe(input=name, model="m", select=["foo"]).wanted()) as source:
        source.pass_over(lambda number, _digest, _place: number == 0)
        assert await read_all(source) == 1
        assert source.unseen == []


async def test_rows_that_are_passed_over_are_not_parsed(tmp_path: Path) -> None:
    """They count for a limit, and what the filter leaves out is not asked about."""
    lines = [json.dumps({"prompt": str(number)}) for number in range(10)]
    name = write(tmp_path / "in.jsonl", "\n".join([lines[0], "broken", *lines[2:]]) + "\n")
    told: list[tuple[int, int, str]] = []

    def passes_over(number: int, digest: bytes, place: str) -> bool:
        told.append((number, len(digest), place))
        return number < 6

    async with open_rows(Recipe(input=name, model="m", limit=5, shard="2/2").wanted()) as source:
        source.pass_over(passes_over)
        rows = []
        while (some := await source.read()) is not None:
            rows += some
    assert [row.number for row in rows] == [7, 9]
    assert (source.passed_over, source.given, source.filtered) == (3, 5, 5)
    assert told == [(number, 16, f"line {number + 1}") for number in (1, 3, 5, 7, 9)]
