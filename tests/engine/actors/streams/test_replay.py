"""Of an answer that is given again, what had arrived is left out, exactly."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama.actors.streams.core import ReplayMismatchError
from triollama.actors.streams.replay import Replay
from triollama.actors.streams.resume import Delivered
from triollama.api import ChatChunk, GenerateChunk, Message, ToolCall, ToolFunction


def chunk(
    content: str = "", thinking: str | None = None, calls: tuple[ToolCall, ...] = ()
) -> ChatChunk:
    """One event."""
    return ChatChunk(message=Message("assistant", content, thinking, tool_calls=calls))


def call(name: str, number: int) -> ToolCall:
    """A call; its id is drawn by the server."""
    return ToolCall(ToolFunction(name, {"x": 1}), f"call_{number}")


@st.composite
def cut_texts(draw: st.DrawFn) -> tuple[str, int, list[str]]:
    """A text, how much of it had arrived, and how it is cut when it comes again."""
    text = draw(st.text(min_size=1, max_size=40))
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    edges = [0, *cuts, len(text)]
    pieces = [text[low:high] for low, high in pairwise(edges)]
    return text, draw(st.integers(0, len(text))), pieces


@given(cut_texts())
def test_wherever_it_is_cut_only_the_new_is_left(case: tuple[str, int, list[str]]) -> None:
    """No character comes twice and none is missing, however the second answer is cut."""
    text, had, pieces = case
    replay: Replay[ChatChunk] = Replay(Delivered(text[:had]))
    left = [replay.left_of(chunk(piece)) for piece in pieces]
    assert "".join(each.content for each in left if each is not None) == text[had:]
    assert replay.is_over


@given(cut_texts())
def test_thinking_is_left_out_like_text(case: tuple[str, int, list[str]]) -> None:
    """The two are compared apart."""
    text, had, pieces = case
    replay: Replay[ChatChunk] = Replay(Delivered("", text[:had]))
    left = [replay.left_of(chunk(thinking=piece)) for piece in pieces]
    left.append(replay.left_of(chunk("answer")))
    assert "".join(each.thinking or "" for each in left if each is not None) == text[had:]
    assert left[-1] is not None
    assert left[-1].content == "answer"


def test_calls_are_compared_without_their_ids() -> None:
    """A server draws an id for each call anew; name and arguments are the same."""
    replay: Replay[ChatChunk] = Replay(Delivered(tool_calls=(call("f", 1),)))
    left = replay.left_of(chunk(calls=(call("f", 2), call("g", 3))))
    assert left is not None
    assert left.tool_calls == (call("g", 3),)
    with pytest.raises(ReplayMismatchError):
        Replay[ChatChunk](Delivered(tool_calls=(call("f", 1),))).left_of(
            chunk(calls=(call("g", 1),))
        )


@pytest.mark.parametrize("other", ["somX", "X", "some tXxt", "soMe text and more"])
def test_another_answer_is_refused(other: str) -> None:
    """One character that differs, and nothing of it is given."""
    replay: Replay[GenerateChunk] = Replay(Delivered("some text"))
    with pytest.raises(ReplayMismatchError, match="another one"):
        replay.left_of(GenerateChunk(content=other))


def test_a_shorter_answer_is_refused() -> None:
    """It ends before what had arrived has come again."""
    replay: Replay[GenerateChunk] = Replay(Delivered("some text"))
    assert replay.left_of(GenerateChunk(content="some")) is None
    with pytest.raises(ReplayMismatchError, match="shorter"):
        replay.left_of(GenerateChunk(done=True))


def test_the_last_event_is_never_left_out() -> None:
    """It has the counts, even where it adds no text."""
    replay: Replay[GenerateChunk] = Replay(Delivered("some"))
    left = replay.left_of(GenerateChunk(content="some", done=True, eval_count=1, arrived_ns=5))
    assert left is not None
    assert (left.content, left.done, left.eval_count, left.arrived_ns) == ("", True, 1, 5)
