"""One batch: lines in, answers out, in constant memory.

A reader puts tasks into a bounded channel, N workers ask them one at a time, one writer owns the
sink. Every input line that is not blank becomes one record, unless an interrupt stops it.

Under cancellation the reader and the workers leave at once; the writer stays until what was
complete has been written, and the nursery waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import attrs
import trio

from triollama import (
    ChatChunk,
    ChatResponse,
    Engine,
    Stream,
    TriollamaError,
)
from triollama_adapters.cli._display import Display
from triollama_adapters.cli._failures import by_options, is_unreachable
from triollama_adapters.cli._outcomes import answer_fields, answer_figures, error_fields
from triollama_adapters.cli._records import BadLine, Task, encode_record, parse_line
from triollama_adapters.cli._sink import Sink
from triollama_adapters.cli._source import Source
from triollama_adapters.cli._tally import Tally

__all__ = ["Batch", "Question"]

RECORDS_WAITING_MAX: Final = 256
"""Finished records that wait for the disk; then the workers wait too."""

WRITE_WITHIN_S: Final = 10.0
"""How long an interrupted worker may take to hand over an answer that is complete."""

ChatStream = Stream[ChatChunk, ChatResponse]


@attrs.frozen(kw_only=True)
class Question:
    """What is the same in every request.

    Attributes:
        model: the model to ask.
        prompt_field: the field of each line that holds the text.
        system: the system message; None for none.
        options: Ollama's options; None leaves them to the server.
        think: whether the model is to think; None leaves it to the model.
    """

    model: str
    prompt_field: str
    system: str | None = None
    options: Mapping[str, Any] | None = None
    think: bool | None = None

    def messages(self, prompt: str) -> list[dict[str, str]]:
        """The messages that ask one prompt."""
        system = [{"role": "system", "content": self.system}] if self.system is not None else []
        return [*system, {"role": "user", "content": prompt}]


class Batch:
    """Runs one input through the engine.

    Args:
        engine: who answers.
        question: what is asked.
        source: where the lines come from.
        sink: where the records go.
        tally: counts them.
    """

    def __init__(
        self, engine: Engine, question: Question, source: Source, sink: Sink, tally: Tally
    ) -> None:
        self._engine = engine
        self._question = question
        self._source = source
        self._sink = sink
        self._tally = tally
        self._running: set[ChatStream] = set()

    async def run(self, concurrency: int, display: Display) -> None:
        """Ask every line and return when all records are written.

        Args:
            concurrency: requests in flight at most.
            display: shown the numbers while it runs.

        Raises:
            CliError: the input could not be read or the output not be written, within a group.
        """
        async with trio.open_nursery() as showing:
            showing.start_soon(self._show, display)
            try:
                await self._run_all(concurrency)
            finally:
                self._tally.end(time.perf_counter_ns())
            showing.cancel_scope.cancel()

    async def _run_all(self, concurrency: int) -> None:
        # As many tasks ahead as workers: a worker that ends never waits for the file.
        put_task, tasks = trio.open_memory_channel[Task](concurrency)
        put_record, records = trio.open_memory_channel[bytes](RECORDS_WAITING_MAX)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._write, records)
            with tasks, put_record:
                nursery.start_soon(self._read, put_task, put_record.clone())
                for _ in range(concurrency):
                    nursery.start_soon(self._work, tasks.clone(), put_record.clone())

    async def _read(
        self, put_task: trio.MemorySendChannel[Task], put_record: trio.MemorySendChannel[bytes]
    ) -> None:
        with put_task, put_record:
            while (lines := await self._source.read_lines()) is not None:
                for line in lines:
                    match parse_line(line, self._question.prompt_field):
                        case Task() as task:
                            await put_task.send(task)
                        case BadLine() as bad:
                            self._tally.refuse(bad.type, bad.message, bad.size_bytes)
                            await put_record.send(_bad_record(bad))
                        case None:
                            self._tally.skip(line.size_bytes)

    async def _work(
        self, tasks: trio.MemoryReceiveChannel[Task], put_record: trio.MemorySendChannel[bytes]
    ) -> None:
        with tasks, put_record:
            async for task in tasks:
                record = await self._ask(task)
                with trio.move_on_after(WRITE_WITHIN_S, shield=True):
                    await put_record.send(record)

    async def _ask(self, task: Task) -> bytes:
        """One request, to its one record."""
        question = self._question
        request = self._engine.stream_chat(
            question.model,
            question.messages(task.prompt),
            options=question.options,
            think=question.think,
        )
        stream: ChatStream | None = None
        self._tally.begin()
        try:
            async with request as stream:
                self._running.add(stream)
                answer = await stream.collect()
        except trio.Cancelled:
            self._tally.stop()
            raise
        except TriollamaError as error:
            kind, unreachable = type(error).__name__, is_unreachable(error)
            self._tally.fail(
                kind, by_options(str(error)), task.size_bytes, is_unreachable=unreachable
            )
            return encode_record(task.index, task.fields, error_fields(error, stream))
        finally:
            if stream is not None:
                self._running.discard(stream)
        self._tally.answer(answer_figures(answer, stream), task.size_bytes)
        return encode_record(task.index, task.fields, answer_fields(answer, stream))

    async def _write(self, records: trio.MemoryReceiveChannel[bytes]) -> None:
        # It ends when the workers have ended, so the shield cannot outlast them.
        with trio.CancelScope(shield=True), records:
            async for record in records:
                batch = [record]
                while len(batch) < RECORDS_WAITING_MAX:
                    try:
                        batch.append(records.receive_nowait())
                    except (trio.WouldBlock, trio.EndOfChannel):
                        break
                await self._sink.write(batch)

    async def _show(self, display: Display) -> None:
        try:
            while True:
                await trio.sleep(display.every_s)
                chunks = [stream.chunks for stream in self._running if stream.chunks]
                now_ns = time.perf_counter_ns()
                display.show(self._tally.snapshot(now_ns, sum(chunks), len(chunks)))
        finally:
            display.close()


def _bad_record(bad: BadLine) -> bytes:
    own = {"error": {"type": bad.type, "message": bad.message}}
    return encode_record(bad.index, bad.fields, own)
