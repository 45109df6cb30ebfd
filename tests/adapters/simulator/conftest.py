"""A server with a hand-driven clock, and one on a loopback port."""

from __future__ import annotations

import json
from typing import Any

import httptools
import pytest
import trio

from triollama_adapters.simulator.config import SimulatorConfig
from triollama_adapters.simulator.core import Simulator
from triollama_adapters.simulator.response import Ending, Request
from triollama_adapters.simulator.server import serve

WALL_NS = 1_790_000_000 * 10**9


class Call:
    """One request to the core, and what has come back so far."""

    def __init__(self) -> None:
        self.raw = b""
        self.ending: Ending | None = None
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.chunks: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)
        self._parsed = 0
        self.exchange: Any = None

    def write(self, data: bytes) -> None:
        """Keep what the core sends."""
        assert self.ending is None, "nothing is written after the end"
        self.raw += data

    def finish(self, ending: Ending) -> None:
        """Keep how the core ended it."""
        assert self.ending is None, "a response ends once"
        self.ending = ending

    def on_status(self, _text: bytes) -> None:
        """A response begins, perhaps an interim one."""
        self.headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self.headers[name.decode().lower()] = value.decode()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self.status = self._parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        """A chunk."""
        self.body += data
        self.chunks.append(data)

    def parse(self) -> Call:
        """Read as HTTP what has come since the last call."""
        new, self._parsed = self.raw[self._parsed :], len(self.raw)
        self._parser.feed_data(new)
        return self

    @property
    def json(self) -> Any:
        """The body as one JSON value."""
        return json.loads(self.parse().body)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of a stream; every line must be whole."""
        body = self.parse().body
        assert body.endswith(b"\n")
        return [json.loads(line) for line in body[:-1].split(b"\n")]


class Bench:
    """A simulator whose clock is turned by hand."""

    def __init__(self, **config: Any) -> None:
        self.now = 100.0
        self.simulator = Simulator(SimulatorConfig(**config), wall_ns=WALL_NS)

    def send(self, method: str, path: str, body: Any = None, **parts: Any) -> Call:
        """Send a request and return at once."""
        call = Call()
        data = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        request = Request(method, path, data, **parts)
        call.exchange = self.simulator.submit(request, call, self.now)
        return call

    def post(self, path: str, **body: Any) -> Call:
        """Send a POST and return at once."""
        return self.send("POST", path, body)

    def get(self, path: str) -> Call:
        """Send a GET, which is answered at once."""
        return self.send("GET", path)

    def ask(self, path: str, **body: Any) -> Call:
        """Send a POST and let time pass until it is answered."""
        call = self.post(path, **body)
        self.finish(call)
        return call.parse()

    def finish(self, *calls: Call) -> None:
        """Let time pass until all these are over."""
        while any(call.ending is None for call in calls):
            assert self.simulator.next_due < float("inf"), "nothing is due, yet a call is not over"
            self.step()

    def step(self) -> None:
        """Go to the next due time."""
        self.now = max(self.now, self.simulator.next_due)
        self.simulator.advance(self.now)

    def pass_s(self, seconds: float) -> None:
        """Let so many seconds pass, step by step."""
        until = self.now + seconds
        while self.simulator.next_due <= until:
            self.step()
        self.now = until
        self.simulator.advance(until)

    def cancel(self, call: Call) -> None:
        """The client of a call leaves."""
        self.simulator.cancel(call.exchange, self.now)

    @property
    def ps(self) -> list[dict[str, Any]]:
        """What ``/api/ps`` lists."""
        models: list[dict[str, Any]] = self.get("/api/ps").json["models"]
        return models

    @property
    def state(self) -> Any:
        """The statistics, after a check that they add up."""
        state = self.simulator.statistics()
        over = state.finished + state.failed + state.cancelled
        assert state.accepted == over + state.in_flight, "no request is lost"
        return state


@pytest.fixture
def bench() -> Bench:
    """A server with the default configuration."""
    return Bench()


@pytest.fixture
def make_bench() -> type[Bench]:
    """Make a server with a configuration of one's own."""
    return Bench


@pytest.fixture
async def start_server(nursery: trio.Nursery) -> Any:
    """Start servers on loopback ports; gives a function that returns a URL."""

    async def start(**config: Any) -> str:
        quick = {"load_s": 0.0, "decode_tokens_per_s": 2000.0, "prefill_tokens_per_s": 1e6} | config

        async def run(*, task_status: trio.TaskStatus[str]) -> None:
            await serve(SimulatorConfig(**quick), task_status=task_status)

        return await nursery.start(run)

    return start
