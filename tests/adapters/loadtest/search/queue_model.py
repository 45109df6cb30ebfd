"""A server whose right answers are known: so many slots, first come first served, fixed times.

A plan runs on it without any clock: arrivals, waits and answers are computed, and made a result
with the figures that a search looks at.
"""

from __future__ import annotations

import heapq
import math
import random
from bisect import bisect_right
from collections.abc import Sequence

import attrs

from triollama_adapters.histogram import Histogram, needed_for
from triollama_adapters.loadtest.plan import (
    ClosedLoop,
    Objective,
    OpenLoop,
    Plan,
    Replay,
    Target,
)
from triollama_adapters.loadtest.result import (
    SCHEMA,
    Attained,
    ClientState,
    Counts,
    Distribution,
    Environment,
    Heat,
    Interval,
    Judged,
    Met,
    Moment,
    Rates,
    Result,
    Validity,
)
from triollama_adapters.loadtest.workload.scenario import Scenario, Workload

EDGES_S = (0.0, *(0.01 * 1.25**row for row in range(40)))
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


def plan_of(
    *objectives: Objective,
    shape: ClosedLoop | OpenLoop | Replay | None = None,
    duration_s: float = 60.0,
    warm_up_s: float = 10.0,
    seed: int = 1,
    endpoint: str = "http://a:11434",
) -> Plan:
    """A plan for one endpoint."""
    return Plan(
        target=Target((endpoint,)),
        workload=Workload((Scenario("chat", "m"),)),
        shape=shape or OpenLoop(()),
        duration_s=duration_s,
        warm_up_s=warm_up_s,
        objectives=objectives,
        seed=seed,
    )


def ttft_below(limit_s: float, share: float = 0.95) -> Objective:
    """An objective on a percentile of TTFT."""
    return Objective("ttft", share, limit_s, f"ttft_p{share * 100:g}<{limit_s * 1000:g}ms")


@attrs.frozen
class Asked:
    """One request: when it was due, got its slot, had its first token, and was over."""

    due_s: float
    began_s: float
    first_s: float
    done_s: float
    is_refused: bool = False


@attrs.define
class QueueModel:
    """A server. Its capacity without objectives is ``slots / (prefill_s + decode_s)``.

    Attributes:
        slots: requests at a time.
        prefill_s: from a slot to the first token.
        decode_s: from there to the end.
        drift: standard deviation of the logarithm of a factor on all times, drawn anew for each
            20 s.
        refuses_from: requests in line from which on it refuses; None never does.
        client_max: sessions per second from which on the load tester is the bottleneck.
        runs: the plans that were run.
    """

    slots: int = 8
    prefill_s: float = 0.1
    decode_s: float = 0.4
    drift: float = 0.0
    refuses_from: int | None = None
    client_max: float = math.inf
    runs: list[Plan] = attrs.field(factory=list)
    _factors: list[float] = attrs.field(factory=list, init=False)

    async def run(self, plan: Plan) -> Result:
        """Run a plan."""
        self.runs.append(plan)
        asked = self.serve(plan)
        rate = plan.shape.phases[0].from_per_s if isinstance(plan.shape, OpenLoop) else 0.0
        return result_of(plan, asked, "INVALID" if rate > self.client_max else "VALID")

    def serve(self, plan: Plan) -> list[Asked]:
        """What becomes of the plan's requests."""
        draw = random.Random(plan.seed)
        end_s = plan.warm_up_s + plan.duration_s
        self._factors = [math.exp(draw.gauss(0.0, self.drift)) for _ in range(int(end_s / 20) + 1)]
        if isinstance(plan.shape, ClosedLoop):
            return self._closed(plan.shape.concurrency, end_s)
        return self._open(arrivals(plan, draw))

    def _open(self, due: Sequence[float]) -> list[Asked]:
        free = [0.0] * self.slots
        waiting: list[float] = []
        asked = []
        for due_s in due:
            while waiting and waiting[0] <= due_s:
                heapq.heappop(waiting)
            if self.refuses_from is not None and len(waiting) >= self.refuses_from:
                asked.append(Asked(due_s, due_s, due_s, due_s, is_refused=True))
                continue
            one = self._one(due_s, max(due_s, heapq.heappop(free)))
            heapq.heappush(free, one.done_s)
            heapq.heappush(waiting, one.began_s)
            asked.append(one)
        return asked

    def _closed(self, users: int, end_s: float) -> list[Asked]:
        free = [0.0] * self.slots
        ready = [0.0] * users
        asked = []
        while ready[0] < end_s:
            due_s = heapq.heappop(ready)
            one = self._one(due_s, max(due_s, heapq.heappop(free)))
            heapq.heappush(free, one.done_s)
            heapq.heappush(ready, one.done_s)
            asked.append(one)
        return asked

    def _one(self, due_s: float, began_s: float) -> Asked:
        factor = self._factors[min(int(began_s / 20), len(self._factors) - 1)]
        first_s = began_s + factor * self.prefill_s
        return Asked(due_s, began_s, first_s, first_s + factor * self.decode_s)


def arrivals(plan: Plan, draw: random.Random) -> list[float]:
    """Poisson arrivals at the plan's one rate; a trace has one each second, at speed 1."""
    end_s = plan.warm_up_s + plan.duration_s
    if isinstance(plan.shape, Replay):
        return [index / plan.shape.speed for index in range(int(end_s * plan.shape.speed))]
    assert isinstance(plan.shape, OpenLoop)
    rate, at_s, due = plan.shape.phases[0].from_per_s, 0.0, []
    while (at_s := at_s + draw.expovariate(rate)) < end_s:
        due.append(at_s)
    return due


def result_of(plan: Plan, asked: Sequence[Asked], validity: Validity = "VALID") -> Result:
    """The result of a run whose requests these are."""
    begin_s, end_s = plan.warm_up_s, plan.warm_up_s + plan.duration_s
    cut_s = end_s + plan.drain_s
    window = [each for each in asked if begin_s <= each.due_s < end_s]
    answered = [each for each in window if each.done_s <= cut_s and not each.is_refused]
    refused = sum(each.is_refused for each in window)
    completed = [e for e in asked if begin_s <= e.done_s < end_s and not e.is_refused]
    ttft = [each.first_s - each.due_s for each in window if not each.is_refused]
    metrics = {
        "ttft": spread(ttft),
        "e2e": spread([each.done_s - each.due_s for each in answered]),
    }
    moments = moments_of(asked, cut_s)
    return Result(
        schema=SCHEMA,
        name="",
        plan=plan,
        began_at="2026-08-01T12:00:00+00:00",
        window_s=plan.duration_s,
        is_stopped=False,
        counts=Counts(
            scheduled=len(window),
            sent=len(window),
            ok=len(answered),
            censored=len(window) - len(answered) - refused,
            errors={"queue_503": refused} if refused else {},
        ),
        rates=Rates(
            offered=len(window) / plan.duration_s,
            sent=len(window) / plan.duration_s,
            completed=len(completed) / plan.duration_s,
        ),
        metrics=metrics,
        attained=_attained(plan, metrics, window) if plan.objectives else None,
        ledger=None,
        client=ClientState(validity, ("it was too slow",) if validity == "INVALID" else ()),
        endpoints=(),
        scenarios=(),
        moment_s=1.0,
        moments=moments,
        heat=heat_of(asked, len(moments)),
        loaded=(),
        host=(),
        events=(),
        environment=Environment("0", "3", "test", 1),
    )


def spread(values_s: Sequence[float]) -> Distribution:
    """A distribution with the order statistics' intervals of its percentiles."""
    histogram = Histogram()
    for value_s in values_s:
        histogram.record(round(value_s * 1e9))
    ordered = sorted(values_s)
    return Distribution(
        count=len(ordered),
        mean_s=sum(ordered) / max(len(ordered), 1),
        least_s=ordered[0] if ordered else 0.0,
        most_s=ordered[-1] if ordered else 0.0,
        percentiles={name: percentile(ordered, share) for name, share in SHARES.items()},
        buckets=histogram.buckets,
    )


def percentile(ordered: Sequence[float], share: float) -> Interval | None:
    """Nearest rank, and the 95 % interval by the normal approximation of the ranks."""
    count = len(ordered)
    if count < needed_for(share):
        return None
    half = 1.96 * math.sqrt(count * share * (1 - share))
    low = max(math.floor(count * share - half) - 1, 0)
    high = min(math.ceil(count * share + half), count - 1)
    return Interval(ordered[math.ceil(count * share) - 1], ordered[low], ordered[high])


def moments_of(asked: Sequence[Asked], cut_s: float) -> tuple[Moment, ...]:
    """One for each second."""
    last_s = max((min(each.done_s, cut_s) for each in asked), default=0.0)
    ttft: list[list[float]] = [[] for _ in range(math.ceil(last_s) + 1)]
    change = [0] * (len(ttft) + 1)
    offered = [0] * len(ttft)
    for each in asked:
        at = int(each.due_s)
        offered[at] += 1
        if not each.is_refused:
            ttft[at].append(each.first_s - each.due_s)
            change[at] += 1
            change[min(int(each.done_s), len(ttft))] -= 1
    moments, queue = [], 0
    for at, values in enumerate(ttft):
        queue += change[at]
        median_s = sorted(values)[len(values) // 2] if values else None
        moments.append(Moment(at, offered=offered[at], in_flight=queue, ttft_p50_s=median_s))
    return tuple(moments)


def heat_of(asked: Sequence[Asked], seconds: int) -> Heat:
    """TTFT by rows that are a quarter wider each, in columns of one second."""
    columns: list[dict[int, int]] = [{} for _ in range(seconds)]
    for each in asked:
        if not each.is_refused:
            row = bisect_right(EDGES_S, each.first_s - each.due_s) - 1
            column = columns[int(each.due_s)]
            column[row] = column.get(row, 0) + 1
    return Heat(EDGES_S, tuple(columns))


def _attained(plan: Plan, metrics: dict[str, Distribution], window: Sequence[Asked]) -> Attained:
    refused = sum(each.is_refused for each in window) / max(len(window), 1)
    judged = tuple(
        _judged(each, metrics[each.metric])
        if each.metric != "errors"
        else Judged(each.text, Interval(refused), "met" if refused < each.limit else "missed", "")
        for each in plan.objectives
    )
    limits = [each for each in plan.objectives if each.metric == "ttft"]
    good = sum(
        not each.is_refused and all(each.first_s - each.due_s < o.limit for o in limits)
        for each in window
    )
    return Attained(good, Interval(good / max(len(window), 1)), judged)


def _judged(objective: Objective, found: Distribution) -> Judged:
    assert objective.share is not None
    value = found.percentiles[f"p{objective.share * 100:g}"]
    met: Met = "undetermined"
    if value is not None and value.low is not None and value.high is not None:
        if value.high < objective.limit:
            met = "met"
        elif value.low >= objective.limit:
            met = "missed"
    return Judged(objective.text, value, met, "no value" if value is None else f"{value.value:.3f}")
