"""Which texts go together, and whose fault a failure is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama import (
    ConnectError,
    DeadlineExceededError,
    FleetUnavailableError,
    InvalidRequestError,
    ModelNotFoundError,
    RequestRejectedError,
    ServerBusyError,
    ServerFailedError,
    TriollamaError,
    VolumeRules,
)
from triollama.volume.batches import RATIO_MAX, Batch, Blame, TokenGuess, blame, halves

REFUSED = RequestRejectedError("no", status=400)
FAILED = ServerFailedError("crash", status=500)


@pytest.mark.parametrize(
    ("error", "whose"),
    [
        (InvalidRequestError("a lone surrogate"), Blame.TEXT),
        (REFUSED, Blame.TEXT),
        (RequestRejectedError("too large", status=413), Blame.TEXT),
        (RequestRejectedError("no embeddings", status=501), Blame.RUN),
        (RequestRejectedError("forbidden", status=403), Blame.RUN),
        (ModelNotFoundError("m"), Blame.RUN),
        (FAILED, Blame.SERVER),
        (ServerBusyError("full", status=503), Blame.RUN),
        (FleetUnavailableError([ConnectError("no"), FAILED]), Blame.SERVER),
        (FleetUnavailableError([ConnectError("no")]), Blame.RUN),
        (FleetUnavailableError([]), Blame.RUN),
        (DeadlineExceededError("not done", limit_s=1.0), Blame.RUN),
    ],
)
def test_whose_fault_it_is(error: TriollamaError, whose: Blame) -> None:
    """A text is to blame for what it is; a missing model or an outage is nobody's text."""
    assert blame(error) is whose


@given(st.lists(st.text(max_size=3), min_size=2, max_size=40))
def test_halves_are_the_whole(texts: list[str]) -> None:
    """Nothing is lost, the order stays, and both parts are smaller."""
    first, second = halves(texts)
    assert [*first, *second] == texts
    assert 1 <= len(second) <= len(first) < len(texts)


@given(st.lists(st.integers(1, 200), min_size=1), st.integers(1, 100), st.integers(1, 10))
def test_batches_keep_their_bounds(sizes: list[int], tokens_max: int, count_max: int) -> None:
    """No batch is over its bounds, but one text that is so alone."""
    batch = Batch(0)
    for size in sizes:
        if not batch.has_room(size, tokens_max=tokens_max, count_max=count_max):
            batch = Batch(0)
        batch.add("x", size)
        assert len(batch.texts) <= count_max
        assert batch.tokens <= tokens_max or len(batch.texts) == 1


def test_the_guess_learns() -> None:
    """The first count is believed, later ones by and by; what cannot be is bounded or left out."""
    guess = TokenGuess()
    before = guess.tokens("a" * 100)
    guess.learn(0, 100)
    assert guess.tokens("a" * 100) == before == 30
    guess.learn(50, 100)
    assert guess.tokens("a" * 100) == 50
    guess.learn(100, 100)
    assert guess.tokens("a" * 100) == pytest.approx(65, abs=1)
    for _ in range(50):
        guess.learn(10**9, 1)
    assert guess.tokens_per_byte <= RATIO_MAX
    before = guess.tokens("a" * 100)
    for _ in range(50):
        guess.learn(2_048, 10**7)  # the server has cut the text to its context
    assert guess.tokens("a" * 100) == before


def test_an_own_count_is_believed() -> None:
    """A caller who can count is not corrected, and no text has less than one token."""
    guess = TokenGuess(len)
    guess.learn(1, 100)
    assert (guess.tokens("four"), guess.tokens("")) == (4, 1)


@pytest.mark.parametrize("text", ["", "é" * 10, "\ud800", "語" * 5])
def test_any_text_has_a_size(text: str) -> None:
    """Also one that UTF-8 cannot carry: it is refused later, by its place."""
    assert TokenGuess().tokens(text) >= 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_tokens_max", 0),
        ("batch_count_max", True),
        ("batch_count_max", None),
        ("concurrency_max", 1.5),
        ("window_batches_max", -1),
        ("linger_s", -0.1),
        ("linger_s", float("nan")),
        ("linger_s", "1"),
        ("on_error", "ignore"),
    ],
)
def test_rules_refuse_what_makes_no_sense(name: str, value: object) -> None:
    """By the name of the limit."""
    with pytest.raises(InvalidRequestError) as told:
        VolumeRules(**{name: value})  # type: ignore[arg-type]
    assert told.value.problems[0].path == name


def test_defaults_follow_the_fleet() -> None:
    """Six requests for each endpoint, two batches for each of these; never none."""
    rules = VolumeRules()
    assert (rules.concurrency(3), rules.window(3)) == (18, 36)
    assert rules.concurrency(0) == 1
    assert VolumeRules(concurrency_max=5).window(1) == 10
