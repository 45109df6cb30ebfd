"""A server breaks in the middle of an answer, and its reader notices nothing."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from triollama import (
    EngineConfig,
    Outcome,
    StreamBrokenError,
    StreamCancelledError,
    StreamRestartedError,
)
from triollama_adapters.simulator import Fault, FaultRule

A, B, C = "http://a:11434", "http://b:11434", "http://c:11434"
CONFIG = EngineConfig(first_token_s=3.0, stall_s=2.0)
PLAIN, THINKER = "llama3.2", "qwen3:0.6b"
EXACT = {"seed": 3, "temperature": 0}
BREAKS = ("reset", "stall", "half_close", "truncated_chunk", "garbage_line", "error_line")
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}


def break_once(lab: Any, kind: str = "reset", after: int = 4, **rule: Any) -> None:
    """The first answer of each server breaks after so many tokens."""
    fault: Any = Fault(kind=kind, after_tokens=after)  # type: ignore[arg-type]  # kinds as text
    for url in lab.fleet.urls:
        lab.fleet.set_faults(url, FaultRule(fault=fault, nth=(1,), **rule))


async def read(stream: Any) -> tuple[str, str]:
    """What a reader sees, chunk by chunk."""
    chunks = [chunk async for chunk in stream]
    assert len(chunks) == stream.chunks
    assert [chunk.done for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    return (
        "".join(chunk.content for chunk in chunks),
        "".join(chunk.thinking or "" for chunk in chunks),
    )


@pytest.mark.parametrize("kind", BREAKS)
@pytest.mark.parametrize("after", [1, 4, 19])
async def test_a_chat_goes_on(
    autojump_clock: MockClock, open_lab: Any, kind: str, after: int
) -> None:
    """Whatever breaks it, wherever: no character is missing, none comes twice."""
    async with open_lab(config=CONFIG) as lab:
        whole = await lab.engine.chat(PLAIN, "why?")
        break_once(lab, kind, after)
        async with lab.engine.stream_chat(PLAIN, "why?") as stream:
            text, _ = await read(stream)
        assert text == whole.content
        *broken, last = stream.attempts
        assert {each.why for each in broken} <= {Outcome.FAILED, Outcome.UNREACHABLE}
        assert (last.why, last.way) == (Outcome.DONE, "chat")
        assert sum(each.characters for each in stream.attempts) == len(text)
        assert stream.usage.output_tokens == whole.usage.output_tokens
        assert stream.usage.output_tokens == (await stream.collect()).usage.output_tokens


@pytest.mark.parametrize("on_break", ["continue", "restart"])
async def test_who_is_told_every_chunk(
    autojump_clock: MockClock, open_lab: Any, on_break: str
) -> None:
    """Of an answer that goes on, each part is told once; of one that begins anew, all again."""
    async with open_lab(config=CONFIG) as lab:
        whole = (await lab.engine.chat(PLAIN, "why?")).content
        break_once(lab)
        told: list[str] = []
        answer = await lab.engine.chat(
            PLAIN, "why?", on_break=on_break, on_chunk=lambda chunk: told.append(chunk.content)
        )
        assert answer.content == whole
        text = "".join(told)
        assert text.endswith(whole)
        assert (len(text) > len(whole)) == (on_break == "restart")


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("after", [1, 7])
async def test_a_completion_goes_on(
    autojump_clock: MockClock, open_lab: Any, after: int, *, raw: bool
) -> None:
    """With a raw prompt as it is, with another one as the server renders it."""
    async with open_lab(config=CONFIG) as lab:
        whole = await lab.engine.generate(PLAIN, "why?", raw=raw)
        break_once(lab, "reset", after)
        async with lab.engine.stream_generate(PLAIN, "why?", raw=raw) as stream:
            text, _ = await read(stream)
        assert text == whole.content
        assert stream.attempts[-1].way == ("raw" if raw else "rendered")


async def test_a_thinker_goes_on_in_its_text(autojump_clock: MockClock, open_lab: Any) -> None:
    """Its thinking goes with it, and comes only once."""
    async with open_lab(config=CONFIG) as lab:
        whole = await lab.engine.chat(THINKER, "why?")
        async with lab.engine.stream_chat(THINKER, "why?") as stream:
            before = 0
            async for chunk in stream:
                if chunk.content:
                    break
                before += 1
            await stream.collect()
        break_once(lab, "reset", before + 5)
        async with lab.engine.stream_chat(THINKER, "why?") as stream:
            text, thinking = await read(stream)
        assert (text, thinking) == (whole.content, whole.thinking)
        assert stream.attempts[-1].way == "chat"


@pytest.mark.parametrize(
    "fields",
    [{"model": THINKER}, {"model": PLAIN, "format": SCHEMA}, {"model": PLAIN, "format": "json"}],
    ids=["thinking", "schema", "json"],
)
@pytest.mark.parametrize("after", [1, 2])
async def test_what_is_repeatable_is_replayed(
    autojump_clock: MockClock, open_lab: Any, fields: dict[str, Any], after: int
) -> None:
    """Thinking that is cut and structured outputs are asked for again, and left out up to there."""
    fields = dict(fields)
    model = fields.pop("model")
    async with open_lab(config=CONFIG) as lab:
        whole = await lab.engine.chat(model, "why?", options=EXACT, **fields)
        break_once(lab, "reset", after)
        async with lab.engine.stream_chat(model, "why?", options=EXACT, **fields) as stream:
            text, thinking = await read(stream)
        assert (text, thinking or None) == (whole.content, whole.thinking)
        assert stream.attempts[-1].way == "replay"
        assert stream.usage.output_tokens == whole.usage.output_tokens


async def test_what_cannot_go_on_is_raised_with_the_text(
    autojump_clock: MockClock, open_lab: Any
) -> None:
    """A structured output without a seed breaks for good; the error has what came."""
    async with open_lab(config=CONFIG) as lab:
        break_once(lab, "reset", 3)
        seen = ""
        async with lab.engine.stream_chat(PLAIN, "why?", format=SCHEMA) as stream:
            with pytest.raises(StreamBrokenError, match="cannot be gone on with") as caught:
                async for chunk in stream:
                    seen += chunk.content
        assert caught.value.content == seen != ""
        assert lab.engine.statistics().failed == 1


async def test_nobody_who_saw_nothing_loses_anything(
    autojump_clock: MockClock, open_lab: Any
) -> None:
    """Who waits for the whole answer gets it, by beginning anew where it cannot go on."""
    async with open_lab(config=CONFIG) as lab:
        whole = await lab.engine.chat(PLAIN, "why?", format=SCHEMA)
        break_once(lab, "reset", 3)
        again = await lab.engine.chat(PLAIN, "why?", format=SCHEMA)
        assert again.content == whole.content
        break_once(lab, "reset", 3)
        async with lab.engine.stream_chat(PLAIN, "why?", format=SCHEMA) as stream:
            assert (await stream.collect()).content == whole.content
        assert stream.attempts[-1].way == "restart"


async def test_on_break_raise(autojump_clock: MockClock, open_lab: Any) -> None:
    """The caller wants to know."""
    async with open_lab(config=CONFIG) as lab:
        break_once(lab, "reset", 3)
        async with lab.engine.stream_chat(PLAIN, "why?", on_break="raise") as stream:
            with pytest.raises(StreamBrokenError, match="on_break") as caught:
                await read(stream)
        assert caught.value.content


@pytest.mark.parametrize("is_slow", [False, True])
async def test_on_break_restart(autojump_clock: MockClock, open_lab: Any, *, is_slow: bool) -> None:
    """The reader is told, forgets what it had, and reads the answer from the beginning."""
    async with open_lab(config=CONFIG) as lab:
        whole = await lab.engine.chat(PLAIN, "why?")
        break_once(lab, "reset", 5)
        texts = [""]
        async with lab.engine.stream_chat(PLAIN, "why?", on_break="restart") as stream:
            while True:
                try:
                    async for chunk in stream:
                        texts[-1] += chunk.content
                        if is_slow:
                            await trio.sleep(1)
                    break
                except StreamRestartedError:
                    texts.append("")
            assert texts[-1] == whole.content
            assert len(texts) >= 2
            assert (await stream.collect()).content == whole.content


async def test_a_server_that_dies_while_it_is_read_slowly(
    autojump_clock: MockClock, open_lab: Any
) -> None:
    """What has arrived but was not read yet is not lost either."""
    config = EngineConfig(stall_s=2.0, buffer_bytes_high=300)
    async with open_lab(config=config) as lab:
        whole = await lab.engine.chat(PLAIN, "why?")
        text = ""
        async with lab.engine.stream_chat(PLAIN, "why?") as stream:
            async for chunk in stream:
                text += chunk.content
                await trio.sleep(0.5)
                if len(text) > 20 and len(stream.attempts) == 0:
                    victim = f"http://{stream.endpoint}"
                    lab.fleet.kill(victim)
        assert text == whole.content
        lab.fleet.revive(victim)


async def test_an_answer_may_break_again_and_again(
    autojump_clock: MockClock, open_lab: Any
) -> None:
    """Each attempt brings three tokens, on two servers in turn, until the answer is whole."""
    async with open_lab(config=CONFIG) as lab:
        whole = await lab.engine.chat(PLAIN, "why?")
        for url in (A, B):
            lab.fault(url, "reset", after_tokens=3)
        async with lab.engine.stream_chat(PLAIN, "why?") as stream:
            text, _ = await read(stream)
        assert text == whole.content
        assert len(stream.attempts) >= 6


async def test_num_predict_is_kept(autojump_clock: MockClock, open_lab: Any) -> None:
    """The rest is asked for with what is left of it; with nothing left, the answer is whole."""
    options = {"num_predict": 8}
    async with open_lab(config=CONFIG) as lab:
        whole = await lab.engine.chat(PLAIN, "why?", options=options)
        assert whole.done_reason == "length"
        for after in (3, 7, 8):
            break_once(lab, "reset", after)
            async with lab.engine.stream_chat(PLAIN, "why?", options=options) as stream:
                text, _ = await read(stream)
            answer = await stream.collect()
            assert text == whole.content
            assert (answer.done_reason, answer.usage.output_tokens) == ("length", 8)


async def test_a_deadline_holds_over_all_attempts(autojump_clock: MockClock, open_lab: Any) -> None:
    """Going on does not begin the clock anew; and leaving the block stops the second server too."""
    async with open_lab(config=CONFIG) as lab:
        break_once(lab, "reset", 4)
        async with lab.engine.stream_chat(PLAIN, "why?") as stream:
            async for _ in stream:
                if stream.attempts:
                    break
            stream.cancel()
            with pytest.raises(StreamCancelledError):
                await stream.collect()
        assert lab.engine.statistics().cancelled == 1


async def test_another_models_answer_is_refused(autojump_clock: MockClock, open_lab: Any) -> None:
    """A server that answers for another model than was asked is not believed."""
    async with open_lab(config=CONFIG) as lab:
        whole = await lab.engine.chat(PLAIN, "why?")
        lab.fault(
            A,
            "garbage_line",
            after_tokens=0,
            text='{"model":"other","message":{"role":"assistant","content":"X"},"done":false}',
        )
        for _ in range(2):
            assert (await lab.engine.chat(PLAIN, "why?")).content == whole.content


@pytest.mark.parametrize(("ask", "way"), [("stream_chat", "chat"), ("stream_generate", "rendered")])
async def test_cancelled_at_every_step_of_going_on(
    autojump_clock: MockClock, open_lab: Any, cancel_at_step: Any, ask: str, way: str
) -> None:
    """Whichever task had its turn last: leases and tasks are back, the servers have stopped."""
    ways = set()
    async with open_lab(answer_tokens_min=4, answer_tokens_max=4) as lab:
        open_stream = getattr(lab.engine, ask)
        async with open_stream(PLAIN, "why?") as stream:
            whole, _ = await read(stream)
        for step in range(1, 1_000):
            text = ""
            break_once(lab, after=2)
            with cancel_at_step(step, of_any=True) as scope:
                async with open_stream(PLAIN, "why?") as stream:
                    async for chunk in stream:
                        text += chunk.content
            assert whole.startswith(text)
            await trio.sleep(0.1)  # the server is told by its socket
            lab.check_baseline()
            ways.update(each.way for each in stream.attempts[1:])
            if not scope.cancelled_caught:
                assert text == whole
                break
        else:
            pytest.fail("too many steps")
        assert step > 20
        assert way in ways
