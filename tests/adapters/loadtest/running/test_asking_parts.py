"""Sessions made ahead, descriptors, a target that dies, and the progress that is told."""

from __future__ import annotations

import resource
from typing import Any

import msgspec
import pytest

from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.plan import ClosedLoop, OpenLoop, Phase, Plan, Target
from triollama_adapters.loadtest.running import ahead
from triollama_adapters.loadtest.running.ahead import SessionsAhead
from triollama_adapters.loadtest.running.death import GIVE_UP_FAILURES, GIVE_UP_NS, Death
from triollama_adapters.loadtest.running.limits import OTHERS, check_descriptors, sockets_max
from triollama_adapters.loadtest.running.progress import Meter, stage_at
from triollama_adapters.loadtest.sample import Outcome, Sample
from triollama_adapters.loadtest.sessions import Session, Turn
from triollama_adapters.loadtest.workload.scenario import Scenario, Workload

NS = 1_000_000_000
MS = 1_000_000


def plan_of(shape: Any = None, **fields: Any) -> Plan:
    """A plan of 2 s of warm-up, 10 s of window and 3 s of drain."""
    values = {"duration_s": 10.0, "warm_up_s": 2.0, "drain_s": 3.0} | fields
    workload = Workload((Scenario("s", "m"),))
    return Plan(Target(("http://h:1",)), workload, shape or ClosedLoop(1), **values)


# ---- sessions ahead


def session(index: int) -> Session:
    """Any."""
    return Session(index, None, "s", "m", (Turn("?"),))


def test_sessions_are_made_ahead_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there is room for; each is taken once."""
    monkeypatch.setattr(ahead, "AHEAD", 3)
    made: list[int] = []
    source = (made.append(index) or session(index) for index in range(5))  # type: ignore[func-returns-value]
    sessions = SessionsAhead(source)
    sessions.fill()
    assert made == [0, 1, 2]
    assert not sessions.make_one()
    taken = [sessions.take() for _ in range(7)]
    assert [None if each is None else each.index for each in taken] == [0, 1, 2, 3, 4, None, None]
    assert sessions.peek() is None


# ---- descriptors


def test_users_need_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """One each, in each process; an open loop finds out as it goes."""
    most = sockets_max()
    check_descriptors(plan_of(ClosedLoop(most)))
    with pytest.raises(PlanError, match="ulimit"):
        check_descriptors(plan_of(ClosedLoop(most + 1)))
    check_descriptors(plan_of(ClosedLoop(most + 1), processes=2))
    check_descriptors(plan_of(OpenLoop((Phase(10.0, 1e6, 1e6),))))


def test_the_limit_is_raised_as_far_as_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The soft one to the hard one."""
    limits = {"now": (1_024, 4_096)}
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits["now"])
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: limits.update(now=wanted))
    assert sockets_max() == 4_096 - OTHERS
    assert limits["now"] == (4_096, 4_096)

    def refuse(*_: object) -> None:
        raise ValueError("not allowed")

    limits["now"] = (1_024, 4_096)
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert sockets_max() == 1_024 - OTHERS


# ---- death in the warm-up


def ended(outcome: Outcome, endpoint: str = "a:1") -> Sample:
    """A request that ended so."""
    return Sample(0, endpoint=endpoint, outcome=outcome, detail="Connection refused")


def test_a_target_is_dead_if_its_last_requests_failed() -> None:
    """When the warm-up is over; one failure, or two, may be bad luck."""
    death = Death()
    death.add(ended("ok"), 0, is_over=False)
    for _ in range(5):
        death.add(ended("lost"), 10, is_over=False)
    assert death.error is None
    death.add(ended("connect"), 20, is_over=True)
    assert death.error is not None
    assert "a:1: Connection refused" in str(death.error)


@pytest.mark.parametrize("outcome", ["ok", "cancelled", "censored", "unsent", "client"])
def test_it_lives(outcome: Outcome) -> None:
    """Whatever is no failure of the target."""
    death = Death()
    for _ in range(5):
        death.add(ended("lost"), 0, is_over=False)
    for _ in range(5):
        death.add(ended(outcome), 0, is_over=True)
    assert death.error is None


def test_one_of_two_endpoints_may_be_dead() -> None:
    """That is worth measuring."""
    death = Death()
    death.add(ended("ok", "b:1"), 0, is_over=False)
    for _ in range(50):
        death.add(ended("connect"), 0, is_over=True)
    assert death.error is None
    for _ in range(3):
        death.add(ended("connect", "b:1"), 0, is_over=True)
    assert "a:1 and b:1" in str(death.error)


async def test_the_rest_of_the_warm_up_is_not_waited_for() -> None:
    """After enough failures over a long enough time."""
    death = Death()
    death.add(ended("ok"), 0, is_over=False)
    for _ in range(GIVE_UP_FAILURES):
        death.add(ended("connect"), GIVE_UP_NS - 1, is_over=False)
    assert death.error is None
    death.add(ended("connect"), GIVE_UP_NS, is_over=False)
    assert death.error is not None
    await death.wait()


# ---- progress


@pytest.mark.parametrize(
    ("at_s", "stage", "until_s"),
    [
        (-0.1, "before", 0.0),
        (0.0, "warm-up", 2.0),
        (2.0, "measuring", 12.0),
        (12.0, "drain", 15.0),
    ],
)
def test_stages(at_s: float, stage: str, until_s: float) -> None:
    """What a run does when, and until when."""
    assert stage_at(plan_of(), at_s) == (stage, until_s)


def answered(at_ns: int, ttft_ns: int = 10 * MS, **changes: Any) -> Sample:
    """A request that was answered."""
    sample = Sample(
        0,
        scheduled_ns=at_ns,
        sent_ns=at_ns + MS,
        first_ns=at_ns + ttft_ns,
        done_ns=at_ns + 100 * MS,
        output_tokens=5,
    )
    return msgspec.structs.replace(sample, **changes)


def test_a_meter_counts() -> None:
    """Everything so far, and rates and percentiles of the last whole seconds."""
    meter = Meter(plan_of())
    for number in range(100):
        meter.schedule()
        meter.add(answered(3 * NS, ttft_ns=(number + 1) * MS), 3 * NS + number * MS)
    outcomes: list[Outcome] = ["stall", "stall", "http_429", "cancelled", "censored"]
    for outcome in outcomes:
        meter.schedule()
        meter.add(answered(3 * NS, outcome=outcome), 3 * NS + 500 * MS)
    told = meter.progress(4 * NS, sent=107, in_flight={"a:1": 2}, lag_ns=3 * MS)
    assert (told.stage, told.at_s) == ("measuring", 4.0)
    assert (told.scheduled, told.sent, told.ok, told.failed, told.others) == (105, 107, 100, 3, 2)
    assert told.errors == {"stall": 2, "http_429": 1}
    assert (told.tokens, told.in_flight, told.lag_s) == (500, {"a:1": 2}, 0.003)
    assert (told.ok_per_s, told.tokens_per_s) == (25.0, 125.0)  # in four seconds
    assert (told.ttft_p50_s, told.ttft_p95_s) == (0.05, 0.095)
    assert (told.e2e_p95_s, told.start_delay_p99_s) == (0.1, 0.001)


def test_requests_count_as_sent_while_they_are_under_way() -> None:
    """How many a second is of the last five; the number never goes back."""
    meter = Meter(plan_of())
    told = [
        meter.progress(half * NS // 2, sent=sent, in_flight={}, lag_ns=0)
        for half, sent in enumerate([0, 5, 10, *[200] * 20])
    ]
    assert [each.sent for each in told[:4]] == [0, 5, 10, 200]
    assert [each.sent_per_s for each in told[1:3]] == [5.0, 10.0]
    assert told[11].sent_per_s == (200 - 5) / 5
    assert told[22].sent_per_s == 0.0
    assert meter.progress(12 * NS, sent=190, in_flight={}, lag_ns=0).sent == 200


def test_what_is_long_ago_is_not_recent() -> None:
    """But it counts."""
    meter = Meter(plan_of())
    meter.add(answered(NS), NS)
    told = meter.progress(10 * NS, sent=1, in_flight={}, lag_ns=0)
    assert (told.ok, told.ok_per_s, told.ttft_p50_s) == (1, 0.0, None)


def test_embeddings_have_no_first_token() -> None:
    """Then there is no TTFT to tell."""
    meter = Meter(plan_of())
    meter.add(answered(NS, first_ns=0), NS)
    told = meter.progress(2 * NS, sent=1, in_flight={}, lag_ns=0, is_over=True)
    assert (told.ttft_p50_s, told.e2e_p95_s, told.stage) == (None, 0.1, "over")


def test_a_meter_does_not_grow() -> None:
    """Of each second only some values are kept."""
    meter = Meter(plan_of())
    for number in range(5_000):
        meter.add(answered(NS), number * 10 * MS)
    assert sum(len(each.ttft) for each in meter._seconds) <= 6 * 200
