"""How many prompt tokens a server had to read."""

import random

import pytest
from tests.adapters.loadtest.measures.made import MS, answered, plan_of, result_of

from triollama_adapters.loadtest.measures.baseline import Baseline
from triollama_adapters.loadtest.measures.reading import Reading

COLD_NS = 500_000
"""2,000 tokens a second."""


def read(cold: int, cached: int) -> Reading:
    """Prompts of 1,000 tokens, of which the cached ones had to read a tenth."""
    reading = Reading()
    for _ in range(cold):
        reading.add(1_000, 1_000 * COLD_NS)
    for _ in range(cached):
        reading.add(1_000, 100 * COLD_NS)
    return reading


def test_with_a_known_speed_the_cached_part_is_told() -> None:
    """Ten whole prompts, and a tenth of thirty others."""
    assert read(10, 30).uncached(COLD_NS) == pytest.approx(10_000 + 3_000)


def test_without_one_the_slowest_prompts_tell_it() -> None:
    """As long as one of twenty was not cached."""
    assert read(10, 30).uncached(None) == pytest.approx(10_000 + 3_000)


def test_jitter_is_not_a_cache() -> None:
    """Prompts that took a third more or less were read as a whole."""
    chance, reading = random.Random(3), Reading()
    for _ in range(500):
        reading.add(1_000, int(1_000 * COLD_NS * chance.uniform(0.7, 1.3)))
    assert reading.uncached(COLD_NS) == reading.uncached(None) == 500_000


def test_nothing_read_and_no_time_told() -> None:
    """All tokens count as read where the server tells 0 ns."""
    assert Reading().uncached(None) == 0
    reading = Reading()
    reading.add(10, 0)
    assert reading.uncached(None) == 10


def test_the_rate_of_a_run_is_of_what_ended_in_the_window() -> None:
    """Of four prompts of 100 tokens one was cached; one more came without the server's times."""
    plan = plan_of(duration_s=1)
    times = {"is_timed": True, "total_ns": MS, "prompt_tokens": 100}
    samples = [
        *[answered(0, 1, 500, prefill_ns=100 * COLD_NS, **times)] * 3,
        answered(0, 1, 500, prefill_ns=COLD_NS, **times),
        answered(0, 1, 500, prompt_tokens=7),
        answered(0, 1, 1500, prefill_ns=100 * COLD_NS, **times),
    ]
    rates = result_of(plan, samples, Baseline(prefill_ns_per_token=COLD_NS)).rates
    assert (rates.prompt_tokens, rates.uncached_prompt_tokens) == (407, pytest.approx(308))
