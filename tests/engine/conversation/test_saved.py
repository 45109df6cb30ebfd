"""A chat as JSON: it comes back as it was, and what is no chat is told clearly."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.engine.tools.scripted import scripted

from triollama import (
    Chat,
    ChatFileError,
    ChatResponse,
    InvalidRequestError,
    Message,
    Options,
    ToolCall,
    ToolFunction,
    tool,
)
from triollama.conversation.asking import make_settings
from triollama.conversation.saved import CHAT_BYTES_MAX, arguments_of, to_json

PIXEL = base64.b64encode(
    b"\x89PNG\r\n\x1a\n" + bytes.fromhex("0000000d49484452000000010000000108060000001f15c489")
).decode()
NOBODY: Any = None
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
CALLS = st.lists(
    st.builds(
        ToolCall,
        function=st.builds(
            ToolFunction,
            name=TEXT.filter(bool),
            arguments=st.dictionaries(TEXT, st.none() | st.integers(-(2**53), 2**53) | TEXT),
            index=st.integers(0, 9),
        ),
        id=TEXT,
    ),
    max_size=2,
).map(tuple)
MESSAGES = st.lists(
    st.builds(
        Message,
        role=st.sampled_from(["user", "assistant", "tool"]),
        content=TEXT,
        thinking=st.none() | TEXT,
        images=st.just(()) | st.just((PIXEL,)),
        tool_calls=CALLS,
        tool_name=st.none() | TEXT,
        tool_call_id=st.none() | TEXT,
    ),
    max_size=6,
)


@attrs.frozen
class City:
    """What an answer can be."""

    name: str


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@given(MESSAGES, st.none() | TEXT)
def test_a_chat_comes_back_as_it_was(history: list[Message], system: str | None) -> None:
    """Each message with all its parts, images included."""
    settings, made = make_settings("m", system=system, history=history)
    text = to_json(settings, made)
    again, said = make_settings(**arguments_of(text, {}))
    assert said == made == tuple(history)
    assert again == settings
    assert to_json(again, said) == text


def test_settings_come_back() -> None:
    """Also those that have other forms in Python."""
    chat = Chat(
        NOBODY,
        "m",
        format={"type": "object"},
        options=Options(temperature=0.5, num_predict=50),
        keep_alive=timedelta(minutes=5),
        think="low",
        truncate=False,
        tokens_max=4_000,
        keeps_thinking=True,
        tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}],
    )
    again = Chat.from_json(NOBODY, chat.to_json())
    assert again._desk.settings == chat._desk.settings
    assert json.loads(chat.to_json())["version"] == 1
    assert Chat.from_json(NOBODY, chat.to_json().encode(), tokens_max=9_000).to_json() != (
        chat.to_json()
    )


async def test_it_goes_on_where_it_was() -> None:
    """The next turn has what was said before."""
    async with scripted("One.", "Two.") as (engine, script):
        chat = engine.conversation("m", system="Be brief.")
        await chat.ask("First?")
        again = Chat.from_json(engine, chat.to_json())
        await again.ask("Second?")
    assert [each["content"] for each in script.asked[1]["messages"]] == [
        *("Be brief.", "First?", "One.", "Second?")
    ]


def test_functions_and_classes_are_given_anew() -> None:
    """They are saved by name; without them the error says what is missing."""
    text = Chat(NOBODY, "m", tools=[add]).to_json()
    with pytest.raises(ChatFileError, match=r"tools add, .* give them as tools="):
        Chat.from_json(NOBODY, text)
    assert Chat.from_json(NOBODY, text, tools=[add])._desk.settings.is_running_tools
    assert Chat.from_json(NOBODY, text, tools=())._desk.settings.definitions is None
    text = Chat(NOBODY, "m", format=City).to_json()
    with pytest.raises(ChatFileError, match="objects of City"):
        Chat.from_json(NOBODY, text)
    formed: Chat[City] = Chat.from_json(NOBODY, text, format=City)
    assert formed._desk.settings.form is not None
    plain: Chat[ChatResponse] = Chat.from_json(NOBODY, text, format=None)
    assert plain._desk.settings.form is None


def changed(**parts: Any) -> str:
    """A saved chat with other parts; None leaves one out."""
    chat = json.loads(Chat(NOBODY, "m").to_json()) | parts
    return json.dumps({name: part for name, part in chat.items() if part is not ...})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no saved chat"),
        ('{"messages": []}', "no saved chat"),
        (5, "text, not int"),
        (changed(version=2), "version 2, and this triollama reads up to 1"),
        (changed(version="1"), "version must be"),
        (changed(version=0), "version must be"),
        (changed(model=...), "has no model"),
        (changed(model=5), "model of the saved chat must be str, not int"),
        (changed(messages=...), "has no messages"),
        (changed(messages={}), "must be list, not dict"),
        (changed(messages=[{"content": "x"}]), r"messages\[0\] has no role"),
        (changed(messages=[{"role": "user", "images": ["?"]}]), r"messages\[0\]\.images\[0\]"),
        (changed(system=5), "system"),
        (changed(settings=[]), "settings"),
        (changed(settings={"engine": 1, "history": 2}), "does not know: engine, history"),
        (changed(tools=5), "tools"),
        (" " * (CHAT_BYTES_MAX + 1), "at most"),
    ],
    ids=range(21),
)
def test_what_is_no_saved_chat(text: Any, told: str) -> None:
    """One line that says what is wrong, and nothing of what was said."""
    with pytest.raises(ChatFileError, match=told) as error:
        Chat.from_json(NOBODY, text)
    assert "\n" not in str(error.value)


def test_a_limit_can_be_given_up() -> None:
    """The room for the answer goes with it; one that nobody gave is not saved."""
    chat = Chat(NOBODY, "m", tokens_max=4_000, answer_tokens=500)
    assert Chat.from_json(NOBODY, chat.to_json()).to_json() == chat.to_json()
    without = json.loads(Chat.from_json(NOBODY, chat.to_json(), tokens_max=None).to_json())
    assert "tokens_max" not in without["settings"]
    by_default = Chat(NOBODY, "m", tokens_max=4_000).to_json()
    options = {"num_predict": 3_999}
    assert Chat.from_json(NOBODY, by_default, options=options).model == "m"
    with pytest.raises(InvalidRequestError, match="leave nothing of tokens_max"):
        Chat.from_json(NOBODY, by_default, options={"num_predict": 4_000})


def test_settings_that_make_no_sense() -> None:
    """By the rules of a new chat."""
    with pytest.raises(InvalidRequestError, match="keep_alive"):
        Chat.from_json(NOBODY, changed(settings={"keep_alive": "soon"}))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists) | st.text())
def test_anything_else_is_refused(value: Any) -> None:
    """Never by another error than this."""
    for text in (json.dumps(value), str(value), changed(messages=value), changed(settings=value)):
        with suppress(ChatFileError, InvalidRequestError):
            Chat.from_json(NOBODY, text)


def test_half_of_a_pair_cannot_be_saved() -> None:
    """Said without the text."""
    chat = Chat(NOBODY, "m", history=[{"role": "user", "content": "x\ud800"}])
    with pytest.raises(InvalidRequestError, match="lone surrogate"):
        chat.to_json()
