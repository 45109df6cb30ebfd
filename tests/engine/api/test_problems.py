"""All that is wrong with a request is told at once, by path, and without content."""

from __future__ import annotations

import io
import math
import pickle
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama._errors import PROBLEMS_SHOWN_MAX, InvalidRequestError, Problem
from triollama.api import ChatRequest, EmbedRequest, GenerateRequest
from triollama.api._problems import PROBLEMS_MAX, each_problem, refused

SECRET = "s3cret"


def problems_of(make: Any, *given: Any, **fields: Any) -> dict[str, Problem]:
    """The problems of a request that is refused, by path."""
    with pytest.raises(InvalidRequestError) as caught:
        make(*given, **fields)
    error = caught.value
    assert SECRET not in str(error)
    assert SECRET not in repr(error.problems)
    assert all(each.allowed and each.found for each in error.problems)
    return {each.path: each for each in error.problems}


def test_a_chat_tells_every_problem(tmp_path: Path) -> None:
    """One of each field, and of each part of messages and tools."""
    problems = problems_of(
        ChatRequest.make,
        "a b",
        [
            {"content": [SECRET]},
            {"role": "user", "content": SECRET},
            {"role": "user", "images": [b"GIF89a", SECRET + "!", tmp_path / SECRET, b"ok"]},
            {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": SECRET}}]},
            {"role": "assistant", "tool_calls": SECRET},
            SECRET,
        ],
        tools=[{"function": {}}, {"function": {"name": "f", "x": math.nan}}],
        format="yaml",
        options={"num_ctx": "8", "stop": SECRET, "seed": 1.5, "temperature": 1, "new": {1: 2}},
        keep_alive="300",
        think="a lot",
        truncate=1,
        shift="no",
        top_logprobs=21,
    )
    assert sorted(problems) == sorted(
        [
            "model",
            "messages[0].role",
            "messages[0].content",
            "messages[2].images[0]",
            "messages[2].images[1]",
            "messages[2].images[2]",
            "messages[3].tool_calls[0].function.arguments",
            "messages[4].tool_calls",
            "messages[5]",
            "tools[0].function.name",
            "tools[1]",
            "format",
            "options.num_ctx",
            "options.stop",
            "options.seed",
            "options.new",
            "keep_alive",
            "think",
            "truncate",
            "shift",
            "top_logprobs",
        ]
    )
    assert problems["messages[0].content"].found == "list"
    assert problems["options.seed"].found == "the float 1.5"
    assert problems["options.stop"].allowed == "a list of strings"
    assert "nothing at all" not in str(problems)


def test_a_completion_tells_every_problem() -> None:
    """Also what does not go together, beside what is wrong by itself."""
    problems = problems_of(
        GenerateRequest.make,
        "m",
        3,
        suffix=b"x",
        raw=True,
        system=SECRET,
        context="1,2",
        images=["%", b""],
        logprobs="yes",
    )
    assert list(problems) == [
        *("prompt", "suffix", "context", "images[0]", "images[1]", "logprobs", "raw")
    ]


def test_other_requests_tell_every_problem() -> None:
    """Vectors, and what is in a list that should hold texts."""
    problems = problems_of(EmbedRequest.make, model=None, input=["a", 2], dimensions=-1)
    assert list(problems) == ["model", "input", "dimensions"]
    assert problems["input"].found == "int at 1"


def test_one_problem_is_one_sentence() -> None:
    """As it always was."""
    with pytest.raises(InvalidRequestError) as caught:
        ChatRequest.make("m", "hi", truncate=1)
    assert str(caught.value) == "truncate must be a bool, not int"
    assert caught.value.problems == (Problem("truncate", "int", "a bool"),)


def test_several_problems_are_one_line() -> None:
    """So many are shown, all are there."""
    count = PROBLEMS_SHOWN_MAX + 3
    with pytest.raises(InvalidRequestError) as caught:
        ChatRequest.make("m", [{"role": "user", "content": 1}] * count)
    assert len(caught.value.problems) == count
    text = str(caught.value)
    assert text.startswith(f"{count} problems: messages[0].content must be a str, not int")
    assert text.endswith("; and 3 more")
    assert text.count(";") == 2 * PROBLEMS_SHOWN_MAX


def test_a_million_problems_are_not_looked_for() -> None:
    """What is told is bounded, and so is the work for it."""
    with pytest.raises(InvalidRequestError) as caught:
        ChatRequest.make("m", [SECRET] * 1_000_000)
    assert len(caught.value.problems) == PROBLEMS_MAX
    assert len(str(caught.value)) < 1_000
    asked: list[int] = []

    def refuse(at: int) -> None:
        asked.append(at)
        raise refused("x", "y", "z")

    assert each_problem(lambda at=at: refuse(at) for at in range(10**6))  # type: ignore[misc]
    assert len(asked) == PROBLEMS_MAX


def test_a_message_alone_is_a_problem_too() -> None:
    """Whoever raises it with a text need not know of problems."""
    error = InvalidRequestError("no")
    assert (str(error), [str(each) for each in error.problems]) == ("no", ["no"])


def test_problems_travel() -> None:
    """Between processes."""
    error = refused("a", "b", "c")
    again = pickle.loads(pickle.dumps(error))
    assert again.problems == error.problems
    assert str(again) == "a must be c, not b"


def test_a_file_is_not_read_a_second_time() -> None:
    """An open file whose request is refused gives no problem that it does not have."""
    image = io.BytesIO(b"\x89PNG\r\n\x1a\n")
    messages = [{"role": "user", "images": [image]}]
    assert list(problems_of(ChatRequest.make, "m", messages, think=3)) == ["think"]
    large = [{"role": "user", "images": [io.StringIO("x")]}]
    assert list(problems_of(ChatRequest.make, "m", large, think=3)) == [
        *("think", "messages[0].images[0]")
    ]


def test_lone_surrogates_are_found() -> None:
    """Each text that cannot be sent is named, in whatever it is."""
    request = ChatRequest.make(
        "m",
        [{"role": "user", "content": "a\ud800"}, {"role": "user", "content": "fine"}],
        tools=[{"type": "function", "function": {"name": "f", "description": "\udfff"}}],
        format={"title": {"\ud800": 1}},
        options={"stop": ["x", "\ud800"]},
    )
    problems = problems_of(request.body)
    assert sorted(problems) == [*("format", "messages[0].content", "options.stop[1]", "tools[0]")]
    assert "lone surrogate" in str(problems["messages[0].content"])


def test_numbers_of_any_length_are_told() -> None:
    """Python does not write out those of 4,300 digits."""
    huge = 10**5000
    problems = problems_of(ChatRequest.make, "m", "x", top_logprobs=huge, keep_alive=huge)
    assert "beyond 1e30" in str(problems["top_logprobs"])


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.sampled_from(["role", "content"]), inner)
    ),
    max_leaves=12,
)
FIELDS = [*("tools", "format", "options", "keep_alive", "think", "truncate", "shift", "logprobs")]


@given(ANYTHING, ANYTHING, st.dictionaries(st.sampled_from(FIELDS), ANYTHING))
def test_anything_is_a_request_or_refused(model: Any, messages: Any, fields: Any) -> None:
    """Whatever is given: a body, or an error with problems; the same by the constructor."""
    refusal: InvalidRequestError | None = None
    try:
        assert ChatRequest.make(model, messages, **fields).body().startswith(b'{"model":')
    except InvalidRequestError as error:
        refusal = error
    if refusal is not None:
        assert refusal.problems
        assert str(refusal)
        assert all(isinstance(each.path, str) for each in refusal.problems)
        with pytest.raises(InvalidRequestError):
            ChatRequest(model=model, messages=messages, **fields).body()


def test_a_right_request_is_not_looked_at_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Going over everything again is for requests that were refused."""

    def fail(*_: object) -> None:
        raise AssertionError("looked twice")

    for module in ("chat", "generate", "embed"):
        monkeypatch.setattr(f"triollama.api.{module}.all_problems", fail)
    for module in ("messages", "tools", "images", "options"):
        monkeypatch.setattr(f"triollama.api.{module}.each_problem", fail)
    draw = random.Random(1)
    options = {"seed": draw.randrange(9)}
    assert ChatRequest.make("m", [{"role": "user", "images": [b"x"]}], options=options)
    assert GenerateRequest.make("m", "x", images=[b"x"])
    assert EmbedRequest.make(model="m", input=["x"])
