"""Is what a load test says true? Its figures beside those of the server's own log. Pure.

The log (`triollama_adapters.simulator.truth`) has when a request was read and when the write of
each event returned, on the clock that the client has as well. From these come the true figures, by
the definitions of the load test, but on the server's side of the socket: what lies between, the way
and the client's own lag, is the error that is looked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import attrs

from triollama_adapters.loadtest.result import Distribution, LedgerFound
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.simulator.truth import Truth

NS = 1_000_000_000

LIMIT_S, LIMIT_SHARE = 0.001, 0.01
"""A percentile is right within either."""

LEDGER_SHARE, LEDGER_FLOOR_S = 0.02, 0.0005
"""A term is right within the share; one that is next to nothing, within the floor. The way through
loopback and two event loops is worth half a millisecond, which the server cannot know of."""

METRICS = ("ttft", "ttft_service", "icl", "tpot", "e2e", "e2e_service")
"""What is compared, see `triollama_adapters.loadtest.result.METRICS`."""

TERMS = ("load", "slot_wait", "prefill", "decode")
"""Of the ledger, what a server knows."""


@attrs.frozen
class Pair:
    """One request: as it was seen, and as it was."""

    sample: Sample
    truth: Truth


@attrs.frozen
class Deviation:
    """One figure beside the truth.

    Attributes:
        name: Which, such as ``ttft p99``.
        told_s: What the load test says, in seconds.
        true_s: What it was.
        limit_s: How wrong it may be.
    """

    name: str
    told_s: float
    true_s: float
    limit_s: float

    @property
    def error_s(self) -> float:
        """By how much it is wrong; negative if too little was said."""
        return self.told_s - self.true_s

    @property
    def limits(self) -> float:
        """The error in limits: at most 1 is right."""
        return abs(self.error_s) / self.limit_s

    def __str__(self) -> str:
        told, true = self.told_s * 1e3, self.true_s * 1e3
        return f"{self.name}: {told:.3f} ms, truly {true:.3f} ms ({self.limits:.2f} limits)"


def pair(
    samples: Iterable[Sample], truths: Iterable[Truth], prompts: Mapping[int, int]
) -> list[Pair]:
    """Find the truth of each sample that was answered.

    Args:
        samples: Requests of one turn each.
        truths: Of all servers; those of other requests are left out.
        prompts: For each session the CRC-32 of its prompt; no two are the same.
    """
    by_prompt = {truth.prompt: truth for truth in truths if truth.sends}
    return [
        Pair(sample, by_prompt[prompts[sample.session]])
        for sample in samples
        if sample.outcome == "ok" and prompts.get(sample.session) in by_prompt
    ]


def beginning_ns(pairs: Sequence[Pair]) -> int:
    """When the run began, on the log's clock: at the latest time that no request belies."""
    return min(each.truth.arrived_ns - each.sample.sent_ns for each in pairs)


def event_values(truths: Iterable[Truth]) -> dict[str, list[int]]:
    """The durations that the events of each request have, in nanoseconds and sorted.

    ``ttft`` and ``e2e`` are from the arrival on, as service times are.
    """
    found: dict[str, list[int]] = {"ttft": [], "icl": [], "tpot": [], "e2e": []}
    for truth in truths:
        *content_ns, done_ns = truth.event_times_ns
        if content_ns:
            found["ttft"].append(content_ns[0] - truth.arrived_ns)
            found["icl"] += [later - before for before, later in pairwise(content_ns)]
        if len(content_ns) > 1 and truth.tokens > 1:
            found["tpot"].append((content_ns[-1] - content_ns[0]) // (truth.tokens - 1))
        found["e2e"].append(done_ns - truth.arrived_ns)
    return {name: sorted(values) for name, values in found.items()}


def true_values(pairs: Sequence[Pair]) -> dict[str, list[int]]:
    """The true durations of `METRICS`, in nanoseconds and sorted."""
    found = event_values(each.truth for each in pairs)
    found["ttft_service"], found["e2e_service"] = found["ttft"], found["e2e"]
    began_ns = beginning_ns(pairs)
    found["ttft"], found["e2e"] = [], []
    for each in pairs:
        times_ns = each.truth.event_times_ns
        due_ns = began_ns + each.sample.scheduled_ns
        found["e2e"].append(times_ns[-1] - due_ns)
        if len(times_ns) > 1:
            found["ttft"].append(times_ns[0] - due_ns)
    found["ttft"].sort()
    found["e2e"].sort()
    return found


def true_terms(pairs: Sequence[Pair]) -> dict[str, float]:
    """The true means of `TERMS`, in seconds."""
    sums = dict.fromkeys(TERMS, 0)
    for truth in (each.truth for each in pairs):
        sums["load"] += truth.loaded_ns - truth.arrived_ns
        sums["slot_wait"] += truth.slot_ns - truth.loaded_ns
        sums["prefill"] += truth.read_ns - truth.slot_ns
        sums["decode"] += truth.written_ns - truth.read_ns
    return {name: total / len(pairs) / NS for name, total in sums.items()}


def nearest_rank(values: Sequence[int], share: float) -> int:
    """The percentile of sorted values, at least one."""
    return values[max(1, math.ceil(share * len(values) - 1e-9)) - 1]


def deviations(metrics: Mapping[str, Distribution], pairs: Sequence[Pair]) -> list[Deviation]:
    """Every percentile that the load test gives, beside the truth."""
    found = []
    for name, values in true_values(pairs).items():
        if name not in metrics or not values:
            continue
        for percentile, interval in metrics[name].percentiles.items():
            if interval is not None:
                true_s = nearest_rank(values, float(percentile[1:]) / 100) / NS
                limit_s = max(LIMIT_S, LIMIT_SHARE * abs(true_s))
                told = f"{name} {percentile}"
                found.append(Deviation(told, interval.value, true_s, limit_s))
    return found


def ledger_deviations(ledger: LedgerFound, pairs: Sequence[Pair]) -> list[Deviation]:
    """The mean of each term that a server knows, beside the truth."""
    return [
        Deviation(name, ledger.mean_s[name], true_s, max(LEDGER_FLOOR_S, LEDGER_SHARE * true_s))
        for name, true_s in true_terms(pairs).items()
    ]


def worst(found: Sequence[Deviation]) -> Deviation:
    """The one that is the most limits off; there is at least one."""
    return max(found, key=lambda each: each.limits)
