"""A turn as the body of a request."""

from __future__ import annotations

import json
from typing import Any

import pytest

from triollama_adapters.loadtest.plan import Api
from triollama_adapters.loadtest.sessions import Turn
from triollama_adapters.loadtest.targets.asker import History
from triollama_adapters.loadtest.targets.bodies import encode_body

SAID: History = [
    {"role": "user", "content": "Hello"},
    {"role": "assistant", "content": "Hi"},
]


def body(make_session: Any, api: Api, turn: Turn, history: History, **fields: Any) -> Any:
    """The decoded body."""
    return json.loads(encode_body(api, make_session(turn, **fields), turn, history))


def test_a_chat(make_session: Any) -> None:
    """System, history and the user's words, in this order; unset fields are left out."""
    fields = {"system": "Be brief.", "options": {"num_ctx": 2048}}
    assert body(make_session, "chat", Turn("why?", num_predict=5), SAID, **fields) == {
        "model": "llama3.2",
        "messages": [
            {"role": "system", "content": "Be brief."},
            *SAID,
            {"role": "user", "content": "why?"},
        ],
        "stream": True,
        "options": {"num_ctx": 2048, "num_predict": 5},
    }


def test_a_length_is_left_to_the_model(make_session: Any) -> None:
    """Then there are no options at all."""
    assert "options" not in body(make_session, "chat", Turn("why?"), [])


def test_tools_format_and_pictures(make_session: Any) -> None:
    """As on the wire."""
    tool = {"type": "function", "function": {"name": "look"}}
    made = body(make_session, "chat", Turn("?", images=("aGk=",)), [], tools=(tool,), format="json")
    assert (made["tools"], made["format"]) == ([tool], "json")
    assert made["messages"][-1]["images"] == ["aGk="]


@pytest.mark.parametrize("api", ["chat", "generate"])
def test_thinking_is_left_to_the_model_or_told(make_session: Any, api: Api) -> None:
    """That it is not wanted is something else than nothing."""
    assert "think" not in body(make_session, api, Turn("?"), [])
    for think in (True, False):
        assert body(make_session, api, Turn("?"), [], think=think)["think"] is think


def test_a_completion_has_no_history(make_session: Any) -> None:
    """Its prompt is the turn's alone."""
    made = body(make_session, "generate", Turn("why?", num_predict=5), SAID, system="Be brief.")
    assert made == {
        "model": "llama3.2",
        "prompt": "why?",
        "system": "Be brief.",
        "stream": True,
        "options": {"num_predict": 5},
    }


def test_an_embedding(make_session: Any) -> None:
    """Its input is the prompt, and its length says nothing."""
    made = body(make_session, "embed", Turn("why?", num_predict=5), [])
    assert made == {"model": "llama3.2", "input": "why?"}


def test_openai(make_session: Any) -> None:
    """`num_predict` is ``max_tokens``; usage is asked for; options of Ollama alone are left out."""
    options = {"temperature": 0, "seed": 3, "num_ctx": 2048}
    assert body(make_session, "openai", Turn("why?", num_predict=5), SAID, options=options) == {
        "model": "llama3.2",
        "messages": [*SAID, {"role": "user", "content": "why?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 5,
        "temperature": 0,
        "seed": 3,
    }


@pytest.mark.parametrize(
    ("image", "kind"), [("/9j/4AAQ", "jpeg"), ("iVBORw0K", "png"), ("UklGRg", "webp")]
)
def test_a_picture_for_openai(make_session: Any, image: str, kind: str) -> None:
    """A data URI, its type told by how it begins."""
    made = body(make_session, "openai", Turn("?", images=(image,)), [])
    [words, picture] = made["messages"][0]["content"]
    assert words == {"type": "text", "text": "?"}
    assert picture["image_url"]["url"] == f"data:image/{kind};base64,{image}"


def test_a_format_for_openai(make_session: Any) -> None:
    """A schema, or any JSON."""
    schema = {"type": "object"}
    made = body(make_session, "openai", Turn("?"), [], format=schema)
    assert made["response_format"]["json_schema"]["schema"] == schema
    made = body(make_session, "openai", Turn("?"), [], format="json")
    assert made["response_format"] == {"type": "json_object"}
