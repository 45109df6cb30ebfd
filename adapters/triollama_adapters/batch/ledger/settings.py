"""What a batch was begun with, and what it is to go on with. No IO."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from triollama_adapters.batch.errors import SettingChange, SettingsChangedError

__all__ = ["agreed", "changes", "plain", "shown"]

TOLD_MAX: Final = 80
"""Characters of a value that is shown; a longer one is likely to hold a prompt."""

LIMIT: Final = "limit"
"""The setting that says how many rows are asked at most."""

_HIDDEN: Final = frozenset({"prompt", "system"})
_OPEN: Final = frozenset({"input"})
"""A path, however long."""


def plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they are when they have been stored and read again."""
    value: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(dict(settings)))
    return value


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[SettingChange]:
    """What differs, by name."""
    names = sorted(old.keys() | new.keys())
    pairs = ((name, old.get(name), new.get(name)) for name in names)
    return [SettingChange(*each) for each in pairs if each[1] != each[2]]


def shown(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as people and other programs see them: texts by their length and a hash.

    Args:
        settings: as they are stored.
    """
    return {name: _shown(name, value) for name, value in settings.items()}


def agreed(
    old: dict[str, Any] | None, new: Mapping[str, Any] | None, *, accepts_changes: bool
) -> dict[str, Any] | None:
    """The settings that a batch goes on with. A higher limit of rows is no change to be accepted.

    Args:
        old: those it was begun with; None if they were lost.
        new: those it should have; None: the same.
        accepts_changes: whether they may differ.

    Raises:
        SettingsChangedError: they differ, and may not.
    """
    if new is None:
        return old
    wanted = plain(new)
    found = changes(old, wanted) if old is not None else []
    different = [each for each in found if not _is_growth(each)]
    if different and not accepts_changes:
        told = "; ".join(
            f"{each.name}: {_told(each.name, each.old)} -> {_told(each.name, each.new)}"
            for each in different
        )
        raise SettingsChangedError(
            f"the batch was begun with other settings ({told}); take those, or accept the new ones "
            "with --accept-changes, or begin another output",
            changes=different,
        )
    return wanted


def _is_growth(change: SettingChange) -> bool:
    """Whether only more rows are asked: a higher limit, or none any more, as of a longer input."""
    old, new = change.old, change.new
    return change.name == LIMIT and old is not None and (new is None or new > old)


def _told(name: str, value: Any) -> str:
    return "unset" if value is None else _text_of(_shown(name, value))


def _shown(name: str, value: Any) -> Any:
    """A value, or what is shown in its place."""
    text = _text_of(value)
    if name in _OPEN or (name not in _HIDDEN and len(text) <= TOLD_MAX):
        return value
    mark = hashlib.blake2b(text.encode(), digest_size=4).hexdigest()
    return f"{len(text):,} characters #{mark}"


def _text_of(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
