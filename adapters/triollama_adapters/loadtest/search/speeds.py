"""Speeds, overhead and loads, from requests that were alone on a server. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

import attrs

from triollama_adapters.loadtest.result import Interval
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.search.found import Speeds
from triollama_adapters.loadtest.search.slots import residual_ns

__all__ = [
    "Alone",
    "alone_of",
    "decode_per_s",
    "is_cached",
    "is_reload",
    "load_limit_ns",
    "speeds_of",
]

CACHED_BELOW = 0.5
"""A prompt that was read in less than this share of the time was known to the cache."""

RELOAD_NS = 100_000_000
"""A load takes at least this long beyond what a loaded model tells (see ``metrics.md``)."""

_NS = 1e9


@attrs.frozen
class Alone:
    """What a short request takes when it is alone and the model is loaded.

    Attributes:
        is_timed: whether the server tells its times.
        overhead_ns: median residual, ``R0``, with the least and the greatest: of 6 values those
            are the 96.9 % interval of the median. None if not timed. So are the next two.
        transport_ns: median time beyond the server's total.
        load_ns: the greatest load time.
        ttft_ns: median TTFT; None if nothing was answered.
    """

    is_timed: bool
    overhead_ns: Interval | None
    transport_ns: float | None
    load_ns: int | None
    ttft_ns: float | None


def alone_of(samples: Sequence[Sample]) -> Alone:
    """Sum up requests that were asked one after the other; those that failed are left out."""
    answered = [each for each in samples if each.outcome == "ok"]
    ttft = [each.first_ns - each.sent_ns for each in answered if each.first_ns]
    ttft_ns = median(ttft) if ttft else None
    if not answered or not all(each.is_timed for each in answered):
        return Alone(
            is_timed=False, overhead_ns=None, transport_ns=None, load_ns=None, ttft_ns=ttft_ns
        )
    residuals = [residual_ns(each) for each in answered]
    return Alone(
        is_timed=True,
        overhead_ns=Interval(median(residuals), min(residuals), max(residuals)),
        transport_ns=median([each.done_ns - each.sent_ns - each.total_ns for each in answered]),
        load_ns=max(each.load_ns for each in answered),
        ttft_ns=ttft_ns,
    )


def speeds_of(samples: Sequence[Sample], tokens: Sequence[int] = ()) -> Speeds:
    """Median speeds of reading and writing, by the server's own times.

    Without those, writing is told by the chunks, and reading not at all.

    Args:
        samples: requests that were alone.
        tokens: of each one's prompt, where a server leaves out those that its cache knew.
    """
    answered = [
        (each, max(each.prompt_tokens, known))
        for each, known in zip(samples, tokens or [0] * len(samples), strict=True)
        if each.outcome == "ok"
    ]
    prefill = [
        count * _NS / each.prefill_ns for each, count in answered if each.prefill_ns and count
    ]
    return Speeds(
        prefill_tokens_per_s=median(prefill) if prefill else None,
        decode_tokens_per_s=decode_per_s([each for each, _ in answered]),
        prompt_tokens=round(median([count for _, count in answered])) if answered else 0,
        output_tokens=round(median([e.output_tokens for e, _ in answered])) if answered else 0,
        requests=len(answered),
    )


def decode_per_s(samples: Iterable[Sample]) -> float | None:
    """Median of the tokens per second of one request; None if none tells."""
    speeds = [speed for each in samples if (speed := _decode_per_s(each)) is not None]
    return median(speeds) if speeds else None


def _decode_per_s(sample: Sample) -> float | None:
    if sample.outcome != "ok" or not sample.output_tokens:
        return None
    if sample.decode_ns:
        return sample.output_tokens * _NS / sample.decode_ns
    tokens, taken_ns = sample.output_tokens - sample.first_tokens, sample.last_ns - sample.first_ns
    return tokens * _NS / taken_ns if tokens > 0 and taken_ns > 0 else None


def is_cached(uncached: Sequence[Sample], cached: Sequence[Sample]) -> bool | None:
    """Whether a known prompt is read faster; None if the server does not tell."""
    new = [each.prefill_ns for each in uncached if each.outcome == "ok" and each.is_timed]
    known = [each.prefill_ns for each in cached if each.outcome == "ok" and each.is_timed]
    if not new or not known or not any(new):
        return None
    return median(known) < CACHED_BELOW * median(new)


def load_limit_ns(alone: Alone, cold: Sample | None) -> float:
    """From which time on a request has waited for a load.

    By `RELOAD_NS` above what a loaded model tells, or by half of what a load takes beyond it where
    that is known and less. Without the server's times it is TTFT that is held against this.

    Args:
        alone: with the model loaded.
        cold: a request whose model was not; None if that is not known.
    """
    warm_ns = (alone.load_ns if alone.is_timed else alone.ttft_ns) or 0
    if cold is None or cold.outcome != "ok":
        return warm_ns + RELOAD_NS
    beyond_ns = _load_or_ttft_ns(cold, alone) - warm_ns
    return warm_ns + min(RELOAD_NS, max(beyond_ns, 0) / 2 or RELOAD_NS)


def is_reload(sample: Sample, alone: Alone, limit_ns: float) -> bool | None:
    """Whether a request waited for a load; None if it failed."""
    return _load_or_ttft_ns(sample, alone) > limit_ns if sample.outcome == "ok" else None


def _load_or_ttft_ns(sample: Sample, alone: Alone) -> int:
    return sample.load_ns if alone.is_timed else sample.first_ns - sample.sent_ns
