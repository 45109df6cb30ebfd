"""Two targets, or several ways to share a load, under the same load."""

import random
from collections.abc import Sequence

import pytest
import trio
from msgspec.structs import replace
from tests.adapters.loadtest.search.queue_model import QueueModel, plan_of, result_of, ttft_below

from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.measures.conclude import conclude
from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.plan import Objective, OpenLoop, Phase, Plan, Target
from triollama_adapters.loadtest.result import Environment, Result
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.search.ab import figures, interleave, orders
from triollama_adapters.loadtest.search.found import Pair
from triollama_adapters.loadtest.search.policies import compare_policies, routings
from triollama_adapters.loadtest.search.pooling import pool
from triollama_adapters.loadtest.search.steps import at_rate

A, B = Target(("http://a:11434",)), Target(("http://b:11434",))
PLAN = at_rate(plan_of(ttft_below(0.8), seed=5), 8.0, duration_s=20.0, seed=5)


class Servers:
    """Two servers that differ, and get slower together from run to run."""

    def __init__(self, slower: float = 1.0, *, drift: float = 0.0) -> None:
        self.plans: list[Plan] = []
        self._slower = slower
        self._drift = drift

    async def run(self, plan: Plan) -> Result:
        """Run a plan on the server that it is for."""
        times = self._slower if plan.target == B else 1.0
        times *= 1 + self._drift * len(self.plans)
        self.plans.append(plan)
        model = QueueModel(32, prefill_s=0.1 * times, decode_s=0.4 * times)
        return result_of(plan, model.serve(plan))


async def test_both_windows_of_a_pair_have_the_same_load() -> None:
    """The next pair has another one; each side is first in half of them."""
    servers, told = Servers(), list[Pair]()
    found = await interleave(PLAN, A, B, servers.run, pairs=6, on_pair=told.append)
    assert found.pairs == tuple(told)
    assert [each.seed for each in told] == [5, 6, 7, 8, 9, 10]
    assert sum(each.is_a_first for each in told) == 3
    for pair, first, second in zip(told, servers.plans[::2], servers.plans[1::2], strict=True):
        assert replace(first, target=A) == replace(second, target=A)
        assert (first.target == A) is pair.is_a_first
        assert first.target != second.target
        assert pair.a == pair.b, "they are equal, so they do the same"
    assert all(wins == (0, 0) for wins in found.wins.values())
    assert not found.is_stopped


async def test_a_difference_is_told_from_what_hits_both() -> None:
    """B is a tenth slower; meanwhile both get slower by half, which would hide it."""
    servers = Servers(1.1, drift=0.02)
    found = await interleave(PLAN, A, B, servers.run, pairs=12, names=("old", "new"))
    assert (found.a.name, found.b.name) == ("old", "new")
    assert found.wins["e2e_p50"] == (12, 0)
    change = {each.figure: each for each in found.differences}["e2e_p50"]
    assert change.verdict == "worse"
    assert change.change.value == pytest.approx(0.1, abs=0.05)
    same = await interleave(PLAN, A, B, Servers(1.0, drift=0.02).run, pairs=12)
    verdicts = {each.figure: each.verdict for each in same.differences}
    assert verdicts["e2e_p50"] != "worse"
    assert abs(same.wins["e2e_p50"][0] - 6) <= 3


def test_each_side_is_first_in_half_of_the_pairs() -> None:
    """In an order that the seed draws."""
    assert all(sum(orders(10, seed)) == 5 for seed in range(20))
    assert all(sum(orders(7, seed)) == 4 for seed in range(20))
    assert len({tuple(orders(10, seed)) for seed in range(20)}) > 15
    assert orders(10, 3) == orders(10, 3)


async def test_an_ab_that_is_stopped_compares_what_there_is() -> None:
    """Whole pairs only."""
    stop = trio.Event()

    def stop_at_the_second(pair: Pair) -> None:
        if pair.index == 1:
            stop.set()

    found = await interleave(
        PLAN, A, B, Servers().run, pairs=6, on_pair=stop_at_the_second, stop=stop
    )
    assert len(found.pairs) == 2
    assert found.is_stopped
    assert found.a.window_s == found.b.window_s == 40.0


async def test_a_pair_that_was_stopped_within_does_not_count() -> None:
    """One of its windows is shorter than the other."""
    servers = Servers()

    async def run(plan: Plan) -> Result:
        result = await servers.run(plan)
        return replace(result, is_stopped=len(servers.plans) == 5)

    found = await interleave(PLAN, A, B, run, pairs=6)
    assert len(found.pairs) == 2
    assert found.is_stopped


async def test_an_ab_without_pairs_is_refused() -> None:
    """There would be nothing to compare."""
    with pytest.raises(PlanError, match="at least one pair"):
        await interleave(PLAN, A, B, Servers().run, pairs=0)


def test_the_figures_of_a_window_are_those_that_it_has() -> None:
    """Others are None."""
    told = figures(result_of(PLAN, QueueModel().serve(PLAN)))
    assert told["ttft_p50"] == pytest.approx(0.1)
    assert told["tpot_p50"] is None
    assert told["errors"] == 0.0


async def test_all_ways_of_sharing_get_the_same_load() -> None:
    """Only the target differs."""
    servers = Servers()
    ways = routings(Target(("http://a:11434", "http://b:11434")))
    assert [each.routing for each in ways.values()] == ["even", "engine"]
    ways["gateway"] = Target(("http://gateway:80",))
    found = await compare_policies(PLAN, ways, servers.run)
    assert found.names == ("even", "engine", "gateway")
    assert [each.name for each in found.results] == ["even", "engine", "gateway"]
    assert [each.target for each in servers.plans] == list(ways.values())
    assert len({repr(replace(each, target=A)) for each in servers.plans}) == 1


async def test_policies_can_be_stopped_and_need_a_way() -> None:
    """What was run is told."""
    stop = trio.Event()
    stop.set()
    found = await compare_policies(PLAN, routings(A), Servers().run, stop=stop)
    assert (found.names, found.results) == ((), ())
    with pytest.raises(PlanError):
        await compare_policies(PLAN, {}, Servers().run)


class TestPooling:
    """Several results as one, against one tally of all samples."""

    PLAN = replace(
        plan_of(
            Objective("ttft", 0.95, 0.8, "ttft_p95<800ms"),
            Objective("errors", None, 0.2, "errors<20%"),
            duration_s=20.0,
            warm_up_s=0.0,
        ),
        shape=OpenLoop((Phase(20.0, 10.0, 10.0),)),
    )

    @staticmethod
    def samples(seed: int, begin_s: float) -> list[Sample]:
        """Two hundred requests in 20 s, from a moment on."""
        draw, samples = random.Random(seed), []
        for index in range(200):
            due = round((begin_s + index / 10) * 1e9) + 1
            first = due + round(draw.uniform(0.1, 1.0) * 1e9)
            last = first + round(draw.uniform(0.1, 0.4) * 1e9)
            times = {"first_ns": first, "shown_ns": first, "last_ns": last, "done_ns": last}
            failed = draw.random() < 0.1
            samples.append(
                Sample(
                    index,
                    scenario="chat",
                    model="m",
                    endpoint=draw.choice(("a:11434", "b:11434")),
                    outcome="queue_503" if failed else "ok",
                    detail="busy" if failed else "",
                    scheduled_ns=due,
                    sent_ns=due + 1_000_000,
                    ended_ns=due + 5_000_000 if failed else last,
                    chunks=0 if failed else 10,
                    output_tokens=0 if failed else 10,
                    **({} if failed else times),
                )
            )
        return samples

    def result(self, samples: Sequence[Sample], duration_s: float) -> Result:
        """What they come to."""
        shape = OpenLoop((Phase(duration_s, 10.0, 10.0),))
        plan = replace(self.PLAN, duration_s=duration_s, shape=shape)
        tally = Tally(plan)
        for each in samples:
            tally.add(each)
        return conclude(plan, tally, environment=Environment("0", "3", "test", 1))

    def test_counts_distributions_and_objectives_are_those_of_all_requests(self) -> None:
        """As if they had been counted together."""
        parts = [self.result(self.samples(seed, 0.0), 20.0) for seed in range(3)]
        together = [each for seed in range(3) for each in self.samples(seed, 20.0 * seed)]
        whole, pooled = self.result(together, 60.0), pool(parts, "all")
        assert pooled.name == "all"
        assert (pooled.window_s, pooled.plan.duration_s) == (60.0, 60.0)
        assert pooled.counts == whole.counts
        for name, expected in whole.metrics.items():
            found = pooled.metrics[name]
            assert found.buckets == expected.buckets
            assert found.percentiles == expected.percentiles
            assert found.mean_s == pytest.approx(expected.mean_s)
            assert (found.least_s, found.most_s) == (expected.least_s, expected.most_s)
        assert pooled.rates.offered == pytest.approx(whole.rates.offered)
        assert pooled.rates.goodput == pytest.approx(whole.rates.goodput)
        assert pooled.attained is not None
        assert whole.attained is not None
        assert pooled.attained.good == whole.attained.good
        assert pooled.attained.share == whole.attained.share
        assert pooled.attained.judged[1] == whole.attained.judged[1]
        assert pooled.attained.judged[0].met == whole.attained.judged[0].met == "missed"
        for mine, other in zip(pooled.endpoints, whole.endpoints, strict=True):
            assert (mine.name, mine.counts) == (other.name, other.counts)
            assert mine.rates.offered == pytest.approx(other.rates.offered)

    def test_moments_of_the_windows_follow_one_another(self) -> None:
        """Without warm-ups and drains."""
        parts = [self.result(self.samples(seed, 0.0), 20.0) for seed in range(3)]
        pooled = pool(parts, "all")
        at_s = [each.at_s for each in pooled.moments]
        assert len(at_s) == len(pooled.heat.columns)
        assert at_s == pytest.approx([n * pooled.moment_s for n in range(len(at_s))])
        assert at_s[-1] + pooled.moment_s == pytest.approx(60.0)
        assert sum(each.offered for each in pooled.moments) == 600

    def test_one_result_is_itself(self) -> None:
        """But for its name, and what is not in its window."""
        part = self.result(self.samples(1, 0.0), 20.0)
        pooled = pool([part], "one")
        assert pooled.counts == part.counts
        assert pooled.metrics == part.metrics
        assert pooled.client == part.client
        assert pooled.endpoints == part.endpoints

    @staticmethod
    def timed(sample: Sample) -> Sample:
        """Whose server told its times."""
        total = sample.ended_ns - sample.sent_ns
        return replace(sample, is_timed=True, total_ns=total, prefill_ns=50_000_000)

    def test_a_percentile_that_a_window_withholds_is_withheld(self) -> None:
        """And not 0 ms; the means are those of all."""
        many = [self.timed(each) for each in self.samples(1, 0.0)]
        few = self.result(many[:40], 20.0)
        assert few.ledger is not None
        assert few.ledger.p95_s == {}
        for windows in ([few, few], [self.result(many, 20.0), few]):
            ledger = pool(windows, "all").ledger
            assert ledger is not None
            assert ledger.p95_s == {}
            assert ledger.mean_s["prefill"] == pytest.approx(0.05)

    def test_ledgers_of_the_client_are_put_together_too(self) -> None:
        """Where no server told its times; where some did, the ledger is of those."""
        told, untold = ([f(x) for x in self.samples(1, 0.0)] for f in (self.timed, lambda x: x))
        silent = self.result(untold, 20.0)
        pooled, part = pool([silent, silent], "all").ledger, silent.ledger
        assert pooled is not None
        assert part is not None
        assert pooled.mean_s == pytest.approx(part.mean_s)
        assert pooled.count == 2 * part.count
        mixed = pool([silent, self.result(told, 20.0)], "all").ledger
        assert mixed is not None
        assert (mixed.count, mixed.mean_s["prefill"]) == (part.count, pytest.approx(0.05))

    def test_the_first_output_is_held_against_its_limit_from_when_it_was_due(self) -> None:
        """Sent a second late: as service times all would be in time."""
        plan = replace(self.PLAN, objectives=(Objective("ttfo", 0.5, 1.0, "ttfo_p50<1s"),))
        tally = Tally(plan)
        for each in self.samples(1, 0.0):
            tally.add(replace(each, scheduled_ns=max(0, each.scheduled_ns - 1_000_000_000)))
        late = conclude(plan, tally, environment=Environment("0", "3", "test", 1))
        pooled = pool([late, late], "all").attained
        assert pooled is not None
        assert pooled.judged[0].met == "missed"
        assert pooled.judged[0].value is not None
        assert pooled.judged[0].value.value > 1.0

    def test_the_client_is_as_bad_as_in_the_worst_window(self) -> None:
        """With all reasons."""
        part = self.result(self.samples(1, 0.0), 20.0)
        worse = replace(part.client, validity="DEGRADED", reasons=("late",), busiest=0.5)
        pooled = pool([part, replace(part, client=worse), part], "all")
        assert pooled.client.validity == "DEGRADED"
        assert pooled.client.reasons == ("late",)
        assert pooled.client.busiest == 0.5
