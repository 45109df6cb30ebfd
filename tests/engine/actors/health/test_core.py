"""What probes mean: thresholds, intervals and what has changed, without IO."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import pytest

from triollama import _facts as fact
from triollama._config import ProbeConfig
from triollama.actors.health.core import HINT_S, RETRY_S, ProbeCore, ProbeEffect, Sight
from triollama.actors.pool.messages import LoadedModel, ProbeAnswered, ProbeUnanswered

CONFIG = ProbeConfig(interval_s=5.0, tags_interval_s=60.0, jitter=0.2)
EVEN = 0.5
"""The draw that strays nowhere."""

M, N = LoadedModel("m", 4096), LoadedModel("n", 4096)
OLD = "0.12.0"


def sight(version: str = OLD, **more: Any) -> Sight:
    """What a probe saw."""
    return Sight(version, **more)


@pytest.fixture
def core() -> ProbeCore:
    """The probes of one endpoint, none of them made yet."""
    return ProbeCore("a", CONFIG)


@pytest.fixture
def known(core: ProbeCore) -> ProbeCore:
    """The same after a first good probe at 0, which saw one model, loaded for five minutes."""
    answer(core, 0.0, loaded=(M,), available=frozenset({"m"}), stays_s=300.0)
    return core


def answer(
    core: ProbeCore, now_s: float, version: str = OLD, *, draw: float = EVEN, **more: Any
) -> Sequence[ProbeEffect]:
    """A whole probe at one moment, which gets its answers."""
    core.begin(now_s)
    return core.answered(sight(version, **more), now_s, draw)


def fail(core: ProbeCore, now_s: float, *, draw: float = EVEN) -> Sequence[ProbeEffect]:
    """A whole probe at one moment, which fails."""
    core.begin(now_s)
    return core.failed("ConnectError", now_s, draw)


def kinds(effects: Sequence[ProbeEffect]) -> list[str]:
    """The names of the effects' classes."""
    return [type(each).__name__ for each in effects]


def told(effects: Sequence[ProbeEffect]) -> ProbeAnswered | ProbeUnanswered:
    """What the pool is told."""
    [message] = [each for each in effects if isinstance(each, ProbeAnswered | ProbeUnanswered)]
    return message


# ---- when


def test_the_first_probe_is_due_at_once(core: ProbeCore) -> None:
    """It asks for everything."""
    assert core.due_s == -math.inf
    assert core.begin(0.0)


@pytest.mark.parametrize(("draw", "pause_s"), [(0.0, 4.0), (0.5, 5.0), (0.999999, 6.0)])
def test_intervals_stray(known: ProbeCore, draw: float, pause_s: float) -> None:
    """By a fifth, to both sides: hundreds of probers do not beat together."""
    answer(known, 100.0, draw=draw)
    assert known.due_s == pytest.approx(100.0 + pause_s, abs=1e-4)


@pytest.mark.parametrize("fails", [False, True])
def test_probers_that_start_together_part_at_once(*, fails: bool) -> None:
    """The first pause of each lies anywhere in its length, so that no second is crowded."""
    due_s = []
    for number in range(1000):
        core = ProbeCore("a", CONFIG)
        (fail if fails else answer)(core, 0.0, draw=number / 1000)
        due_s.append(core.due_s)
    length_s = RETRY_S if fails else CONFIG.interval_s
    tenths = [sum(int(each / length_s * 10) == tenth for each in due_s) for tenth in range(10)]
    assert all(90 <= count <= 110 for count in tenths)
    assert min(due_s) > 0


def test_without_jitter_nothing_strays() -> None:
    """Not even the first pause."""
    core = ProbeCore("a", ProbeConfig(jitter=0.0))
    answer(core, 0.0, draw=0.9)
    assert core.due_s == 5.0


def test_models_are_asked_for_at_their_own_rate(known: ProbeCore) -> None:
    """Only when that interval is over, and only an answer begins it anew."""
    assert not known.begin(59.9)
    assert known.begin(60.0)
    known.answered(sight(), 60.0, EVEN)
    assert known.begin(65.0)
    known.answered(sight(available=frozenset()), 65.0, EVEN)
    assert not known.begin(124.9)


def test_a_retry_is_no_slower_than_the_interval() -> None:
    """Where probes are frequent anyway."""
    core = ProbeCore("a", ProbeConfig(interval_s=0.1, jitter=0.0))
    fail(core, 0.0)
    assert core.due_s == pytest.approx(0.1)


# ---- hints


def test_a_hint_makes_the_next_probe_due(known: ProbeCore) -> None:
    """With the question for its models, and once only."""
    known.hint()
    assert known.due_s <= 1.0
    assert known.begin(1.0)
    known.answered(sight(), 1.0, EVEN)
    assert known.due_s == 6.0
    assert not known.begin(6.0)


def test_a_hint_during_a_probe_stands_for_the_next(known: ProbeCore) -> None:
    """What was seen may have happened after the question."""
    known.begin(5.0)
    known.hint()
    known.answered(sight(available=frozenset()), 6.0, EVEN)
    assert known.due_s <= 6.0
    assert known.begin(6.0)


def test_hints_in_masses_are_two_probes_a_second(core: ProbeCore) -> None:
    """Thousands of requests that miss the same model do not flood its server."""
    probes, now_s = 0, 0.0
    while now_s < 10.0:
        core.hint()
        if core.due_s <= now_s:
            answer(core, now_s)
            probes += 1
        now_s += 0.001
    assert probes == pytest.approx(10 / HINT_S, abs=1)


def test_a_hint_never_makes_a_probe_later(core: ProbeCore) -> None:
    """It was due anyway."""
    for at_s in (0.0, 0.1):
        fail(core, at_s, draw=0.99)
    before_s = core.due_s
    core.hint()
    assert core.due_s <= before_s


# ---- thresholds


def test_it_is_bad_after_so_many_failures(known: ProbeCore) -> None:
    """Two are told, the third takes the endpoint out; probes come sooner meanwhile."""
    now_s = 5.0
    for failures in (1, 2, 3, 4):
        seen, message = fail(known, now_s)
        assert isinstance(seen, fact.ProbeFailed)
        assert (seen.endpoint, seen.error, seen.failures) == ("a", "ConnectError", failures)
        assert message == ProbeUnanswered("a", failures, is_down=failures >= 3)
        assert known.due_s == now_s + RETRY_S
        assert known.is_good is (failures < 3)
        now_s = known.due_s


def test_it_is_good_again_after_so_many_answers(known: ProbeCore) -> None:
    """The first good one after three bad ones is not believed yet; the second comes soon."""
    for at_s in (5.0, 6.0, 7.0):
        fail(known, at_s)
    assert kinds(answer(known, 8.0, loaded=(M,))) == []
    assert not known.is_good
    assert known.due_s == 8.0 + RETRY_S
    assert kinds(answer(known, 9.0, loaded=(M,))) == ["ProbeRecovered", "ProbeAnswered"]
    assert known.is_good
    assert known.due_s == 9.0 + CONFIG.interval_s


def test_a_lapse_on_the_way_back_begins_it_anew(known: ProbeCore) -> None:
    """One that is bad stays down for the pool until it has proved itself."""
    for at_s in (5.0, 6.0, 7.0):
        fail(known, at_s)
    answer(known, 8.0)
    assert told(fail(known, 9.0)) == ProbeUnanswered("a", 1, is_down=True)
    answer(known, 10.0)
    assert not known.is_good
    answer(known, 11.0)
    assert known.is_good


def test_one_failure_is_forgiven(known: ProbeCore) -> None:
    """Below the threshold the next good answer counts at once."""
    fail(known, 5.0)
    assert kinds(answer(known, 6.0)) == ["ProbeRecovered", "ProbeAnswered"]


def test_of_its_return_the_pool_misses_no_model(known: ProbeCore) -> None:
    """The first good answer, of which it is not told, has the models; it gets them at the second.

    The models are asked for by the first, since a server may come back with others.
    """
    for at_s in (5.0, 6.0, 7.0):
        fail(known, at_s)
    assert known.begin(8.0)
    known.answered(sight(available=frozenset({"x"}), loaded=()), 8.0, EVEN)
    assert not known.begin(9.0)
    effects = known.answered(sight(loaded=()), 9.0, EVEN)
    assert told(effects) == ProbeAnswered("a", OLD, (), frozenset({"x"}))


# ---- what was seen


def test_the_pool_is_told_what_was_seen(core: ProbeCore) -> None:
    """With None for what was not asked for."""
    both = frozenset({"m", "n"})
    assert told(answer(core, 0.0, loaded=(M,), available=both)) == ProbeAnswered(
        "a", OLD, (M,), both
    )
    assert told(answer(core, 5.0, loaded=(M,))) == ProbeAnswered("a", OLD, (M,), None)
    assert told(answer(core, 10.0)) == ProbeAnswered("a", OLD, None, None)


def test_nothing_new_is_no_fact(known: ProbeCore) -> None:
    """The same as before is told to the pool alone."""
    effects = answer(known, 5.0, loaded=(M,), available=frozenset({"m"}), stays_s=295.0)
    assert kinds(effects) == ["ProbeAnswered"]


def test_another_version_is_a_restart(known: ProbeCore) -> None:
    """Whatever it looks like: a version is text, and nothing is read out of it."""
    changed, restarted, _ = answer(known, 5.0, "dev build, not a number", loaded=(M,))
    assert isinstance(changed, fact.VersionChanged)
    assert (changed.before, changed.after) == (OLD, "dev build, not a number")
    assert isinstance(restarted, fact.EndpointRestarted)
    assert restarted.version == "dev build, not a number"
    assert known.due_s <= 5.0 + HINT_S  # its models are asked for at once
    assert known.begin(known.due_s)


def test_a_version_that_is_not_told_is_no_other(known: ProbeCore) -> None:
    """The last one told stands, also across that gap."""
    assert told(answer(known, 5.0, "", loaded=(M,))) == ProbeAnswered("a", OLD, (M,), None)
    assert kinds(answer(known, 10.0, loaded=(M,))) == ["ProbeAnswered"]
    assert kinds(answer(known, 15.0, "1", loaded=(M,)))[:1] == ["VersionChanged"]


@pytest.mark.parametrize(
    ("stays_s", "is_restart"),
    [(300.0, True), (6.1, True), (6.0, False), (4.0, False), (None, False), (-5.0, False)],
)
def test_models_that_are_gone_before_their_time(
    core: ProbeCore, stays_s: float | None, *, is_restart: bool
) -> None:
    """A server that has nothing loaded, though it should have, was restarted."""
    answer(core, 0.0, loaded=(M,), stays_s=stays_s)
    seen = kinds(answer(core, 5.0, loaded=()))
    assert ("EndpointRestarted" in seen) is is_restart
    assert "ModelsChanged" in seen


def test_one_model_that_is_gone_is_no_restart(core: ProbeCore) -> None:
    """It made room for another, or was unloaded."""
    answer(core, 0.0, loaded=(M, N), stays_s=300.0)
    assert kinds(answer(core, 5.0, loaded=(N,))) == ["ModelsChanged", "ProbeAnswered"]


def test_a_restart_is_seen_across_failures_and_silence(known: ProbeCore) -> None:
    """What was loaded before is remembered while nobody tells."""
    fail(known, 5.0)
    answer(known, 6.0)  # it does not tell what is loaded
    assert "EndpointRestarted" in kinds(answer(known, 11.0, loaded=()))


def test_a_server_that_comes_back_empty_is_told(known: ProbeCore) -> None:
    """No models at all is an answer, too."""
    changed, message = answer(known, 60.0, available=frozenset())
    assert isinstance(changed, fact.ModelsChanged)
    assert (changed.available, changed.loaded) == (0, 1)
    assert message == ProbeAnswered("a", OLD, None, frozenset())


def test_a_model_with_another_context_is_another(known: ProbeCore) -> None:
    """It was loaded anew."""
    assert kinds(answer(known, 5.0, loaded=(LoadedModel("m", 8192),)))[:1] == ["ModelsChanged"]


def test_a_server_that_tells_nothing_has_no_facts(core: ProbeCore) -> None:
    """It is alive, and that is all."""
    assert kinds(answer(core, 0.0, "")) == ["ProbeAnswered"]


def test_a_probe_that_crashed_is_as_if_it_had_not_been(known: ProbeCore) -> None:
    """The next one begins, and is counted once."""
    known.begin(5.0)
    known.begin(10.0)
    known.answered(sight(), 10.0, EVEN)
    assert known.probes == 2


# ---- walks


@pytest.mark.parametrize("seed", range(50))
def test_random_probes(seed: int) -> None:
    """Whatever comes: the thresholds hold, the pool hears what it must, and pauses are bounded."""
    draw = random.Random(seed)
    config = ProbeConfig(
        failures_max=draw.randint(1, 4), successes_min=draw.randint(1, 3), interval_s=2.0
    )
    core, now_s, outcomes = ProbeCore("a", config), 0.0, list[bool]()
    is_good, available = True, frozenset[str]()
    pool: frozenset[str] | None = None
    while len(outcomes) < 300:
        wants = core.begin(now_s)
        if draw.random() < 0.1:
            core.hint()
        now_s += draw.random()
        outcomes.append(draw.random() < 0.6)
        if outcomes[-1]:
            available = frozenset(draw.sample("xyz", 2)) if wants else available
            seen = sight(
                draw.choice(["", "1", "2"]),
                loaded=draw.choice([None, (), (M,), (M, N)]),
                stays_s=draw.choice([None, -1.0, 300.0]),
                available=available if wants else None,
            )
            effects = core.answered(seen, now_s, draw.random())
        else:
            effects = core.failed("x", now_s, draw.random())
        if not any(outcomes[-config.failures_max :]) and len(outcomes) >= config.failures_max:
            is_good = False
        elif all(outcomes[-config.successes_min :]) and len(outcomes) >= config.successes_min:
            is_good = True
        assert core.is_good is is_good
        assert kinds(effects).count("ProbeAnswered") == (outcomes[-1] and is_good)
        for each in effects:
            if isinstance(each, ProbeUnanswered):
                assert each.is_down is not is_good
            elif isinstance(each, ProbeAnswered):
                pool = pool if each.available is None else each.available
                assert pool == available
        assert core.due_s <= now_s + config.interval_s * (1 + config.jitter)
        now_s = max(now_s, core.due_s)
    assert (core.probes, core.failed_probes) == (300, outcomes.count(False))
