"""`Chat`: what is sent, what is kept, and what a turn that fails leaves behind."""

from __future__ import annotations

import base64
import io
import sys
from typing import Any

import attrs
import pytest
import trio
from tests.engine.tools.scripted import call, scripted
from trio.testing import MockClock

from triollama import (
    Chat,
    ChatBusyError,
    ChatTooLongError,
    DeadlineExceededError,
    FleetUnavailableError,
    InvalidRequestError,
    JsonSchema,
    Message,
    ModelNotFoundError,
    StreamRestartedError,
    StructuredOutputError,
    ToolCallEnded,
    ToolRoundsError,
    ToolRules,
    ToolRunEnded,
    tool,
)

A, B = "http://a:11434", "http://b:11434"
PIXEL = b"\x89PNG\r\n\x1a\n" + bytes.fromhex("0000000d49484452000000010000000108060000001f15c489")


@attrs.frozen
class City:
    """What an answer can be."""

    name: str
    people: int


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def roles(chat: Chat[Any]) -> str:
    """Who said what, in order."""
    return " ".join(message.role for message in chat.history)


async def test_what_was_said_is_sent_along() -> None:
    """The system prompt first, then each turn; the history is what was said, without it."""
    async with scripted("One.", "Two.") as (engine, script):
        chat = engine.conversation("m", system="Be brief.", options={"seed": 7}, think=False)
        assert (await chat.ask("First?")).content == "One."
        assert (await chat.ask("Second?")).content == "Two."
    assert [message["content"] for message in script.asked[1]["messages"]] == [
        *("Be brief.", "First?", "One.", "Second?")
    ]
    assert script.asked[1]["options"] == {"seed": 7}
    assert script.asked[1]["think"] is False
    assert roles(chat) == "user assistant user assistant"
    assert (chat.system, chat.model) == ("Be brief.", "m")
    assert "Be brief" not in repr(chat)


async def test_a_stream_becomes_history_with_its_last_chunk() -> None:
    """By iterating to the end, or by `collect` and `answer`."""
    async with scripted(["O", "ne."], "Two.", "Three.") as (engine, _):
        chat = engine.conversation("m")
        async with chat.stream("First?") as turn:
            said = ""
            async for chunk in turn:
                assert chat.history == () or chunk.done
                said += chunk.content
            assert said == "One."
            assert roles(chat) == "user assistant"
            assert (await turn.collect()).content == "One."
        async with chat.stream("Second?") as turn:
            assert (await turn.answer()).content == "Two."
        async with chat.stream("Third?") as turn:
            assert turn.source.usage is None
            await turn.collect()
    assert [message.content for message in chat.history[1::2]] == ["One.", "Two.", "Three."]


async def test_a_stream_that_is_left_changes_nothing() -> None:
    """The next turn may begin at once."""
    async with scripted(["O", "ne."], "Two.") as (engine, _):
        chat = engine.conversation("m")
        async with chat.stream("First?") as turn:
            await anext(turn)
        assert chat.history == ()
        assert not chat.is_busy
        await chat.ask("Second?")
    assert [message.content for message in chat.history] == ["Second?", "Two."]


@pytest.mark.parametrize("tools", [[], [add]])
async def test_a_turn_that_was_left_stays_out(
    tools: list[Any], autojump_clock: MockClock, open_lab: Any
) -> None:
    """Though all of it may have arrived: the next turn would have come before it."""
    async with open_lab(A) as lab:
        chat = lab.engine.conversation("llama3.2", tools=tools, options={"num_predict": 5})
        async with chat.stream("First?") as left:
            await anext(left)
            await trio.sleep(30)
        await chat.ask("Second?")
        after = chat.history
        assert [each.content for each in after[::2]] == ["Second?"]
        for read in (left.collect(), left.answer(), anext(left)):
            with pytest.raises(InvalidRequestError, match="left before it was whole"):
                await read
        with pytest.raises(InvalidRequestError, match="one block"):
            async with left:
                pass
        assert chat.history == after
        assert not chat.is_busy


async def test_the_deadline_has_the_count_in_it(autojump_clock: MockClock, open_lab: Any) -> None:
    """A server that is silent while tokens are counted costs no more than the deadline."""
    async with open_lab(A) as lab:
        chat = lab.engine.conversation("llama3.2", tokens_max=2_000)
        chat_of_objects = lab.engine.conversation("llama3.2", tokens_max=2_000, format=City)
        lab.fault(A, "stall", after_tokens=0)
        for each in (chat, chat_of_objects):
            began_s = trio.current_time()
            with pytest.raises(DeadlineExceededError):
                await each.ask("First?", deadline_s=3)
            assert trio.current_time() - began_s == pytest.approx(3, abs=0.1)
            assert not each.is_busy


@pytest.mark.parametrize("step", range(1, 12))
async def test_a_cancelled_turn_changes_nothing(
    step: int, cancel_at_step: Any, autojump_clock: MockClock, open_lab: Any
) -> None:
    """Wherever it is cancelled: the history has both of a turn's messages, or none."""
    async with open_lab(A) as lab:
        chat = lab.engine.conversation("llama3.2", tokens_max=2_000)
        await chat.ask("First?")
        before = chat.history
        with cancel_at_step(step) as scope:
            await chat.ask("Second?")
        assert not chat.is_busy
        if scope.cancelled_caught:
            assert chat.history == before
        await chat.ask("Third?")
        assert chat.history[-2].content == "Third?"


async def test_a_turn_that_fails_changes_nothing(autojump_clock: MockClock, open_lab: Any) -> None:
    """Whoever is to blame."""
    async with open_lab(A, B) as lab:
        chat = lab.engine.conversation("llama3.2")
        await chat.ask("First?")
        before = chat.history
        with pytest.raises(InvalidRequestError, match="content"):
            await chat.ask([{"role": "user", "content": 5}])
        with pytest.raises(InvalidRequestError, match="priority"):
            await chat.ask("Second?", priority=99)
        lab.fault(A, "refuse")
        lab.fault(B, "refuse")
        with pytest.raises(FleetUnavailableError):
            await chat.ask("Second?")
        assert chat.history == before
        nobody = lab.engine.conversation("nobody")
        with pytest.raises((ModelNotFoundError, FleetUnavailableError)):
            await nobody.ask("First?")
        assert nobody.history == ()


async def test_one_turn_at_a_time(autojump_clock: MockClock, open_lab: Any) -> None:
    """A second one, and what would change the history, is refused; the first goes on."""
    async with open_lab(A) as lab:
        chat = lab.engine.conversation("llama3.2")
        async with chat.stream("First?") as turn:
            assert chat.is_busy
            with pytest.raises(ChatBusyError, match="a Chat for each task"):
                await chat.ask("Second?")
            with pytest.raises(ChatBusyError):
                async with chat.stream("Second?"):
                    pass
            with pytest.raises(ChatBusyError):
                chat.clear()
            with pytest.raises(ChatBusyError):
                chat.forget_last()
            await turn.collect()
        assert roles(chat) == "user assistant"
        chat.clear()
        assert chat.history == ()


async def test_the_last_turn_can_be_asked_anew() -> None:
    """It is given back, with all that belongs to it."""
    async with scripted("One.", [call("add", {"a": 1, "b": 2})], "Three.") as (engine, _):
        chat = engine.conversation("m", tools=[add])
        await chat.ask("First?")
        await chat.ask("Second?")
        forgotten = chat.forget_last()
        assert [each.role for each in forgotten] == ["user", "assistant", "tool", "assistant"]
        assert roles(chat) == "user assistant"
        chat.forget_last()
        assert chat.forget_last() == ()


async def test_tools_are_called() -> None:
    """Functions are called here, and the history has the calls and their results."""
    async with scripted([call("add", {"a": 1, "b": 2})], "Three.", "Yes.") as (engine, script):
        chat = engine.conversation("m", tools=[add])
        assert (await chat.ask("1 + 2?")).content == "Three."
        assert roles(chat) == "user assistant tool assistant"
        assert chat.history[2].content == "3"
        await chat.ask("Sure?")
    assert [each["role"] for each in script.asked[2]["messages"]] == [
        *("user", "assistant", "tool", "assistant", "user")
    ]


async def test_tools_can_be_followed() -> None:
    """By events, or by the chunks of all rounds."""
    answers = ([call("add", {"a": 1, "b": 2})], ["Th", "ree."])
    async with scripted(*answers, *answers) as (engine, _):
        chat = engine.conversation("m", tools=[add])
        async with chat.stream("1 + 2?") as turn:
            events = [event async for event in turn.events()]
            assert (await turn.answer()).content == "Three."
        assert [each.result for each in events if isinstance(each, ToolCallEnded)] == [3]
        assert isinstance(events[-1], ToolRunEnded)
        async with chat.stream("1 + 2?") as turn:
            assert "".join([chunk.content async for chunk in turn]) == "Three."
    assert roles(chat) == " ".join(["user assistant tool assistant"] * 2)


async def test_tools_that_fail_change_nothing() -> None:
    """The rounds are used up: an error, and no half of a turn."""
    calls = [[call("add", {"a": 1, "b": 2})]] * 2
    async with scripted(*calls) as (engine, _):
        chat = engine.conversation("m", tools=[add], tool_rules=ToolRules(rounds_max=2))
        with pytest.raises(ToolRoundsError):
            await chat.ask("1 + 2?")
        assert chat.history == ()
        assert not chat.is_busy


async def test_tools_that_are_told_only() -> None:
    """Definitions are sent; the caller answers the calls with messages."""
    told = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
    async with scripted([call("add", {"a": 1})], "Three.") as (engine, script):
        chat = engine.conversation("m", tools=[told])
        [asked] = (await chat.ask("1 + 2?")).tool_calls
        assert asked.function.name == "add"
        result = {"role": "tool", "content": "3", "tool_name": "add"}
        assert (await chat.ask([result])).content == "Three."
        async with chat.stream("x") as turn:
            with pytest.raises(InvalidRequestError, match="give it functions"):
                turn.events()
            with pytest.raises(Exception):  # noqa: B017, PT011 - there is no further answer
                await turn.collect()
    assert roles(chat) == "user assistant tool assistant"
    assert script.asked[0]["tools"][0]["function"]["name"] == "add"


async def test_answers_are_objects() -> None:
    """Asked for again where one does not fit; only the answer that fits is history."""
    good = '{"name": "Rome", "people": 3}'
    async with scripted('{"name": "Rome"}', good) as (engine, script):
        chat = engine.conversation("m", format=City)
        assert await chat.ask("A city?") == City("Rome", 3)
    assert [each.content for each in chat.history] == ["A city?", good]
    assert script.asked[0]["format"]["properties"].keys() == {"name", "people"}
    assert len(script.asked[1]["messages"]) == 3


async def test_an_answer_that_never_fits_changes_nothing() -> None:
    """Neither asked for nor streamed."""
    async with scripted("no", "nor this", "nor that") as (engine, _):
        chat = engine.conversation("m", format=City)
        with pytest.raises(StructuredOutputError):
            await chat.ask("A city?")
        async with chat.stream("A city?") as turn:
            assert (await turn.collect()).content == "nor that"
            with pytest.raises(StructuredOutputError):
                await turn.answer()
        assert chat.history == ()


async def test_streamed_objects() -> None:
    """`answer` gives the object, also with tools and with a JSON schema."""
    good = '{"name": "Rome", "people": 3}'
    async with scripted(good, [call("add", {"a": 1, "b": 2})], good, good) as (engine, _):
        async with engine.conversation("m", format=City).stream("A city?") as turn:
            assert await turn.answer() == City("Rome", 3)
        chat = engine.conversation("m", format=City, tools=[add])
        assert await chat.ask("A city?") == City("Rome", 3)
        assert roles(chat) == "user assistant tool assistant"
        checked = engine.conversation("m", format=JsonSchema({"required": ["name"]}))
        assert (await checked.ask("A city?"))["people"] == 3


async def test_thinking_is_left_out_or_kept(autojump_clock: MockClock, open_lab: Any) -> None:
    """The answer has it either way; the history only if it is asked for."""
    async with open_lab(A) as lab:
        for keeps in (False, True):
            chat = lab.engine.conversation("qwen3:0.6b", think=True, keeps_thinking=keeps)
            answer = await chat.ask("Why?")
            assert answer.thinking
            assert (chat.history[-1].thinking is not None) is keeps


async def test_images_are_kept() -> None:
    """A file is read once; what is sent later is what was read."""
    async with scripted("A dot.", "Black.") as (engine, script):
        chat = engine.conversation("m")
        await chat.ask("What is this?", images=[io.BytesIO(PIXEL)])
        await chat.ask("Which colour?")
    encoded = base64.b64encode(PIXEL).decode()
    assert chat.history[0].images == (encoded,)
    assert script.asked[1]["messages"][0]["images"] == [encoded]


@pytest.mark.parametrize("options", [{}, {"num_ctx": 4_096}])
async def test_the_oldest_turns_are_forgotten(
    options: dict[str, Any], autojump_clock: MockClock, open_lab: Any
) -> None:
    """So that prompt and answer fit; the system prompt and what is asked stay."""
    async with open_lab(A) as lab:
        chat = lab.engine.conversation(
            "llama3.2",
            system="Be brief.",
            tokens_max=400,
            options={"num_predict": 20, **options},
        )
        dropped = 0
        for number in range(12):
            answer = await chat.ask(f"{number} " + "is a number " * 10)
            assert chat.fit is not None
            assert chat.fit.tokens <= 380
            assert answer.usage.prompt_tokens + answer.usage.output_tokens <= 400
            dropped += chat.fit.turns_dropped
            assert chat.fit.is_exact is not bool(options), chat.fit
        assert dropped > 0
        assert len(chat.history) == 2 * (12 - dropped)
        assert chat.history[-2].content.startswith("11 ")
        before = chat.history
        with pytest.raises(ChatTooLongError):
            await chat.ask("long " * 1_000)
        assert chat.history == before


async def test_a_server_that_would_cut_is_not_believed(
    autojump_clock: MockClock, open_lab: Any
) -> None:
    """A message that takes the chat beyond the server's context, too, drops the oldest turns."""
    async with open_lab(A, context_length=1_000) as lab:
        options = {"num_predict": 20}
        chat = lab.engine.conversation("llama3.2", tokens_max=1_900, options=options)
        for number in range(4):
            await chat.ask(f"{number} " + "is a number " * 30)
        turns = len(chat.history) // 2
        await chat.ask("and what of this? " * 170)
        assert chat.fit is not None
        assert chat.fit.turns_dropped > 0
        assert len(chat.history) // 2 == turns + 1 - chat.fit.turns_dropped
        assert chat.fit.tokens <= 1_880


async def test_without_a_tokenizer_the_servers_count_is_believed(
    autojump_clock: MockClock, open_lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first turn is a guess; later ones follow from what the server counted last."""
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    monkeypatch.delitem(sys.modules, "triollama.tokens.bpe", raising=False)
    async with open_lab(A) as lab:
        options = {"num_predict": 20}
        chat = lab.engine.conversation("llama3.2", tokens_max=400, options=options)
        hows = []
        for number in range(10):
            answer = await chat.ask(f"{number} " + "is a number " * 10)
            assert chat.fit is not None
            hows.append(chat.fit.how)
            assert not chat.fit.is_exact
            assert answer.usage.prompt_tokens + answer.usage.output_tokens <= 400
        assert chat.fit.tokens == pytest.approx(answer.usage.prompt_tokens, rel=0.1)
        assert "before a server has counted" in hows[0]
        assert all("server's count of the last prompt" in how for how in hows[1:])
        assert len(chat.history) < 20


async def test_a_saved_image_is_never_a_path(tmp_path: Any, monkeypatch: Any) -> None:
    """Base64 may be the name of a file: one that was saved, or put into the file, is not read."""
    monkeypatch.chdir(tmp_path)
    await trio.Path("keys").write_text("a private key")
    async with scripted("One.", "Two.", "Three.") as (engine, script):
        chat = engine.conversation("m")
        await chat.ask("First?", images=[base64.b64decode("keys")])
        assert chat.history[0].images == ("keys",)
        await chat.ask("Second?")
        loaded = Chat.from_json(engine, chat.to_json())
        await loaded.ask("Third?")
    assert [asked["messages"][0]["images"] for asked in script.asked] == [["keys"]] * 3


async def test_a_turn_without_its_block_says_how() -> None:
    """The likeliest mistake names the way."""
    async with scripted() as (engine, _):
        turn = engine.conversation("m").stream("x")
        with pytest.raises(InvalidRequestError, match="async with chat"):
            await anext(turn)
        assert repr(turn) == "<Turn: not begun>"
        assert turn.fit is None


@pytest.mark.parametrize("tools", [(), (add,)])
async def test_a_restart_is_told_with_tools_as_without(
    tools: Any, autojump_clock: MockClock, open_lab: Any
) -> None:
    """With ``on_break="restart"`` the reader hears of it, and the history has one answer."""
    async with open_lab(A, B) as lab:
        lab.fault(A, "reset", after_tokens=5)
        chat = lab.engine.conversation("llama3.2", tools=tools)
        said, restarts = "", 0
        async with chat.stream("Why?", on_break="restart") as turn:
            while True:
                try:
                    said += (await anext(turn)).content
                except StreamRestartedError:
                    said, restarts = "", restarts + 1
                except StopAsyncIteration:
                    break
        assert restarts == 1
        assert said.endswith(chat.history[-1].content)
        assert roles(chat).startswith("user assistant")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"system": 5}, "content"),
        ({"history": "x"}, "history"),
        ({"history": [{"role": "user", "content": 5}]}, r"history: messages\[0\].content"),
        ({"tools": add}, "tools must be a list"),
        ({"tools": [add, {"type": "function"}]}, r"tools\[1\]"),
        ({"tools": [add, add]}, "two tools"),
        ({"format": 5}, "format"),
        ({"tokens_max": 0}, "tokens_max"),
        ({"tokens_max": True}, "tokens_max"),
        ({"tokens_max": 500}, "leave nothing"),
        ({"answer_tokens": 500}, "without tokens_max"),
        ({"tokens_max": 500, "answer_tokens": "1"}, "answer_tokens"),
        ({"options": {"temperature": "hot"}}, "temperature"),
        ({"keep_alive": "soon"}, "keep_alive"),
        ({"keeps_thinking": "no"}, "keeps_thinking"),
        ({"format_retries_max": 99}, "format_retries_max"),
    ],
)
async def test_what_makes_no_sense_is_told_at_once(fields: dict[str, Any], told: str) -> None:
    """When the chat is made, not when it is first asked."""
    async with scripted() as (engine, _):
        with pytest.raises(InvalidRequestError, match=told):
            engine.conversation("m", **fields)


async def test_a_history_can_be_given() -> None:
    """In any form that a chat takes."""
    async with scripted("Two.") as (engine, script):
        history = [{"role": "user", "content": "One?"}, Message(role="assistant", content="One.")]
        chat = Chat(engine, "m", history=history)
        await chat.ask("Two?")
    assert [each["content"] for each in script.asked[0]["messages"]] == ["One?", "One.", "Two?"]


async def test_usage_is_summed(autojump_clock: MockClock, open_lab: Any) -> None:
    """Over all turns."""
    async with open_lab(A) as lab:
        chat = lab.engine.conversation("llama3.2")
        total = (await chat.ask("One?")).usage + (await chat.ask("Two?")).usage
        assert chat.usage == total
        await trio.lowlevel.checkpoint()
