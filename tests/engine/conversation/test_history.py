"""Turns, and which of them may be left out."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from triollama import InvalidRequestError, Message
from triollama.conversation.history import as_messages, droppable, read_messages, turns

ROLES = st.sampled_from(["user", "assistant", "tool"])
MESSAGES = st.lists(st.builds(Message, role=ROLES, content=st.just("x")), max_size=20)


def said(*roles: str) -> list[Message]:
    """Messages of these roles."""
    return [Message(role=role, content="x") for role in roles]


@given(MESSAGES)
def test_turns_are_the_whole(messages: list[Message]) -> None:
    """Nothing is lost, no turn is empty, and a user speaks only at a turn's beginning."""
    found = turns(messages)
    assert [message for turn in found for message in turn] == messages
    for turn in found:
        assert turn
        assert all(message.role != "user" for message in turn[1:])


@given(MESSAGES, MESSAGES.filter(bool))
def test_what_is_new_is_never_dropped(history: list[Message], new: list[Message]) -> None:
    """Cuts are ends of turns of the history, in order, and the first drops nothing."""
    cuts = droppable(history, new)
    assert cuts[0] == 0
    assert cuts == sorted(set(cuts))
    assert cuts[-1] <= len(history)
    for cut in cuts[1:]:
        rest = [*history, *new][cut:]
        assert rest[0].role == "user"


@pytest.mark.parametrize(
    ("history", "new", "cuts"),
    [
        ("", "user", [0]),
        ("user assistant", "user", [0, 2]),
        ("user assistant user assistant", "user", [0, 2, 4]),
        ("assistant user assistant", "user", [0, 1, 3]),
        ("user assistant user assistant", "tool", [0, 2]),
        ("user assistant tool assistant", "user", [0, 4]),
    ],
)
def test_cuts(history: str, new: str, cuts: list[int]) -> None:
    """Worked out by hand: results of a tool stay with the question that they belong to."""
    assert droppable(said(*history.split()), said(*new.split())) == cuts


@pytest.mark.parametrize(
    ("given_", "images", "told"),
    [
        ([], (), "no message"),
        (5, (), "not int"),
        (b"bytes", (), "not bytes"),
        ([{"role": "user"}], [b"x"], "images go with a text"),
    ],
)
def test_what_cannot_be_said(given_: Any, images: Any, told: str) -> None:
    """Told before anything is asked."""
    with pytest.raises(InvalidRequestError, match=told):
        as_messages(given_, images)


async def test_images_are_read_once(tmp_path: Any) -> None:
    """A path becomes base64 in the history, so that the file may go away."""
    path = tmp_path / "pixel.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + bytes.fromhex("0000000d49484452000000010000000108060000001f15c489")
    )
    [message] = await read_messages(as_messages("what is this?", [path]))
    path.unlink()
    assert message.images[0].startswith("iVBORw0KGgo")
    await trio.lowlevel.checkpoint()
