"""The dry run: counts, places, names that come twice."""

import json
from pathlib import Path
from typing import Any

import pytest

from triollama_adapters.batch.input.filters import Filter
from triollama_adapters.batch.input.plan import Plan
from triollama_adapters.batch.input.source import Wanted, open_rows
from triollama_adapters.batch.input.survey import NAMES_MAX, PLACES_MAX, REST, Survey, survey

SAY = [{"role": "user", "content": "12345678"}]


def line(custom_id: str, **body: Any) -> bytes:
    """A line of OpenAI's format."""
    row = {
        "custom_id": custom_id,
        "url": "/v1/chat/completions",
        "body": {"model": "m", "messages": SAY, **body},
    }
    return json.dumps(row).encode() + b"\n"


def write(path: Path, content: bytes) -> str:
    """Make a file of that content."""
    path.write_bytes(content)
    return str(path)


async def of(tmp_path: Path, content: bytes, plan: Plan | None = None, **terms: Any) -> Survey:
    """The survey of a file."""
    name = write(tmp_path / "in.jsonl", content)
    wanted = Wanted(name=name, plan=plan or Plan(model="m"), filter=Filter(**terms))
    async with open_rows(wanted) as source:
        return await survey(source)


async def test_a_good_input(tmp_path: Path) -> None:
    """Rows, models, names and a guess of tokens."""
    content = line("a") + line("b", model="n") + line("c", n=3, user="u")
    assert await of(tmp_path, content) == Survey(
        rows=3,
        filtered=0,
        bad={},
        bad_places={},
        first_error=None,
        models={"m": 2, "n": 1},
        ignored={"n": 1},
        custom_ids=3,
        duplicates=0,
        duplicate_places=(),
        characters=24,
        tokens=6,
    )


async def test_bad_rows_are_counted_by_kind(tmp_path: Path) -> None:
    """With the first few places of each, and the first message."""
    content = line("a") + b"sesame\n" * 7 + line("b", messages="sesame") + line("c")
    found = await of(tmp_path, content)
    assert found.rows == 10
    assert found.bad == {"LineNotJson": 7, "RequestNotUsable": 1}
    assert found.bad_places == {
        "LineNotJson": tuple(f"line {n}" for n in range(2, 2 + PLACES_MAX)),
        "RequestNotUsable": ("line 9",),
    }
    assert found.first_error is not None
    assert found.first_error.startswith("line 2 is not JSON")
    assert "sesame" not in repr(found)


async def test_what_the_engine_would_refuse_is_told(tmp_path: Path) -> None:
    """Before the first request is sent."""
    content = b'{"model": "m", "prompt": "x"}\n{"model": "m", "prompt": "x", "think": "sesame"}\n'
    found = await of(tmp_path, content)
    assert found.bad == {"RequestNotUsable": 1}
    assert found.first_error == (
        "line 2 is not usable: think must be True, False or one of low, medium, high, max, "
        "not another text"
    )


async def test_names_that_come_twice_are_found(tmp_path: Path) -> None:
    """Also those of rows that cannot be asked; the later ones are told."""
    content = b"".join(
        line(f"q{n % 2000}", **({"messages": 7} if n == 2001 else {})) for n in range(2010)
    )
    found = await of(tmp_path, content)
    assert (found.custom_ids, found.duplicates) == (2010, 10)
    assert found.duplicate_places == (2000, 2001, 2002, 2003, 2004)


async def test_many_models_are_counted_together(tmp_path: Path) -> None:
    """A file that names a new one in each row does not fill the memory."""
    found = await of(tmp_path, b"".join(line("a", model=f"m{n}") for n in range(NAMES_MAX + 50)))
    assert len(found.models) == NAMES_MAX + 1
    assert found.models[REST] == 50


async def test_what_is_filtered_is_counted(tmp_path: Path) -> None:
    """So that a condition that leaves nothing is seen."""
    found = await of(tmp_path, b"".join(line(f"{n}") for n in range(9)), shard=(0, 4))
    assert (found.rows, found.filtered) == (3, 6)


@pytest.mark.parametrize(
    ("row", "characters"),
    [
        ({"model": "m", "prompt": "123", "system": "45"}, 5),
        ({"model": "m", "input": "123"}, 3),
        ({"model": "m", "input": ["123", "4"]}, 4),
        ({"model": "m", "messages": SAY * 2}, 16),
        ({"model": "m", "messages": [{"role": "user", "content": "x", "images": ["QUJD"]}]}, 1),
    ],
)
async def test_characters_are_those_of_the_texts(
    tmp_path: Path, row: dict[str, Any], characters: int
) -> None:
    """Of messages, prompts, and texts to embed."""
    assert (await of(tmp_path, json.dumps(row).encode())).characters == characters
