"""How the rest of a broken answer is asked for: the table of ways, and the calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from triollama.actors.streams.messages import Call, OnBreak
from triollama.actors.streams.resume import (
    REPEATS_MAX,
    Delivered,
    Way,
    chat_with,
    choose_way,
    is_repetitive,
    is_spent,
    make_call,
    prompt_with,
    render_call,
)
from triollama.api import ChatRequest, GenerateRequest, Message, ToolCall

EXACT = {"seed": 1, "temperature": 0}
CALLS = (ToolCall(),)
TEXT = Delivered("some text", tokens=2)
THOUGHT = Delivered(thinking="hm", tokens=1)
BOTH = Delivered("so", "hm", tokens=2)
CALLED = Delivered("so", tool_calls=CALLS, tokens=2)


def chat(**fields: Any) -> ChatRequest:
    """A chat of one message."""
    return ChatRequest.make("m", fields.pop("messages", "why?"), **fields)


def generate(**fields: Any) -> GenerateRequest:
    """A completion."""
    return GenerateRequest.make("m", "why?", **fields)


def body(call: Call) -> dict[str, Any]:
    """What is sent."""
    decoded: dict[str, Any] = json.loads(call.body)
    return decoded


CONTINUE = [
    ("a chat in its text", chat(), TEXT, Way.CHAT),
    ("a chat that has thought before", chat(), BOTH, Way.CHAT),
    ("a chat with tools that called none", chat(tools=[]), TEXT, Way.CHAT),
    ("a raw prompt", generate(raw=True), TEXT, Way.RAW),
    ("a prompt", generate(), TEXT, Way.RENDERED),
    ("a prompt with an end", generate(suffix="end"), TEXT, Way.RENDERED),
    ("thinking that was cut", chat(), THOUGHT, None),
    ("a prompt that has thought", generate(), BOTH, None),
    ("tool calls", chat(), CALLED, None),
    ("a structured output", chat(format="json"), TEXT, None),
    ("thinking that was cut, repeatable", chat(options=EXACT), THOUGHT, Way.REPLAY),
    ("a structured output, repeatable", generate(format="json", options=EXACT), TEXT, Way.REPLAY),
    ("tool calls, repeatable", chat(options=EXACT), CALLED, Way.REPLAY),
    ("a chat, repeatable", chat(options=EXACT), TEXT, Way.CHAT),
    ("warm", chat(format="json", options={"seed": 1, "temperature": 0.1}), TEXT, None),
    ("without a seed", chat(format="json", options={"temperature": 0}), TEXT, None),
    ("with a drawn seed", chat(format="json", options=EXACT | {"seed": -1}), TEXT, None),
]


@pytest.mark.parametrize(
    ("request_", "delivered", "way"),
    [row[1:] for row in CONTINUE],
    ids=[row[0] for row in CONTINUE],
)
def test_the_table_of_ways(
    request_: ChatRequest | GenerateRequest, delivered: Delivered, way: Way | None
) -> None:
    """What the request allows decides; what cannot be gone on with is None."""
    assert choose_way(request_, delivered, OnBreak.CONTINUE) is way


@pytest.mark.parametrize("on_break", OnBreak)
def test_what_is_not_there_yet_is_asked_for_again(on_break: OnBreak) -> None:
    """Nothing has arrived, or the answer is a document: the same request, whatever is wanted."""
    assert choose_way(chat(), Delivered(), on_break) is Way.RESEND
    assert choose_way(None, Delivered(), on_break) is Way.RESEND


def test_what_the_caller_wants_counts() -> None:
    """With ``restart`` the answer begins anew, with ``raise`` it ends."""
    assert choose_way(chat(), TEXT, OnBreak.RESTART) is Way.RESTART
    assert choose_way(chat(), TEXT, OnBreak.RAISE) is None
    assert choose_way(chat(options=EXACT), CALLED, OnBreak.RAISE) is None


@pytest.mark.parametrize("on_break", OnBreak)
def test_what_nobody_has_seen_is_never_lost(on_break: OnBreak) -> None:
    """Where the reader has seen nothing, the request can always be made again."""
    unseen = Delivered("so", "hm", CALLS, 3, seen=False)
    way = choose_way(chat(format="json"), unseen, on_break)
    assert way is Way.RESTART


def test_a_chat_goes_on_behind_its_own_text() -> None:
    """The text so far is the last message, of the assistant; the rest is as it was."""
    request = chat(options={"num_predict": 10, "top_k": 3}, keep_alive="5m")
    sent = body(chat_with(request, Delivered("so far", "hm", tokens=4)))
    assert sent["messages"] == [
        {"role": "user", "content": "why?"},
        {"role": "assistant", "content": "so far", "thinking": "hm"},
    ]
    assert sent["options"] == {"num_predict": 6, "top_k": 3}
    assert (sent["keep_alive"], sent["stream"]) == ("5m", True)


def test_a_message_that_was_begun_is_made_longer() -> None:
    """A second message of the assistant would be joined with a blank line: there is only one."""
    begun = [Message(role="user", content="a"), Message(role="Assistant", content="I")]
    sent = body(chat_with(chat(messages=begun), Delivered(" am", tokens=1)))
    assert [each["content"] for each in sent["messages"]] == ["a", "I am"]


def test_a_prompt_goes_on_as_it_is_rendered() -> None:
    """What made the prompt is left out, since it is in it; the answer is not to be parsed."""
    request = generate(system="s", template="{{ .Prompt }}", suffix="end", images=[b"\x89PNG"])
    sent = body(prompt_with(request, "<user>why?<model>", TEXT))
    assert sent["prompt"] == "<user>why?<model>some text"
    assert (sent["raw"], sent["think"]) == (True, False)
    assert not {"system", "template", "suffix", "context"} & set(sent)
    assert sent["images"]


def test_a_raw_prompt_stays_as_it_is() -> None:
    """Only the text so far is put behind it."""
    sent = body(prompt_with(generate(raw=True), "why?", TEXT))
    assert (sent["prompt"], sent["raw"]) == ("why?some text", True)
    assert "think" not in sent


def test_the_prompt_is_asked_for_without_an_answer() -> None:
    """The rendered prompt is one document, and no token is generated for it."""
    call = render_call(generate(system="s"))
    sent = body(call)
    assert (sent["_debug_render_only"], sent["stream"], sent["system"]) == (True, False, "s")
    assert not call.wants_stream


@pytest.mark.parametrize(("limit", "spent"), [(2, True), (1, True), (3, False), (-1, False)])
def test_an_answer_with_all_its_tokens_is_spent(limit: int, *, spent: bool) -> None:
    """Only its last line is missing then; to ask for more would give a token too many."""
    assert is_spent(chat(options={"num_predict": limit}), TEXT) is spent
    assert not is_spent(chat(), TEXT)
    assert not is_spent(None, Delivered())


def test_the_whole_request_stays_with_its_call() -> None:
    """It is what the rest is made of; its ``repr`` has no prompt."""
    request = chat(options={"num_ctx": 512})
    call = make_call(request)
    assert call.request is request
    assert call.runner == request.runner_options != ()
    assert "why?" not in repr(call)
    assert "some text" not in repr(TEXT)


@pytest.mark.parametrize(
    ("text", "repeats"),
    [
        ("na " * REPEATS_MAX, True),
        ("well " + "na\n" * (REPEATS_MAX + 1), True),
        ("na " * (REPEATS_MAX - 1), False),
        ("the same words, " * REPEATS_MAX, True),
        (" ".join(str(number) for number in range(1_000)), False),
        ("", False),
    ],
)
def test_a_text_that_repeats_itself_is_known(text: str, *, repeats: bool) -> None:
    """Ollama ends such an answer silently, and it must not be mistaken for a broken one."""
    assert is_repetitive(text) is repeats
