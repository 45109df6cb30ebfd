"""What of a history fits, and by which count."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from triollama import ChatFit, ChatTooLongError, FleetUnavailableError, Message
from triollama.conversation.fitting import IMAGE_TOKENS, MESSAGE_TOKENS, Budget, Estimate, fit

ROOM = Budget(tokens_max=1_000, answer_tokens=100)


def turn(size: int, number: int = 0) -> list[Message]:
    """A question and an answer, of so many characters together."""
    return [
        Message(role="user", content="q" * (size // 2)),
        Message(role="assistant", content="a" * (size - size // 2)),
    ]


class Exact:
    """Counts a token for each character, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, messages: Sequence[Message]) -> ChatFit | None:
        """The count."""
        self.asked += 1
        return ChatFit(sum(len(message.content) for message in messages), True, "counted")  # noqa: FBT003


@given(st.lists(st.integers(1, 400), max_size=30), st.integers(1, 500), st.integers(0, 300))
def test_the_fewest_turns_are_left_out(sizes: list[int], new_size: int, system: int) -> None:
    """What is sent fits; with one turn more it would not. The first look is at all of it."""
    history = [message for size in sizes for message in turn(size)]
    new = [Message(role="user", content="n" * new_size)]
    before = [Message(role="system", content="s" * system)]
    exact = Exact()

    async def main() -> tuple[int, ChatFit]:
        return await fit(
            history,
            new,
            system=before,
            tools=None,
            budget=ROOM,
            estimate=Estimate(),
            exact=exact,
        )

    dropped, found = trio.run(main)
    assert dropped == 2 * found.turns_dropped
    rest = sum(sizes[found.turns_dropped :])
    assert found.tokens == rest + new_size + system <= ROOM.prompt_max
    if found.turns_dropped:
        assert found.tokens + sizes[found.turns_dropped - 1] > ROOM.prompt_max
        assert exact.asked <= 2 + len(sizes).bit_length()
    else:
        assert exact.asked == 1


async def test_what_never_fits_is_refused() -> None:
    """With the numbers, and whether they are sure."""
    new = [Message(role="user", content="n" * 901)]
    with pytest.raises(ChatTooLongError, match="take 1001 tokens, and tokens_max is 1000") as told:
        await fit(
            turn(50),
            new,
            system=(),
            tools=None,
            budget=ROOM,
            estimate=Estimate(),
            exact=Exact(),
        )
    assert (told.value.tokens, told.value.is_exact) == (1_001, True)
    with pytest.raises(ChatTooLongError, match="take about"):
        await fit(
            [],
            [Message(role="user", content="n" * 10_000)],
            system=(),
            tools=None,
            budget=ROOM,
            estimate=Estimate(),
            exact=None,
        )


async def test_where_servers_do_not_tell_it_is_estimated() -> None:
    """A count that fails for them does not fail the turn."""

    async def broken(messages: Sequence[Message]) -> ChatFit | None:
        raise FleetUnavailableError([])

    _, found = await fit(
        [],
        turn(100),
        system=(),
        tools=None,
        budget=ROOM,
        estimate=Estimate(),
        exact=broken,
    )
    assert not found.is_exact
    assert found.tokens == 2 * MESSAGE_TOKENS + 35


def test_the_estimate_learns_from_the_server() -> None:
    """What it was told of it tells again; what cannot be true changes nothing."""
    estimate = Estimate()
    messages = turn(1_000)
    estimate.learn(5, messages, None)  # the server had cut the prompt
    assert not estimate.is_told
    estimate.learn(212, messages, None)
    assert estimate.is_told
    assert estimate.tokens(messages, None) == 212
    assert "server's count" in estimate.how
    image = [Message(role="user", content="", images=("AAAA",))]
    assert estimate.tokens(image, None) == MESSAGE_TOKENS + IMAGE_TOKENS
    assert estimate.tokens(messages, [{"function": {"name": "x" * 100}}]) > 212


@given(st.text(), st.text())
def test_more_text_has_no_fewer_tokens(one: str, other: str) -> None:
    """Any text, half of a surrogate pair included, has an estimate."""
    estimate = Estimate()
    both = estimate.tokens([Message(role="user", content=one + other)], None)
    assert both >= estimate.tokens([Message(role="user", content=one)], None)
