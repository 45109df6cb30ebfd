"""What searches find, made from made results."""

from tests.adapters.loadtest.report.made_results import make_curve, make_plan, make_result

from triollama_adapters.loadtest.measures.compare import Difference
from triollama_adapters.loadtest.result import Interval, Met
from triollama_adapters.loadtest.search.found import (
    AbFound,
    Capacity,
    Discovered,
    EndpointDiscovered,
    Knee,
    Pair,
    PoliciesFound,
    ReloadFound,
    SlotsFound,
    Speeds,
    Step,
    Sweep,
)


def make_sweep(values: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)) -> Sweep:
    """A sweep over concurrency, with its knee in the middle."""
    runs = make_curve(values)
    return Sweep(
        kind="concurrency",
        values=tuple(map(float, values)),
        throughput=tuple(run.rates.completed for run in runs),
        latency_s=tuple(run.metrics["e2e"].mean_s for run in runs),
        saturated=(False,) * len(runs),
        results=tuple(runs),
        knee=Knee(
            len(values) // 2,
            float(values[len(values) // 2]),
            "farthest from the chord",
            is_at_end=False,
        ),
    )


def make_capacity() -> Capacity:
    """A search that doubled, missed and bisected."""
    judged: list[tuple[float, Met]] = [
        (2.0, "met"),
        (4.0, "met"),
        (8.0, "missed"),
        (6.0, "met"),
        (7.0, "undetermined"),
    ]
    steps = tuple(
        Step(
            rate=rate,
            duration_s=30.0,
            met=met,
            is_saturated=rate >= 8,
            is_valid=True,
            why=f"ttft_p95<800ms is {met}",
            result=make_result(plan=make_plan(rate=rate * 1.4, duration_s=30.0), seed=int(rate)),
        )
        for rate, met in judged
    )
    return Capacity(
        state="found",
        rate=6.0,
        low=6.0,
        high=8.0,
        unit="sessions/s",
        tolerance=0.05,
        objectives=("ttft_p95<800ms",),
        rule="a step counts when the whole interval is on one side of the limit",
        why="6/s met all objectives, 8/s missed one",
        steps=steps,
    )


def make_ab() -> AbFound:
    """Two targets, of which B is faster."""
    plan = make_plan(rate=6.0, duration_s=30.0)
    a = make_result(name="old card", plan=plan, speed=0.8)
    b = make_result(name="new card", plan=plan, speed=1.3)
    pairs = tuple(Pair(n, n % 2 == 0, n, {"ttft_p95": 0.5}, {"ttft_p95": 0.3}) for n in range(6))
    return AbFound(a, b, pairs, {"ttft_p95": (1, 5), "tpot_p95": (0, 6)})


def make_differences() -> tuple[Difference, ...]:
    """Changes with each of the four verdicts."""
    return (
        Difference("ttft_p95", "s", 0.51, 0.32, Interval(-0.37, -0.45, -0.30), "better", "by 37 %"),
        Difference("tpot_p95", "s", 0.021, 0.024, Interval(0.14, 0.09, 0.2), "worse", "by 14 %"),
        Difference("completed", "/s", 6.1, 6.1, Interval(0.0, -0.004, 0.004), "same", "within 1 %"),
        Difference(
            "errors", "share", 0.01, 0.012, Interval(0.002, -0.01, 0.014), "undetermined", "?"
        ),
    )


def make_policies() -> PoliciesFound:
    """Three ways of routing on the same load."""
    names = ("round robin", "least in flight", "engine's pool")
    plan = make_plan(rate=6.0, duration_s=30.0)
    results = tuple(
        make_result(name=name, plan=plan, speed=speed)
        for name, speed in zip(names, (0.9, 1.1, 1.2), strict=True)
    )
    return PoliciesFound(names, results)


def make_discovered() -> Discovered:
    """Two endpoints, one of them without timings."""
    known = EndpointDiscovered(
        endpoint="http://gpu-1:11434",
        model="llama3.2",
        is_timed=True,
        overhead_s=Interval(0.004, 0.0036, 0.0045),
        transport_s=0.0011,
        cold_load_s=2.1,
        cold_ttft_s=2.2,
        warm_ttft_s=0.045,
        slots=SlotsFound(4, is_exact=True, burst=8, by_residual=4, by_streams=4),
        reloads=(
            ReloadFound("num_ctx", (4096.0, 8192.0), reloads=True, load_s=1.9),
            ReloadFound("temperature", (0.1, 0.9), reloads=False, load_s=0.0),
        ),
        uncached=Speeds(3200.0, 88.0, 1000, 128, 5),
        cached=Speeds(41000.0, 88.0, 1000, 128, 5),
        has_prefix_cache=True,
        busy_decode_tokens_per_s=41.0,
    )
    other = EndpointDiscovered(
        endpoint="http://proxy:8080",
        model="llama3.2",
        slots=SlotsFound(16, is_exact=False, burst=16, by_residual=None, by_streams=16),
        notes=("the server does not tell its times",),
    )
    return Discovered((known, other))
