"""`discover` against simulated servers in memory, whose slots, loads and speeds are known."""

import pytest
from tests.adapters.loadtest.search.probes import probes_of
from trio.testing import MockClock

from triollama_adapters.loadtest.plan import Target
from triollama_adapters.loadtest.search.discover import discover
from triollama_adapters.loadtest.search.found import EndpointDiscovered
from triollama_adapters.loadtest.search.looking import Look
from triollama_adapters.simulator import SimulatorConfig, open_fleet

A, B = "http://a:11434", "http://b:11434"
MODEL = "llama3.2"


def server(**changes: object) -> SimulatorConfig:
    """A server without any variation."""
    fixed = {"jitter": 0.0, "num_parallel": 4, "answer_tokens_min": 100, "answer_tokens_max": 200}
    return SimulatorConfig(**(fixed | changes))


async def found(config: SimulatorConfig, look: Look | None = None) -> EndpointDiscovered:
    """What is found out about one server."""
    async with open_fleet({A: config}) as fleet:
        answer = await discover(Target((A,)), MODEL, look=look, open_probe=probes_of(fleet))
    return answer.endpoints[0]


ONLY_SLOTS = Look(cold=False, reloads=False, speeds=False)


@pytest.mark.parametrize("slots", [1, 2, 3, 4, 8, 11])
async def test_the_number_of_slots_is_found_in_one_burst(
    slots: int, autojump_clock: MockClock
) -> None:
    """Whatever it is below the size of the first burst, both counts agree."""
    told = (await found(server(num_parallel=slots), ONLY_SLOTS)).slots
    assert told is not None
    assert (told.slots, told.is_exact, told.burst) == (slots, True, 12)
    assert (told.by_residual, told.by_streams, told.note) == (slots, slots, "")


@pytest.mark.parametrize("slots", [12, 20, 47, 48, 100])
async def test_more_slots_take_a_larger_burst(slots: int, autojump_clock: MockClock) -> None:
    """It grows until somebody has to wait."""
    told = (await found(server(num_parallel=slots), ONLY_SLOTS)).slots
    assert told is not None
    assert (told.slots, told.is_exact) == (slots, True)
    assert told.burst > slots


async def test_the_burst_is_bounded(autojump_clock: MockClock) -> None:
    """With more slots than the largest burst has requests there are at least as many."""
    look = Look(cold=False, reloads=False, speeds=False, burst_max=20)
    told = (await found(server(num_parallel=64), look)).slots
    assert told is not None
    assert (told.slots, told.is_exact, told.burst) == (20, False, 20)


@pytest.mark.parametrize("speed", [5.0, 75.0, 2000.0])
@pytest.mark.parametrize("slots", [1, 2, 4, 8])
async def test_speed_does_not_matter(slots: int, speed: float, autojump_clock: MockClock) -> None:
    """Nor does variation: it is a share of the time of service that parts the waves."""
    config = server(num_parallel=slots, decode_tokens_per_s=speed, jitter=0.5)
    told = (await found(config, ONLY_SLOTS)).slots
    assert told is not None
    assert (told.slots, told.is_exact) == (slots, True)


@pytest.mark.parametrize("load_s", [0.02, 0.5, 30.0])
async def test_a_cold_start_takes_as_long_as_the_load(
    load_s: float, autojump_clock: MockClock
) -> None:
    """The model is unloaded, and the next request waits for it."""
    told = await found(server(load_s=load_s), Look(slots=False, reloads=False, speeds=False))
    assert told.cold_load_s == pytest.approx(load_s, rel=0.01, abs=1e-3)
    assert told.warm_load_s == pytest.approx(25e-6, abs=1e-4)
    assert told.cold_ttft_s is not None
    assert told.warm_ttft_s is not None
    assert told.cold_ttft_s - told.warm_ttft_s == pytest.approx(load_s, rel=0.05, abs=5e-3)


@pytest.mark.parametrize("load_s", [0.02, 3.0])
async def test_runner_options_reload_and_sampling_options_do_not(
    load_s: float, autojump_clock: MockClock
) -> None:
    """Also where a load is shorter than what usually counts as one."""
    told = await found(server(load_s=load_s), Look(slots=False, speeds=False))
    assert {each.option: each.reloads for each in told.reloads} == {
        "num_ctx": True,
        "num_batch": True,
        "num_thread": True,
        "temperature": False,
        "top_k": False,
    }
    assert told.reloads[0].load_s == pytest.approx(load_s, rel=0.01, abs=1e-3)


async def test_the_speeds_are_those_of_the_server(autojump_clock: MockClock) -> None:
    """Of reading and of writing; this server has no cache."""
    config = server(prefill_tokens_per_s=3000.0, decode_tokens_per_s=42.0)
    told = await found(config, Look(slots=False, cold=False, reloads=False))
    assert told.uncached is not None
    assert told.cached is not None
    assert told.uncached.prefill_tokens_per_s == pytest.approx(3000.0, rel=0.01)
    assert told.uncached.decode_tokens_per_s == pytest.approx(42.0, rel=0.01)
    assert told.uncached.prompt_tokens > 300
    assert told.uncached.output_tokens == 32
    assert told.has_prefix_cache is False
    assert told.overhead_s is not None
    assert told.overhead_s.value == pytest.approx(0.0, abs=1e-3)


async def test_endpoints_are_looked_at_one_after_the_other(autojump_clock: MockClock) -> None:
    """Each has its own answer."""
    configs = {A: server(num_parallel=2), B: server(num_parallel=8, load_s=2.0)}
    lines: list[str] = []
    async with open_fleet(configs) as fleet:
        answer = await discover(
            Target((A, B)), MODEL, open_probe=probes_of(fleet), on_find=lines.append
        )
    a, b = answer.endpoints
    assert a.slots is not None
    assert b.slots is not None
    assert (a.endpoint, a.slots.slots, b.endpoint, b.slots.slots) == (A, 2, B, 8)
    assert b.cold_load_s == pytest.approx(2.0, rel=0.01)
    assert f"{A}: works on 2 requests at once" in lines


async def test_without_times_the_client_tells_what_it_can(autojump_clock: MockClock) -> None:
    """Slots by the beginnings of answers, loads by TTFT, the speed of writing by chunks."""
    config = server(num_parallel=4, load_s=3.0, decode_tokens_per_s=50.0)
    async with open_fleet({A: config}) as fleet:
        opened = probes_of(fleet, tells_times=False)
        told = (await discover(Target((A,)), MODEL, open_probe=opened)).endpoints[0]
    assert not told.is_timed
    assert told.slots is not None
    assert (told.slots.slots, told.slots.by_residual, told.slots.is_exact) == (4, None, True)
    assert told.cold_load_s is None
    assert told.cold_ttft_s == pytest.approx(3.0, rel=0.05)
    assert told.uncached is not None
    assert told.uncached.prefill_tokens_per_s is None
    assert told.uncached.decode_tokens_per_s == pytest.approx(50.0, rel=0.05)
    assert told.has_prefix_cache is None
    assert {each.option for each in told.reloads if each.reloads} == {
        "num_ctx",
        "num_batch",
        "num_thread",
    }
    assert "it does not tell its times: all figures are the client's" in told.notes


async def test_a_model_that_cannot_be_unloaded_leaves_a_note(autojump_clock: MockClock) -> None:
    """Everything else is found all the same."""
    async with open_fleet({A: server(load_s=1.0)}) as fleet:
        opened = probes_of(fleet, can_unload=False)
        told = (await discover(Target((A,)), MODEL, open_probe=opened)).endpoints[0]
    assert told.cold_load_s is None
    assert told.notes == ("the model could not be unloaded, so a cold start was not seen",)
    assert [each.reloads for each in told.reloads] == [True, True, True, False, False]


async def test_a_server_that_is_down_leaves_a_note(autojump_clock: MockClock) -> None:
    """Nothing is raised."""
    async with open_fleet({A: server(), B: server()}) as fleet:
        fleet.kill(A)
        answer = await discover(Target((A, B)), MODEL, look=ONLY_SLOTS, open_probe=probes_of(fleet))
    a, b = answer.endpoints
    assert a.slots is None
    assert a.notes[0].startswith("a request failed: http_5xx")
    assert b.slots is not None
    assert b.slots.slots == 4


async def test_what_is_not_looked_for_is_not_asked(autojump_clock: MockClock) -> None:
    """Without bursts, loads and speeds only the seven short requests are asked."""
    look = Look(slots=False, cold=False, reloads=False, speeds=False)
    async with open_fleet({A: server()}) as fleet:
        await discover(Target((A,)), MODEL, look=look, open_probe=probes_of(fleet))
        assert fleet.simulator(A).statistics().generations_finished == 7
