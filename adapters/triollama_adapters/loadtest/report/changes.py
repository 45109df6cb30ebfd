"""What differs between two runs, as texts and in a sentence. No IO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from triollama_adapters.loadtest.measures.compare import Difference
from triollama_adapters.loadtest.report.definitions import name_figure
from triollama_adapters.loadtest.report.units import NOTHING, show_number, show_s, show_share
from triollama_adapters.loadtest.report.words import Tone

__all__ = ["describe_changes", "note_changes", "tell_change"]

NAMES_MOST: Final = 3
"""Figures that a sentence names; the table has all."""

CHANGE_TONES: Final[dict[str, Tone]] = {
    "better": "good",
    "worse": "bad",
    "same": "note",
    "undetermined": "doubt",
}

CHANGE_WORDS: Final = {"same": "no difference that matters"}
"""Of verdicts that are not said by their names."""


def describe_changes(differences: Sequence[Difference], what: str) -> str:
    """What is better and what is worse, in one sentence.

    Args:
        differences: all that were judged.
        what: is compared with what; the sentence begins with it.
    """
    better = [name_figure(each.figure) for each in differences if each.verdict == "better"]
    worse = [name_figure(each.figure) for each in differences if each.verdict == "worse"]
    if not differences:
        return f"{what}: side by side."
    if not better and not worse:
        if all(each.verdict == "same" for each in differences):
            return f"{what}: no difference that matters."
        return f"{what}: no difference that is more than noise."
    told = [
        f"{word} in {_some(names)}"
        for word, names in (("better", better), ("worse", worse))
        if names
    ]
    return f"{what}: {'; '.join(told)}."


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_MOST} more" if len(names) > NAMES_MOST else ""
    return ", ".join(names[:NAMES_MOST]) + more


def note_changes(differences: Sequence[Difference]) -> str:
    """How the verdicts are to be read."""
    figures = f"{len(differences)} figures were" if len(differences) != 1 else "1 figure was"
    return f"Intervals are of each figure alone; verdicts count in that {figures} looked at."


def tell_change(found: Difference) -> dict[str, Any]:
    """One figure of two runs, as texts; ``before`` is of the one side, ``after`` of the other."""
    show = {"s": show_s, "/s": lambda value: f"{show_number(value)}/s", "share": show_share}
    change = found.change
    is_share = found.unit == "share"

    def signed(value: float | None) -> str:
        if value is None:
            return NOTHING
        text = f"{100 * value:+.1f}"
        return f"{text} points" if is_share else f"{text} %"

    return {
        "figure": name_figure(found.figure),
        "before": show[found.unit](found.before),
        "after": show[found.unit](found.after),
        "change": signed(change.value),
        "ends": f"{signed(change.low)} to {signed(change.high)}",
        "bounds": [change.low, change.value, change.high],
        "verdict": CHANGE_WORDS.get(found.verdict, found.verdict),
        "tone": CHANGE_TONES[found.verdict],
        "why": found.why,
    }
