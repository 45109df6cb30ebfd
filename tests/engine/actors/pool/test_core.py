"""The pool's decisions: a random walk with its invariants, and each rule by itself."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from triollama import _facts as fact
from triollama._config import EndpointConfig
from triollama._errors import DeadlineExceededError, OverloadError
from triollama.actors.pool.breaker import FAILURES_MAX, TRIALS_MAX
from triollama.actors.pool.core import PUSH_BACK_S, PoolCore
from triollama.actors.pool.endpoint import MISSING_S
from triollama.actors.pool.messages import (
    Abandon,
    Acquire,
    Add,
    Drain,
    FirstToken,
    Granted,
    Hold,
    Lease,
    LoadedModel,
    Outcome,
    ProbeAnswered,
    ProbeUnanswered,
    Refused,
    Released,
    TimePassed,
    Update,
)

MILLISECOND_S = 0.001


def config(name: str, **more: Any) -> EndpointConfig:
    """An endpoint with slots that are known, unless said otherwise."""
    return EndpointConfig(f"http://{name}:1", name, **({"num_parallel": 8} | more))


class Hand:
    """A core, and a hand that gives it messages and counts what comes of them."""

    def __init__(self, *endpoints: EndpointConfig, **limits: int) -> None:
        limits = {"line_max": 1_000, "line_bytes_max": 10**6} | limits
        self.core = PoolCore(endpoints, **limits)  # type: ignore[arg-type]  # two named limits
        self.now_s = 1_000.0
        self.leases: list[Lease] = []
        self.refused: dict[int, Any] = {}
        self.facts: list[fact.Fact] = []
        self.answered: dict[int, Lease | None] = {}
        self._ticket = 0

    def tell(self, message: Any) -> None:
        """Give a message, and note the effects."""
        for effect in self.core.handle(message, self.now_s):
            if isinstance(effect, Granted):
                assert effect.ticket not in self.answered
                self.answered[effect.ticket] = effect.lease
                self.leases.append(effect.lease)
            elif isinstance(effect, Refused):
                assert effect.ticket not in self.answered
                self.answered[effect.ticket] = None
                self.refused[effect.ticket] = effect.error
            else:
                self.facts.append(effect)

    def ask(self, model: str = "m", **more: Any) -> int:
        """Ask for a lease; returns the ticket."""
        self._ticket += 1
        given = {"deadline_s": math.inf} | more
        self.tell(Acquire(self._ticket, model, asked_s=self.now_s, **given))
        return self._ticket

    def lease(self, model: str = "m", **more: Any) -> Lease:
        """Ask for a lease that is given at once."""
        lease = self.answered[self.ask(model, **more)]
        assert lease is not None
        return lease

    def give_back(self, lease: Lease, outcome: Outcome = Outcome.DONE, **more: Any) -> None:
        """A lease is over."""
        self.leases.remove(lease)
        self.tell(Released(lease, outcome, **more))

    def use(self, outcome: Outcome = Outcome.DONE, **ask: Any) -> str:
        """Use one lease; returns where it was."""
        lease = self.lease(**ask)
        self.give_back(lease, outcome)
        return lease.endpoint

    def fail(self, name: str, outcome: Outcome = Outcome.FAILED) -> None:
        """Let an endpoint fail until it is out, or may not be taken out."""
        for _ in range(FAILURES_MAX):
            self.use(outcome, only=name)

    def pass_time(self, seconds: float) -> None:
        """Wait; the core is told what it asked to be told."""
        until_s = self.now_s + seconds
        while self.core.next_due_s() <= until_s:
            due_s = self.core.next_due_s()
            self.now_s = max(due_s, self.now_s)
            self.tell(TimePassed())
            assert self.core.next_due_s() > self.now_s
        self.now_s = until_s

    def state(self, name: str) -> Any:
        """The numbers of an endpoint."""
        endpoints = self.core.statistics(self.now_s).endpoints
        return next(each for each in endpoints if each.name == name)

    def told(self, kind: type[fact.Fact]) -> list[Any]:
        """The facts of a kind."""
        return [each for each in self.facts if isinstance(each, kind)]


# ---- a random walk


class Walk(Hand):
    """Does anything, in any order."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.names = [f"e{number}" for number in range(self.draw.randint(1, 6))]
        limits = {"line_max": self.draw.choice([0, 3, 50]), "line_bytes_max": 5_000}
        super().__init__(*map(self.some_config, self.names), **limits)
        self.abandoned: set[int] = set()
        self.line_max = limits["line_max"]

    def some_config(self, name: str) -> EndpointConfig:
        """Any configuration."""
        draw = self.draw
        return config(
            name,
            max_in_flight=draw.choice([8, 20]),
            num_parallel=draw.choice([None, 1, 8]),
            weight=draw.choice([0.5, 1.0, 3.0]),
            tags=draw.choice([(), ("gpu",)]),
        )

    def step(self) -> None:
        """One thing happens, then all that must hold is looked at."""
        steps = [self.ask_any] * 6 + [self.end_any] * 5 + [self.first_any] * 2
        steps += [self.wait, self.wait, self.abandon_any, self.probe_any, self.manage_any]
        self.draw.choice(steps)()
        self.check()

    def ask_any(self) -> None:
        """Somebody asks for something."""
        draw = self.draw
        names = list(self.names) or ["nobody"]
        self.ask(
            draw.choice(["m", "n", ""]),
            draw=draw.random(),
            deadline_s=self.now_s + draw.choice([math.inf, 0.0, 0.5, 30.0]),
            excluded=frozenset(draw.sample(names, draw.choice([0, 0, 1]))),
            tried=frozenset(draw.sample(names, draw.choice([0, 0, 1]))),
            only=draw.choice(["", "", "", draw.choice(names)]),
            priority=draw.randint(-10, 10),
            runner=draw.choice([(), (("num_ctx", 4096),)]),
            caller=draw.choice(["", "a", "b"]),
            tags=draw.choice([frozenset(), frozenset(), frozenset({"gpu"})]),
            body_bytes=draw.choice([10, 1_000]),
            has_begun=draw.random() < 0.1,
        )

    def end_any(self) -> None:
        """A lease ends somehow."""
        if self.leases:
            lease = self.draw.choice(self.leases)
            outcome = self.draw.choice([Outcome.DONE] * 4 + list(Outcome))
            wait_s, service_s = self.draw.choice([(None, None), (0.0, 1.0), (2.0, 1.0)])
            self.give_back(
                lease,
                outcome,
                draw=self.draw.random(),
                slot_wait_s=wait_s,
                service_s=service_s,
                retry_after_s=self.draw.choice([None, 0.0, 5.0, 60.0]),
            )

    def first_any(self) -> None:
        """A first token comes."""
        fresh = [each for each in self.leases if each.number not in self.core._answering]
        if fresh:
            self.tell(FirstToken(self.draw.choice(fresh), self.draw.uniform(0.01, 5.0)))

    def wait(self) -> None:
        """Time passes."""
        self.pass_time(self.draw.choice([0.01, 1.0, 40.0]))

    def abandon_any(self) -> None:
        """Somebody who may wait waits no longer."""
        ticket = self.draw.randint(0, self._ticket)
        if ticket and ticket not in self.answered:
            self.abandoned.add(ticket)
        self.tell(Abandon(ticket))

    def probe_any(self) -> None:
        """A probe tells something, perhaps of an endpoint that is gone."""
        name = f"e{self.draw.randint(0, 6)}"
        loaded = self.draw.choice([None, (), (LoadedModel("m"),)])
        available = self.draw.choice([None, frozenset({"m", "n"}), frozenset({"n"})])
        self.tell(
            self.draw.choice(
                [
                    ProbeAnswered(name, "1", loaded, available),
                    ProbeUnanswered(name, 1, is_down=False),
                    ProbeUnanswered(name, 3, is_down=True, draw=self.draw.random()),
                ]
            )
        )

    def manage_any(self) -> None:
        """The fleet changes."""
        name = f"e{self.draw.randint(0, 6)}"
        if self.core.find(name) is None:
            if name not in {each.name for each in self.core.configs()}:
                self.tell(Add(self.some_config(name)))
                self.names.append(name)
            return
        message = self.draw.choice(["update", "drain", "remove", "hold"])
        if message == "update":
            self.tell(Update(self.some_config(name)))
        elif message == "hold":
            self.tell(Hold(name, self.now_s + 3.0))
        else:
            self.tell(Drain(name, removes=message == "remove"))
            if message == "remove":
                self.names.remove(name)

    def check(self) -> None:
        """What must hold at each moment."""
        now = self.core.statistics(self.now_s)
        names = [lease.endpoint for lease in self.leases]
        for each in now.endpoints:
            assert each.in_flight == names.count(each.name)
            assert each.granted == each.in_flight + sum(each.outcomes.values())
        assert sum(each.in_flight for each in now.endpoints) == len(names)
        for endpoint in self.core._fleet:
            for key, model in endpoint.models.items():
                held = [x for x in self.leases if (x.endpoint, x.model) == (endpoint.name, key)]
                assert model.slots.in_flight == len([x for x in held if x.slot])
        waiting = self._ticket - len(self.answered) - len(self.abandoned)
        assert now.waiting == waiting
        begun = sum(ask.has_begun for ask in self.core._line.waiting())
        assert waiting - begun <= self.line_max
        assert self.core.next_due_s() > self.now_s - 1e-9 or waiting


@pytest.mark.parametrize("seed", range(150))
def test_a_random_walk(seed: int) -> None:
    """Whatever happens: leases add up, each ticket is answered once, nothing is left behind."""
    walk = Walk(seed)
    for _ in range(300):
        walk.step()
    while walk.leases:
        walk.give_back(walk.leases[0])
        walk.check()
    walk.pass_time(1_000.0)
    for ask in walk.core._line.waiting():
        assert not any(each.is_draining is False for each in walk.core._fleet), ask


# ---- in and out of service


def test_five_failures_in_a_row_and_back_to_the_millisecond() -> None:
    """Four are forgiven by an answer; after five it is out for 30 s, not a tick less or more."""
    hand = Hand(config("a"), config("b"))
    for _ in range(FAILURES_MAX - 1):
        hand.use(Outcome.FAILED, only="a")
    hand.use(Outcome.DONE, only="a")
    assert hand.state("a").state == "closed"
    hand.fail("a")
    [ejected] = hand.told(fact.EndpointEjected)
    assert (ejected.endpoint, ejected.failures, ejected.out_s) == ("a", FAILURES_MAX, 30.0)
    hand.pass_time(30.0 - MILLISECOND_S)
    assert hand.state("a").state == "open"
    assert {hand.use() for _ in range(20)} == {"b"}
    hand.pass_time(2 * MILLISECOND_S)
    assert hand.state("a").state == "half-open"
    hand.use(Outcome.DONE, only="a")
    assert hand.state("a").state == "closed"
    assert [each.endpoint for each in hand.told(fact.EndpointRecovered)] == ["a"]


def test_each_time_it_is_out_for_longer() -> None:
    """30 s times the number of times, at most 300 s."""
    hand = Hand(config("a"), config("b"))
    hand.fail("a")
    for _ in range(12):
        hand.pass_time(hand.state("a").out_s + MILLISECOND_S)
        hand.use(Outcome.FAILED, only="a")
    lengths = [each.out_s for each in hand.told(fact.EndpointEjected)]
    assert lengths[:3] == [30.0, 60.0, 90.0]
    assert max(lengths) == lengths[-1] == 300.0


@pytest.mark.parametrize(("size", "out"), [(1, 0), (2, 1), (3, 1), (8, 4)])
def test_at_most_half_is_out_and_never_the_last(size: int, out: int) -> None:
    """Though all of them fail."""
    names = [f"e{number}" for number in range(size)]
    hand = Hand(*map(config, names))
    for _ in range(3):
        for name in names:
            hand.fail(name)
    states = [hand.state(name).state for name in names]
    assert states.count("open") == out
    assert hand.use() in names


def test_a_few_try_it_when_its_time_is_over() -> None:
    """Of 1,000 who ask exactly `TRIALS_MAX` get there, and one good answer brings it back."""
    hand = Hand(config("a", max_in_flight=2_000, num_parallel=2_000), config("b", num_parallel=1))
    hand.fail("a")
    hand.pass_time(31.0)
    for _ in range(1_000):
        hand.ask()
    trials = [lease for lease in hand.leases if lease.endpoint == "a"]
    assert len(trials) == TRIALS_MAX
    assert all(lease.is_trial for lease in trials)
    hand.give_back(trials[0])
    assert hand.state("a").state == "closed"
    assert hand.state("a").in_flight > TRIALS_MAX


def test_below_half_all_are_used() -> None:
    """When endpoints leave and those that are out are the most, there is no choice any more."""
    names = ["a", "b", "c", "d"]
    hand = Hand(*map(config, names))
    hand.fail("a")
    hand.fail("b")
    hand.tell(Drain("c", removes=True))
    [panic] = hand.told(fact.PanicBegan)
    assert (panic.in_service, panic.endpoints) == (1, 3)
    assert {hand.lease().endpoint for _ in range(24)} == {"a", "b", "d"}
    hand.tell(Add(config("e")))
    assert len(hand.told(fact.PanicEnded)) == 1


@pytest.mark.parametrize(
    ("outcome", "state"), [(Outcome.UNREACHABLE, "half-open"), (Outcome.FAILED, "open")]
)
def test_a_probe_proves_what_it_proves(outcome: Outcome, state: str) -> None:
    """That it can be reached: it brings back what could not, not what answered badly."""
    hand = Hand(config("a"), config("b"))
    hand.fail("a", outcome)
    hand.tell(ProbeAnswered("a", "1"))
    assert hand.state("a").state == state
    standing = hand.core.has_standing(
        "m", hand.now_s, excluded=frozenset(), only="a", tags=frozenset(), besides=""
    )
    assert not standing  # on trial, or out


def test_probes_that_fail_take_it_out() -> None:
    """From their threshold on."""
    hand = Hand(config("a"), config("b"))
    hand.tell(ProbeUnanswered("a", 2, is_down=False))
    assert hand.state("a").state == "closed"
    hand.tell(ProbeUnanswered("a", 3, is_down=True))
    assert hand.state("a").state == "open"
    hand.tell(ProbeUnanswered("b", 3, is_down=True))
    assert hand.state("b").state == "closed"


# ---- push-back


@pytest.mark.parametrize(("asked_s", "quiet_s"), [(0.0, 0.0), (5.0, 5.0), (None, PUSH_BACK_S)])
def test_push_back_is_obeyed(asked_s: float | None, quiet_s: float) -> None:
    """Nothing new for as long as it asks, and less afterwards; it is not ill."""
    hand = Hand(config("a", num_parallel=None), config("b"))
    leases = [hand.lease(only="a") for _ in range(4)]
    for lease in leases:
        hand.give_back(lease, Outcome.BUSY, retry_after_s=asked_s)
    assert hand.state("a").state == "closed"
    assert hand.state("a").failures_in_row == 0
    assert hand.state("a").slots["m"] == 2
    ticket = hand.ask(only="a")
    assert (ticket in hand.answered) is (quiet_s == 0.0)
    hand.pass_time(quiet_s + MILLISECOND_S)
    assert hand.answered[ticket] is not None


# ---- the choice


def test_a_model_that_is_missing_steers() -> None:
    """A 404 is believed for a while, a probe's list until the next; neither forbids."""
    hand = Hand(config("a"), config("b"))
    hand.use(Outcome.MODEL_MISSING, only="a")
    assert {hand.use() for _ in range(10)} == {"b"}
    assert hand.use(excluded=frozenset({"b"})) == "a"
    hand.tell(ProbeAnswered("b", "1", None, frozenset({"other"})))
    hand.pass_time(MISSING_S + 1)
    assert {hand.use() for _ in range(10)} == {"a"}


def test_where_it_is_loaded_it_runs() -> None:
    """With the same runner options; other ones go where nothing has to be unloaded."""
    hand = Hand(config("a"), config("b"))
    first = hand.use()
    assert {hand.use(draw=draw / 10) for draw in range(10)} == {first}
    other = hand.use(runner=(("num_ctx", 8_192),))
    assert other != first
    assert hand.use(runner=(("num_ctx", 8_192),)) == other


def test_what_failed_it_is_the_last_resort() -> None:
    """An endpoint that failed this request waits until no other is left."""
    hand = Hand(config("a"), config("b"))
    assert {hand.use(tried=frozenset({"a"})) for _ in range(10)} == {"b"}
    assert hand.use(tried=frozenset({"a", "b"})) in {"a", "b"}


def test_tags_and_only_are_orders() -> None:
    """Nobody else will do."""
    hand = Hand(config("a", tags=["gpu"]), config("b"))
    assert {hand.use(tags=frozenset({"gpu"})) for _ in range(5)} == {"a"}
    ticket = hand.ask(tags=frozenset({"tpu"}))
    assert hand.answered[ticket] is None
    assert hand.refused[ticket] is None


def test_load_is_shared_by_weight() -> None:
    """Once all have the model loaded, an endpoint of twice the weight gets twice the load."""
    hand = Hand(*(config(n, num_parallel=200, weight=w) for n, w in (("a", 2.0), ("b", 1.0))))
    for name in "ab":
        hand.use(only=name)
    draw = random.Random(1)
    for _ in range(90):
        hand.lease(draw=draw.random())
    assert hand.state("a").in_flight == pytest.approx(60, abs=2)


# ---- the line


def test_the_line_is_bounded_by_count_and_bytes() -> None:
    """One more is told how long to wait; one that has begun always has a place."""
    hand = Hand(config("a", num_parallel=1), line_max=3, line_bytes_max=1_000)
    hand.lease()
    for _ in range(2):
        hand.ask(body_bytes=400)
    full = hand.ask(body_bytes=400)
    assert isinstance(hand.refused[full], OverloadError)
    assert 1.0 <= hand.refused[full].retry_after_s <= 60.0
    hand.ask(body_bytes=1)
    assert isinstance(hand.refused[hand.ask()], OverloadError)
    assert hand.ask(has_begun=True) not in hand.answered


def test_a_deadline_in_line() -> None:
    """It is told in time, and one that is past is never sent."""
    hand = Hand(config("a", num_parallel=1))
    lease = hand.lease()
    soon, later = hand.ask(deadline_s=hand.now_s + 5.0), hand.ask()
    hand.pass_time(5.0)
    assert isinstance(hand.refused[soon], DeadlineExceededError)
    hand.give_back(lease)
    assert hand.answered[later] is not None


@pytest.mark.parametrize(("patience_s", "wait_s"), [(math.inf, 0.0), (0.0, 0.0), (5.0, 5.0)])
def test_what_is_known_of_leases_that_were_cut(patience_s: float, wait_s: float) -> None:
    """Ten that lasted for nothing predict no wait; ten that had all of their time do."""
    hand = Hand(config("a", num_parallel=1))
    for _ in range(10):
        lease = hand.lease(answer_by_s=hand.now_s + patience_s)
        hand.pass_time(0.0 if patience_s == math.inf else patience_s)
        hand.give_back(lease, Outcome.UNUSED)
    hand.lease()
    place = hand.core.place_of(hand.ask())
    assert place is not None
    assert place.wait_s == pytest.approx(wait_s)


@pytest.mark.parametrize("outcome", [Outcome.UNUSED, Outcome.DONE])
def test_stale_connections_do_not_hide_how_long_answers_take(outcome: Outcome) -> None:
    """After ten of them ten answers of 10 s predict 10 s, as they do alone."""
    hand = Hand(config("a", num_parallel=1))
    for _ in range(10):
        if outcome is Outcome.UNUSED:
            hand.use(outcome)
        lease = hand.lease()
        hand.pass_time(10.0)
        hand.give_back(lease)
    hand.lease()
    place = hand.core.place_of(hand.ask())
    assert place is not None
    assert place.wait_s == pytest.approx(10.0)


def refused_in_line(*, after_s: float) -> tuple[Hand, Lease, int]:
    """A caller waits for a, where a lease runs, and its request for b is refused: b leaves."""
    hand = Hand(config("a", num_parallel=1), config("b", num_parallel=1))
    lease, _ = hand.lease(only="a"), hand.lease(only="b")
    tickets = [hand.ask(only=name, caller="first") for name in "aab"]
    hand.pass_time(after_s)
    hand.tell(Drain("b"))
    assert tickets[2] in hand.refused
    return hand, lease, tickets[0]


def test_a_refusal_is_no_turn_of_the_caller() -> None:
    """Its others have risen by all the time they waited, and go before one that came later."""
    hand, lease, first = refused_in_line(after_s=50.0)
    hand.ask(only="a", caller="second", priority=1)
    hand.pass_time(15.0)
    hand.give_back(lease)
    assert hand.answered[first] is not None


def test_a_refusal_does_not_set_others_back() -> None:
    """Who comes after it has its turn as if the one that was refused had not been there."""
    hand, lease, _ = refused_in_line(after_s=0.0)
    second = hand.ask(only="a", caller="second")
    hand.give_back(lease)
    hand.give_back(hand.leases[-1])
    assert hand.answered[second] is not None


def test_an_endpoint_that_leaves_takes_its_line_along() -> None:
    """Those who could only use it are told; the others go elsewhere; what runs there ends."""
    hand = Hand(config("a", num_parallel=1), config("b", num_parallel=1))
    running = [hand.lease(only=name) for name in "ab"]
    only_a, any_one = hand.ask(only="a"), hand.ask()
    hand.tell(Drain("a", removes=True))
    assert hand.answered[only_a] is None
    assert hand.state("a").in_flight == 1
    hand.give_back(running[0])
    assert [each.name for each in hand.core.statistics(hand.now_s).endpoints] == ["b"]
    assert len(hand.told(fact.EndpointRemoved)) == 1
    hand.give_back(running[1])
    lease = hand.answered[any_one]
    assert lease is not None
    assert lease.endpoint == "b"


def test_slots_are_learnt_from_first_tokens() -> None:
    """They double while all that was sent has begun, and what waits is sent then."""
    hand = Hand(config("a", num_parallel=None))
    for _ in range(40):
        hand.ask()
    assert hand.state("a").in_flight == 4
    for lease in hand.leases[:4]:
        hand.tell(FirstToken(lease, 0.1))
    assert hand.state("a").in_flight == 8
    assert hand.told(fact.SlotsLearnt)
