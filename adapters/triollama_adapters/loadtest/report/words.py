"""What a run found, in sentences. No IO.

`describe` is the one sentence that somebody repeats to somebody else; `remark` is what they have to
know besides, the most important first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

import attrs

from triollama_adapters.loadtest.plan import ClosedLoop, OpenLoop, Plan, Replay
from triollama_adapters.loadtest.report.definitions import ERRORS, METERS, TERMS
from triollama_adapters.loadtest.report.units import (
    show_count,
    show_duration,
    show_interval,
    show_number,
    show_s,
    show_share,
)
from triollama_adapters.loadtest.result import ClientState, Judged, LedgerFound, Result

__all__ = [
    "Remark",
    "Tone",
    "describe",
    "describe_client",
    "describe_limit",
    "describe_load",
    "describe_targets",
    "headline_percentile",
    "remark",
]

Tone: TypeAlias = Literal["good", "bad", "doubt", "note"]

WAITS: Final = ("slot_wait", "load", "engine_line", "start_delay", "transport", "overhead")
"""Terms in which nothing is computed; one of them can be the limit."""

LIMIT_SHARE: Final = 0.1
"""A wait that takes less than this share of the time is not what holds a deployment back."""

IDLE: Final = 0.25
BUSY: Final = 0.6
"""Shares of a core below which the client was idle, and above which it was busy."""

KEPT_UP: Final = 0.95
"""An open loop of which less than this share is completed in its time offers too much."""

BEHIND_MIN: Final = 3
"""Requests that may be missing by chance, however few there are."""


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


def remark(result: Result) -> tuple[Remark, ...]:
    """What a reader has to know besides: trust first, then objectives, load, errors, the ledger."""
    return (
        *_on_client(result),
        *_on_objectives(result),
        *_on_load(result),
        *_on_errors(result),
        *_on_ledger(result.ledger),
        *_on_end(result),
    )


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
    return f"{show_number(min(ends))}/s to {show_number(max(ends))}/s in {len(shape.phases)} phases"


def _on_client(result: Result) -> Iterator[Remark]:
    client = result.client
    bound = f"no time is wrong by more than {show_s(client.timing_error_s)} (p99)"
    match client.validity:
        case "VALID":
            yield Remark("good", f"The client was not the bottleneck: {bound}.")
        case "DEGRADED":
            why = "; ".join(client.reasons)
            yield Remark("doubt", f"The client was near its limit: {why}. Still, {bound}.")
        case "INVALID":
            why = "; ".join(client.reasons)
            text = f"The client was the bottleneck: {why}. Use more processes or a lower rate."
            yield Remark("bad", text)


def _on_objectives(result: Result) -> Iterator[Remark]:
    if result.attained is None:
        return
    tones: dict[str, Tone] = {"met": "good", "missed": "bad", "undetermined": "doubt"}
    for each in result.attained.judged:
        yield Remark(tones[each.met], f"{each.objective} is {_judged(each)}.")
    share, ends = result.attained.share, show_interval(result.attained.share, is_share=True)
    text = f"{show_share(share.value)} of all requests met every objective"
    goodput = f"goodput is {show_number(result.rates.goodput)}/s"
    yield Remark("note", f"{text}{f' ({ends})' if ends else ''}; {goodput}.")


def _judged(judged: Judged) -> str:
    if judged.value is None or judged.met == "undetermined":
        return f"{judged.met}: {judged.why}"
    is_share = judged.objective.startswith("errors")
    value = (show_share if is_share else show_s)(judged.value.value)
    ends = show_interval(judged.value, is_share=is_share)
    return f"{judged.met}: {value}{f' ({ends})' if ends else ''}"


def _on_load(result: Result) -> Iterator[Remark]:
    rates = result.rates
    if isinstance(result.plan.shape, ClosedLoop) or not rates.offered:
        return
    if rates.completed < KEPT_UP * rates.offered and _stays_behind(result):
        offered, done = show_number(rates.offered), show_number(rates.completed)
        text = f"{offered} requests/s were due and {done} were answered"
        yield Remark("bad", f"More load than was served: {text}, so latencies grow with the run.")


def _stays_behind(result: Result) -> bool:
    """Whether more requests are missing than those that are on their way in any case.

    By Little's law these are the rate times the time of an answer; the least is that of a server
    that has no queue. What failed is not missing, and arrivals vary by the root of their number.
    """
    found = result.metrics.get("e2e")
    if found is None or not found.count:
        return True
    due = result.rates.offered * result.window_s
    failed = sum(result.counts.errors.values())
    missing = due - failed - result.rates.completed * result.window_s
    under_way = BEHIND_MIN + 2 * result.rates.offered * found.least_s
    return missing > max(under_way, 2 * math.sqrt(due))


def _on_errors(result: Result) -> Iterator[Remark]:
    counts = result.counts
    if not counts.errors:
        if counts.ok:
            yield Remark("good", "No request failed.")
        return
    failed = sum(counts.errors.values())
    kinds = sorted(counts.errors.items(), key=lambda item: -item[1])
    told = ", ".join(f"{ERRORS.get(kind, kind)} ({count:,})" for kind, count in kinds[:3])
    more = f" and {len(kinds) - 3} more kinds" if len(kinds) > 3 else ""
    share = show_share(failed / max(1, counts.scheduled))
    yield Remark("bad", f"{show_count(failed, 'request')} failed ({share}): {told}{more}.")


def _on_ledger(ledger: LedgerFound | None) -> Iterator[Remark]:
    if ledger is None or not ledger.count:
        return
    total = sum(ledger.mean_s.values())
    if total > 0:
        largest = sorted(ledger.mean_s.items(), key=lambda item: -item[1])[:3]
        told = ", ".join(
            f"{TERMS[term].short} {show_share(value / total)}" for term, value in largest if value
        )
        yield Remark("note", f"Of {show_s(total)} that an answer took in the mean: {told}.")
    if "decode" not in ledger.mean_s:  # it has the client's terms only
        if ledger.note:
            yield Remark("note", ledger.note)
        return
    if not ledger.is_trusted:
        share = show_share(ledger.disagreeing)
        text = f"The server's timings are not to be trusted: for {share} of the answers"
        yield Remark("doubt", f"{text} a second estimate of the wait for a slot disagreed.")
    if not ledger.is_calibrated:
        yield Remark(
            "doubt", "The overhead was not measured alone, so slot wait may hold some of it."
        )
    if ledger.cold:
        reloads = f", {ledger.reloads:,} of them though it was loaded" if ledger.reloads else ""
        yield Remark(
            "note", f"{show_count(ledger.cold, 'request')} waited for the model to load{reloads}."
        )
    if ledger.note:
        yield Remark("note", ledger.note)


def _on_end(result: Result) -> Iterator[Remark]:
    counts = result.counts
    if counts.censored:
        cut = show_count(counts.censored, "request")
        when = "the run was stopped" if result.is_stopped else "the drain did"
        text = f"{cut} had not ended when {when}"
        yield Remark("doubt", f"{text}: percentiles are without them, and better for it.")
    if result.is_stopped:
        lasted = show_duration(result.window_s)
        yield Remark("doubt", f"The run was stopped early: the window has {lasted}.")
