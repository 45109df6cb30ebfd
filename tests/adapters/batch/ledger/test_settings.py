"""With which settings a batch goes on."""

from typing import Any

import pytest

from triollama_adapters.batch.errors import SettingsChangedError
from triollama_adapters.batch.ledger.settings import agreed


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
