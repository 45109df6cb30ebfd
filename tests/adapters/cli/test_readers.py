"""What readers got is compared with the unbroken answers, character by character."""

from __future__ import annotations

import pytest

from triollama_adapters.cli._readers import Reader, compare, describe_spread


def reader(text: str, whole: str = "the whole answer", *, is_whole: bool = True) -> Reader:
    """One that has read a text, a character each tenth of a second."""
    made = Reader("?", whole, is_whole=is_whole)
    for place, character in enumerate(text):
        made.take(character, place * 0.1)
    return made


@pytest.mark.parametrize(
    ("text", "lost", "doubled"),
    [
        ("the whole answer", 0, 0),
        ("the whole", 7, 0),
        ("the answer", 6, 0),
        ("the whole whole answer", 0, 6),
        ("", 16, 0),
        ("the xxxxx answer", 5, 5),
    ],
)
def test_characters_lost_and_doubled(text: str, lost: int, doubled: int) -> None:
    """What is missing and what is too much are counted apart."""
    verdict = compare([reader(text)])
    assert (verdict.lost, verdict.doubled, verdict.characters) == (lost, doubled, 16)
    assert verdict.is_clean is (lost == doubled == 0)


def test_one_that_did_not_end_is_seen() -> None:
    """All the text, but an error at its end."""
    verdict = compare([reader("the whole answer"), reader("the whole answer", is_whole=False)])
    assert (verdict.whole, verdict.streams, verdict.is_clean) == (1, 2, False)


def test_the_longest_pause_since_something_happened() -> None:
    """Pauses from before do not count; one that has not ended counts as far as it goes."""
    one = reader("ab", is_whole=False)
    one.take("c", 5.1)
    assert one.waited_s(5.1) == pytest.approx(5.0)
    one.mark()
    one.take("d", 6.1)
    assert one.waited_s(6.2) == pytest.approx(1.0)
    assert one.waited_s(8.1) == pytest.approx(2.0)
    one.is_whole = True
    assert one.waited_s(100.0) == pytest.approx(1.0)


def test_the_first_piece_ends_no_pause() -> None:
    """The time to the first token is not a gap between two pieces."""
    one = Reader("?", "a")
    assert not one.is_running
    one.take("a", 50.0)
    assert (one.waited_s(50.0), one.is_running, one.endpoint) == (0.0, True, "")


def test_spread() -> None:
    """Nearest ranks: every figure is a wait that somebody had."""
    assert describe_spread([0.3, 0.1, 0.2]) == "p50 200 ms, p99 300 ms, max 300 ms"
    assert describe_spread([n / 1e3 for n in range(200)]) == "p50 99 ms, p99 197 ms, max 199 ms"
    assert describe_spread([]) == "no one"
