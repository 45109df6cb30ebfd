"""Why an objective is met or missed, in words that stand by themselves. No IO."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from triollama_adapters.histogram import needed_for
from triollama_adapters.loadtest.measures.objectives import Limit
from triollama_adapters.loadtest.result import Interval, Met
from triollama_adapters.loadtest.units import show_count, show_number, show_s

__all__ = ["why", "why_not"]

_OF: Final = {"tpot": "answer", "icl": "time between chunks"}
_PLURALS: Final = {"icl": "times between chunks"}
_HAD: Final = {"ttft": "a first token", "ttfo": "a first visible token", "e2e": "an end"}
"""What a request has that has a duration."""


def why(limit: Limit, shown: Interval | None, met: Met) -> str:
    """What was measured, of how many, the limit; and what a reader has to know besides.

    Args:
        limit: has counted at least one.
        shown: the percentile; None if it is one of those that never had it.
        met: the verdict.
    """
    parts = [_measured(limit, shown)]
    if limit.late and shown is not None:
        parts.append(f"{limit.late:,} never had {_HAD[limit.objective.metric]} and count as late")
    if met == "undetermined" and limit.objective.metric == "icl" and _has_no_top(shown):
        assert limit.objective.share is not None
        parts.append(f"{needed_for(limit.objective.share):,} answers are needed to be sure")
        return "; ".join([*parts, *_unknown(limit)])
    return "; ".join([*parts, *_besides(limit, met)])


def _has_no_top(shown: Interval | None) -> bool:
    return shown is not None and shown.high is None


def why_not(limit: Limit) -> str:
    """The same where nothing was measured."""
    return "; ".join(["nothing to measure it by", *_unknown(limit)])


def _measured(limit: Limit, shown: Interval | None) -> str:
    objective, of = limit.objective, _counted(limit)
    assert objective.share is not None
    name, most = f"p{show_number(100 * objective.share)}", show_s(objective.limit)
    if shown is None:
        had = f"{limit.late:,} of {of} never had {_HAD[objective.metric]}"
        return f"{had}, so that {name} has no value; the limit is {most}"
    return f"{name} of {of} is {show_s(shown.value)}{_interval(shown)}, and the limit is {most}"


def _interval(shown: Interval) -> str:
    if shown.high is None:
        return "" if shown.low is None else f" ({show_s(shown.low)} or more)"
    if shown.low is None:
        return f" ({show_s(shown.high)} or less)"
    return f" ({show_s(shown.low)} to {show_s(shown.high)})"


def _counted(limit: Limit) -> str:
    count, metric = limit.kept + limit.broken + limit.late, limit.objective.metric
    if count != 1 and metric in _PLURALS:
        return f"{count:,} {_PLURALS[metric]}"
    return show_count(count, _OF.get(metric, "request"))


def _besides(limit: Limit, met: Met) -> Iterator[str]:
    objective = limit.objective
    assert objective.share is not None
    if met == "undetermined":
        count, needed = limit.kept + limit.broken + limit.late, needed_for(objective.share)
        if count < needed:
            yield f"{needed:,} are needed to be sure"
        elif not limit.cut:
            yield "the limit is within the interval"
    yield from _unknown(limit)


def _unknown(limit: Limit) -> Iterator[str]:
    if limit.cut:
        yield f"{limit.cut:,} were cut off before they were late, and may have been either"
    if limit.left:
        yield f"{limit.left:,} were left by their users before they were late, and do not count"
