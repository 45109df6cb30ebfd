"""The answer as a function of the prompt."""

from __future__ import annotations

import random
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama_adapters.simulator.template import NO_THINKING, THINKING, Message, render
from triollama_adapters.simulator.text import Author, Lengths
from triollama_adapters.simulator.vocabulary import OPENERS, Kind

AUTHOR = Author(0, "llama3.2:latest", Lengths(1, 60, 3, 12))


def text_of(prompt: str, author: Author = AUTHOR, **more: object) -> str:
    """The whole answer to a prompt."""
    return "".join(piece.text for piece in author.answer(prompt, **more))


@given(st.text(max_size=60), st.data())
def test_cut_anywhere_goes_on_as_unbroken(prompt: str, data: st.DataObject) -> None:
    """A prompt with any beginning of its answer behind it gives exactly the rest."""
    whole = text_of(prompt)
    cut = data.draw(st.integers(0, len(whole)))
    assert whole[:cut] + text_of(prompt + whole[:cut]) == whole


@given(
    st.lists(st.sampled_from(["Indeed", "In", "Wait", "W", "x", "<think>\n"]), max_size=12),
    st.data(),
)
def test_cut_goes_on_in_prompts_full_of_openers(parts: list[str], data: st.DataObject) -> None:
    """Words that answers begin with do not confuse it, even as the prompt's own end."""
    prompt = "".join(parts)
    whole = text_of(prompt)
    cut = data.draw(st.integers(0, len(whole)))
    assert whole[:cut] + text_of(prompt + whole[:cut]) == whole


def test_cut_many_times_goes_on_as_unbroken() -> None:
    """A stream that breaks again and again still gives the unbroken answer."""
    draw = random.Random(7)
    for number in range(50):
        prompt = f"<|im_start|>user\nquestion {number}<|im_end|>\n<|im_start|>assistant\n"
        whole, said = text_of(prompt), ""
        while rest := text_of(prompt + said):
            said += rest[: draw.randint(1, len(rest))]
        assert said == whole


@pytest.mark.parametrize("end", ["", THINKING, NO_THINKING])
def test_answer_is_the_same_with_and_without_thinking(end: str) -> None:
    """The marks of thinking change what goes before the answer, not the answer."""
    prompt = "<|im_start|>assistant\n"
    pieces = list(AUTHOR.answer(prompt + end))
    content = "".join(piece.text for piece in pieces if piece.kind == Kind.CONTENT)
    assert content == text_of(prompt)
    assert any(piece.kind == Kind.THINKING for piece in pieces) == (end == THINKING)


def test_chat_continuation_by_a_trailing_assistant_message() -> None:
    """A partial answer sent as the last message is gone on with, its thinking given or not."""
    question = Message("user", "why?")
    whole = list(AUTHOR.answer(render([question], think=True).text))
    thought = "".join(piece.text for piece in whole if piece.kind == Kind.THINKING)
    content = "".join(piece.text for piece in whole if piece.kind == Kind.CONTENT)
    for thinking in ("", thought):
        partial = Message("assistant", content[:10], thinking=thinking)
        assert content[:10] + text_of(render([question, partial], think=True).text) == content


def test_a_second_assistant_message_breaks_the_text() -> None:
    """Two neighbours of one role are joined with a blank line: the trap a client must avoid."""
    question = Message("user", "why?")
    content = text_of(render([question], think=None).text)
    twice = [question, Message("assistant", content[:5]), Message("assistant", content[5:10])]
    assert content[:10] + text_of(render(twice, think=None).text) != content


def test_text_depends_on_model_seed_prompt_and_images() -> None:
    """Any of them changes the answer; the same of all gives the same."""
    other = Author(0, "other:latest", Lengths(1, 60, 3, 12))
    texts = {
        text_of("q"),
        text_of("q2"),
        text_of("q", other),
        text_of("q", seed=1),
        text_of("q", images=(b"i",)),
    }
    assert len(texts) == 5
    assert text_of("q", seed=1) == text_of("q", seed=1)


def test_lengths_stay_within_the_range() -> None:
    """Answers have as many tokens as configured, both ends included."""
    author = Author(0, "m", Lengths(5, 9, 1, 1))
    counts = {len(list(author.answer(f"q{n}"))) for n in range(200)}
    assert counts == {5, 6, 7, 8, 9}


def test_a_finished_answer_has_nothing_to_add() -> None:
    """The whole answer sent back is gone on with by nothing; a question behind it starts anew."""
    whole = text_of("q")
    assert not text_of("q" + whole)
    assert text_of(f"q{whole}\nnext").startswith(tuple(piece.text for piece in OPENERS))


def test_long_answers_are_lazy() -> None:
    """An answer of a billion tokens can be begun."""
    author = Author(0, "m", Lengths(10**9, 10**9, 1, 1))
    assert len(list(islice(author.answer("q"), 1000))) == 1000


def test_answers_hold_characters_that_clients_get_wrong() -> None:
    """Over a few answers there are wide characters, line separators and HTML."""
    text = "".join(text_of(f"q{n}") for n in range(300))
    assert all(trap in text for trap in ("😀", "你", "\u2028", "<", "&", "\n", '"'))
