"""What probes mean: thresholds, intervals and what has changed, without IO."""

from __future__ import annotations

import random
from typing import Any

import pytest

from triollama import _facts as fact
from triollama._config import ProbeConfig
from triollama.actors.health.core import RETRY_S, ProbeCore, Sight
from triollama.actors.pool.messages import LoadedModel, ProbeAnswered, ProbeUnanswered

CONFIG = ProbeConfig(interval_s=5.0, tags_interval_s=60.0, jitter=0.2)
EVEN = 0.5
"""The draw that strays nowhere."""

M = LoadedModel("m", 4096)


def sight(version: str = "0.12.0", **more: Any) -> Sight:
    """What a probe saw."""
    return Sight(version, **more)


@pytest.fixture
def core() -> ProbeCore:
    """The probes of one endpoint, from the time 0 on."""
    return ProbeCore("a", CONFIG, 0.0)


def kinds(effects: Any) -> list[str]:
    """The names of the effects, facts marked."""
    return [("fact " if isinstance(e, fact.Fact) else "") + type(e).__name__ for e in effects]


def test_the_first_probe_is_due_at_once(core: ProbeCore) -> None:
    """It asks for everything."""
    assert core.due_s == 0.0
    assert core.wants_models(0.0)


@pytest.mark.parametrize(("draw", "due_s"), [(0.0, 104.0), (0.5, 105.0), (0.999999, 106.0)])
def test_intervals_stray(core: ProbeCore, draw: float, due_s: float) -> None:
    """By a fifth, to both sides: hundreds of probers do not beat together."""
    core.succeeded(sight(), 100.0, draw)
    assert core.due_s == pytest.approx(due_s, abs=1e-4)


def test_models_are_asked_for_at_their_own_rate(core: ProbeCore) -> None:
    """Only when that interval is over, and only an answer begins it anew."""
    core.succeeded(sight(available=frozenset("m")), 0.0, EVEN)
    assert not core.wants_models(59.9)
    assert core.wants_models(60.0)
    core.succeeded(sight(), 60.0, EVEN)
    assert core.wants_models(65.0)


def test_it_is_bad_after_so_many_failures(core: ProbeCore) -> None:
    """Two are told, the third takes the endpoint out; probes come sooner meanwhile."""
    now_s = 0.0
    for failures in (1, 2, 3, 4):
        told, message = core.failed("ConnectError", now_s, EVEN)
        assert isinstance(told, fact.ProbeFailed)
        assert (told.error, told.failures) == ("ConnectError", failures)
        assert message == ProbeUnanswered("a", failures, is_down=failures >= 3)
        assert core.due_s == now_s + RETRY_S
        assert core.is_good is (failures < 3)
        now_s = core.due_s


def test_it_is_good_again_after_so_many_successes(core: ProbeCore) -> None:
    """The first good answer after three bad ones is not believed yet."""
    for _ in range(3):
        core.failed("StallError", 0.0, EVEN)
    assert kinds(core.succeeded(sight(), 1.0, EVEN)) == ["fact ModelsChanged"]
    assert not core.is_good
    assert kinds(core.succeeded(sight(), 6.0, EVEN)) == ["fact ProbeRecovered", "ProbeAnswered"]
    assert core.is_good
    assert kinds(core.succeeded(sight(), 11.0, EVEN)) == ["ProbeAnswered"]


def test_one_failure_is_forgiven(core: ProbeCore) -> None:
    """Below the threshold the next good answer counts at once."""
    core.succeeded(sight(), 0.0, EVEN)
    core.failed("ConnectError", 5.0, EVEN)
    assert kinds(core.succeeded(sight(), 6.0, EVEN)) == ["fact ProbeRecovered", "ProbeAnswered"]


def test_the_pool_is_told_what_was_seen(core: ProbeCore) -> None:
    """With None for what was not asked for."""
    seen = sight(loaded=(M,), available=frozenset({"m", "n"}))
    assert ProbeAnswered("a", "0.12.0", (M,), frozenset({"m", "n"})) in core.succeeded(
        seen, 0.0, EVEN
    )
    assert ProbeAnswered("a", "0.12.0", (M,), None) in core.succeeded(sight(loaded=(M,)), 5.0, EVEN)


def test_another_version_is_a_restart(core: ProbeCore) -> None:
    """Whatever it looks like: a version is text, and nothing is read out of it."""
    core.succeeded(sight("0.12.0"), 0.0, EVEN)
    told = core.succeeded(sight("dev build, not a number"), 5.0, EVEN)
    changed, restarted = told[0], told[1]
    assert isinstance(changed, fact.VersionChanged)
    assert (changed.before, changed.after) == ("0.12.0", "dev build, not a number")
    assert isinstance(restarted, fact.EndpointRestarted)
    assert core.wants_models(10.0)


@pytest.mark.parametrize(
    ("stays_s", "is_restart"), [(300.0, True), (4.0, False), (None, False), (-5.0, False)]
)
def test_models_that_are_gone_before_their_time(
    core: ProbeCore, stays_s: float | None, *, is_restart: bool
) -> None:
    """A server that has nothing loaded, though it should have, was restarted."""
    core.succeeded(sight(loaded=(M,), stays_s=stays_s), 0.0, EVEN)
    told = kinds(core.succeeded(sight(loaded=()), 5.0, EVEN))
    assert ("fact EndpointRestarted" in told) is is_restart
    assert "fact ModelsChanged" in told


def test_a_server_that_comes_back_empty_is_told(core: ProbeCore) -> None:
    """No models at all is an answer, too."""
    core.succeeded(sight(available=frozenset("m")), 0.0, EVEN)
    told = core.succeeded(sight(available=frozenset()), 60.0, EVEN)
    changed = told[0]
    assert isinstance(changed, fact.ModelsChanged)
    assert changed.available == 0


def test_nothing_new_is_no_fact(core: ProbeCore) -> None:
    """The same as before is told to the pool alone."""
    seen = sight(loaded=(M,), available=frozenset("m"), stays_s=300.0)
    core.succeeded(seen, 0.0, EVEN)
    assert kinds(core.succeeded(seen, 5.0, EVEN)) == ["ProbeAnswered"]


def test_a_hint_makes_the_next_probe_due(core: ProbeCore) -> None:
    """With the question for its models."""
    core.succeeded(sight(available=frozenset("m")), 0.0, EVEN)
    core.hurry(1.0)
    assert core.due_s == 1.0
    assert core.wants_models(1.0)


@pytest.mark.parametrize("seed", range(20))
def test_random_probes(seed: int) -> None:
    """Whatever comes: good means the last `failures_max` did not all fail, and counts add up."""
    draw = random.Random(seed)
    core, now_s = ProbeCore("a", CONFIG, 0.0), 0.0
    outcomes: list[bool] = []
    for _ in range(300):
        outcomes.append(draw.random() < 0.6)
        if outcomes[-1]:
            effects = core.succeeded(sight(), now_s, draw.random())
            assert ("ProbeAnswered" in kinds(effects)) is core.is_good
        else:
            core.failed("x", now_s, draw.random())
        if not any(outcomes[-3:]) and len(outcomes) >= 3:
            assert not core.is_good
        if all(outcomes[-2:]) and len(outcomes) >= 2:
            assert core.is_good
        assert now_s < core.due_s <= now_s + 6.0
        now_s = core.due_s
    assert (core.probes, core.failed_probes) == (300, outcomes.count(False))
