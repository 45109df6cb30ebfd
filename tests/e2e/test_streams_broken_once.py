"""500 streams over sockets, by night 2,000, each broken once: none is lost, none doubled."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest
import trio
from tests.e2e.readers import attempts_of, check_whole, make_readers, read_all

from triollama import EndpointConfig, EngineConfig, Outcome, open_engine
from triollama_adapters.simulator import Fault, FaultRule, fast_config
from triollama_adapters.simulator.faults import FaultTable
from triollama_adapters.simulator.server import Server

resource = pytest.importorskip("resource", reason="needs POSIX limits")

pytestmark = pytest.mark.slow

STREAMS, STREAMS_NIGHTLY, SEEDS_NIGHTLY = 500, 2_000, 20
SERVERS = 4
TEST_S = 120.0
FILES_PER_STREAM = 3
"""Both ends of its connection, and of one that is being closed."""

PACE = fast_config(load_s=0.0, answer_tokens_min=20, answer_tokens_max=60)
CONFIG = EngineConfig(first_token_s=5.0, stall_s=1.0)
BYTES_MIN = 2_000
"""The shortest answer has more: 20 lines of over 100 bytes."""

KINDS: dict[str, Callable[[int, int], Fault]] = {
    "reset at a byte": lambda _, byte: Fault(kind="reset", after_bytes=byte),
    "reset": lambda token, _: Fault(kind="reset", after_tokens=token),
    "half close": lambda token, _: Fault(kind="half_close", after_tokens=token),
    "cut chunk": lambda token, _: Fault(kind="truncated_chunk", after_tokens=token),
    "error line": lambda token, _: Fault(kind="error_line", after_tokens=token),
    "garbage": lambda token, _: Fault(kind="garbage_line", after_tokens=token),
    # Behind the head: before it, the clock of the first token would run, which is a long one.
    "stall": lambda token, _: Fault(kind="stall", after_tokens=token + 1),
    "no last line": lambda _, __: Fault(kind="missing_done"),
    "500": lambda _, __: Fault(kind="status", status=500),
}
"""Each kind of fault, given after how many tokens or bytes it strikes."""


@pytest.fixture
async def time_limit(nursery: trio.Nursery) -> None:
    """As everywhere, but for more streams."""

    async def give_up() -> None:
        await trio.sleep(TEST_S)
        raise trio.TooSlowError

    nursery.start_soon(give_up)


@pytest.fixture
def files(streams: int) -> Iterator[None]:
    """Allow this process the sockets that so many streams take."""
    count = FILES_PER_STREAM * streams + 128
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"needs {count} open files, and {hard} are allowed")
    if soft != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def _rule(draws: random.Random, number: int, kind: str) -> FaultRule:
    """A fault for the request that first brings a question, whichever server it is sent to."""
    fault = KINDS[kind](draws.randrange(PACE.answer_tokens_min), draws.randrange(BYTES_MIN))
    return FaultRule(fault=fault, prompt=f"Question {number}:", nth=(1,))


@pytest.mark.parametrize(
    ("streams", "seed"),
    [
        (STREAMS, 0),
        *(
            pytest.param(STREAMS_NIGHTLY, seed, marks=pytest.mark.nightly)
            for seed in range(SEEDS_NIGHTLY)
        ),
    ],
)
async def test_each_stream_is_broken_once(
    files: None, serve: Callable[..., Server], streams: int, seed: int
) -> None:
    """Each server breaks what it sees first; 0 characters lost, 0 doubled, 0 streams failed."""
    readers = make_readers(streams, PACE)
    draws = random.Random(seed)
    kinds = draws.choices(list(KINDS), k=streams)
    faults = FaultTable(tuple(_rule(draws, *each) for each in enumerate(kinds)), seed)
    servers = [serve(PACE) for _ in range(SERVERS)]
    for server in servers:
        server.simulator.faults = faults
    fleet = [EndpointConfig(server.url, max_in_flight=streams) for server in servers]
    async with open_engine(*fleet, config=CONFIG) as engine:
        await read_all(engine, readers)
        now = engine.statistics()
        assert (now.accepted, now.done, now.failed, now.cancelled) == (streams, streams, 0, 0)
    check_whole(readers)
    assert faults.acted() == [1] * streams
    assert set(kinds) == set(KINDS)
    attempts = [attempts_of(reader) for reader in readers]
    assert all(first.why is not Outcome.DONE for first, *_ in attempts)
    assert {first.endpoint for first, *_ in attempts} == {each.name for each in fleet}
