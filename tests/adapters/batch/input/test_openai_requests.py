"""Lines of OpenAI's batch format into requests, as Ollama's own /v1 maps them."""

import base64
import json
from typing import Any

import pytest

from triollama.api import ChatRequest, EmbedRequest, GenerateRequest
from triollama_adapters.batch.fields import UnusableError, fields_of
from triollama_adapters.batch.input.openai_requests import OpenAIRequests
from triollama_adapters.batch.input.plan import Plan
from triollama_adapters.batch.rows import Ask

SAY = [{"role": "user", "content": "sesame"}]
NEUTRAL = {"temperature": 1.0, "top_p": 1.0}
PICTURE = base64.b64encode(b"picture").decode()


def ask(path: str, body: Any, plan: Plan | None = None, **more: Any) -> Ask:
    """What a line asks; its arguments are such as the engine takes."""
    row = {"custom_id": "a", "method": "POST", "url": f"/v1/{path}", "body": body} | more
    made = OpenAIRequests(plan or Plan()).ask(fields_of(json.dumps(row).encode(), 1))
    kinds = {"chat": ChatRequest, "generate": GenerateRequest, "embed": EmbedRequest}
    kinds[made.kind](**made.arguments).body()
    return made


def chat(body: dict[str, Any], plan: Plan | None = None) -> dict[str, Any]:
    """The arguments of a chat, without what is always there."""
    made = dict(ask("chat/completions", {"model": "m", "messages": SAY} | body, plan).arguments)
    assert made.pop("model") == "m"
    return made


def refused(path: str, body: Any, **more: Any) -> UnusableError:
    """Why a line asks nothing; its text is never told."""
    with pytest.raises(UnusableError) as caught:
        ask(path, body, **more)
    assert "sesame" not in caught.value.what
    return caught.value


@pytest.mark.parametrize(
    ("body", "made"),
    [
        ({}, {"options": NEUTRAL}),
        ({"max_tokens": 9}, {"options": {**NEUTRAL, "num_predict": 9}}),
        ({"temperature": 0, "top_p": 0.5}, {"options": {"temperature": 0.0, "top_p": 0.5}}),
        ({"stop": "x", "seed": 3}, {"options": {**NEUTRAL, "stop": ["x"], "seed": 3}}),
        ({"stop": ["x", "y"]}, {"options": {**NEUTRAL, "stop": ["x", "y"]}}),
        (
            {"frequency_penalty": 0.5, "presence_penalty": 1},
            {"options": {**NEUTRAL, "frequency_penalty": 0.5, "presence_penalty": 1.0}},
        ),
        ({"response_format": {"type": "text"}}, {"options": NEUTRAL}),
        ({"response_format": {"type": "json_object"}}, {"format": "json", "options": NEUTRAL}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": {"a": 1}}}},
            {"format": {"a": 1}, "options": NEUTRAL},
        ),
        ({"reasoning_effort": "none"}, {"think": False, "options": NEUTRAL}),
        ({"reasoning_effort": "minimal"}, {"think": "low", "options": NEUTRAL}),
        (
            {"reasoning": {"effort": "xhigh"}, "reasoning_effort": "low"},
            {"think": "max", "options": NEUTRAL},
        ),
        (
            {"logprobs": True, "top_logprobs": 2},
            {"logprobs": True, "top_logprobs": 2, "options": NEUTRAL},
        ),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
            {
                "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
                "options": NEUTRAL,
            },
        ),
    ],
)
def test_a_chat_is_mapped(body: dict[str, Any], made: dict[str, Any]) -> None:
    """Each field of the body that Ollama heeds."""
    assert chat(body) == {"messages": SAY, **made}


def test_a_body_goes_before_the_plan() -> None:
    """And the plan before what /v1 takes for granted."""
    plan = Plan(options={"temperature": 0.2, "seed": 1, "num_ctx": 9}, think=True)
    made = chat({"seed": 2}, plan)
    assert made["options"] == {"temperature": 0.2, "top_p": 1.0, "seed": 2, "num_ctx": 9}
    assert made["think"] is True


def test_a_model_of_openai_can_be_another_here() -> None:
    """Files that were written for OpenAI name models that no Ollama has."""
    plan = Plan(models={"gpt-4o": "llama3.2"}, model="other")
    assert ask("chat/completions", {"model": "gpt-4o", "messages": SAY}, plan).model == "llama3.2"
    assert ask("chat/completions", {"messages": SAY}, plan).model == "other"


def test_what_is_not_heeded_is_named() -> None:
    """Fields that would change the answer elsewhere; those that never do are not told."""
    body = {"model": "m", "messages": SAY, "n": 2, "max_completion_tokens": 5, "user": "u"}
    made = ask("chat/completions", body)
    assert made.ignored == ("max_completion_tokens", "n")
    assert made.arguments["options"] == NEUTRAL


def test_parts_become_messages() -> None:
    """Each part its own; an image without its data URI, as bytes."""
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}},
        {"type": "image_url", "image_url": f"data:;base64,{PICTURE}"},
        {"type": "input_audio", "input_audio": {"data": PICTURE, "format": "wav"}},
    ]
    picture = {"role": "user", "content": "", "images": [b"picture"]}
    messages = chat({"messages": [{"role": "user", "content": parts}]})["messages"]
    assert messages == [{"role": "user", "content": "look"}, picture, picture, picture]


def test_tool_calls_and_their_results_are_mapped() -> None:
    """Arguments are decoded; a result is told whose it is."""
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning": "hm"},
        {"role": "tool", "content": "2", "tool_call_id": "c1"},
        {"role": "tool", "content": "3", "name": "g"},
    ]
    assert chat({"messages": messages})["messages"] == [
        {
            "role": "assistant",
            "content": "",
            "thinking": "hm",
            "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": {"x": 1}}}],
        },
        {"role": "tool", "content": "2", "tool_call_id": "c1", "tool_name": "f"},
        {"role": "tool", "content": "3", "tool_name": "g"},
    ]


def test_a_completion_and_an_embedding_are_mapped() -> None:
    """The other two addresses."""
    made = ask("completions", {"model": "m", "prompt": "x", "suffix": "y", "max_tokens": 3})
    options = {**NEUTRAL, "num_predict": 3}
    assert made == Ask(
        "generate", {"model": "m", "prompt": "x", "suffix": "y", "options": options}, "a"
    )
    made = ask("embeddings", {"model": "m", "input": ["x"], "dimensions": 2})
    assert made == Ask("embed", {"model": "m", "input": ["x"], "dimensions": 2}, "a")
    made = ask("embeddings", {"model": "m", "input": "x", "encoding_format": "Base64"})
    assert made.encoding == "base64"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"messages": []}, "messages is empty"),
        ({}, "missing required field `messages`"),
        ({"messages": "sesame"}, "Expected `array`"),
        ({"messages": [{"content": "sesame"}]}, "missing required field `role`"),
        ({"messages": [{"role": "user", "content": 7}]}, "`$.messages[0].content`"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content is missing"),
        ({"messages": [{"role": "user", "content": [{"type": "sesame"}]}]}, "is none of text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}]},
            "messages[0].content[0] is no image in base64",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "input_audio", "input_audio": {"data": "/sesame"}}],
                    }
                ]
            },
            "is not base64",
        ),
        (
            {
                "messages": [
                    {"role": "a", "tool_calls": [{"function": {"name": "f", "arguments": "[]"}}]}
                ]
            },
            "arguments are no JSON object",
        ),
        ({"messages": SAY, "max_tokens": "sesame"}, "Expected `int | null`"),
        ({"messages": SAY, "reasoning_effort": "sesame"}, "reasoning effort"),
        ({"messages": SAY, "temperature": "sesame"}, "Expected `float | null`"),
    ],
)
def test_a_chat_that_is_not_usable_is_told(body: dict[str, Any], words: str) -> None:
    """Where it is wrong, and nothing of what stands there."""
    error = refused("chat/completions", {"model": "m", **body})
    assert error.kind == "RequestNotUsable"
    assert words in error.what


@pytest.mark.parametrize(
    ("url", "body", "words"),
    [
        ("sesame", {}, "none of /v1/chat/completions"),
        ("completions", {"model": "m", "prompt": ["sesame"]}, "Expected `str`"),
        ("embeddings", {"model": "m", "input": [1, 2]}, "Expected `str`"),
        ("embeddings", {"model": "m", "input": []}, "empty list"),
        ("embeddings", {"model": "m", "input": "x", "encoding_format": "sesame"}, "neither float"),
        ("chat/completions", "sesame", "Expected `object`"),
        ("chat/completions", None, "Expected `object`"),
    ],
)
def test_a_line_that_is_not_usable_is_told(url: str, body: Any, words: str) -> None:
    """The other addresses, and bodies that are none."""
    error = refused(url, body)
    assert error.kind == "RequestNotUsable"
    assert words in error.what


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"custom_id": None}, "CustomIdMissing"),
        ({"custom_id": 7}, "CustomIdMissing"),
        ({"custom_id": ""}, "CustomIdMissing"),
        ({"method": "sesame"}, "RequestNotUsable"),
        ({"url": None}, "RequestNotUsable"),
    ],
)
def test_what_is_around_the_body_is_checked(more: dict[str, Any], kind: str) -> None:
    """Each line has a name of its own, and is a POST to a known address."""
    assert refused("chat/completions", {"model": "m", "messages": SAY}, **more).kind == kind


def test_a_model_must_be_named_somewhere() -> None:
    """By the body or for all."""
    assert refused("chat/completions", {"messages": SAY}).kind == "ModelMissing"


@pytest.mark.parametrize("depth", [500, 1_000, 2_000])
def test_a_body_that_is_too_deep_ends_the_row_only(depth: int) -> None:
    """Whoever finds it first, the program goes on."""
    line = b'{"custom_id": "a", "url": "/v1/chat/completions", "body": {"model": "m", "tools": %s}}'
    with pytest.raises(UnusableError):
        OpenAIRequests(Plan()).ask(fields_of(line % (b"[" * depth + b"]" * depth), 1))
