"""Results that look like real ones: a small queue, worked through with a seed.

Requests come by Poisson to servers with slots; each waits, is read, and is written chunk by chunk.
"""

import heapq
import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import attrs
import msgspec

from triollama_adapters.histogram import Histogram, needed_for
from triollama_adapters.loadtest.plan import ClosedLoop, Objective, OpenLoop, Phase, Plan, Target
from triollama_adapters.loadtest.result import (
    SCHEMA,
    TERMS,
    Attained,
    ClientState,
    Counts,
    Distribution,
    EndpointFound,
    Environment,
    Event,
    Heat,
    HostLook,
    Interval,
    Judged,
    LedgerFound,
    LoadedLook,
    Met,
    Moment,
    Rates,
    Result,
    Validity,
)
from triollama_adapters.loadtest.workload.scenario import Answers, Prompts, Scenario, Workload

SHARES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
OBJECTIVES = (
    Objective("ttft", 0.95, 0.8, "ttft_p95<800ms"),
    Objective("tpot", 0.95, 0.04, "tpot_p95<40ms"),
    Objective("errors", None, 0.01, "errors<1%"),
)


@attrs.frozen
class Asked:
    """One request of the small queue; times in seconds."""

    at: float
    endpoint: str
    scenario: str
    outcome: str
    terms: dict[str, float]
    chunks: int
    gap: float

    @property
    def ttft(self) -> float:
        """From when it was due to its first chunk."""
        return sum(self.terms.values()) - self.terms["decode"] + self.gap

    @property
    def e2e(self) -> float:
        """From when it was due to its end."""
        return sum(self.terms.values())


def make_plan(
    *,
    rate: float = 20.0,
    duration_s: float = 60.0,
    warm_up_s: float = 10.0,
    endpoints: int = 2,
    concurrency: int = 0,
    objectives: tuple[Objective, ...] = OBJECTIVES,
) -> Plan:
    """An open loop, or with `concurrency` a closed one."""
    chat = Scenario("chat", "llama3.2", 3.0, Prompts(tokens=400, spread=0.3), Answers(60, 0.4))
    summary = Scenario("summary", "llama3.2", 1.0, Prompts(tokens=1800), Answers(120))
    shape = (
        ClosedLoop(concurrency, ramp_s=warm_up_s)
        if concurrency
        else OpenLoop((Phase(duration_s, rate, rate),))
    )
    return Plan(
        target=Target(tuple(f"http://gpu-{n}:11434" for n in range(1, endpoints + 1))),
        workload=Workload((chat, summary)),
        shape=shape,
        duration_s=duration_s,
        warm_up_s=warm_up_s,
        objectives=objectives,
        seed=7,
        processes=2,
    )


def make_result(
    *,
    name: str = "",
    plan: Plan | None = None,
    slots: int = 8,
    fails: float = 0.01,
    seed: int = 7,
    speed: float = 1.0,
    validity: Validity = "VALID",
    moment_s: float = 1.0,
) -> Result:
    """A run of `plan` over servers with so many slots each.

    Args:
        name: of the run.
        plan: what was asked for.
        slots: of each endpoint.
        fails: share of the requests that fail.
        seed: of the durations.
        speed: of the servers; 2 is twice as fast.
        validity: of the client.
        moment_s: length of a moment.
    """
    plan = plan or make_plan()
    asked = _work(plan, slots, fails, seed, speed)
    begin, end = plan.warm_up_s, plan.warm_up_s + plan.duration_s
    inside = [each for each in asked if begin <= each.at < end]
    ledger = _ledger(inside)
    return Result(
        schema=SCHEMA,
        name=name or "llama3.2 on two cards",
        plan=plan,
        began_at="2026-03-14T09:26:53+01:00",
        window_s=plan.duration_s,
        is_stopped=False,
        counts=_counts(inside, len(asked) - len(inside)),
        rates=_rates(inside, plan.duration_s),
        metrics=_metrics(inside),
        attained=_attained(inside),
        ledger=ledger,
        client=_client(validity),
        endpoints=_parts(inside, plan, lambda each: each.endpoint),
        scenarios=_parts(inside, plan, lambda each: each.scenario),
        moment_s=moment_s,
        moments=_moments(asked, end + 8, moment_s),
        heat=_heat(asked, end + 8, moment_s),
        loaded=_loaded(plan, end),
        host=_host(end, seed),
        events=(
            Event(18.0, "cold", "http://gpu-1:11434", "llama3.2 was loaded in 2.1 s"),
            Event(32.0, "stall", "http://gpu-2:11434", "stalled for 5 s, as asked for"),
            Event(37.0, "recovered", "http://gpu-2:11434", "first answer after 0.4 s"),
        ),
        environment=Environment(
            triollama="0.1.0",
            python="3.13.1",
            system="Linux 6.12 x86_64",
            cpus=8,
            servers=dict.fromkeys(plan.target.endpoints, "Ollama 0.14.2"),
            command="triollama load --endpoint http://gpu-1:11434 --endpoint http://gpu-2:11434 "
            "--model llama3.2 --rate 20/s --duration 60s --slo 'ttft_p95<800ms' --report out.html",
        ),
    )


def _work(plan: Plan, slots: int, fails: float, seed: int, speed: float) -> list[Asked]:
    """Each endpoint is a queue with slots; one of them stalls for five seconds."""
    draw = random.Random(seed)
    free = {each: [0.0] * slots for each in plan.target.endpoints}
    asked, at, index = [], 0.0, 0
    end = plan.warm_up_s + plan.duration_s
    users: list[float] = []
    if isinstance(plan.shape, ClosedLoop):
        users = [n * plan.warm_up_s / plan.shape.concurrency for n in range(plan.shape.concurrency)]
    rate = plan.shape.phases[0].from_per_s if isinstance(plan.shape, OpenLoop) else 0.0
    while True:
        at = heapq.heappop(users) if users else at + draw.expovariate(rate)
        if at >= end:
            break
        endpoint = plan.target.endpoints[index % len(plan.target.endpoints)]
        one = _ask(at, endpoint, free[endpoint], draw, fails, speed, index)
        asked.append(one)
        if isinstance(plan.shape, ClosedLoop):
            heapq.heappush(users, at + max(0.01, one.e2e))
        index += 1
    return asked


def _ask(
    at: float,
    endpoint: str,
    free: list[float],
    draw: random.Random,
    fails: float,
    speed: float,
    index: int,
) -> Asked:
    scenario = "summary" if draw.random() < 0.25 else "chat"
    tokens = 120 if scenario == "summary" else max(8, int(draw.gauss(60, 24)))
    busy = sum(moment > at for moment in free)
    gap = (0.009 + 0.0011 * busy) / speed * draw.lognormvariate(0, 0.12)
    prefill = (0.09 if scenario == "summary" else 0.03) / speed * draw.lognormvariate(0, 0.2)
    start = max(at, heapq.heappop(free))
    if 32 <= start < 37 and endpoint.startswith("http://gpu-2"):
        start = 37 + draw.random()
    load = 2.1 if index == 0 else 0.0
    terms = {
        "start_delay": draw.expovariate(1 / 0.0004),
        "transport": draw.lognormvariate(-6.0, 0.3),
        "load": load,
        "slot_wait": start - at,
        "overhead": 0.004,
        "prefill": prefill,
        "decode": gap * tokens,
    }
    heapq.heappush(free, start + load + prefill + gap * tokens)
    outcome = "ok"
    if draw.random() < fails:
        outcome = draw.choice(["stall", "queue_503", "connect", "queue_503"])
    return Asked(at, endpoint, scenario, outcome, terms, tokens, gap)


def spread(values: list[float]) -> Distribution | None:
    """The distribution of durations in seconds, as a result has it."""
    if not values:
        return None
    histogram = Histogram()
    for each in values:
        histogram.record(int(each * 1e9))
    ranked, n = sorted(values), len(values)
    percentiles: dict[str, Interval | None] = {}
    for name, share in SHARES.items():
        wide = 1.96 * math.sqrt(n * share * (1 - share))
        low, high = (int(max(0, n * share - wide)), int(min(n - 1, n * share + wide)))
        is_known = n >= needed_for(share)
        value = ranked[min(n - 1, math.ceil(share * n) - 1)]
        percentiles[name] = Interval(value, ranked[low], ranked[high]) if is_known else None
    mean = sum(values) / n
    return Distribution(n, mean, ranked[0], ranked[-1], percentiles, histogram.buckets)


def _metrics(asked: list[Asked]) -> dict[str, Distribution]:
    ok = [each for each in asked if each.outcome == "ok"]
    draw = random.Random(1)
    late = [each.terms["start_delay"] for each in asked]
    gaps = [each.gap * draw.lognormvariate(0, 0.25) for each in ok for _ in range(each.chunks)]
    values = {
        "ttft": [each.ttft for each in ok],
        "ttft_service": [each.ttft - each.terms["start_delay"] for each in ok],
        "ttfo": [each.ttft - each.terms["start_delay"] for each in ok],
        "tpot": [each.gap for each in ok],
        "server_tpot": [each.gap * 0.998 for each in ok],
        "icl": gaps,
        "icl_max": [each.gap * draw.uniform(1.6, 3) for each in ok],
        "e2e": [each.e2e for each in ok],
        "e2e_service": [each.e2e - each.terms["start_delay"] for each in ok],
        "start_delay": late,
    }
    found = {name: spread(each) for name, each in values.items()}
    return {name: each for name, each in found.items() if each is not None}


def _counts(asked: list[Asked], before: int) -> Counts:
    kinds = Counter(each.outcome for each in asked)
    said = {
        "queue_503": {"server busy, please try again: maximum pending requests exceeded": 6},
        "connect": {"connection refused": 1},
    }
    return Counts(
        scheduled=len(asked),
        sent=len(asked),
        ok=kinds.pop("ok", 0),
        errors=dict(kinds),
        details={kind: said[kind] for kind in kinds if kind in said},
        before=before,
        chunks=sum(each.chunks for each in asked),
    )


def _rates(asked: list[Asked], window_s: float) -> Rates:
    ok = [each for each in asked if each.outcome == "ok"]
    last = max((each.at for each in asked), default=0.0)
    done = sum(each.at + each.e2e <= last for each in ok)
    good = sum(each.ttft < 0.8 and each.gap < 0.04 for each in ok)
    return Rates(
        offered=len(asked) / window_s,
        sent=len(asked) / window_s,
        completed=done / window_s,
        output_tokens=sum(each.chunks for each in ok) / window_s,
        prompt_tokens=750 * done / window_s,
        uncached_prompt_tokens=610 * done / window_s,
        goodput=good / window_s,
    )


def _attained(asked: list[Asked]) -> Attained:
    ok = [each for each in asked if each.outcome == "ok"]
    good, n = sum(each.ttft < 0.8 and each.gap < 0.04 for each in ok), max(1, len(asked))
    share, z = good / n, 1.96
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    metrics = _metrics(asked)
    judged = []
    for each in OBJECTIVES:
        failed = (len(asked) - len(ok)) / n
        value = Interval(failed, 0.5 * failed, 1.7 * failed + 0.004)
        if each.metric in metrics:
            found = metrics[each.metric].percentiles["p95"]
            if found is None:
                judged.append(Judged(each.text, None, "undetermined", "too few requests"))
                continue
            value = found
        assert value.low is not None
        assert value.high is not None
        met: Met = "undetermined"
        if value.high < each.limit:
            met = "met"
        elif value.low > each.limit:
            met = "missed"
        judged.append(
            Judged(each.text, value, met, "the limit is in it" if met == "undetermined" else "")
        )
    return Attained(
        good, Interval(share, max(0.0, middle - half), min(1.0, middle + half)), tuple(judged)
    )


def _ledger(asked: list[Asked]) -> LedgerFound:
    ok = [each for each in asked if each.outcome == "ok"]
    mean, p95 = {}, {}
    for term in TERMS:
        if term == "engine_line":
            continue  # of runs whose endpoints the engine's pool chose
        values = sorted(each.terms[term] for each in ok)
        mean[term] = sum(values) / max(1, len(values))
        p95[term] = values[int(0.95 * len(values))] if values else 0.0
    return LedgerFound(
        count=len(ok),
        mean_s=mean,
        p95_s=p95,
        overhead_s=0.004,
        is_calibrated=True,
        is_trusted=True,
        disagreeing=0.002,
        cold=1,
        reloads=0,
    )


def _client(validity: Validity) -> ClientState:
    if validity == "VALID":
        return ClientState("VALID", (), 0.0018, 0.14, 0.0006, 2350.0, 0.00042)
    reasons = ("p99 start delay 84 ms, above 39 ms", "process 1 used 96 % of a core for 21 s")
    return ClientState(validity, reasons, 0.084, 0.96, 0.031, 2350.0, 0.0021)


def _parts(
    asked: list[Asked], plan: Plan, key: Callable[[Asked], str]
) -> tuple[EndpointFound, ...]:
    groups: dict[str, list[Asked]] = defaultdict(list)
    for each in asked:
        groups[key(each)].append(each)
    return tuple(
        EndpointFound(
            name, _counts(each, 0), _rates(each, plan.duration_s), _metrics(each), _ledger(each)
        )
        for name, each in sorted(groups.items())
    )


def _moments(asked: list[Asked], end: float, moment_s: float) -> tuple[Moment, ...]:
    count = math.ceil(end / moment_s)
    due: dict[int, list[Asked]] = defaultdict(list)
    change: Counter[int] = Counter()
    done: Counter[int] = Counter()
    for each in asked:
        due[int(each.at / moment_s)].append(each)
        change[int(each.at / moment_s)] += 1
        change[int((each.at + each.e2e) / moment_s)] -= 1
        done[int((each.at + each.e2e) / moment_s)] += each.outcome == "ok"
    moments, under_way = [], 0
    for n in range(count):
        under_way += change[n]
        some = due[n]

        def rank(values: list[float], share: float) -> float | None:
            return sorted(values)[int(share * (len(values) - 1))] if values else None

        ttft, e2e, gaps = ([f(one) for one in some] for f in (_ttft, _e2e, _gap))
        moments.append(
            Moment(
                at_s=n * moment_s,
                offered=len(some),
                sent=len(some),
                completed=done[n],
                errors=sum(one.outcome != "ok" for one in some),
                in_flight=under_way,
                output_tokens=done[n] * 75,
                ttft_p50_s=rank(ttft, 0.5),
                ttft_p95_s=rank(ttft, 0.95),
                icl_p50_s=rank(gaps, 0.5),
                icl_p99_s=(rank(gaps, 0.99) or 0.0) * 1.6 if gaps else None,
                e2e_p50_s=rank(e2e, 0.5),
                e2e_p95_s=rank(e2e, 0.95),
                start_delay_max_s=max((one.terms["start_delay"] for one in some), default=0.0),
            )
        )
    return tuple(moments)


def _ttft(asked: Asked) -> float:
    return asked.ttft


def _e2e(asked: Asked) -> float:
    return asked.e2e


def _gap(asked: Asked) -> float:
    return asked.gap


def _heat(asked: list[Asked], end: float, moment_s: float) -> Heat:
    edges = tuple(0.005 * 2 ** (n / 3) for n in range(40))
    columns: list[Counter[int]] = [Counter() for _ in range(math.ceil(end / moment_s))]
    for each in asked:
        row = sum(edge <= each.ttft for edge in edges) - 1
        columns[int(each.at / moment_s)][max(0, row)] += 1
    return Heat(edges, tuple(dict(each) for each in columns))


def _loaded(plan: Plan, end: float) -> tuple[LoadedLook, ...]:
    looks = []
    for n in range(0, int(end), 2):
        for index, endpoint in enumerate(plan.target.endpoints):
            if n >= 2:
                looks.append(LoadedLook(float(n), endpoint, "llama3.2", 4_800_000_000, 300.0))
            if index == 1 and 20 <= n < 44:
                looks.append(LoadedLook(float(n), endpoint, "nomic-embed-text", 610_000_000, 90.0))
    return tuple(looks)


def _host(end: float, seed: int) -> tuple[HostLook, ...]:
    draw = random.Random(seed)
    return tuple(
        HostLook(float(n), 0.2 + 0.05 * draw.random(), 6 * 2**30 + n * 2**20, 0.83, 7 * 2**30)
        for n in range(int(end))
    )


def make_untimed(**options: Any) -> Result:
    """A run over ``/v1``: without the server's times, the ledger has the client's terms."""
    run = make_result(**options)
    assert run.ledger
    means_s = {"start_delay": 0.0004, "until_first": 0.6, "after_first": 1.2}
    ledger = msgspec.structs.replace(
        run.ledger, mean_s=means_s, p95_s={}, overhead_s=0.0, is_calibrated=False, note="no times"
    )
    return msgspec.structs.replace(
        run,
        ledger=ledger,
        endpoints=tuple(msgspec.structs.replace(each, ledger=ledger) for each in run.endpoints),
        scenarios=(),
    )


def make_curve(values: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)) -> list[Result]:
    """Runs of a closed loop at rising concurrency: they saturate."""
    assert all(a < b for a, b in pairwise(values))
    return [
        make_result(
            name=f"{each} users",
            plan=make_plan(concurrency=each, duration_s=30.0),
            fails=0.0,
            seed=each,
        )
        for each in values
    ]
