"""What limits of a program's are refused, before any work, and in words."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import trio
from tests.adapters.batch.test_open_batch import FakeEngine

from triollama_adapters.batch import ChoiceError, Limits, open_batch
from triollama_adapters.batch.work.asking import Asker


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("concurrency", value) for value in (0, -3, 2.5, True, "4")),
        *(("window", value) for value in (0, -5, math.nan, None)),
        *(("use_share", value) for value in (0.0, -0.1, 50, math.nan, None, "50%")),
        *(("tokens_per_minute", value) for value in (0, -1, math.nan, math.inf)),
        *(("failures_share_max", value) for value in (-0.1, 5, math.nan)),
        *(("outage_s_max", value) for value in (-1, math.nan, None)),
    ],
)
def test_a_number_that_means_nothing_is_refused(name: str, value: Any) -> None:
    """It is told by its name, with what it may be."""
    with pytest.raises(ChoiceError, match=rf"^{name} is .*; .* must be "):
        Limits(**{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("concurrency", None),
        ("concurrency", 1),
        ("window", 1),
        ("use_share", 1),
        ("use_share", 0.01),
        ("tokens_per_minute", None),
        ("tokens_per_minute", 1),
        ("failures_share_max", 0),
        ("failures_share_max", 1.0),
        ("outage_s_max", 0),
        ("outage_s_max", math.inf),
    ],
)
def test_the_ends_of_the_ranges_are_in_them(name: str, value: Any) -> None:
    """And None where there need not be a limit."""
    assert getattr(Limits(**{name: value}), name) == value


@pytest.mark.parametrize("tries", [0, -1, 1.5, True])
async def test_a_row_is_asked_once_at_least(tmp_path: Path, tries: Any) -> None:
    """Nothing is made before that is told."""
    engine: Any = FakeEngine()
    with pytest.raises(ChoiceError, match="tries is"):
        Asker(engine, tries_max=tries)
    with pytest.raises(ChoiceError, match="tries is"):
        async with open_batch(engine, ["a"], tmp_path / "out.jsonl", model="m", tries=tries):
            pass
    assert await trio.Path(tmp_path / "out.jsonl").exists() is False
