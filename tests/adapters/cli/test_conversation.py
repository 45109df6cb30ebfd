"""A conversation, with an engine that says what the test wants."""

import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from triollama import ServerFailedError
from triollama_adapters.cli._conversation import MESSAGES_MAX, Conversation
from triollama_adapters.cli._screen import Screen


@attrs.define
class FakeStream:
    """Gives some chunks, then ends, fails or hangs."""

    texts: list[str]
    then: str
    thinking: str | None = None
    usage: Any = None
    timing: Any = attrs.field(factory=lambda: SimpleNamespace(sent_ns=0, first_ns=0))
    endpoint: str = "here:1"

    async def __aiter__(self) -> AsyncIterator[Any]:
        if self.thinking:
            yield SimpleNamespace(content="", thinking=self.thinking)
        for text in self.texts:
            await trio.lowlevel.checkpoint()
            yield SimpleNamespace(content=text, thinking=None)
        if self.then == "fail":
            raise ServerFailedError("out of memory", status=500, endpoint="here:1")
        if self.then == "hang":
            await trio.sleep_forever()


class FakeEngine:
    """Answers with what was prepared, and remembers what it was asked."""

    def __init__(self, *streams: FakeStream) -> None:
        self.streams = list(streams)
        self.asked: list[list[dict[str, str]]] = []

    @asynccontextmanager
    async def stream_chat(
        self, model: str, messages: Any, **rest: Any
    ) -> AsyncIterator[FakeStream]:
        """As the engine's."""
        self.asked.append(list(messages))
        yield self.streams.pop(0)


@attrs.define
class Scene:
    """A conversation and what it wrote."""

    engine: FakeEngine
    talk: Conversation
    stdout: io.StringIO
    stderr: io.StringIO


MakeScene = Callable[..., Scene]


@pytest.fixture
def make_scene() -> MakeScene:
    """Make a conversation with prepared answers."""

    def make(*streams: FakeStream, **settings: Any) -> Scene:
        engine, stdout, stderr = FakeEngine(*streams), io.StringIO(), io.StringIO()
        screen = Screen(stdout, stderr, is_interactive=True)
        as_engine: Any = engine
        talk = Conversation(as_engine, "m", screen, **settings)
        return Scene(engine, talk, stdout, stderr)

    return make


async def say(scene: Scene, *lines: str) -> None:
    """Type some lines and end the input."""
    put, lines_in = trio.open_memory_channel[str](len(lines))
    with put:
        for line in lines:
            put.send_nowait(line)
    await scene.talk.talk(lines_in)


async def test_the_conversation_is_kept(make_scene: MakeScene) -> None:
    """The second question carries the first and its answer, after the system message."""
    scene = make_scene(
        FakeStream(["Hel", "lo"], "end"), FakeStream(["Fine"], "end"), system="Be brief."
    )
    await say(scene, "Hi", "How are you?\n", "/bye", "never")
    assert scene.stdout.getvalue() == "Hello\nFine\n"
    assert scene.engine.asked[1] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "How are you?"},
    ]


async def test_it_can_be_forgotten(make_scene: MakeScene) -> None:
    """After /clear the next question stands alone; blank lines ask nothing."""
    scene = make_scene(FakeStream(["a"], "end"), FakeStream(["b"], "end"))
    await say(scene, "one", "", "  ", "/clear", "two")
    assert scene.engine.asked[1] == [{"role": "user", "content": "two"}]


async def test_help_is_not_an_answer(make_scene: MakeScene) -> None:
    """/? explains on stderr and asks nobody."""
    scene = make_scene()
    await say(scene, "/?")
    assert "/bye" in scene.stderr.getvalue()
    assert scene.stdout.getvalue() == ""


@pytest.mark.parametrize("line", ["/bye", " /exit", "/quit now"])
async def test_each_word_for_leaving_leaves(make_scene: MakeScene, line: str) -> None:
    """As in other programs; what is typed behind it makes no question of it."""
    scene = make_scene()
    await say(scene, line, "never")
    assert (scene.engine.asked, scene.stdout.getvalue()) == ([], "")


async def test_an_unknown_command_is_no_question(make_scene: MakeScene) -> None:
    """It is named, and the conversation goes on; a path begins a question."""
    scene = make_scene(FakeStream(["a"], "end"))
    await say(scene, "/bog\x1bus it", "/etc/hosts is what?")
    assert "unknown command /bogus; /? for help\n" in scene.stderr.getvalue()
    assert scene.engine.asked == [[{"role": "user", "content": "/etc/hosts is what?"}]]
    assert scene.talk.failures == 1


async def test_a_failed_answer_does_not_end_it(make_scene: MakeScene) -> None:
    """The error is one line; a question that got no answer is forgotten."""
    scene = make_scene(FakeStream([], "fail"), FakeStream(["ok"], "end"))
    await say(scene, "one", "two")
    assert "error: here:1: the server failed" in scene.stderr.getvalue()
    assert scene.engine.asked[1] == [{"role": "user", "content": "two"}]
    assert scene.talk.failures == 1


async def test_ctrl_c_stops_the_answer_only(make_scene: MakeScene) -> None:
    """What was said so far stays in the conversation, and the next question is answered."""
    scene = make_scene(FakeStream(["Once upon"], "hang"), FakeStream(["ok"], "end"))
    put, lines = trio.open_memory_channel[str](1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.talk.talk, lines)
        await put.send("a story")
        await wait_all_tasks_blocked()
        assert not scene.talk.interrupt()
        await wait_all_tasks_blocked()
        assert scene.stdout.getvalue() == "Once upon\n"
        await put.send("go on")
        await wait_all_tasks_blocked()
        put.close()
    assert scene.engine.asked[1][1] == {"role": "assistant", "content": "Once upon"}
    assert scene.stdout.getvalue() == "Once upon\nok\n"
    assert scene.talk.failures == 0


async def test_ctrl_c_twice_leaves(make_scene: MakeScene) -> None:
    """At the prompt the first is explained, the second leaves; a question in between resets it."""
    scene = make_scene(FakeStream(["a"], "end"), FakeStream(["b"], "hang"))
    assert not scene.talk.interrupt()
    assert "Ctrl-C again" in scene.stderr.getvalue()
    await say(scene, "one")
    assert not scene.talk.interrupt()
    assert scene.talk.interrupt()
    assert scene.stderr.getvalue().endswith(">>> \n")


async def test_the_end_of_the_input_leaves_a_whole_line(make_scene: MakeScene) -> None:
    """After Ctrl-D the shell's prompt stands on a line of its own; after /bye it does anyway."""
    scene = make_scene(FakeStream(["a"], "end"))
    await say(scene, "one")
    assert scene.stderr.getvalue() == ">>> >>> \n"
    scene = make_scene()
    await say(scene, "/bye")
    assert scene.stderr.getvalue() == ">>> "


async def test_after_a_stopped_answer_one_more_leaves(make_scene: MakeScene) -> None:
    """Ctrl-C that stopped an answer is the first of the two."""
    scene = make_scene(FakeStream(["a"], "hang"))
    put, lines = trio.open_memory_channel[str](1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(scene.talk.talk, lines)
        await put.send("one")
        await wait_all_tasks_blocked()
        assert not scene.talk.interrupt()
        await wait_all_tasks_blocked()
        assert scene.talk.interrupt()
        nursery.cancel_scope.cancel()


async def test_leaving_in_the_middle_of_an_answer_is_clean(make_scene: MakeScene) -> None:
    """A cancellation from outside goes through, and is no failed answer."""
    scene = make_scene(FakeStream(["a"], "hang"))
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(say, scene, "one")
            await wait_all_tasks_blocked()
            scope.cancel()
    assert scope.cancelled_caught
    assert scene.talk.failures == 0


async def test_thoughts_are_shown_beside_the_answer(make_scene: MakeScene) -> None:
    """They go to stderr and not into the conversation."""
    scene = make_scene(FakeStream(["4"], "end", thinking="2 and 2"), FakeStream(["5"], "end"))
    await say(scene, "2+2?", "and 1?")
    assert scene.stdout.getvalue() == "4\n5\n"
    assert "2 and 2" in scene.stderr.getvalue()
    assert "2 and 2" not in str(scene.engine.asked)


async def test_speed_is_told_when_asked_for(make_scene: MakeScene) -> None:
    """Tokens, tokens per second, the first token's time and the endpoint."""
    usage = SimpleNamespace(output_tokens=30, decode_ns=2_000_000_000)
    timing = SimpleNamespace(sent_ns=1_000_000, first_ns=121_000_000)
    scene = make_scene(FakeStream(["a"], "end", usage=usage, timing=timing), is_verbose=True)
    await say(scene, "one")
    told = "30 tokens, 15.0 tokens/s, first token after 120 ms, from here:1"
    assert told in scene.stderr.getvalue()


async def test_the_conversation_has_a_limit(make_scene: MakeScene) -> None:
    """The oldest messages are dropped, so that a request does not grow for ever."""
    count = MESSAGES_MAX // 2 + 10
    scene = make_scene(*(FakeStream(["a"], "end") for _ in range(count)))
    await say(scene, *map(str, range(count)))
    assert len(scene.engine.asked[-1]) == MESSAGES_MAX + 1
    assert scene.engine.asked[-1][0] == {"role": "user", "content": "9"}
