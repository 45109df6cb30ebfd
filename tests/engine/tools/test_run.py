"""Runs of tools: rounds, calls side by side, limits, deadlines, cancellation, what is told."""

from __future__ import annotations

import functools
import threading
import time
from typing import Any

import pytest
import trio
from tests.engine.tools.scripted import call, scripted

from triollama import (
    DeadlineExceededError,
    InvalidRequestError,
    Tool,
    ToolAnswerChunk,
    ToolArgumentsError,
    ToolCallBegan,
    ToolCallEnded,
    ToolError,
    ToolFailedError,
    ToolNotFoundError,
    ToolRefusedError,
    ToolResultError,
    ToolRoundBegan,
    ToolRoundEnded,
    ToolRoundsError,
    ToolRun,
    ToolRunEnded,
    ToolTimeoutError,
    tool,
)
from triollama_adapters.simulator import fast_config, open_fleet


@tool
async def double(n: int) -> int:
    """Double a number."""
    return 2 * n


@tool
def name_of(n: int) -> str:
    """Name a number."""
    return {1: "one", 2: "two"}[n]


@tool
async def look_up(n: int) -> str:
    """Name a number, without a thread: a clock that jumps does not wait for one."""
    return name_of(n)


@tool
async def hang() -> None:
    """Never come back."""
    await trio.sleep_forever()


@tool
async def leak() -> None:
    """Raise something private."""
    raise ValueError("password=hunter2 at /home/me\nline two")


@tool
async def advise() -> None:
    """Raise something for the model."""
    raise ToolError("ask for a number below 3")


@tool
async def junk() -> object:
    """Return what is not JSON."""
    return threading.Lock()


@tool
async def large() -> str:
    """Return too much."""
    return "x" * 100_000


async def steps(run: ToolRun) -> list[Any]:
    """All events, chunks left out."""
    return [event async for event in run if not isinstance(event, ToolAnswerChunk)]


async def test_a_run_tells_each_step_and_goes_on_until_the_answer() -> None:
    """Two calls, then one, then a text; the results stand behind their answers, in order."""
    answers = (
        [call("name_of", {"n": 1}, "call_1"), call("double", {"n": 4})],
        [call("double", {"n": "8"})],
        ["The answer", " is 16."],
    )
    async with scripted(*answers) as (engine, script):
        async with engine.run_tools("m", "go", tools=[double, name_of]) as run:
            events = await steps(run)
    kinds = [type(event) for event in events]
    assert sorted(kinds[1:5], key=str) == [ToolCallBegan] * 2 + [ToolCallEnded] * 2
    assert [kinds[0], *kinds[5:]] == [
        ToolRoundBegan, ToolRoundEnded,
        ToolRoundBegan, ToolCallBegan, ToolCallEnded, ToolRoundEnded,
        ToolRoundBegan, ToolRoundEnded, ToolRunEnded,
    ]  # fmt: skip
    assert run.response is not None
    assert (run.response.content, run.rounds) == ("The answer is 16.", 3)
    assert [(each.role, each.content) for each in run.messages] == [
        ("user", "go"), ("assistant", ""), ("tool", "one"), ("tool", "8"),
        ("assistant", ""), ("tool", "16"), ("assistant", "The answer is 16."),
    ]  # fmt: skip
    sent = script.asked[1]["messages"]
    assert sent[2] == {
        "role": "tool", "content": "one", "tool_name": "name_of", "tool_call_id": "call_1"
    }  # fmt: skip
    assert sent[3] == {"role": "tool", "content": "8", "tool_name": "double"}
    assert [each["function"]["name"] for each in script.asked[2]["tools"]] == ["double", "name_of"]
    ended = [event for event in events if isinstance(event, ToolCallEnded)]
    assert {each.result for each in ended} == {"one", 8, 16}
    assert all(each.duration_s >= 0 and each.error is None for each in ended)


@pytest.mark.slow
async def test_the_simulator_calls_tools_that_the_question_names() -> None:
    """The same over a simulated Ollama, streamed, with a thread; and in one call."""
    url = "http://a:11434"
    import triollama  # noqa: PLC0415 - the module's own name is used here only

    async with open_fleet({url: fast_config(load_s=0.0)}) as fleet:
        async with triollama.open_engine(url, transport=fleet.transport()) as engine:
            async with engine.run_tools(
                "llama3.2", "use double", tools=[double], options={"seed": 1}
            ) as run:
                chunks = [each async for each in run if isinstance(each, ToolAnswerChunk)]
                response = await run.collect()
            assert "".join(each.chunk.content for each in chunks) == response.content
            assert [each.role for each in run.messages] == [
                "user",
                "assistant",
                "tool",
                "assistant",
            ]
            again = await engine.chat_with_tools(
                "llama3.2", "use double", tools=[double], options={"seed": 1}
            )
            assert again.content == response.content
            assert engine.statistics().running == 0


@pytest.mark.parametrize(
    ("made", "error", "content"),
    [
        (
            call("nothing"),
            ToolNotFoundError,
            "Error: there is no such tool; there are: double, look_up",
        ),
        (
            call("double", {"n": "x"}),
            ToolArgumentsError,
            "Error: the arguments do not fit: Expected",
        ),
        (call("double"), ToolArgumentsError, "Error: the arguments do not fit: Object missing"),
        (call("leak"), ToolFailedError, "Error: ValueError"),
        (call("advise"), ToolFailedError, "Error: ask for a number below 3"),
        (call("look_up", {"n": 9}), ToolFailedError, "Error: KeyError"),
        (call("hang"), ToolTimeoutError, "Error: no result within 2 s"),
        (call("junk"), ToolResultError, "Error: the result, of type lock, is not JSON"),
        (call("large"), ToolResultError, "Error: the result has 100000 bytes; at most 65536"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_a_call_without_result_is_told_or_raised(
    made: dict[str, Any], error: type[Exception], content: str, autojump_clock: object
) -> None:
    """By default the model is told, briefly and nothing private; else the run ends with it."""
    tools = [double, look_up, hang, leak, advise, junk, large]
    async with scripted([made], "Sorry.") as (engine, script):
        async with engine.run_tools("m", "go", tools=tools, call_s=2) as run:
            ended = [each for each in await steps(run) if isinstance(each, ToolCallEnded)]
    assert isinstance(ended[0].error, error)
    assert script.asked[1]["messages"][-1]["content"].startswith(content)
    assert ended[0].content == script.asked[1]["messages"][-1]["content"]
    assert "hunter2" not in str(ended[0].error) + ended[0].content
    async with scripted([made]) as (engine, _):
        with pytest.raises(error):
            await engine.chat_with_tools("m", "go", tools=tools, call_s=2, on_error="raise")


async def test_what_fails_while_it_is_cancelled_is_no_result(autojump_clock: object) -> None:
    """A tool with tasks of its own, one of which raises in its clean-up: the time was up."""

    async def untidy() -> None:
        """Fail when cancelled."""
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("in the clean-up")

    async def start() -> None:
        """Start tasks that fail when they are cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(untidy)
            nursery.start_soon(trio.sleep_forever)

    async with scripted([call("start")], "Done.", [call("start")]) as (engine, script):
        await engine.chat_with_tools("m", "go", tools=[start], call_s=1)
        async with engine.run_tools("m", "go", tools=[start]) as run:
            async for event in run:
                if isinstance(event, ToolCallBegan):
                    await trio.testing.wait_all_tasks_blocked()
                    break
    content = script.asked[1]["messages"][-1]["content"]
    assert content in {"Error: no result within 1 s", "Error: ExceptionGroup"}


async def test_a_tool_that_raises_stop_iteration_is_told() -> None:
    """Of all exceptions the one that generators swallow."""

    async def stop() -> None:
        """Stop."""
        raise StopAsyncIteration

    def stop_thread() -> None:
        """Stop, in a thread."""
        raise StopIteration

    async with scripted([call("stop"), call("stop_thread")], "Done.") as (engine, script):
        await engine.chat_with_tools("m", "go", tools=[stop, stop_thread])
    told = [each["content"] for each in script.asked[1]["messages"][2:]]
    assert all(each.startswith("Error: ") for each in told)


async def test_an_exceptions_message_is_told_if_asked_for() -> None:
    """One line of it, without where it was raised."""
    async with scripted([call("leak")], "Sorry.") as (engine, script):
        await engine.chat_with_tools("m", "go", tools=[leak], tell="message")
    told = script.asked[1]["messages"][-1]["content"]
    assert told == "Error: ValueError: password=hunter2 at /home/me line two"


async def test_calls_run_side_by_side_within_the_limit(autojump_clock: object) -> None:
    """Six calls of 1 s, three at a time, take 2 s."""
    running, most = 0, 0

    async def work() -> None:
        """Work for a second."""
        nonlocal running, most
        running += 1
        most = max(most, running)
        await trio.sleep(1)
        running -= 1

    async with scripted([call("work")] * 6, "Done.") as (engine, _):
        began_s = trio.current_time()
        await engine.chat_with_tools("m", "go", tools=[work], concurrency_max=3)
        assert trio.current_time() - began_s == pytest.approx(2, abs=0.2)
    assert most == 3


async def test_more_calls_than_allowed_are_refused() -> None:
    """Those above the limit are not made, and the model is told so."""
    async with scripted([call("double", {"n": n}) for n in range(4)], "Done.") as (engine, script):
        async with engine.run_tools("m", "go", tools=[double], calls_max=2) as run:
            ended = [each for each in await steps(run) if isinstance(each, ToolCallEnded)]
    assert [type(each.error) for each in sorted(ended, key=lambda each: each.result is None)] == [
        type(None), type(None), ToolRefusedError, ToolRefusedError
    ]  # fmt: skip
    contents = [each["content"] for each in script.asked[1]["messages"][2:]]
    assert contents[:2] == ["0", "2"]
    assert all("more than 2 calls in one answer" in each for each in contents[2:])


async def test_rounds_are_bounded() -> None:
    """The calls of the last allowed answer are not made; the error has the conversation."""
    made: list[int] = []

    async def note(n: int) -> None:
        """Note it."""
        made.append(n)

    asked = [[call("note", {"n": n})] for n in range(5)]
    async with scripted(*asked) as (engine, _):
        with pytest.raises(ToolRoundsError, match="rounds_max = 3") as caught:
            await engine.chat_with_tools("m", "go", tools=[note], rounds_max=3)
    assert made == [0, 1]
    assert len(caught.value.messages) == 6
    assert caught.value.response.tool_calls


async def test_leaving_the_block_cancels_answer_and_calls(autojump_clock: object) -> None:
    """An exception of the block comes out as it is, and nothing goes on."""
    states: list[str] = []

    async def wait() -> None:
        """Wait for ever."""
        states.append("began")
        try:
            await trio.sleep_forever()
        finally:
            states.append("ended")

    async with scripted([call("wait"), call("wait")]) as (engine, _):
        with pytest.raises(ZeroDivisionError):
            async with engine.run_tools("m", "go", tools=[wait]) as run:
                async for event in run:
                    if isinstance(event, ToolCallBegan):
                        await trio.testing.wait_all_tasks_blocked()
                        raise ZeroDivisionError
        assert states == ["began", "began", "ended", "ended"]
        assert engine.statistics().running == 0


async def test_a_deadline_bounds_the_whole_run(autojump_clock: object) -> None:
    """Calls included."""
    async with scripted([call("hang")], "Done.") as (engine, _):
        with pytest.raises(DeadlineExceededError, match="within 5 s"):
            await engine.chat_with_tools("m", "go", tools=[hang], deadline_s=5)
        assert trio.current_time() >= 5


async def test_a_hung_thread_is_left_to_itself() -> None:
    """Its call ends at its deadline, and the run goes on."""
    release = threading.Event()

    @tool(call_s=0.02)
    def block() -> None:
        """Block."""
        release.wait(10)

    try:
        async with scripted([call("block")], "Done.") as (engine, script):
            await engine.chat_with_tools("m", "go", tools=[block])
    finally:
        release.set()
    assert script.asked[1]["messages"][-1]["content"] == "Error: no result within 0.02 s"


async def test_cancelling_at_any_moment_leaves_nothing() -> None:
    """A cancelled run, in one call, raises Cancelled and gives everything back."""
    for delay_turns in range(30):
        async with scripted([call("double", {"n": 1})], "Done.") as (engine, _):
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:

                    async def soon(turns: int = delay_turns, scope: Any = scope) -> None:
                        for _ in range(turns):
                            await trio.lowlevel.cancel_shielded_checkpoint()
                        scope.cancel()

                    nursery.start_soon(soon)
                    await engine.chat_with_tools("m", "go", tools=[double])
            statistics = engine.statistics()
            assert (statistics.waiting, statistics.running) == (0, 0)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"rounds_max": 0}, "rounds_max must be a whole number"),
        ({"calls_max": True}, "calls_max must be a whole number"),
        ({"concurrency_max": 0.5}, "concurrency_max must be a whole number"),
        ({"result_bytes_max": float("inf")}, "result_bytes_max must be a whole number"),
        ({"call_s": float("nan")}, "call_s must be a number above 0"),
        ({"concurrency_max": "2"}, "concurrency_max must be a whole number"),
        ({"on_error": "ignore"}, "on_error must be one of tell, raise"),
        ({"tell": "all"}, "tell must be one of type, message"),
        ({"deadline_s": -1}, "deadline_s must be more than 0"),
        ({"tools": [3]}, r"tools\[0\] is int"),
        ({"messages": []}, "messages must not be empty"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
async def test_what_makes_no_sense_is_refused_before_anything_is_sent(
    fields: dict[str, Any], told: str
) -> None:
    """With the name of the field."""
    async with scripted() as (engine, script):
        with pytest.raises(InvalidRequestError, match=told):
            engine.run_tools("m", **{"messages": "go", "tools": [double], **fields})
        assert not script.asked


async def test_a_plain_chat_takes_functions_as_tools() -> None:
    """They are told to the model; the calls are the caller's."""
    async with scripted([call("double", {"n": 2})]) as (engine, script):
        answer = await engine.chat("m", "go", tools=[double, name_of.function])
    assert answer.tool_calls[0].function.name == "double"
    assert script.asked[0]["tools"][0] == double.definition
    assert script.asked[0]["tools"][1] == name_of.definition


class MuteError(Exception):
    """An exception that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError


@tool
async def mute() -> None:
    """Fail."""
    raise MuteError


@tool
async def half() -> str:
    """Give what is no text."""
    return "half \ud800"


@tool
async def half_told() -> None:
    """Say what is no text."""
    raise ToolError("half \ud800")


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (mute, "MuteError"),
        (half, "the result holds half a surrogate pair, which cannot be sent"),
        (half_told, "half ?"),
    ],
    ids=["mute", "result", "error"],
)
async def test_what_cannot_be_told_ends_no_run(made: Tool[..., Any], told: str) -> None:
    """An exception without a message, and texts that no request can carry."""
    async with scripted([call(made.name)], "Done.") as (engine, script):
        answer = await engine.chat_with_tools("m", "go", tools=[made], tell="message")
    assert answer.content == "Done."
    assert script.asked[1]["messages"][-1]["content"] == f"Error: {told}"


async def test_the_cause_of_a_failure_is_kept() -> None:
    """What the function raised is there, whichever way the tools are run."""
    async with scripted([call("mute")], [call("mute")]) as (engine, _):
        with pytest.raises(ToolFailedError) as whole:
            await engine.chat_with_tools("m", "go", tools=[mute], on_error="raise")
        with pytest.raises(ToolFailedError) as stepwise:
            async with engine.run_tools("m", "go", tools=[mute], on_error="raise") as run:
                await run.collect()
    assert isinstance(whole.value.__cause__, MuteError)
    assert isinstance(stepwise.value.__cause__, MuteError)


async def test_a_run_is_read_in_its_block() -> None:
    """Before and after there is nothing to wait for."""
    async with scripted("Done.") as (engine, _):
        run = engine.run_tools("m", "go", tools=[double])
        with trio.fail_after(5), pytest.raises(InvalidRequestError, match="async with"):
            await anext(run)
        async with run:
            pass
        with pytest.raises(InvalidRequestError, match="has been left"):
            await anext(run)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
async def test_the_end_of_the_program_comes_as_it_is(kind: type[BaseException]) -> None:
    """Not in a group, which nobody's ``except KeyboardInterrupt`` would see."""

    @tool
    async def stop() -> None:
        """Stop the program."""
        raise kind

    async with scripted([call("stop")], [call("stop")]) as (engine, _):
        with pytest.raises(kind):
            await engine.chat_with_tools("m", "go", tools=[stop])
        with pytest.raises(kind):
            async with engine.run_tools("m", "go", tools=[stop]) as run:
                await run.collect()


async def test_a_deadline_that_passes_while_a_tool_keeps_the_loop() -> None:
    """It is the run's deadline, and no wrong value of the next request's."""

    @tool
    async def compute() -> None:
        """Compute."""
        time.sleep(0.05)  # noqa: ASYNC251 - that is what is tested

    async with scripted([call("compute")], "Done.") as (engine, script):
        with pytest.raises(DeadlineExceededError, match=r"within 0\.02 s"):
            await engine.chat_with_tools("m", "go", tools=[compute], deadline_s=0.02)
    assert len(script.asked) == 1


async def test_a_decorator_may_hide_that_a_function_is_async() -> None:
    """What it gives back is awaited."""

    @functools.wraps(double.function)
    def counted(*args: Any, **kwargs: Any) -> Any:
        return double.function(*args, **kwargs)

    async with scripted([call("double", {"n": 4})], "Done.") as (engine, script):
        await engine.chat_with_tools("m", "go", tools=[counted])
    assert script.asked[1]["messages"][-1]["content"] == "8"


async def test_arguments_that_a_tool_itself_gets_wrong_are_its_failure() -> None:
    """The model wrote none of them."""

    @tool
    async def outer() -> object:
        """Call another tool, wrongly."""
        return await double.call({"n": "many"})

    async with scripted([call("outer")]) as (engine, _):
        with pytest.raises(ToolFailedError) as caught:
            await engine.chat_with_tools("m", "go", tools=[outer], on_error="raise")
    assert caught.value.tool == "outer"
    assert isinstance(caught.value.__cause__, ToolArgumentsError)
