"""A folder: each file is a row."""

import os
from pathlib import Path
from typing import Any

import pytest

from triollama_adapters.batch.errors import ChoiceError, InputError
from triollama_adapters.batch.input.filters import Filter, parse_condition
from triollama_adapters.batch.input.folder import BYTES_AT_ONCE, FILE_BYTES_MAX
from triollama_adapters.batch.input.plan import Format, Plan
from triollama_adapters.batch.input.source import Wanted, open_rows
from triollama_adapters.batch.input.template import parse_template
from triollama_adapters.batch.rows import Row


async def read(folder: Path, **terms: Any) -> list[Row]:
    """The rows of a folder."""
    async with open_rows(Wanted(name=str(folder), **({"plan": Plan(model="m")} | terms))) as source:
        rows: list[Row] = []
        while (some := await source.read()) is not None:
            rows += some
        return rows


def write(folder: Path, **files: bytes) -> None:
    """Make files; two low lines are a slash, one is a dot."""
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def prompts(rows: list[Row]) -> list[Any]:
    """What is asked, or what kind of row cannot be."""
    return [
        row.ask.arguments["messages"][-1]["content"]
        if row.ask is not None
        else row.error and row.error.kind
        for row in rows
    ]


async def test_each_file_is_a_row(tmp_path: Path) -> None:
    """In the order of their names, folder by folder, with name and text."""
    write(tmp_path, b_txt=b"\xef\xbb\xbfb\r\n", a_md="ä".encode(), b__z_txt=b"z", b__c__d=b"")
    rows = await read(tmp_path)
    assert prompts(rows) == ["ä", "", "z", "b\r\n"]
    assert [row.number for row in rows] == [0, 1, 2, 3]
    assert [bytes(row.fields["name"]) for row in rows] == [
        b'"a.md"',
        b'"b/c/d"',
        b'"b/z.txt"',
        b'"b.txt"',
    ]
    assert rows[2].place == "file b/z.txt"
    assert rows == await read(tmp_path)
    plan = Plan(model="m", template=parse_template("{name}: {text}"))
    assert prompts(await read(tmp_path, plan=plan))[2] == "b/z.txt: z"


async def test_the_digest_is_of_name_and_content(tmp_path: Path) -> None:
    """So that a file that was changed or renamed is noticed."""
    write(tmp_path, a=b"x", b=b"x")
    one, two = await read(tmp_path)
    write(tmp_path, a=b"y")
    assert len({one.digest, two.digest, (await read(tmp_path))[0].digest}) == 3


async def test_what_is_no_plain_file_is_left_out(tmp_path: Path) -> None:
    """What is hidden, pipes, broken links, folders behind links; a linked file is taken."""
    write(tmp_path / "in", _hidden=b"x", _git__config=b"x", a=b"a")
    write(tmp_path / "out", c=b"c")
    os.mkfifo(tmp_path / "in/pipe")
    (tmp_path / "in/broken").symlink_to("nothing")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    (tmp_path / "in/itself").symlink_to("itself")
    (tmp_path / "in/z").symlink_to(tmp_path / "out/c")
    assert prompts(await read(tmp_path / "in")) == ["a", "c"]


async def test_bad_files_are_rows_too(tmp_path: Path) -> None:
    """Too long, not UTF-8, no permission: with name and reason."""
    write(tmp_path, a=b"\xff\xfe", b=b"x" * (FILE_BYTES_MAX + 1), c=b"x" * FILE_BYTES_MAX, d=b"d")
    (tmp_path / "e").symlink_to("/proc/self/mem")
    rows = await read(tmp_path)
    assert [row.error and row.error.kind for row in rows] == [
        "LineNotUtf8",
        "LineTooLong",
        None,
        None,
        "FileNotReadable",
    ]
    assert rows[0].error is not None
    assert rows[0].error.message.startswith("file a is not UTF-8")
    assert bytes(rows[0].fields["name"]) == b'"a"'


async def test_a_condition_on_the_name_chooses_among_bad_files_too(tmp_path: Path) -> None:
    """So that pictures among texts are no failures."""
    write(tmp_path, a_png=b"\xff", b_txt=b"\xff", c_txt=b"c")
    conditions = (parse_condition(r"name~\.txt$"),)
    rows = await read(tmp_path, filter=Filter(conditions=conditions))
    assert prompts(rows) == ["LineNotUtf8", "c"]


async def test_it_is_read_piece_by_piece(tmp_path: Path) -> None:
    """The files of one reading together take so much at most."""
    for number in range(5):
        (tmp_path / str(number)).write_bytes(b"x" * (BYTES_AT_ONCE // 2))
    async with open_rows(Wanted(name=str(tmp_path), plan=Plan(model="m"))) as source:
        counts = []
        while (rows := await source.read()) is not None:
            counts.append(len(rows))
    assert counts == [2, 2, 1]


async def test_no_files_and_a_format_of_files_are_refused(tmp_path: Path) -> None:
    """Before any work."""
    with pytest.raises(InputError, match="without files"):
        await read(tmp_path)
    write(tmp_path, a=b"a")
    with pytest.raises(ChoiceError, match="is a folder"):
        await read(tmp_path, format=Format.OPENAI)
    with pytest.raises(ChoiceError, match=r"--where names 'nosuch', .* columns are: name, text"):
        await read(tmp_path, filter=Filter(conditions=(parse_condition("nosuch=1"),)))
