"""Answers that break on their way, at every kind of byte: their readers do not notice."""

from __future__ import annotations

import re
from collections.abc import Callable

import attrs
import pytest
from tests.e2e.proxy import Break, Kind, Place, Proxy, open_proxy
from tests.e2e.readers import answered_by, check_whole, make_readers, read_all, struck, wait_until

from triollama import EndpointConfig, EngineConfig, ProbeConfig, open_engine
from triollama_adapters.cli._readers import Reader
from triollama_adapters.simulator import fast_config
from triollama_adapters.simulator.server import Server

pytestmark = pytest.mark.slow

STREAMS = 12
STALL_S, FIRST_TOKEN_S = 0.5, 1.0
CONFIG = EngineConfig(
    first_token_s=FIRST_TOKEN_S, stall_s=STALL_S, probe=ProbeConfig(enabled=False)
)
END_OF_CHUNK = b"}\n\r\n"
END_OF_HEAD = b"\r\n\r\n"


def after(mark: bytes, count: int, more: int) -> Place:
    """So many bytes behind the so-manieth of a mark."""

    def place(answer: bytes) -> int | None:
        at = -1
        for _ in range(count):
            at = answer.find(mark, at + 1)
            if at < 0:
                return None
        at += len(mark) + more
        return at if at <= len(answer) else None

    return place


def in_a_character(answer: bytes) -> int | None:
    """Behind the first byte of the first character that has several."""
    found = re.search(rb"[\xc2-\xf4]", answer)
    return found and found.end()


PLACES: dict[str, tuple[Place, bytes]] = {
    # where, and what the bytes that passed must look like, as a pattern
    "before it": (lambda _: 0, rb""),
    "in the status line": (lambda _: 9, rb"HTTP/1\.1 "),
    "in the head": (after(b"Content-Type", 1, 4), rb".*\r\nContent-Type: ap"),
    "behind the head": (after(END_OF_HEAD, 1, 0), rb"HTTP.*\r\n\r\n"),
    "in the first line": (after(END_OF_HEAD, 1, 30), rb"HTTP.*\r\n\r\n[0-9a-f]+\r\n\{[^\n]+"),
    "in a chunk size": (after(END_OF_CHUNK, 4, 1), rb".*\}\n\r\n[0-9a-f]"),
    "behind a chunk size": (after(END_OF_CHUNK, 4, 3), rb".*\}\n\r\n[0-9a-f]{2}\r"),
    "behind a line": (after(END_OF_CHUNK, 4, -2), rb".*\}\n"),
    "in a line break": (after(END_OF_CHUNK, 4, -1), rb".*\}\n\r"),
    "behind a chunk": (after(END_OF_CHUNK, 9, 0), rb".*\}\n\r\n"),
    "in a character": (in_a_character, rb".*[\xc2-\xf4]"),
    "in the last line": (after(b'"done":true', 1, 20), rb'.*"done":true[^\n]*'),
    "before the end": (after(b'"eval_duration":', 1, 0), rb'.*"eval_duration":'),
    "in the end": (after(b"\n\r\n0\r\n", 1, 0), rb".*\}\n\r\n0\r\n"),
}
WHOLE_BEFORE = {"in the end"}
"""Where the answer is whole already, although its HTTP body is not."""


def _fleet(proxy: Proxy, server: Server) -> list[EndpointConfig]:
    return [EndpointConfig(url, num_parallel=STREAMS // 2) for url in (proxy.url, server.url)]


async def _read_beside(serve: Callable[..., Server], proxy: Proxy) -> list[Reader]:
    """Read streams over a proxy and a healthy server; those that the proxy broke."""
    readers = make_readers(STREAMS, fast_config())
    async with open_engine(*_fleet(proxy, serve()), config=CONFIG) as engine:
        await read_all(engine, readers)
        now = engine.statistics()
        assert (now.done, now.failed, now.cancelled, now.running) == (STREAMS, 0, 0, 0)
    check_whole(readers)
    return struck(readers, proxy.name)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", list(Kind))
async def test_an_answer_broken_anywhere_is_whole(
    serve: Callable[..., Server], kind: Kind, place: str
) -> None:
    """Whatever happens to an answer, and wherever, its text is the unbroken one."""
    find, passed = PLACES[place]
    async with open_proxy(serve().url) as proxy:
        proxy.fault = Break(kind, find, delay_s=FIRST_TOKEN_S + 0.1)
        broken = await _read_beside(serve, proxy)
    assert proxy.struck
    for bytes_ in proxy.struck:
        assert re.fullmatch(passed, bytes_, re.DOTALL)
    if place in WHOLE_BEFORE:
        assert not broken
    else:
        assert broken


async def test_a_short_pause_costs_nothing(serve: Callable[..., Server]) -> None:
    """A pause that is shorter than the clocks allow breaks no stream."""
    async with open_proxy(serve().url) as proxy:
        proxy.fault = Break(Kind.DELAY, in_a_character, delay_s=STALL_S / 5)
        assert await _read_beside(serve, proxy) == []
        assert proxy.struck


async def test_refused_and_admitted_again(serve: Callable[..., Server]) -> None:
    """Without a way to a server the others answer; it is used again when there is one."""
    probe = ProbeConfig(interval_s=0.05, timeout_s=0.5, successes_min=1)
    config = attrs.evolve(CONFIG, probe=probe)
    first, second, third = [make_readers(STREAMS, fast_config()) for _ in range(3)]
    async with open_proxy(serve().url) as proxy:
        async with open_engine(*_fleet(proxy, serve()), config=config) as engine:
            await read_all(engine, first)
            await proxy.refuse()
            await read_all(engine, second)
            assert engine.statistics().endpoints[0].failures_in_row
            await proxy.admit()
            await wait_until(lambda: engine.statistics().endpoints[0].state != "open")
            await read_all(engine, third)
    check_whole([*first, *second, *third])
    assert answered_by(first, proxy.name)
    assert not answered_by(second, proxy.name)
    assert answered_by(third, proxy.name)
