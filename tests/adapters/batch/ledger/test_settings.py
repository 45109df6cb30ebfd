"""With which settings a batch goes on."""

from typing import Any

import pytest

from triollama_adapters.batch.errors import SettingsChangedError
from triollama_adapters.batch.ledger.settings import agreed, shown


@pytest.mark.parametrize("new", [{"limit": 20}, {}])
def test_a_higher_limit_is_growth(new: dict[str, Any]) -> None:
    """A trial with some rows goes on with the rest, and that is what is stored."""
    assert agreed({"limit": 10}, new, accepts_changes=False) == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"limit": 10}, {"limit": 5}),
        ({}, {"limit": 5}),
        ({"limit": 10}, {"limit": 20, "model": "m"}),
        ({"model": "m"}, {}),
    ],
)
def test_any_other_change_must_be_accepted(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Fewer rows too: some of them may have an outcome."""
    with pytest.raises(SettingsChangedError):
        agreed(old, new, accepts_changes=False)
    assert agreed(old, new, accepts_changes=True) == new


def test_texts_are_shown_by_their_length_and_a_hash() -> None:
    """Short ones too, where they are prompts; a path and what is no text stay as they are."""
    schema = {"properties": {"canary": {"description": "canary " * 20}}}
    plain = {"model": "m", "options": {"seed": 1}, "limit": 3, "input": "/canary" * 20}
    settings = {**plain, "prompt": "canary", "system": "canary " * 50, "answer_format": schema}
    told = shown(settings)
    assert {name: told[name] for name in plain} == plain
    assert told.keys() == settings.keys()
    assert told["prompt"].startswith("6 characters #")
    assert told["system"].startswith("350 characters #")
    assert "canary" not in told["answer_format"]
    with pytest.raises(SettingsChangedError) as caught:
        agreed(settings, {}, accepts_changes=False)
    for name in ("prompt", "system", "answer_format"):
        assert f"{name}: {told[name]} -> unset" in str(caught.value)
