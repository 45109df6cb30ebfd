"""Learning how many slots a server has, from a model of Ollama's line and what it reports."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable

import attrs
import pytest

from triollama.actors.pool.slots import HOLD_S, HOLD_S_MAX, SLOTS_START, Slots

Range = tuple[float, float]
UNBOUNDED = 10**9


@attrs.define
class Server:
    """An Ollama server that is loaded with as many requests as `Slots` allows.

    Requests wait for one of its slots, first come first served. Its last line reports total, load,
    prompt and answer; what is left of the total is the wait, and up to `beside_s` of other work.

    Attributes:
        slots: how many requests it works on at once.
        demand: how many requests its client would have there if it were free to.
        learnt: every limit, with the time from which on it held.
        busy_s: the sum over the slots of the time in which they were in use.
    """

    slots: int
    rng: random.Random
    answer_s: Range = (2.0, 20.0)
    prefill_s: Range = (0.1, 2.0)
    beside_s: float = 0.02
    network_s: Range = (0.001, 0.005)
    demand: int = UNBOUNDED
    reports: bool = True
    client: Slots = attrs.field(factory=lambda: Slots(512))
    now_s: float = 0.0
    busy: int = 0
    busy_s: float = 0.0
    learnt: list[tuple[float, int]] = attrs.field(factory=list)
    first_tokens: dict[int, float] = attrs.field(factory=dict)
    _line: deque[tuple[int, float]] = attrs.field(factory=deque)
    _gone: set[int] = attrs.field(factory=set)
    _agenda: list[tuple[float, int, Callable[[], None]]] = attrs.field(factory=list)
    _numbers: itertools.count[int] = attrs.field(factory=itertools.count)

    def __attrs_post_init__(self) -> None:
        self.learnt.append((0.0, self.client.limit))

    def run(self, until_s: float) -> None:
        """Let time pass."""
        self._send()
        while self._agenda and self._agenda[0][0] <= until_s:
            at_s, _, happen = heapq.heappop(self._agenda)
            self._pass(at_s)
            happen()
            self._send()
        self._pass(until_s)

    def limits_since(self, from_s: float) -> set[int]:
        """Every limit that held since then."""
        before = [limit for at_s, limit in self.learnt if at_s <= from_s]
        return {before[-1], *(limit for at_s, limit in self.learnt if at_s > from_s)}

    def utilisation(self, from_s: float, to_s: float) -> float:
        """Let time pass; the share of the slots that were in use from one time to the other."""
        self.run(from_s)
        before_s = self.busy_s
        self.run(to_s)
        return (self.busy_s - before_s) / (self.slots * (to_s - from_s))

    def resize(self, slots: int) -> None:
        """Change the number of slots; what runs goes on."""
        self.slots = slots
        self._serve()

    def cancel(self, number: int) -> None:
        """The client gives a request up that waits."""
        self._gone.add(number)
        self.client.on_failed(number, self.now_s)

    @property
    def waiting(self) -> list[int]:
        """Those in line, the first first."""
        return [number for number, _ in self._line if number not in self._gone]

    def _pass(self, to_s: float) -> None:
        self.busy_s += min(self.busy, self.slots) * (to_s - self.now_s)
        self.now_s = to_s
        if self.learnt[-1][1] != self.client.limit:
            self.learnt.append((self.now_s, self.client.limit))

    def _after(self, wait_s: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (self.now_s + wait_s, next(self._numbers), happen))

    def _send(self) -> None:
        while self.client.has_room and self.client.in_flight < self.demand:
            number = self.client.on_sent(self.now_s)
            self._after(self.rng.uniform(*self.network_s), lambda n=number: self._arrive(n))

    def _arrive(self, number: int) -> None:
        self._line.append((number, self.now_s))
        self._serve()

    def _serve(self) -> None:
        while self._line and self.busy < self.slots:
            number, arrived_s = self._line.popleft()
            if number in self._gone:
                continue
            self.busy += 1
            prefill_s, answer_s = (
                self.rng.uniform(*self.prefill_s),
                self.rng.uniform(*self.answer_s),
            )
            beside_s = self.rng.uniform(0.0, self.beside_s)
            wait_s = self.now_s - arrived_s + beside_s
            token_s = beside_s + prefill_s
            self._after(
                token_s + self.rng.uniform(*self.network_s), lambda n=number: self._token(n)
            )
            self._after(
                token_s + answer_s,
                lambda n=number, w=wait_s, s=prefill_s + answer_s: self._end(n, w, s),
            )

    def _token(self, number: int) -> None:
        self.first_tokens[number] = self.now_s
        self.client.on_first_token(number, self.now_s)

    def _end(self, number: int, wait_s: float, service_s: float) -> None:
        self.busy -= 1
        self._serve()
        self._after(
            self.rng.uniform(*self.network_s), lambda: self._done(number, wait_s, service_s)
        )

    def _done(self, number: int, wait_s: float, service_s: float) -> None:
        known = (wait_s, service_s) if self.reports else (None, None)
        self.client.on_done(number, *known, self.now_s)


ANSWERS: list[Range] = [(2.0, 20.0), (2.0, 5.0), (6.0, 14.0)]
PREFILLS: list[Range] = [(0.1, 2.0), (0.1, 0.2), (1.5, 2.0)]


@pytest.mark.parametrize("prefill_s", PREFILLS)
@pytest.mark.parametrize("answer_s", ANSWERS)
@pytest.mark.parametrize("slots", [1, 2, 4, 8])
def test_it_learns_the_slots_of_a_server(slots: int, answer_s: Range, prefill_s: Range) -> None:
    """After 60 s the number is within 1 and stays there; at least 95 % of the slots are in use."""
    for seed in range(3):
        server = Server(slots, random.Random(seed), answer_s=answer_s, prefill_s=prefill_s)
        assert server.utilisation(60.0, 360.0) >= 0.95
        assert server.limits_since(60.0) <= {slots - 1, slots, slots + 1}


def test_most_of_the_time_it_does_not_ask_for_too_much() -> None:
    """Attempts at one more are rare enough: the number is the right one for most of the time."""
    server = Server(4, random.Random(1))
    server.run(1_800.0)
    ends = [at_s for at_s, _ in server.learnt[1:]] + [server.now_s]
    right_s = sum(
        end_s - max(at_s, 60.0)
        for (at_s, limit), end_s in zip(server.learnt, ends, strict=True)
        if limit == 4 and end_s > 60.0
    )
    assert right_s / 1_740.0 >= 0.6


@pytest.mark.parametrize("seed", range(3))
def test_it_follows_a_server_that_changes(seed: int) -> None:
    """From 8 slots to 2 and back to 8 while it runs: each time within 1, a minute later."""
    server = Server(8, random.Random(seed))
    server.run(120.0)
    server.resize(2)
    server.run(240.0)
    assert server.limits_since(180.0) <= {1, 2, 3}
    server.resize(8)
    server.run(420.0)
    assert server.limits_since(300.0) <= {7, 8, 9}


@pytest.mark.parametrize("demand", [1, 2, 3])
def test_little_demand_changes_nothing(demand: int) -> None:
    """Fewer requests than slots prove nothing, neither more nor fewer."""
    server = Server(8, random.Random(demand), demand=demand)
    server.run(300.0)
    assert server.limits_since(0.0) == {SLOTS_START}


def test_what_was_learnt_outlives_a_quiet_hour() -> None:
    """After full demand little demand does not lower the number."""
    server = Server(8, random.Random(1))
    server.run(120.0)
    server.demand = 1
    server.run(3_720.0)
    assert server.limits_since(180.0) <= {7, 8, 9}


def test_a_long_prefill_is_no_line() -> None:
    """First tokens that take half a minute lower nothing where no request waits for a slot."""
    server = Server(8, random.Random(1), prefill_s=(25.0, 35.0), answer_s=(1.0, 2.0))
    server.run(600.0)
    assert min(server.limits_since(0.0)) == SLOTS_START
    assert server.limits_since(200.0) <= {7, 8, 9}


def test_two_hundred_run_after_six_first_tokens() -> None:
    """A server that takes 200 at once is asked for all of them after six times to first token."""
    server = Server(200, random.Random(1), demand=200, answer_s=(10.0, 20.0), prefill_s=(0.5, 0.5))
    server.run(3.5)
    assert server.client.in_flight == 200
    server.run(4.1)
    assert len(server.first_tokens) == 200


def test_it_rises_under_a_steady_stream_of_short_answers() -> None:
    """Where answers end before all have begun, it still finds most of 64 slots within a minute."""
    server = Server(64, random.Random(1), answer_s=(0.5, 2.0), prefill_s=(0.5, 1.5))
    server.run(60.0)
    assert server.client.limit >= 48
    assert server.utilisation(60.0, 120.0) >= 0.9


def test_cancelled_requests_in_line_are_not_taken_for_departures() -> None:
    """A client that gives up what waits, the last first, does not make the server look smaller."""
    server = Server(8, random.Random(1))
    server.run(100.0)
    for until_s in range(105, 400, 5):
        server.run(until_s)
        for number in server.waiting[-2:]:
            server.cancel(number)
    assert min(server.limits_since(150.0)) >= 7


def test_it_never_leaves_its_bounds() -> None:
    """However many slots there are the number stays between 1 and `most`."""
    server = Server(50, random.Random(1), client=Slots(6))
    server.run(200.0)
    assert max(server.limits_since(0.0)) == 6
    assert Slots(1).limit == 1


def test_a_number_that_is_given_is_not_learnt() -> None:
    """`given` holds whatever happens, within `most`."""
    server = Server(1, random.Random(1), client=Slots(16, given=6))
    server.run(300.0)
    assert server.limits_since(0.0) == {6}
    slots = Slots(4, given=6)
    assert slots.limit == 4
    assert slots.on_pushed_back(slots.on_sent(0.0), 0.0) is None


def test_without_the_servers_figures_nothing_is_lowered() -> None:
    """A server that reports no times is believed to have what first tokens prove, and no less."""
    server = Server(2, random.Random(1), reports=False)
    server.run(300.0)
    assert server.limits_since(0.0) == {SLOTS_START}


def test_every_change_is_told() -> None:
    """Each method that changes the number returns the new one, and None where it stays."""
    slots = Slots(8)
    numbers = [slots.on_sent(0.0) for _ in range(4)]
    assert not slots.has_room
    assert [slots.on_first_token(number, 1.0) for number in numbers] == [None, None, None, 8]
    assert slots.on_done(numbers[0], 0.0, 2.0, 2.0) is None
    assert slots.on_done(numbers[1], 3.0, 2.0, 5.0) == 4
    assert slots.limit == 4
    assert slots.in_flight == 2


def test_what_is_answering_has_slots() -> None:
    """Readings that cannot be true, as a server's odd figures give, do not go below what runs."""
    slots = Slots(64)
    numbers = [slots.on_sent(0.0) for _ in range(4)]
    for number in numbers:
        slots.on_first_token(number, 1.0)
    numbers += [slots.on_sent(1.0) for _ in range(4)]
    for number in numbers[4:]:
        slots.on_first_token(number, 2.0)
    told = [slots.on_done(number, 9.0, 0.0, 10.0) for number in numbers[:3]]
    assert told == [8, 6, 5]


def test_what_was_measured_is_sure_until_more_is_proven() -> None:
    """Beyond it another slot may be tried, but is not counted on; a restart forgets it."""
    slots = Slots(64)
    numbers = [slots.on_sent(0.0) for _ in range(4)]
    assert not slots.is_sure
    for number in numbers[:3]:
        slots.on_first_token(number, 1.0)
    assert slots.on_done(numbers[0], 0.0, 1.0, 1.5) is None
    assert slots.on_done(numbers[3], 5.0, 2.0, 5.0) == 3
    numbers = [*numbers[1:3], slots.on_sent(100.0)]
    assert (slots.has_room, slots.is_sure) == (False, False)
    assert slots.on_first_token(numbers[2], 101.0) == 4
    assert (slots.has_room, slots.is_sure) == (True, False)
    for number in numbers:
        slots.on_done(number, 0.0, 1.0, 110.0)
    assert slots.is_sure
    tried = [slots.on_sent(200.0 + n) for n in range(4)]
    assert not slots.is_sure
    assert [slots.on_first_token(number, 204.0) for number in tried] == [None, None, None, 5]
    assert (slots.has_room, slots.is_sure) == (True, False)
    slots.restart()
    assert slots.limit == 4
    slots.on_failed(tried[0], 205.0)
    assert slots.is_sure


def test_short_waits_are_no_waits() -> None:
    """What a server does beside, for requests that take hardly longer, lowers nothing."""
    slots = Slots(64)
    for number in range(1, 100):
        assert slots.on_sent(number) == number
        assert slots.on_done(number, 0.09, 0.2, number + 0.3) is None
    assert slots.limit == SLOTS_START


def test_who_left_the_line_from_behind_had_no_slot() -> None:
    """Four that are cancelled behind a request do not hide that two were in slots with it."""
    slots = Slots(64, given=8)
    for _ in range(8):
        slots.on_sent(0.0)
    for number in (8, 7, 6, 5):
        slots.on_failed(number, 1.0)
    slots.on_done(1, 0.0, 2.0, 2.0)
    slots.on_failed(2, 2.5)  # from before it: its slot is free
    assert slots._reading(3, 2.0) == 2
    assert slots._reading(4, 2.5) == 2


def test_push_back_halves_once_per_round() -> None:
    """Of requests that were sent together one refusal counts; later ones count again, down to 1."""
    slots = Slots(64)
    first = [slots.on_sent(0.0) for _ in range(4)]
    assert [slots.on_pushed_back(number, 1.0) for number in first] == [2, None, None, None]
    second = [slots.on_sent(2.0) for _ in range(2)]
    assert [slots.on_pushed_back(number, 2.5) for number in second] == [1, None]
    assert slots.on_pushed_back(slots.on_sent(3.0), 3.5) is None
    assert (slots.limit, slots.in_flight) == (1, 0)


def test_after_push_back_it_stays_for_a_while() -> None:
    """Requests that had been sent before do not raise it at once; later ones do."""
    slots = Slots(64)
    early = [slots.on_sent(0.0) for _ in range(4)]
    slots.on_pushed_back(early.pop(), 1.0)
    assert [slots.on_first_token(number, 1.1) for number in early] == [None] * 3
    assert slots.on_done(early.pop(), 1.0, 1.0, 1.2) is None
    late_s = 1.0 + HOLD_S
    assert slots.on_first_token(slots.on_sent(late_s), late_s) == 3


def test_attempts_that_fail_become_rarer() -> None:
    """At the same number each further wait holds it twice as long, up to the limit."""
    slots = Slots(64)
    slots._hold(4, 0.0)
    holds = []
    for _ in range(5):
        slots._hold(4, 0.0)
        holds.append(slots._held_until_s)
    assert holds == [10.0, 20.0, 40.0, HOLD_S_MAX, HOLD_S_MAX]
    slots._hold(3, 0.0)
    assert slots._held_until_s == HOLD_S


def test_a_new_configuration_counts_at_once() -> None:
    """A smaller `most` lowers the number, a given one sets it, and without it learning goes on."""
    slots = Slots(64)
    assert slots.bound(2, None) == 2
    assert slots.bound(64, 16) == 16
    assert slots.bound(64, 16) is None
    assert slots.bound(64, None) is None


def test_restart_learns_anew() -> None:
    """After a restart of the server it begins where it began, and doubles again."""
    slots = Slots(64)
    for at_s in (0.0, 1.0):
        slots.on_pushed_back(slots.on_sent(at_s), at_s)
    assert slots.limit == 1
    assert slots.restart() == SLOTS_START
    assert slots.restart() is None
    numbers = [slots.on_sent(2.0) for _ in range(SLOTS_START)]
    told = [slots.on_first_token(number, 2.5) for number in numbers]
    assert told == [None, None, None, 2 * SLOTS_START]


def test_memory_is_bounded() -> None:
    """After ten thousand requests, a part of them lost, it holds no more than its limits."""
    slots = Slots(64)
    for step in range(10_000):
        number = slots.on_sent(step * 0.01)
        if step % 3:
            slots.on_first_token(number, step * 0.01)
            slots.on_done(number, 0.5, 0.1, step * 0.01)
        else:
            slots.on_failed(number, step * 0.01)
    assert len(slots._ends) <= 2_048
    assert len(slots._lost) <= 32
    assert not slots._answering
    assert not slots._surely
    assert slots.in_flight == 0


def test_a_request_ends_once() -> None:
    """Ending what does not run is a mistake of the caller, and found."""
    slots = Slots(4)
    number = slots.on_sent(0.0)
    slots.on_failed(number, 1.0)
    with pytest.raises(AssertionError):
        slots.on_failed(number, 2.0)
