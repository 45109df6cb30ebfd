"""What is refused before a cluster is even looked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from triollama_adapters.batch.errors import ChoiceError, OutputExistsError
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.ray.batch import run_batch_on_ray
from triollama_adapters.ray.fleet import RayFleet

NOWHERE = RayFleet(address="127.0.0.1:1", endpoints=["http://127.0.0.1:1"])


def contents(folder: Path) -> dict[str, str]:
    """All files of a folder."""
    return {each.name: each.read_text() for each in folder.iterdir()}


@pytest.mark.parametrize("name", ["out.jsonl", "out.errors.jsonl", "out.jsonl.journal"])
async def test_an_input_that_the_batch_would_write(tmp_path: Path, name: str) -> None:
    """It stays as it is."""
    source = tmp_path / name
    source.write_text('{"prompt": "a"}\n')
    with pytest.raises(ChoiceError, match="of this batch; choose another output"):
        await run_batch_on_ray(Recipe(input=str(source)), tmp_path / "out.jsonl", NOWHERE)
    assert contents(tmp_path) == {name: '{"prompt": "a"}\n'}


async def test_a_file_that_no_batch_wrote(tmp_path: Path) -> None:
    """It stays as it is, too."""
    source, mine = tmp_path / "in.jsonl", tmp_path / "out.errors.jsonl"
    source.write_text('{"prompt": "a"}\n')
    mine.write_text("mine\n")
    with pytest.raises(OutputExistsError, match=r"out\.errors\.jsonl exists"):
        await run_batch_on_ray(Recipe(input=str(source)), tmp_path / "out.jsonl", NOWHERE)
    assert contents(tmp_path) == {source.name: '{"prompt": "a"}\n', mine.name: "mine\n"}


@pytest.mark.parametrize("choice", [{"check": "nowhere:nothing"}, {"vote_key": "text"}])
async def test_a_choice_that_means_nothing(tmp_path: Path, choice: dict[str, Any]) -> None:
    """Nothing is made."""
    recipe = Recipe(input=str(tmp_path / "in.jsonl"), **choice)
    with pytest.raises(ChoiceError):
        await run_batch_on_ray(recipe, tmp_path / "out.jsonl", NOWHERE)
    assert contents(tmp_path) == {}
