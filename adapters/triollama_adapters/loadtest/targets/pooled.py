"""Asking through the engine and its pool: it chooses the endpoint, waits, tries again, goes on.

What is measured is then what an application sees that uses the engine. `Sample.queued_ns` is when
the engine had the request, and `Sample.sent_ns` when that of its last attempt left: what is between
them is the engine's own line, and the attempts that failed.
"""

from __future__ import annotations

import time
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
from triollama_adapters.loadtest.targets.heard import Heard
from triollama_adapters.loadtest.targets.record import Record, make_sample
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
        self._running: dict[Record[Heard], None] = {}
        self._sent = 0
        self._cut: Outcome | None = None

    async def run(self) -> None:
        """Nothing to do: the engine keeps the clocks."""
        await trio.sleep_forever()

    def cut(self, outcome: Outcome) -> None:
        """See `Asker.cut`."""
        self._cut = outcome
        for record in list(self._running):
            record.end(outcome)

    def sent(self) -> int:
        """See `Asker.sent`: those that are over, and those that have an endpoint."""
        return self._sent + sum(self.in_flight().values())

    def in_flight(self) -> dict[str, int]:
        """See `Asker.in_flight`."""
        return {each.name: each.in_flight for each in self._engine.statistics().endpoints}

    async def ask(
        self, session: Session, turn_index: int, history: History, scheduled_ns: int
    ) -> Sample:
        """See `Asker.ask`."""
        turn, record = session.turns[turn_index], Record("", Heard())
        self._running[record] = None
        try:
            verdict = await self._attempt(session, turn, history, record)
        except TriollamaError as error:
            verdict = engine_outcome(error)
        except Exception as error:  # noqa: BLE001 - every failure becomes an outcome
            verdict = ("client", type(error).__name__)
        finally:
            del self._running[record]
            self._sent += record.sent_ns > 0
        if record.outcome is not None and verdict[0] != "ok":
            verdict = (record.outcome, record.detail)
        clock = self._clock
        return make_sample(
            session, turn_index, scheduled_ns, record=record, verdict=verdict, clock=clock
        )

    async def _attempt(
        self, session: Session, turn: Turn, history: History, record: Record[Heard]
    ) -> Verdict:
        """One answer, unless its user leaves or it is cut off."""
        if self._cut is not None:
            return self._cut, ""
        record.queued_ns = time.perf_counter_ns()
        with trio.CancelScope() as record.scope:
            if turn.cancel_s is not None:
                record.scope.deadline = trio.current_time() + turn.cancel_s
            if self._api == "embed":
                await self._embed(session, turn, record)
            else:
                await self._stream(session, turn, history, record)
            return "ok", ""
        return "cancelled", ""  # by the user, unless its record says otherwise

    async def _stream(
        self, session: Session, turn: Turn, history: History, record: Record[Heard]
    ) -> None:
        heard = record.heard
        async with self._open(session, turn, history, heard) as stream:
            try:
                answer = await stream.collect()
            finally:
                timing = stream.timing
                record.endpoint = stream.endpoint
                record.sent_ns, heard.done_ns = timing.sent_ns, timing.done_ns
                record.continued = _continued(stream.attempts)
            _end(heard, answer.usage)
            history.append(user_message(turn))
            history.append({"role": "assistant", "content": answer.content})

    def _open(self, session: Session, turn: Turn, history: History, heard: Heard) -> Any:
        fields: dict[str, Any] = {
            "options": options_of(session, turn) or None,
            "format": session.format,
            "think": session.think,
            "on_chunk": lambda chunk: _note(heard, chunk),
        }
        if self._api == "generate":
            fields |= {"system": session.system or None, "images": turn.images or None}
            return self._engine.stream_generate(session.model, turn.prompt, **fields)
        messages = messages_of(session, turn, history)
        fields["tools"] = session.tools or None
        return self._engine.stream_chat(session.model, messages, **fields)

    async def _embed(self, session: Session, turn: Turn, record: Record[Heard]) -> None:
        """An embedding, whose own time of sending the engine does not tell: it counts as sent."""
        heard = record.heard
        record.sent_ns = record.queued_ns
        options = session.options or None
        answer = await self._engine.embed(session.model, turn.prompt, options=options)
        heard.done_ns = time.perf_counter_ns()
        _end(heard, answer.usage)


def _continued(attempts: Sequence[Attempt]) -> int:
    """How often an answer broke after a part of it had come, and went on."""
    return sum(each.characters > 0 for each in attempts[:-1])


def _note(heard: Heard, chunk: ChatChunk | GenerateChunk) -> None:
    """Stamp a chunk that says something; called for each as it arrives."""
    calls = chunk.message.tool_calls if isinstance(chunk, ChatChunk) else ()
    if chunk.content or chunk.thinking or calls:
        heard.stamps.append(chunk.arrived_ns)
        if not heard.shown_ns and (chunk.content or calls):
            heard.shown_ns = chunk.arrived_ns


def _end(heard: Heard, usage: Usage) -> None:
    heard.prompt_tokens, heard.output_tokens = usage.prompt_tokens, usage.output_tokens
    if usage.total_ns:
        heard.times_ns = (usage.total_ns, usage.load_ns, usage.prefill_ns, usage.decode_ns)
