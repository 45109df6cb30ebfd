"""What readers got is compared with the unbroken answers, character by character."""

from __future__ import annotations

import pytest

from triollama_adapters.cli._readers import Reader, compare, describe_waits


def reader(text: str, whole: str = "the whole answer", *, is_whole: bool = True) -> Reader:
    """One that has read a text."""
    made = Reader(1, whole, is_whole=is_whole)
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


def test_the_longest_pause_is_told() -> None:
    """Of those whose server was struck."""
    struck, calm = reader("abc"), reader("abc")
    struck.struck = "killed"
    struck.take("d", 2.2)
    assert describe_waits([struck, calm], "killed") == "p50 2.00 s, p99 2.00 s, max 2.00 s"
    assert describe_waits([struck, calm], "stalled") == "no one"
    struck.waited_s = 0.5
    assert describe_waits([struck], "killed").startswith("p50 0.50 s")
