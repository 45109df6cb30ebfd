"""What a reader has to know besides the one sentence, the most important first. No IO."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from triollama_adapters.loadtest.plan import ClosedLoop
from triollama_adapters.loadtest.report.definitions import ERRORS, TERMS
from triollama_adapters.loadtest.report.units import (
    show_count,
    show_duration,
    show_interval,
    show_number,
    show_s,
    show_share,
)
from triollama_adapters.loadtest.report.words import Remark, Tone
from triollama_adapters.loadtest.result import Judged, LedgerFound, Result

__all__ = ["remark"]

KEPT_UP: Final = 0.95
"""An open loop of which less than this share is completed in its time offers too much."""

BEHIND_MIN: Final = 3
"""Requests that may be missing by chance, however few there are."""


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
    more = f" and {show_count(len(kinds) - 3, 'more kind')}" if len(kinds) > 3 else ""
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
        them = "it" if counts.censored == 1 else "them"
        yield Remark("doubt", f"{text}: percentiles are without {them}, and better for it.")
    if result.is_stopped:
        lasted = show_duration(result.window_s)
        yield Remark("doubt", f"The run was stopped early: the window has {lasted}.")
