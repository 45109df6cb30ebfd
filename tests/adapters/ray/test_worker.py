"""A worker in this process: rows in, outcomes out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest
import trio
from tests.adapters.ray.clusters import CONFIG, MODEL, whole_answer

from triollama import ConfigError, EngineConfig
from triollama_adapters.batch.rows import Ask
from triollama_adapters.batch.work.asking import Asked
from triollama_adapters.ray import worker as module
from triollama_adapters.ray.packing import pack, pack_ask, unpack
from triollama_adapters.ray.worker import STOP, Begin, Worker, own_version
from triollama_adapters.simulator.process import open_simulators

pytestmark = pytest.mark.slow


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    """One that looks for outcomes for a short time only."""
    monkeypatch.setattr(module, "TAKE_S", 0.1)
    made = Worker()
    yield made
    made._loop.close()


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A simulated server."""
    async with open_simulators(1, CONFIG) as [started]:
        yield started


def begin_of(*endpoints: str) -> Begin:
    """Servers, and all else as usual."""
    return Begin(
        endpoints=endpoints, config=EngineConfig(), concurrency=9, tries=2, outage_s_max=60.0
    )


def row(question: str, model: str = MODEL) -> bytes:
    """A question."""
    return pack_ask(
        Ask("chat", {"model": model, "messages": [{"role": "user", "content": question}]})
    )


async def taken(worker: Worker, count: int) -> dict[int, Asked | None]:
    """So many outcomes."""
    found: dict[int, Asked | None] = {}
    with trio.fail_after(20):
        while len(found) < count:
            outcomes, _ = unpack(await trio.to_thread.run_sync(worker.take, pack([])))
            found |= dict(outcomes)
    return found


async def test_rows_are_asked(worker: Worker, url: str) -> None:
    """Answers come with how they came about; what a server refuses is an outcome, too."""
    in_thread = trio.to_thread.run_sync
    [reached] = await in_thread(worker.begin, begin_of(url))
    assert f"{MODEL}:latest" in (reached.models or ())
    rows = [(number, row(f"Question {number}?")) for number in range(1, 9)]
    await in_thread(worker.give, pack([*rows, (9, row("What?", "no-such-model"))]))
    found = await taken(worker, 9)
    for number in range(1, 9):
        asked = found[number]
        assert asked is not None
        assert asked.answer is not None
        assert asked.answer.content == whole_answer(f"Question {number}?")
        assert asked.stream is not None
        assert asked.stream.endpoint == reached.endpoint
        assert [each.why.value for each in asked.stream.attempts] == ["done"]
        assert asked.stream.timing.done_ns > asked.stream.timing.sent_ns
    refused = found[9]
    assert refused is not None
    assert type(refused.error).__name__ == "ModelNotFoundError"
    outcomes, seen = unpack(await in_thread(worker.take, pack([])))
    assert outcomes == []
    assert [each.is_in_service for each in seen.looks] == [True]


async def test_rows_are_left(worker: Worker, url: str) -> None:
    """One that nobody wants has no outcome; the others are not disturbed."""
    in_thread = trio.to_thread.run_sync
    await in_thread(worker.begin, begin_of(url))
    await in_thread(worker.give, pack([(1, row("One?")), (2, row("Two?")), (1, None), (7, None)]))
    assert list(await taken(worker, 1)) == [2]
    outcomes, seen = unpack(await in_thread(worker.take, pack([])))
    assert outcomes == []
    assert [each.is_in_service for each in seen.looks] == [True]


async def test_rows_that_wait_are_left_at_a_stop(worker: Worker) -> None:
    """Nobody answers, so the row would wait for that."""
    in_thread = trio.to_thread.run_sync
    [reached] = await in_thread(worker.begin, begin_of("http://127.0.0.1:9"))
    assert reached.models is None
    assert "127.0.0.1:9" in reached.error
    await in_thread(worker.give, pack([(1, row("One?"))]))
    await trio.sleep(0.2)
    await in_thread(worker.give, pack([(STOP, None)]))
    assert await taken(worker, 1) == {1: None}


async def test_an_address_that_is_none(worker: Worker) -> None:
    """Is refused as an engine does."""
    with pytest.raises(ConfigError):
        await trio.to_thread.run_sync(partial(worker.begin, begin_of("ftp://x")))


async def test_a_defect_is_told(worker: Worker, url: str) -> None:
    """By who asks for outcomes, since there will be none."""
    in_thread = trio.to_thread.run_sync
    await in_thread(worker.begin, begin_of(url))
    await in_thread(worker.give, pack([(1, pack_ask(Ask("chat", {"model": MODEL, "what": 1})))]))
    with pytest.raises(TypeError):
        await taken(worker, 1)


def test_versions_are_told() -> None:
    """Both that must agree."""
    assert own_version().startswith("triollama ")
    assert "Python 3." in own_version()
