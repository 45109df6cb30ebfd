"""Asking through the engine and its pool: it chooses the endpoint, waits, tries again, goes on.

What is measured is then what an application sees that uses the engine. The wait in the engine's own
line is start delay: `Sample.sent_ns` is when the last attempt's request left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import trio

from triollama import Attempt, ChatChunk, Engine, GenerateChunk, TriollamaError, Usage
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.sample import Outcome, Sample
from triollama_adapters.loadtest.sessions import Session, Turn
from triollama_adapters.loadtest.targets.asker import History
from triollama_adapters.loadtest.targets.bodies import messages_of, options_of, user_message
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.record import Record, make_sample
from triollama_adapters.loadtest.targets.sink import Sink
from triollama_adapters.loadtest.targets.verdicts import Verdict, engine_outcome

__all__ = ["PooledAsker"]


class PooledAsker:
    """An `Asker`; see the module.

    Args:
        plan: whom to ask, and how.
        clock: of the run.
        engine: over the plan's endpoints.
    """

    def __init__(self, plan: Plan, clock: RunClock, engine: Engine) -> None:
        self._api = plan.target.api
        self._clock = clock
        self._engine = engine
        self._running: dict[Record, None] = {}
        self._cut: Outcome | None = None

    async def run(self) -> None:
        """Nothing to do: the engine keeps the clocks."""
        await trio.sleep_forever()

    def cut(self, outcome: Outcome) -> None:
        """See `Asker.cut`."""
        self._cut = outcome
        for record in list(self._running):
            record.end(outcome)

    def in_flight(self) -> dict[str, int]:
        """See `Asker.in_flight`."""
        return {each.name: each.in_flight for each in self._engine.statistics().endpoints}

    async def ask(
        self, session: Session, turn_index: int, history: History, scheduled_ns: int
    ) -> Sample:
        """See `Asker.ask`."""
        turn, record = session.turns[turn_index], Record("", Sink())
        self._running[record] = None
        try:
            verdict = await self._attempt(session, turn, history, record)
        except TriollamaError as error:
            verdict = engine_outcome(error)
        except Exception as error:  # noqa: BLE001 - every failure becomes an outcome
            verdict = ("client", type(error).__name__)
        finally:
            del self._running[record]
        if record.outcome is not None and verdict[0] != "ok":
            verdict = (record.outcome, record.detail)
        clock = self._clock
        return make_sample(
            session, turn_index, scheduled_ns, record=record, verdict=verdict, clock=clock
        )

    async def _attempt(
        self, session: Session, turn: Turn, history: History, record: Record
    ) -> Verdict:
        """One answer, unless its user leaves or it is cut off."""
        if self._cut is not None:
            return self._cut, ""
        with trio.CancelScope() as record.scope:
            if turn.cancel_s is not None:
                record.scope.deadline = trio.current_time() + turn.cancel_s
            if self._api == "embed":
                await self._embed(session, turn, record)
            else:
                await self._stream(session, turn, history, record)
            return "ok", ""
        return "cancelled", ""  # by the user, unless its record says otherwise

    async def _stream(self, session: Session, turn: Turn, history: History, record: Record) -> None:
        sink = record.sink
        async with self._open(session, turn, history, sink) as stream:
            try:
                answer = await stream.collect()
            finally:
                timing = stream.timing
                record.endpoint = stream.endpoint
                record.sent_ns, sink.done_ns = timing.sent_ns, timing.done_ns
                record.continued = _continued(stream.attempts)
            _end(sink, answer.usage)
            history.append(user_message(turn))
            history.append({"role": "assistant", "content": answer.content})

    def _open(self, session: Session, turn: Turn, history: History, sink: Sink) -> Any:
        fields: dict[str, Any] = {
            "options": options_of(session, turn) or None,
            "format": session.format,
            "on_chunk": lambda chunk: _note(sink, chunk),
        }
        if self._api == "generate":
            fields |= {"system": session.system or None, "images": turn.images or None}
            return self._engine.stream_generate(session.model, turn.prompt, **fields)
        messages = messages_of(session, turn, history)
        fields["tools"] = session.tools or None
        return self._engine.stream_chat(session.model, messages, **fields)

    async def _embed(self, session: Session, turn: Turn, record: Record) -> None:
        """An embedding, whose own time of sending the engine does not tell."""
        clock, sink = self._clock, record.sink
        record.sent_ns = clock.now_ns() + clock.start_ns
        options = session.options or None
        answer = await self._engine.embed(session.model, turn.prompt, options=options)
        sink.done_ns = clock.now_ns() + clock.start_ns
        _end(sink, answer.usage)


def _continued(attempts: Sequence[Attempt]) -> int:
    """How often an answer broke after a part of it had come, and went on."""
    return sum(each.characters > 0 for each in attempts[:-1])


def _note(sink: Sink, chunk: ChatChunk | GenerateChunk) -> None:
    """Stamp a chunk that says something; called for each as it arrives."""
    calls = chunk.message.tool_calls if isinstance(chunk, ChatChunk) else ()
    if chunk.content or chunk.thinking or calls:
        sink.stamps.append(chunk.arrived_ns)
        if not sink.shown_ns and (chunk.content or calls):
            sink.shown_ns = chunk.arrived_ns


def _end(sink: Sink, usage: Usage) -> None:
    sink.prompt_tokens, sink.output_tokens = usage.prompt_tokens, usage.output_tokens
    if usage.total_ns:
        sink.times_ns = (usage.total_ns, usage.load_ns, usage.prefill_ns, usage.decode_ns)
