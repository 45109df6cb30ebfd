"""How many requests a server works on at once, from one burst. Pure.

All requests of a burst are sent at the same moment, more of them than there are slots. Those that
get a slot at once have a residual, ``total - load - prefill - decode``, of ``R0``; all others wait
for somebody's end, which is one time of service away at least. So a line drawn half a time of
service above ``R0`` parts them, whatever the server's speed.

The second count needs no times of the server: whose answer began before the first one ended had a
slot of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.search.found import SlotsFound
from triollama_adapters.loadtest.units import show_count

__all__ = ["BURST_FIRST", "BURST_TIMES", "count_slots", "is_brief", "residual_ns"]

BURST_FIRST = 12
"""Requests of the first burst: enough for the usual 1, 2, 4 and 8 slots, and over soon where there
is one slot and each has to wait for all before it."""

BURST_TIMES = 4
"""The next burst is so many times as large, if nobody had to wait."""

BRIEF_NS = 20_000_000
"""Answers that take less to write end within what the way and two event loops may differ by: when
they began tells nothing of slots then."""


def is_brief(samples: Sequence[Sample]) -> bool:
    """Whether some answer is over too soon to tell, and the server tells no times either.

    Args:
        samples: of a burst.
    """
    answered = [each for each in samples if each.outcome == "ok" and each.done_ns and each.first_ns]
    if not answered or all(each.is_timed for each in answered):
        return False
    return min(each.done_ns - each.first_ns for each in answered) < BRIEF_NS


def residual_ns(sample: Sample) -> int:
    """What the server's total does not account for: the wait for a slot, and ``R0``."""
    return sample.total_ns - sample.load_ns - sample.prefill_ns - sample.decode_ns


def count_slots(samples: Sequence[Sample], overhead_ns: float | None) -> SlotsFound:
    """Count the slots.

    Args:
        samples: all requests of a burst, sent at the same moment to a loaded model.
        overhead_ns: ``R0``; None if the server does not tell its times.
    """
    burst = len(samples)
    answered = [each for each in samples if each.outcome == "ok" and each.done_ns and each.first_ns]
    if not answered:
        return SlotsFound(
            slots=None,
            is_exact=False,
            burst=burst,
            by_residual=None,
            by_streams=0,
            note="no request of the burst was answered",
        )
    end_ns = min(each.done_ns for each in answered)
    early = [each for each in answered if each.sent_ns < end_ns]
    by_streams = sum([each.first_ns < end_ns for each in early])
    by_residual = None
    if overhead_ns is not None and all(each.is_timed for each in answered):
        by_residual = _by_residual(early, overhead_ns)
    slots = by_streams if by_residual is None else by_residual
    slots = max(slots, 1)
    notes = []
    if failed := burst - len(answered):
        notes.append(f"{failed} of {show_count(burst, 'request')} of the burst failed")
    if late := len(answered) - len(early):
        notes.append(f"{late} were sent when others had ended already; take longer answers")
    if by_residual is not None and by_residual != by_streams:
        notes.append(f"by when the answers began there are {by_streams}")
    if is_too_brief := is_brief(answered):
        notes.append("its answers are over too soon to tell, and it tells no times")
    is_exact = slots < len(early) and not late and not is_too_brief
    return SlotsFound(slots, is_exact, burst, by_residual, by_streams, "; ".join(notes))


def _by_residual(samples: Sequence[Sample], overhead_ns: float) -> int:
    """How many did not wait."""
    service_ns = min(each.prefill_ns + each.decode_ns for each in samples)
    return sum([residual_ns(each) - overhead_ns < service_ns / 2 for each in samples])
