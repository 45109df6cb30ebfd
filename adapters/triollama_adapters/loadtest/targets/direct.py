"""Asking over connections of our own, with nothing in between: no queue, no retry, no choice.

The engine's wire is used, and not its pool, which would spare a server that pushes back. A session
goes to one endpoint, the next one to the next. A connection that turns out to have been closed
while it was idle is no failure of the server: the request is sent again, at once.

Bounds: `STALE_MAX` such connections in a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs
import httpx
import trio

from triollama import EndpointConfig
from triollama.wire.exchange import ConnectionLostEarly, Exchange
from triollama.wire.transport import Route, WireTransport
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.sample import Outcome, Sample
from triollama_adapters.loadtest.sessions import Session, Turn
from triollama_adapters.loadtest.targets.answer_sinks import AnswerSink, make_sink
from triollama_adapters.loadtest.targets.asker import History
from triollama_adapters.loadtest.targets.bodies import PATHS, encode_body, user_message
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.foreign import ask_foreign
from triollama_adapters.loadtest.targets.heard import Heard
from triollama_adapters.loadtest.targets.reading import read_answer
from triollama_adapters.loadtest.targets.record import Record, make_sample
from triollama_adapters.loadtest.targets.shown import headers_of, secrets_of, veiled
from triollama_adapters.loadtest.targets.verdicts import Verdict, transport_outcome
from triollama_adapters.loadtest.targets.watch import Watch

__all__ = ["DirectAsker"]

STALE_MAX: Final = 3


@attrs.define
class _Host:
    """One endpoint; the headers and secrets are never shown."""

    name: str
    url: httpx.URL
    headers: list[tuple[bytes, bytes]] = attrs.field(repr=False)
    route: Route = attrs.field(repr=False)
    secrets: tuple[str, ...] = attrs.field(repr=False)
    in_flight: int = 0


class DirectAsker:
    """An `Asker`; see the module. `run` must run while it asks.

    Args:
        plan: whom to ask, and how.
        clock: of the run.
        endpoints: those of the plan.
        wire: makes the connections.
        foreign: carries the requests in its place, see `foreign`; None for a load.
    """

    def __init__(
        self,
        plan: Plan,
        clock: RunClock,
        endpoints: list[EndpointConfig],
        *,
        wire: WireTransport,
        foreign: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._api = plan.target.api
        self._clock = clock
        self._wire = wire
        self._foreign = foreign
        self._limits_s = {"connect": plan.target.connect_s, "pool": plan.target.connect_s}
        self._running: dict[Record[AnswerSink], None] = {}
        self._sent = 0
        self._cut: Outcome | None = None
        self._watch = Watch(self._running, plan.target)
        accept = make_sink(self._api).content_types[0]
        self._hosts = [_host(wire, each, PATHS[self._api], accept) for each in endpoints]

    async def run(self) -> None:
        """Keep the clocks of the requests, until cancelled."""
        await self._watch.run()

    def cut(self, outcome: Outcome) -> None:
        """See `Asker.cut`."""
        self._cut = outcome
        for record in list(self._running):
            record.end(outcome)

    def sent(self) -> int:
        """See `Asker.sent`."""
        return self._sent

    def in_flight(self) -> dict[str, int]:
        """See `Asker.in_flight`."""
        return {host.name: host.in_flight for host in self._hosts}

    async def ask(
        self, session: Session, turn_index: int, history: History, scheduled_ns: int
    ) -> Sample:
        """See `Asker.ask`."""
        turn = session.turns[turn_index]
        goes_on = turn_index + 1 < len(session.turns)
        host = self._hosts[session.index % len(self._hosts)]
        sink = make_sink(self._api, keeps_text=goes_on)
        record = Record(host.name, sink)
        verdict: Verdict = ("client", "")
        host.in_flight += 1
        self._running[record] = None
        if self._cut is not None:
            record.end(self._cut)
        try:
            body = encode_body(self._api, session, turn, history)
            verdict = await self._attempt(host, body, turn, record)
        except Exception as error:  # noqa: BLE001 - every failure becomes an outcome
            verdict = transport_outcome(error)
        finally:
            host.in_flight -= 1
            del self._running[record]
        if record.outcome is not None and (record.outcome == "ok" or verdict[0] != "ok"):
            verdict = (record.outcome, record.detail)
        verdict = (verdict[0], veiled(verdict[1], host.secrets))
        if goes_on and verdict[0] == "ok":
            _remember(history, turn, sink)
        clock = self._clock
        return make_sample(
            session, turn_index, scheduled_ns, record=record, verdict=verdict, clock=clock
        )

    async def _attempt(
        self, host: _Host, body: bytes, turn: Turn, record: Record[AnswerSink]
    ) -> Verdict:
        """Send it until it is on a connection that works, and wait for what comes."""
        if self._foreign is not None and record.outcome is None:
            request = httpx.Request("POST", host.url, headers=host.headers, content=body)
            self._sent += 1
            return await ask_foreign(self._foreign, request, record, turn.cancel_s)
        for _ in range(STALE_MAX):
            try:
                return await self._attempt_once(host.route, body, turn, record)
            except ConnectionLostEarly:
                record.exchange = None
        return await self._attempt_once(host.route, body, turn, record)

    async def _attempt_once(
        self, route: Route, body: bytes, turn: Turn, record: Record[AnswerSink]
    ) -> Verdict:
        if record.outcome is not None:
            return record.outcome, record.detail
        exchange: Exchange | None = None
        with trio.CancelScope() as record.scope:
            exchange = await self._wire.open(route, body, self._limits_s)
        record.scope = None
        if exchange is None:
            return "client", ""  # it was ended, and its record says why
        record.exchange = exchange
        self._sent += not record.sent_ns  # once, however often it is sent again
        try:
            if turn.cancel_s is None:
                return await read_answer(exchange, record.heard)
            return await _read_for(exchange, record, turn.cancel_s)
        finally:
            record.sent_ns = exchange.sent_ns
            exchange.abort()
            record.heard.let_go()


async def _read_for(exchange: Exchange, record: Record[AnswerSink], cancel_s: float) -> Verdict:
    """Read until the user leaves."""
    with trio.move_on_after(cancel_s):
        return await read_answer(exchange, record.heard)
    record.end("ok" if record.heard.done_ns else "cancelled")
    return "cancelled", ""


def _remember(history: History, turn: Turn, heard: Heard) -> None:
    """Add what was said to a conversation."""
    answer: Mapping[str, object] = {"role": "assistant", "content": "".join(heard.text)}
    history.append(user_message(turn))
    history.append(dict(answer) | ({"tool_calls": heard.tool_calls} if heard.tool_calls else {}))


def _host(wire: WireTransport, endpoint: EndpointConfig, path: str, accept: bytes) -> _Host:
    url = httpx.URL(endpoint.url).copy_with(path=path)
    own = [
        (b"Host", url.netloc),
        (b"Accept", accept),
        (b"Accept-Encoding", b"identity"),
        (b"Content-Type", b"application/json"),
        (b"User-Agent", b"triollama"),
    ]
    theirs = [(name.encode(), value.encode()) for name, value in headers_of(endpoint).items()]
    named = {name.lower() for name, _ in theirs}
    headers = [each for each in own if each[0].lower() not in named] + theirs
    route = wire.route("POST", url, headers, has_body=True)
    # To leave with the others of its turn would save time, and make it late.
    route = attrs.evolve(route, pushed_bytes_max=-1)
    return _Host(endpoint.name, url, headers, route, secrets_of(endpoint))
