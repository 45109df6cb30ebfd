"""How a load test ends: its exit code, and the one line that says why it is not 0. No IO."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from triollama_adapters.cli._failures import (
    EXIT_ABORTED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_SOME_FAILED,
    EXIT_UNREACHABLE,
)
from triollama_adapters.loadtest.plan import OpenLoop
from triollama_adapters.loadtest.result import Counts, Result

__all__ = ["STOPPED", "ending_of", "foretold", "rates_of"]

STOPPED: Final = EXIT_INTERRUPTED, "interrupted: the figures are of what was measured so far"
"""How a command ends that was stopped after it had begun to measure."""

AWAY: Final = frozenset({"connect", "tls", "lost"})
"""Outcomes of requests to a server that is not there any more."""

FLOOR_MARGIN: Final = 0.8
"""Of what this client does against a server that does nothing: above that it is no longer sure to
keep up, because a real answer has more chunks."""


def ending_of(result: Result) -> tuple[int, str]:
    """The exit code of a run, and what to say of it; nothing if all is well.

    Who was not measured right is told before what was measured.
    """
    if result.is_stopped:
        return STOPPED
    if result.client.validity == "INVALID":
        why = "; ".join(result.client.reasons)
        return EXIT_ABORTED, f"INVALID: this client was the bottleneck, not the server: {why}"
    if unanswered := _unanswered(result.counts):
        return unanswered
    judged = result.attained.judged if result.attained else ()
    unmet = [each for each in judged if each.met != "met"]
    if unmet:
        return EXIT_SOME_FAILED, "; ".join(
            f"objective {each.met}: {each.objective}: {each.why}" for each in unmet
        )
    return EXIT_OK, ""


def _unanswered(counts: Counts) -> tuple[int, str] | None:
    """How a run ends that has no answer to tell of; None if it has, or if its users left."""
    if not counts.scheduled:
        return EXIT_SOME_FAILED, "no request was due within the window; give a longer --duration"
    if counts.ok:
        return None
    if counts.errors:
        code = EXIT_UNREACHABLE if counts.errors.keys() <= AWAY else EXIT_SOME_FAILED
        return code, f"no request was answered: {_errors(counts)}"
    if counts.censored:
        return EXIT_SOME_FAILED, (
            "no request that was due within the window was answered before the drain ended; give a "
            "longer --duration, or a longer --drain"
        )
    return None


def foretold(rates_per_s: Sequence[float], floor_per_s: float | None) -> str:
    """A warning before the run that this client cannot offer a rate; empty if it can.

    Args:
        rates_per_s: sessions per second that the plan has, of all phases.
        floor_per_s: what this client does against a server that does nothing.
    """
    most = max(rates_per_s, default=0.0)
    if floor_per_s is None or most <= FLOOR_MARGIN * floor_per_s:
        return ""
    return (
        f"{most:,.0f} requests/s are more than this client can be sure to offer: against a server "
        f"that does nothing it does {floor_per_s:,.0f}/s; lower the rate, or share it among more "
        "processes (--processes) or machines (--ray)"
    )


def rates_of(shape: object) -> list[float]:
    """The rates that an open loop has; none for other shapes."""
    if not isinstance(shape, OpenLoop):
        return []
    return [rate for each in shape.phases for rate in (each.from_per_s, each.to_per_s)]


def _errors(counts: Counts) -> str:
    """The classes, with something of what was said."""
    told = []
    for kind, count in sorted(counts.errors.items(), key=lambda each: -each[1]):
        details = counts.details.get(kind, {})
        said = f" ({max(details, key=lambda text: details[text])})" if details else ""
        told.append(f"{count:,} {kind}{said}")
    return ", ".join(told)
