"""One batch, with an engine that answers when the test lets it."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from triollama import ConnectError, Timing
from triollama.api import Usage
from triollama_adapters.batch.input.lines import Line
from triollama_adapters.cli._batch import RECORDS_WAITING_MAX, Batch, Question
from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._tally import Snapshot, Tally

TIMING = Timing(scheduled_ns=1, sent_ns=2_000_001, first_ns=5_000_001, last_ns=6, done_ns=9_000_001)


@attrs.define(eq=False)
class FakeStream:
    """Answers, fails or hangs, as the prompt says."""

    prompt: str
    timing: Timing = TIMING
    chunks: int = 5
    endpoint: str = "here:1"

    @property
    def attempts(self) -> list[Any]:
        """One, which went well."""
        times = {"started_ns": 1, "ended_ns": 8_000_001}
        made = {"why": "done", "error": "", "way": "resend", "characters": 3}
        return [SimpleNamespace(endpoint="here:1", **made, **times)]

    async def collect(self) -> Any:
        """As the stream's."""
        await trio.lowlevel.checkpoint()
        if self.prompt == "fail":
            raise ConnectError("refused", endpoint="here:1")
        if self.prompt == "hang":
            await trio.sleep_forever()
        usage = Usage(prompt_tokens=3, output_tokens=4)
        return SimpleNamespace(content="yes", thinking="", done_reason="stop", usage=usage)


class FakeEngine:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.requests: list[dict[str, Any]] = []

    @asynccontextmanager
    async def stream_chat(self, model: str, messages: Any, **rest: Any) -> AsyncIterator[Any]:
        """As the engine's."""
        prompt = messages[-1]["content"]
        self.asked.append(prompt)
        self.requests.append({"model": model, "messages": messages, **rest})

        yield FakeStream(prompt)


@attrs.define
class FakeSource:
    """Gives lines without end, or some, and counts what was taken."""

    prompts: Sequence[str] | None
    taken: int = 0
    error: str = ""

    async def read_lines(self) -> list[Line] | None:
        """One line at a time."""
        await trio.lowlevel.checkpoint()
        if self.prompts is not None and self.taken == len(self.prompts):
            if self.error:
                raise CliError(self.error)
            return None
        prompt = "hang" if self.prompts is None else self.prompts[self.taken]
        self.taken += 1
        return [Line(self.taken - 1, json.dumps({"question": prompt}).encode(), 10)]


@attrs.define
class FakeSink:
    """Keeps the records; writes only when it is open, and fails when it is full."""

    is_open: trio.Event = attrs.field(factory=trio.Event)
    room: int = 10**9
    batches: list[Sequence[bytes]] = attrs.field(factory=list)

    @property
    def records(self) -> list[dict[str, Any]]:
        """All records so far, by index."""
        lines = [json.loads(record) for batch in self.batches for record in batch]
        return sorted(lines, key=lambda record: record["index"])

    async def write(self, records: Sequence[bytes]) -> None:
        """Keep some."""
        await self.is_open.wait()
        self.room -= len(records)
        if self.room < 0:
            raise CliError("the disk is full")
        self.batches.append(records)

    def close(self) -> None:
        """Nothing is held."""


@attrs.define
class FakeDisplay:
    """Keeps the snapshots."""

    every_s: float = 0.01
    snapshots: list[Snapshot] = attrs.field(factory=list)
    is_closed: bool = False

    def show(self, snapshot: Snapshot) -> None:
        """Keep one."""
        self.snapshots.append(snapshot)

    def close(self) -> None:
        """Note it."""
        self.is_closed = True


@attrs.define
class Scene:
    """A batch and all that is around it."""

    source: FakeSource
    sink: FakeSink
    engine: FakeEngine = attrs.field(factory=FakeEngine)
    tally: Tally = attrs.field(factory=lambda: Tally(0))
    display: FakeDisplay = attrs.field(factory=FakeDisplay)

    async def run(self, concurrency: int = 3, **question: Any) -> None:
        """Run it to its end."""
        asked = Question(model="m", prompt_field="question", **question)
        parts: Any = (self.engine, asked, self.source, self.sink, self.tally)
        await Batch(*parts).run(concurrency, self.display)


MakeScene = Callable[..., Scene]


@pytest.fixture
def make_scene() -> MakeScene:
    """Make a batch over some prompts; None: hanging ones without end."""

    def make(prompts: Sequence[str] | None, *, is_open: bool = True, **sink: Any) -> Scene:
        scene = Scene(FakeSource(prompts), FakeSink(**sink))
        if is_open:
            scene.sink.is_open.set()
        return scene

    return make


async def test_each_line_becomes_one_record(make_scene: MakeScene) -> None:
    """Answers with cost, way and times; failures with their type, the endpoint named."""
    scene = make_scene(["a", "fail", "b"])
    await scene.run()
    first, failed, last = scene.sink.records
    way = {
        "attempts": [
            {
                "endpoint": "here:1",
                "duration_ms": 8.0,
                "way": "resend",
                "characters": 3,
                "why": "done",
                "error": None,
            }
        ],
        "timings": {"queued_ms": 2.0, "first_token_ms": 3.0, "total_ms": 9.0},
    }
    assert first.pop("usage")["output_tokens"] == 4
    answer = {"content": "yes", "done_reason": "stop", "endpoint": "here:1"}
    assert first == {"index": 0, "question": "a"} | answer | way
    assert last["index"] == 2
    assert failed.pop("error") == {"type": "ConnectError", "message": "here:1: refused"}
    assert failed == {"index": 1, "question": "fail"} | way
    assert (scene.tally.complete, scene.tally.errors, scene.tally.in_flight) == (2, 1, 0)


async def test_the_question_is_the_same_for_all(make_scene: MakeScene) -> None:
    """Model, system message, options and thinking go along with every prompt."""
    scene = make_scene(["a"])
    await scene.run(system="Be brief.", options={"seed": 1}, think=False)
    system = {"role": "system", "content": "Be brief."}
    messages = [system, {"role": "user", "content": "a"}]
    request = {"model": "m", "messages": messages, "options": {"seed": 1}, "think": False}
    assert scene.engine.requests == [request]


async def test_no_more_than_the_concurrency_run(make_scene: MakeScene) -> None:
    """And the input is read only a little ahead of them, however long it is."""
    scene = make_scene(None)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.run, 7)
        await wait_all_tasks_blocked()
        assert len(scene.engine.asked) == 7
        assert scene.source.taken <= 2 * 7 + 1
        nursery.cancel_scope.cancel()


async def test_a_slow_disk_holds_everything_up(make_scene: MakeScene) -> None:
    """Finished records do not pile up: with the disk stuck the workers wait."""
    scene = make_scene(["a"] * 2_000, is_open=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.run, 3)
        await wait_all_tasks_blocked()
        assert len(scene.engine.asked) <= 2 * RECORDS_WAITING_MAX + 3 + 1
        scene.sink.is_open.set()
    assert [record["index"] for record in scene.sink.records] == list(range(2_000))


async def test_cancelling_keeps_what_is_complete(make_scene: MakeScene) -> None:
    """Records that wait for the disk are written, hanging requests are stopped and counted."""
    scene = make_scene(["a"] * 20 + ["hang"] * 3, is_open=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.run, 3)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        scene.sink.is_open.set()
    assert len(scene.sink.records) == 20
    assert (scene.tally.complete, scene.tally.stopped, scene.tally.in_flight) == (20, 3, 0)
    assert scene.display.is_closed


async def test_a_full_disk_ends_it(make_scene: MakeScene) -> None:
    """The reason comes out, and nothing hangs."""
    scene = make_scene(["a"] * 100 + ["hang"] * 3, room=10)
    with pytest.RaisesGroup(CliError, flatten_subgroups=True):
        await scene.run()
    assert scene.display.is_closed


async def test_an_input_that_breaks_off_ends_it(make_scene: MakeScene) -> None:
    """The reason comes out, and what was complete by then is written."""
    scene = make_scene(["a"] * 500)
    scene.source.error = "the disk is broken"
    with pytest.RaisesGroup(CliError, flatten_subgroups=True):
        await scene.run()
    assert len(scene.sink.records) == scene.tally.complete > 400


async def test_progress_counts_running_streams(make_scene: MakeScene) -> None:
    """The chunks of unfinished answers are seen at once."""
    scene = make_scene(["hang"] * 3)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.run, 3)
        await wait_all_tasks_blocked()
        await trio.sleep(2 * scene.display.every_s)
        assert scene.display.snapshots[-1].in_flight == 3
        assert scene.display.snapshots[-1].chunks_per_s > 0
        nursery.cancel_scope.cancel()
