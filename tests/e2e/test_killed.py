"""Servers in processes die, hang and come back under running streams: no reader notices."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
from tests.e2e.fleet import Fleet, open_fleet_of_processes
from tests.e2e.readers import (
    MODEL,
    answered_by,
    attempts_of,
    check_whole,
    make_readers,
    read_all,
    struck,
    wait_until,
)

from triollama import EndpointConfig, Engine, EngineConfig, ProbeConfig, open_engine
from triollama_adapters.cli._readers import Reader, follow
from triollama_adapters.simulator import fast_config

STREAMS = 60
STALL_S = 0.4
CONFIG = EngineConfig(
    first_token_s=2.0, stall_s=STALL_S, probe=ProbeConfig(interval_s=0.1, timeout_s=0.5)
)
PACE = fast_config(
    load_s=0.1, decode_tokens_per_s=100.0, answer_tokens_min=60, answer_tokens_max=80
)
"""About 0.8 s an answer."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs POSIX signals"),
]


@pytest.fixture
async def slower(time_limit: None) -> AsyncIterator[Fleet]:
    """Three servers whose answers take long enough to strike in the middle."""
    async with open_fleet_of_processes(3, PACE) as made:
        yield made


@asynccontextmanager
async def _open_engine(fleet: Fleet, num_parallel: int = STREAMS) -> AsyncIterator[Engine]:
    """An engine that has the model loaded everywhere, so that it spreads its streams."""
    endpoints = [EndpointConfig(url, num_parallel=num_parallel) for url in fleet.urls]
    async with open_engine(*endpoints, config=CONFIG) as engine:
        await engine.load(MODEL)
        yield engine


def _running(readers: Sequence[Reader], name: str) -> list[Reader]:
    """Those that an endpoint writes to, and has written some of the text to."""
    return [reader for reader in readers if reader.is_running and reader.endpoint == name]


async def _wait_running(readers: Sequence[Reader], name: str) -> list[Reader]:
    await wait_until(lambda: len(_running(readers, name)) > STREAMS // 8)
    return _running(readers, name)


def _check_numbers(engine: Engine, count: int) -> None:
    """Each request, the load of each server included, has one outcome; nothing runs."""
    now = engine.statistics()
    assert now.accepted == count + len(now.endpoints)
    assert (now.done, now.failed, now.cancelled) == (now.accepted, 0, 0)
    assert [each.in_flight for each in now.endpoints] == [0] * len(now.endpoints)


@pytest.mark.parametrize("after_chunks", [1, 10, 40])
async def test_killed_in_the_middle(slower: Fleet, after_chunks: int) -> None:
    """Streams of a killed server go on elsewhere, at the character where they broke."""
    readers = make_readers(STREAMS, PACE)
    url, name = slower.urls[0], slower.names[0]
    async with _open_engine(slower) as engine:
        async with trio.open_nursery() as reading:
            reading.start_soon(read_all, engine, readers)
            await wait_until(lambda: any(r.chunks >= after_chunks for r in _running(readers, name)))
            hit = _running(readers, name)
            await slower.kill(url)
        _check_numbers(engine, STREAMS)
    check_whole(readers)
    broken = [reader for reader in hit if reader in struck(readers, name)]
    assert broken
    for reader in broken:
        first, *more = attempts_of(reader)
        assert {attempt.way for attempt in more} == {"chat"}
        assert sum(each.characters for each in [first, *more]) == len(reader.whole)
        assert reader.endpoint != name


async def test_all_but_one_are_killed(slower: Fleet) -> None:
    """Two of three die, one after the other: the last one goes on with the streams of both."""
    readers = make_readers(STREAMS, PACE)
    async with _open_engine(slower) as engine:
        async with trio.open_nursery() as reading:
            reading.start_soon(read_all, engine, readers)
            for url, name in list(zip(slower.urls, slower.names, strict=True))[:2]:
                await _wait_running(readers, name)
                await slower.kill(url)
                await trio.sleep(0.2)
        _check_numbers(engine, STREAMS)
    check_whole(readers)
    assert any(len(attempts_of(reader)) > 2 for reader in readers)
    for name in slower.names[:2]:
        assert struck(readers, name)


async def test_late_bytes_double_nothing(slower: Fleet) -> None:
    """A server that hangs beyond `stall_s` and wakes up again adds nothing to what went on."""
    readers = make_readers(STREAMS, PACE)
    url, name = slower.urls[0], slower.names[0]
    async with _open_engine(slower) as engine:
        async with trio.open_nursery() as reading:
            reading.start_soon(read_all, engine, readers)
            hit = await _wait_running(readers, name)
            slower.signal(url, signal.SIGSTOP)
            await wait_until(lambda: not any(reader.endpoint == name for reader in hit))
            still = sum(reader.is_running for reader in hit)
            slower.signal(url, signal.SIGCONT)
        _check_numbers(engine, STREAMS)
    check_whole(readers)
    assert still, "the server woke up after the streams had ended"
    assert all(reader in struck(readers, name) for reader in hit)


async def test_restarted_on_the_same_port(slower: Fleet) -> None:
    """A server that was killed and started again is used again, and all streams are whole."""
    readers = make_readers(8 * STREAMS, PACE)
    name = slower.names[0]
    before: list[Reader] = []
    since: list[Reader] = []
    used = before
    async with _open_engine(slower, STREAMS // 3) as engine:

        async def read_in_turn(mine: Sequence[Reader]) -> None:
            for reader in mine:
                if not answered_by(since, name):
                    await follow(reader, engine.stream_chat(MODEL, reader.question))
                    used.append(reader)

        async with trio.open_nursery() as reading:
            for number in range(STREAMS):
                reading.start_soon(read_in_turn, readers[number::STREAMS])
            await _wait_running(readers, name)
            await slower.restart(slower.urls[0])
            used = since
        _check_numbers(engine, len(before + since))
    check_whole(before + since)
    assert struck(before + since, name)
    assert answered_by(since, name)
