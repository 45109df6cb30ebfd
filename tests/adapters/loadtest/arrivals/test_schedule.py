"""Schedules: what they claim to be, over ten minutes, at any number of processes."""

from __future__ import annotations

import math
from itertools import islice, pairwise
from pathlib import Path
from statistics import correlation

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.loadtest.arrivals.dispersion import look_at
from triollama_adapters.loadtest.arrivals.schedule import (
    expected_sessions,
    fit_window,
    run_s,
    schedule,
    times,
)
from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.plan import (
    ClosedLoop,
    OpenLoop,
    Phase,
    Plan,
    Replay,
    Shape,
    Target,
)
from triollama_adapters.loadtest.workload.scenario import Prompts, Scenario, Workload

S = 10**9
TEN_MINUTES_S = 600.0


def _flat(rate: float, length_s: float = TEN_MINUTES_S) -> tuple[Phase, ...]:
    return (Phase(length_s, rate, rate),)


def _plan(
    shape: Shape, *, duration_s: float, warm_up_s: float = 0.0, seed: int = 0, processes: int = 1
) -> Plan:
    prompts = Prompts(kind="fixed", text="Why?")
    return Plan(
        target=Target(("http://here",)),
        workload=Workload((Scenario("ask", "m", prompts=prompts),)),
        shape=shape,
        duration_s=duration_s,
        warm_up_s=warm_up_s,
        seed=seed,
        processes=processes,
    )


def _window(plan: Plan) -> list[int]:
    begin_ns = round(plan.warm_up_s * S)
    return [at_ns - begin_ns for at_ns in schedule(plan) if at_ns >= begin_ns]


@pytest.mark.parametrize("seed", range(10))
def test_poisson_over_ten_minutes(seed: int) -> None:
    """The rate is exact, and the dispersion is 1.0 +- 0.1.

    The index of 600 windows strays by 0.058 (the root of 2/600), so that of any true Poisson
    process every twelfth run is outside of 0.1; the mean of ten runs strays by 0.018.
    """
    found = [look_at(times(OpenLoop(_flat(20.0)), 10 * seed + k), TEN_MINUTES_S) for k in range(10)]
    assert all(each.rate_per_s == 20.0 for each in found)
    assert math.fsum(each.dispersion or 0.0 for each in found) / 10 == pytest.approx(1.0, abs=0.1)
    assert all(each.variation == pytest.approx(1.0, abs=0.05) for each in found)


@pytest.mark.parametrize("rate", [0.7, 20.0, 333.3])
def test_constant_over_ten_minutes(rate: float) -> None:
    """Rate within 0.1 %, or one session; no variation worth the name; the first one at once."""
    at = list(times(OpenLoop(_flat(rate), arrivals="constant"), 0))
    found = look_at(at, TEN_MINUTES_S)
    assert at[0] == 0
    assert abs(found.count - rate * TEN_MINUTES_S) <= 1.0
    assert found.variation is not None
    assert found.variation < 1e-6


@pytest.mark.parametrize("burstiness", [0.25, 1.0, 4.0, 100.0])
def test_gamma_over_ten_minutes(burstiness: float) -> None:
    """The gaps' coefficient of variation is burstiness to the power of -0.5; the rate is exact."""
    shape = OpenLoop(_flat(20.0), arrivals="gamma", burstiness=burstiness)
    found = look_at(times(shape, 1), TEN_MINUTES_S)
    assert found.rate_per_s == 20.0
    assert found.variation == pytest.approx(burstiness**-0.5, rel=0.05)


@pytest.mark.slow
def test_gamma_disperses_as_it_should() -> None:
    """In windows of many gaps the index is the squared coefficient of variation (renewal theory).

    Less one part in 600 per second of window, because the number of sessions is given.
    """
    for burstiness in (0.25, 4.0):
        shape = OpenLoop(_flat(80.0), arrivals="gamma", burstiness=burstiness)
        seeds = range(4)
        found = [look_at(times(shape, seed), TEN_MINUTES_S).dispersion or 0.0 for seed in seeds]
        assert math.fsum(found) / len(found) == pytest.approx(1.0 / burstiness, rel=0.1)


@pytest.mark.slow
def test_gamma_of_one_is_poisson() -> None:
    """The number of sessions in the first tenth has the variance of a binomial, and its mean."""
    for arrivals in ("poisson", "gamma"):
        shape = OpenLoop(_flat(10.0, 10.0), arrivals=arrivals)  # type: ignore[arg-type]
        counts = [sum(at_ns < S for at_ns in times(shape, seed)) for seed in range(2_000)]
        mean = sum(counts) / len(counts)
        variance = sum((count - mean) ** 2 for count in counts) / (len(counts) - 1)
        assert mean == pytest.approx(10.0, abs=0.3)
        assert variance == pytest.approx(9.0, abs=0.9)


@pytest.mark.parametrize("arrivals", ["poisson", "gamma"])
def test_the_rate_is_the_same_from_the_first_second_on(arrivals: str) -> None:
    """Neither the beginning nor the end of a schedule is thinner, however bursty it is."""
    shape = OpenLoop(_flat(5.0, 20.0), arrivals=arrivals, burstiness=0.3)  # type: ignore[arg-type]
    if arrivals == "poisson":
        shape = OpenLoop(_flat(5.0, 20.0))
    first = last = 0
    for seed in range(1_000):
        at = list(times(shape, seed))
        first += sum(at_ns < S for at_ns in at)
        last += sum(at_ns >= 19 * S for at_ns in at)
    assert first / 1_000 == pytest.approx(5.0, rel=0.1)
    assert last / 1_000 == pytest.approx(5.0, rel=0.1)


@pytest.mark.parametrize("arrivals", ["poisson", "constant"])
def test_ramps_steps_and_spikes_hold_what_is_expected(arrivals: str) -> None:
    """The count of the whole is exact; that of each phase is within chance."""
    phases = (Phase(60.0, 0.0, 50.0), Phase(60.0, 50.0, 50.0), Phase(5.0, 200.0, 200.0))
    shape = OpenLoop(phases, arrivals=arrivals)  # type: ignore[arg-type]
    at = list(times(shape, 5))
    assert len(at) == 1_500 + 3_000 + 1_000
    counts = [
        sum(begin * S <= at_ns < end * S for at_ns in at)
        for begin, end in ((0, 60), (60, 120), (120, 125))
    ]
    for count, mean in zip(counts, (1_500, 3_000, 1_000), strict=True):
        assert abs(count - mean) <= (1 if arrivals == "constant" else 4 * mean**0.5)


@pytest.mark.parametrize("processes", [1, 2, 8])
def test_processes_merge_into_one_schedule(processes: int) -> None:
    """Rate and dispersion are those of one process: each draws all, and takes its own share."""
    plan = _plan(OpenLoop(_flat(20.0)), duration_s=TEN_MINUTES_S, processes=processes)
    parts = [list(islice(schedule(plan), k, None, processes)) for k in range(processes)]
    merged = sorted(at_ns for part in parts for at_ns in part)
    assert merged == list(times(OpenLoop(_flat(20.0)), 0))
    found = look_at(merged, TEN_MINUTES_S)
    assert found.rate_per_s == 20.0
    assert found.dispersion == pytest.approx(1.0, abs=0.1)


def test_processes_never_move_in_step() -> None:
    """No two of eight begin a session at the same moment, nor follow one another at a fixed gap."""
    plan = _plan(OpenLoop(_flat(20.0)), duration_s=TEN_MINUTES_S, processes=8)
    parts = [list(islice(schedule(plan), k, None, 8)) for k in range(8)]
    assert len({at_ns for part in parts for at_ns in part}) == 12_000
    # From a session of process 0 to the next of process 1 is a gap of the merged schedule: it is
    # exponential, and has nothing to do with the gap from there to the next of process 2.
    first = [float(b - a) for a, b in zip(parts[0], parts[1], strict=True)]
    second = [float(b - a) for a, b in zip(parts[1], parts[2], strict=True)]
    assert abs(correlation(first, second)) < 0.08


def test_neighbouring_gaps_are_independent() -> None:
    """Of Poisson and of gamma alike: correlation at lags 1 to 3 within chance."""
    for burstiness in (1.0, 0.25):
        shape = OpenLoop(_flat(20.0), arrivals="gamma", burstiness=burstiness)
        gaps = [float(b - a) for a, b in pairwise(times(shape, 2))]
        for lag in (1, 2, 3):
            assert abs(correlation(gaps[:-lag], gaps[lag:])) < 0.04


def test_seeds() -> None:
    """The same seed gives the same schedule, neighbours have nothing in common."""
    shape = OpenLoop(_flat(20.0, 60.0))
    one, other = list(times(shape, 1)), list(times(shape, 2))
    assert one == list(times(shape, 1))
    assert not set(one) & set(other)
    assert abs(correlation(list(map(float, _counts(one))), list(map(float, _counts(other))))) < 0.4


def _counts(at: list[int]) -> list[int]:
    counts = [0] * 60
    for at_ns in at:
        counts[at_ns // S] += 1
    return counts


def test_a_schedule_is_pinned() -> None:
    """The figures of last month are those of the same schedule."""
    poisson = OpenLoop(_flat(2.0, 3.0))
    gamma = OpenLoop(_flat(2.0, 3.0), arrivals="gamma", burstiness=0.5)
    # To the nanosecond but for the last bit of another machine's logarithm.
    assert list(times(poisson, 0)) == pytest.approx(
        [235016229, 1598745964, 2314289537, 2501659222, 2783041241, 2846982242], abs=2
    )
    assert list(times(gamma, 0)) == pytest.approx(
        [178350296, 829220233, 1721422247, 2136450338, 2330446260, 2346682604], abs=2
    )


def test_the_warm_up_does_not_change_the_window() -> None:
    """With or without it, the window is the same, and has its number of sessions."""
    shape = OpenLoop(_flat(7.0, 30.0))
    plain = _plan(shape, duration_s=30.0)
    warm = _plan(shape, duration_s=30.0, warm_up_s=10.0)
    assert _window(plain) == _window(warm)
    assert len(_window(warm)) == 210
    assert len(list(schedule(warm))) == 280
    assert expected_sessions(warm) == 280.0
    assert run_s(warm) == 40.0


def test_the_warm_up_has_the_rate_of_the_beginning() -> None:
    """A ramp from 10/s on is warmed up with 10/s."""
    plan = _plan(OpenLoop((Phase(60.0, 10.0, 50.0),)), duration_s=60.0, warm_up_s=5.0)
    assert len(list(schedule(plan))) == 50 + 1_800
    assert len(_window(plan)) == 1_800


def test_constant_arrivals_go_on_from_warm_up_to_window() -> None:
    """There is no odd gap where the window begins."""
    shape = OpenLoop(_flat(3.0, 10.0), arrivals="constant")
    at = list(schedule(_plan(shape, duration_s=10.0, warm_up_s=2.5)))
    assert {after - before for before, after in pairwise(at)} <= {333_333_333, 333_333_334}


def test_one_rate_is_for_the_whole_run_however_long_its_phase() -> None:
    """Shorter than the window it is held, longer it is cut off."""
    for length_s in (1.0, 60.0, 500.0):
        plan = _plan(OpenLoop(_flat(4.0, length_s)), duration_s=60.0, seed=3)
        assert list(schedule(plan)) == list(times(OpenLoop(_flat(4.0, 60.0)), 3))


def test_a_closed_loop_has_no_schedule() -> None:
    """Its sessions begin when others end."""
    with pytest.raises(ValueError, match="closed loop"):
        schedule(_plan(ClosedLoop(3), duration_s=1.0))


def test_a_replay_begins_with_the_run_and_is_cut_at_its_end(tmp_path: Path) -> None:
    """At 0, 1, 2, … s: twice as fast and two seconds long, four rows are left."""
    path = tmp_path / "trace.jsonl"
    rows = [
        f'{{"timestamp": {1000 * n}, "input_length": 1, "output_length": 1}}\n' for n in range(9)
    ]
    path.write_text("".join(rows))
    shape = Replay(str(path), speed=2.0)
    plan = _plan(shape, duration_s=1.5, warm_up_s=0.5)
    assert list(schedule(plan)) == [0, S // 2, S, 3 * S // 2]
    assert len(list(times(shape, 0))) == 9
    assert expected_sessions(plan) is None


def test_a_window_ends_with_its_trace(tmp_path: Path) -> None:
    """Nine rows in 8 s are 1.125 a second, also where a minute was asked for."""
    path = tmp_path / "trace.jsonl"
    row = '{{"timestamp": {}, "input_length": 1, "output_length": 1}}\n'
    path.write_text("".join(row.format(1000 * n) for n in range(9)))
    shape = Replay(str(path))
    fitted = fit_window(_plan(shape, duration_s=60.0))
    assert fitted.duration_s == pytest.approx(8.001)
    assert len(list(schedule(fitted))) == 9
    assert (
        fit_window(_plan(Replay(str(path), 4.0), duration_s=60.0, warm_up_s=1.0)).duration_s < 1.1
    )
    for plan in (_plan(shape, duration_s=5.0), _plan(OpenLoop(_flat(1.0)), duration_s=5.0)):
        assert fit_window(plan) is plan
    with pytest.raises(PlanError, match=r"lasts 8\.001 s at this speed, which leaves no window"):
        fit_window(_plan(shape, duration_s=60.0, warm_up_s=9.0))


@given(
    st.lists(
        st.builds(Phase, st.floats(0.1, 100.0), st.floats(0.0, 50.0), st.floats(0.0, 50.0)),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["constant", "poisson", "gamma"]),
    st.floats(0.05, 50.0),
    st.floats(0.0, 20.0),
    st.floats(0.1, 100.0),
    st.integers(-(2**40), 2**80),
)
def test_any_schedule_is_sorted_complete_and_within_the_run(
    phases: list[Phase],
    arrivals: str,
    burstiness: float,
    warm_up_s: float,
    duration_s: float,
    seed: int,
) -> None:
    """Whatever the shape: as many sessions as are expected, each at a time within the run."""
    shape = OpenLoop(tuple(phases), arrivals=arrivals, burstiness=burstiness)  # type: ignore[arg-type]
    plan = _plan(shape, duration_s=duration_s, warm_up_s=warm_up_s, seed=seed)
    at = list(schedule(plan))
    assert at == sorted(at)
    assert all(0 <= at_ns <= run_s(plan) * S + 1 for at_ns in at)
    assert abs(len(at) - (expected_sessions(plan) or 0.0)) <= 1.0 + 1e-6


def test_a_schedule_is_lazy() -> None:
    """The first of ten thousand million sessions is there at once."""
    for arrivals in ("constant", "poisson", "gamma"):
        shape = OpenLoop(_flat(1e4, 1e6), arrivals=arrivals)  # type: ignore[arg-type]
        assert len(list(islice(times(shape, 0), 100))) == 100
