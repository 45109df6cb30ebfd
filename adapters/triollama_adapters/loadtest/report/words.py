"""What a run found, in sentences. No IO.

`describe` is the one sentence that somebody repeats to somebody else; what they have to know
besides is in `remarks`.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import attrs

from triollama_adapters.loadtest.plan import ClosedLoop, OpenLoop, Plan, Replay
from triollama_adapters.loadtest.report.definitions import METERS, TERMS
from triollama_adapters.loadtest.report.units import (
    show_count,
    show_duration,
    show_number,
    show_s,
    show_share,
)
from triollama_adapters.loadtest.result import ClientState, Result

__all__ = [
    "Remark",
    "Tone",
    "describe",
    "describe_client",
    "describe_limit",
    "describe_load",
    "describe_targets",
    "headline_percentile",
]

Tone: TypeAlias = Literal["good", "bad", "doubt", "note"]

WAITS: Final = ("slot_wait", "load", "engine_line", "start_delay", "transport", "overhead")
"""Terms in which nothing is computed; one of them can be the limit."""

LIMIT_SHARE: Final = 0.1
"""A wait that takes less than this share of the time is not what holds a deployment back."""

IDLE: Final = 0.25
BUSY: Final = 0.6
"""Shares of a core below which the client was idle, and above which it was busy."""


@attrs.frozen
class Remark:
    """A sentence, and how a reader should take it.

    Attributes:
        tone: ``good``, ``bad``, ``doubt`` for what cannot be told, ``note`` for the rest.
        text: the sentence.
    """

    tone: Tone
    text: str


def describe(result: Result) -> str:
    """The run in one sentence: the rate, a latency at it, the limit, and the client.

    ``Serves 14 requests/s at p95 TTFT 780 ms; the limit is slot wait; the client was idle.``
    """
    parts = [_served(result)]
    if result.counts.ok:
        parts.append(describe_limit(result))
    parts.append(describe_client(result.client))
    text = "; ".join(each for each in parts if each) + "."
    return text[0].upper() + text[1:]


def headline_percentile(result: Result, metric: str) -> tuple[str, float] | None:
    """The percentile to be named first: p95, or the median where that is withheld.

    Returns:
        Its name and value in seconds; None where neither is known.
    """
    found = result.metrics.get(metric)
    if found is None:
        return None
    for name in ("p95", "p90", "p50"):
        if (interval := found.percentiles.get(name)) is not None:
            return name, interval.value
    return ("mean", found.mean_s) if found.count else None


def _served(result: Result) -> str:
    counts = result.counts
    if not counts.scheduled:
        return "no request was due within the window"
    if not counts.ok and counts.censored and result.rates.completed > 0:
        text = f"serves {show_number(result.rates.completed)} requests/s of earlier ones"
        due = show_count(counts.scheduled, "request")
        return f"{text}, but none of {due} of the window was answered in time: measure for longer"
    if not counts.ok:
        return f"none of {show_count(counts.scheduled, 'request')} was answered"
    text = f"serves {show_number(result.rates.completed)} requests/s"
    for metric in ("ttft", "e2e"):
        if (found := headline_percentile(result, metric)) is not None:
            name, value = found
            return f"{text} at {name} {METERS[metric].short} {show_s(value)}"
    return text


def describe_limit(result: Result) -> str:
    """What holds the deployment back: the longest wait, or the computing that takes most time."""
    if result.client.validity == "INVALID":
        return "the limit is the load tester itself"
    ledger = result.ledger
    if ledger is None or not ledger.count or "decode" not in ledger.mean_s:
        return "the server tells no times, so the limit is not known"
    total = sum(ledger.mean_s.values())
    if total <= 0:
        return ""
    wait = max(WAITS, key=lambda term: ledger.mean_s.get(term, 0.0))
    if ledger.mean_s.get(wait, 0.0) >= LIMIT_SHARE * total:
        return f"the limit is {TERMS[wait].short}"
    work = max(("prefill", "decode"), key=lambda term: ledger.mean_s.get(term, 0.0))
    share = show_share(ledger.mean_s.get(work, 0.0) / total)
    return f"nothing waits long, {share} of the time is {TERMS[work].short}"


def describe_client(client: ClientState) -> str:
    """How the load tester itself was, in a clause."""
    if client.validity == "INVALID":
        return "the client could not keep up, so do not rely on this"
    if client.validity == "DEGRADED":
        return "the client was near its limit"
    if client.busiest < IDLE:
        return "the client was idle"
    return "the client was busy, but kept up" if client.busiest > BUSY else "the client had room"


def describe_load(plan: Plan) -> str:
    """The shape of the load: ``20/s, Poisson, for 60 s``, ``100 users for 60 s``."""
    shape, lasting = plan.shape, f"for {show_duration(plan.duration_s)}"
    match shape:
        case ClosedLoop(concurrency=users, think_s=think_s):
            pause = f", who pause for {show_s(think_s)}" if think_s else ""
            return f"{show_count(users, 'user')}{pause}, {lasting}"
        case OpenLoop(arrivals=arrivals, burstiness=burstiness):
            names = {
                "constant": "evenly spaced",
                "poisson": "Poisson",
                "gamma": f"gamma with a burstiness of {show_number(burstiness)}",
            }
            return f"{_rates(shape)}, {names[arrivals]}, {lasting}"
        case Replay(path=path, speed=speed):
            name = path.rsplit("/", 1)[-1]
            return f"the trace {name} at {show_number(speed)} times its speed, {lasting}"


def describe_targets(plan: Plan) -> str:
    """Whom it was for: ``llama3.2 on 2 endpoints``."""
    models = list(dict.fromkeys(each.model for each in plan.workload.scenarios))
    named = ", ".join(models[:3]) + (f" and {len(models) - 3} more" if len(models) > 3 else "")
    return f"{named} on {show_count(len(plan.target.endpoints), 'endpoint')}"


def _rates(shape: OpenLoop) -> str:
    ends = [rate for phase in shape.phases for rate in (phase.from_per_s, phase.to_per_s)]
    steps = [rate for n, rate in enumerate(ends) if n == 0 or rate != ends[n - 1]]
    if len(steps) <= 4:
        return " → ".join(f"{show_number(rate)}/s" for rate in steps)
    ends_of = f"{show_number(min(ends))}/s to {show_number(max(ends))}/s"
    return f"{ends_of} in {show_count(len(shape.phases), 'phase')}"
