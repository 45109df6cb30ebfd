"""What is found crosses files."""

from typing import Any

import msgspec
import pytest
from tests.adapters.loadtest.search.queue_model import QueueModel, plan_of, ttft_below

from triollama_adapters.loadtest.plan import Target
from triollama_adapters.loadtest.result import Interval
from triollama_adapters.loadtest.search.ab import interleave
from triollama_adapters.loadtest.search.capacity import find_capacity
from triollama_adapters.loadtest.search.found import (
    Capacity,
    Discovered,
    EndpointDiscovered,
    ReloadFound,
    SlotsFound,
    Speeds,
)
from triollama_adapters.loadtest.search.policies import compare_policies, routings
from triollama_adapters.loadtest.search.steps import at_rate
from triollama_adapters.loadtest.search.sweep import sweep

PLAN = at_rate(plan_of(ttft_below(0.8), duration_s=5.0), 8.0, duration_s=5.0, seed=1)

DISCOVERED = Discovered(
    (
        EndpointDiscovered(
            "http://a:11434",
            "m",
            is_timed=True,
            overhead_s=Interval(0.1, 0.05, 0.2),
            slots=SlotsFound(4, is_exact=True, burst=12, by_residual=4, by_streams=4),
            reloads=(ReloadFound("num_ctx", (2048, 3072), reloads=True, load_s=2.0),),
            uncached=Speeds(1000.0, None, 400, 32, 5),
            notes=("a note",),
        ),
    )
)


async def every_kind() -> list[Any]:
    """One of each."""
    model, a, b = QueueModel(), Target(("http://a:1",)), Target(("http://b:1",))
    return [
        await find_capacity(PLAN, model.run),
        await sweep(PLAN, "concurrency", (1, 2, 4, 8), model.run),
        await interleave(PLAN, a, b, model.run, pairs=2),
        await compare_policies(PLAN, routings(a), model.run),
        DISCOVERED,
    ]


async def test_everything_found_is_read_back_as_it_was_written() -> None:
    """As JSON and as MessagePack."""
    for found in await every_kind():
        assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=type(found)) == found


@pytest.mark.parametrize(
    ("low", "high", "estimate"), [(8.0, 18.0, 12.0), (8.0, None, None), (None, 8.0, None)]
)
def test_the_best_guess_is_the_middle_of_the_bracket(
    low: float | None, high: float | None, estimate: float | None
) -> None:
    """If it has two ends."""
    found = Capacity("found", low, low, high, "sessions/s", 0.04, (), "", "", ())
    assert found.estimate == estimate
    assert found.best is None
