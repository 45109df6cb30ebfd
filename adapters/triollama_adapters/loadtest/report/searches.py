"""What a search or a comparison found, in sentences; and its runs, each with a label. No IO."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import attrs

from triollama_adapters.loadtest.measures.compare import Difference, compare
from triollama_adapters.loadtest.report.changes import describe_changes
from triollama_adapters.loadtest.report.discovered import describe_discovered
from triollama_adapters.loadtest.report.units import (
    show_count,
    show_number,
    show_s,
)
from triollama_adapters.loadtest.report.words import Remark, Tone, headline_percentile
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.search.found import (
    AbFound,
    Capacity,
    Discovered,
    PoliciesFound,
    Sweep,
)

__all__ = [
    "Found",
    "Run",
    "describe_search",
    "differences_of",
    "remark_search",
    "runs_of",
    "sides_of",
]

Found: TypeAlias = Sweep | Capacity | AbFound | PoliciesFound | Discovered
"""What a search can give."""

MET_TONES: Final[dict[str, Tone]] = {"met": "good", "missed": "bad", "undetermined": "doubt"}

BEYOND: Final = {
    "above": "The capacity is higher than the highest rate that could be judged.",
    "below": "The capacity is lower than the lowest rate that was tried.",
}
"""Answers of a search that are an end of its range; the sentence says which end."""


@attrs.frozen
class Run:
    """One run among several.

    Attributes:
        label: what tells it from the others: ``16 users``, ``20/s``.
        result: the run.
        tone: of its row.
        verdict: in words; empty for none.
        is_knee: whether the curve bends here.
    """

    label: str
    result: Result
    tone: Tone = "note"
    verdict: str = ""
    is_knee: bool = False


def runs_of(results: Sequence[Result], search: Found | None) -> list[Run]:
    """The runs of a report, each with a label: those of the search, or by themselves."""
    match search:
        case Sweep():
            return [_of_sweep(search, n) for n in range(len(search.results))]
        case Capacity():
            return [
                Run(
                    f"{show_number(step.rate)}{_unit(search)}",
                    step.result,
                    MET_TONES[step.met] if step.is_valid else "doubt",
                    f"{step.met}: {step.why}",
                )
                for step in search.steps
            ]
        case AbFound(a=a, b=b):
            return [Run(_side("A", a), a), Run(_side("B", b), b)]
        case PoliciesFound(names=names, results=found):
            return [Run(name, result) for name, result in zip(names, found, strict=True)]
        case Discovered() | None:
            return [Run(name, each) for name, each in zip(_names(results), results, strict=True)]


def sides_of(runs: Sequence[Run]) -> tuple[str, str]:
    """The names of the two runs that a comparison is of."""
    return runs[0].label, runs[1].label


def _side(letter: str, result: Result) -> str:
    return letter if result.name in {"", letter} else f"{letter}: {result.name}"


def _names(results: Sequence[Result]) -> list[str]:
    """What tells the runs apart; those of the same name, and of none, get their number."""
    names = [each.name or "run" for each in results]
    if len(names) == 1:
        return names
    return [
        name if names.count(name) == 1 and results[n].name else f"{name} {n + 1}"
        for n, name in enumerate(names)
    ]


def _of_sweep(sweep: Sweep, n: int) -> Run:
    value = sweep.values[n]
    users = sweep.kind == "concurrency"
    is_knee = sweep.knee is not None and sweep.knee.index == n
    words = "more came than could be answered" if sweep.saturated[n] else ""
    return Run(
        show_count(int(value), "user") if users else f"{show_number(value)}/s",
        sweep.results[n],
        "bad" if sweep.saturated[n] else "good" if is_knee else "note",
        "knee" if is_knee else words,
        is_knee=is_knee,
    )


def _unit(search: Capacity) -> str:
    return "/s" if search.unit == "sessions/s" else " times the speed"


def differences_of(
    results: Sequence[Result], search: Found | None, given: Sequence[Difference] | None = None
) -> tuple[Difference, ...]:
    """What differs, for a report: as given; as A/B found it; of two runs, or of two policies."""
    if given is not None:
        return tuple(given)
    if isinstance(search, AbFound):
        return search.differences
    if isinstance(search, PoliciesFound):
        results = search.results
    elif search is not None:
        return ()
    return compare(*results) if len(results) == 2 else ()


def describe_search(
    results: Sequence[Result],
    search: Found | None,
    differences: Sequence[Difference] = (),
) -> str:
    """What was found, in one sentence; empty for a single run, which speaks for itself."""
    match search:
        case Sweep():
            text = _sweep_sentence(search)
        case Capacity():
            text = _capacity_sentence(search)
        case AbFound(pairs=pairs):
            text = describe_changes(differences, f"B against A in {show_count(len(pairs), 'pair')}")
        case PoliciesFound(names=(first, second)) if differences:
            text = describe_changes(differences, f"{second} against {first}")
        case PoliciesFound():
            text = _best_policy(search)
        case Discovered():
            text = describe_discovered(search)
        case None if len(results) == 2:
            first, second = _names(results)
            text = describe_changes(differences, f"From {first} to {second}")
        case None:
            text = f"{len(results)} runs side by side." if len(results) > 1 else ""
    return text


def _sweep_sentence(sweep: Sweep) -> str:
    best = max(sweep.throughput, default=0.0)
    text = f"At most {show_number(best)} requests/s"
    if sweep.knee is None:
        return f"{text} in {show_count(len(sweep.values), 'run')}; too few to tell where it bends."
    at = runs_of((), sweep)[sweep.knee.index]
    rate = show_number(sweep.throughput[sweep.knee.index])
    found = headline_percentile(at.result, "ttft") or headline_percentile(at.result, "e2e")
    cost = f" at {found[0]} TTFT {show_s(found[1])}" if found else ""
    beyond = ", the last point, so it may bend beyond" if sweep.knee.is_at_end else ""
    return f"{text}; the curve bends at {at.label}: {rate} requests/s{cost}{beyond}."


def _capacity_sentence(search: Capacity) -> str:
    if search.state == "found" and search.rate is not None:
        beyond = ""
        if search.high:
            which = "it" if len(search.objectives) == 1 else "one of them"
            beyond = f"; {show_number(search.high)}{_unit(search)} missed {which}"
        rate = f"{show_number(search.rate)} {search.unit}"
        return f"Serves {rate} with {' and '.join(search.objectives)}{beyond}."
    if search.state == "undetermined" and search.low and search.high:
        between = f"{show_number(search.low)} and {show_number(search.high)} {search.unit}"
        return f"Between {between} with {' and '.join(search.objectives)}; no closer for certain."
    return search.why[:1].upper() + search.why[1:].rstrip(".") + "."


ALIKE: Final = 0.05
"""Nobody would choose a policy for so small a share of its TTFT, and it may be noise."""


def _best_policy(found: PoliciesFound) -> str:
    known = [
        (percentile[1], name)
        for name, result in zip(found.names, found.results, strict=True)
        if (percentile := headline_percentile(result, "ttft")) is not None
    ]
    if not known:
        return "No request was answered."
    best, name = min(known)
    worst, _ = max(known)
    if worst <= best * (1 + ALIKE):
        return f"All have about the same TTFT: {show_s(best)} to {show_s(worst)}."
    return f"The lowest TTFT has {name}: {show_s(best)}; the highest is {show_s(worst)}."


def remark_search(search: Found | None) -> tuple[Remark, ...]:
    """What a reader has to know besides."""
    return tuple(_remarks(search))


def _remarks(search: Found | None) -> Iterator[Remark]:
    match search:
        case Capacity():
            if search.state != "found":
                yield Remark("doubt", BEYOND.get(search.state, f"Undetermined: {search.why}"))
            elif search.why:
                yield Remark("good", search.why)
            yield Remark("note", search.rule)
        case Sweep():
            if search.knee is not None:
                yield Remark("note", f"Knee: {search.knee.rule}")
            if search.stopped:
                yield Remark("doubt", search.stopped)
        case AbFound(is_stopped=True):
            yield Remark("doubt", "It was stopped before all pairs were run.")
        case _:
            return
