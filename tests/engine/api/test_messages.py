"""Messages and tool calls in all their forms."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import msgspec
import ollama
import pytest

from triollama._errors import InvalidRequestError
from triollama.api import ChatRequest, Message, ToolCall, ToolFunction, needs_files
from triollama.api.messages import prepare_messages, read_files


class Dumped:
    """An object that is only known by its model_dump()."""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def model_dump(self) -> dict[str, Any]:
        """Give the fields, as pydantic does."""
        return self._fields


def test_a_text_is_one_user_message() -> None:
    """The shortest form there is."""
    assert prepare_messages("hi") == (Message(role="user", content="hi"),)


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_no_messages_are_allowed(nothing: Any) -> None:
    """They only load the model."""
    assert prepare_messages(nothing) == ()


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "hi", "unknown": 1, "thinking": None},
        Message(role="user", content="hi"),
        ollama.Message(role="user", content="hi"),
        Dumped(role="user", content="hi"),
    ],
)
def test_every_form_gives_the_same_message(message: object) -> None:
    """Mappings, our class, the official client's, and anything that can be dumped."""
    assert prepare_messages([message]) == (Message(role="user", content="hi"),)
    assert prepare_messages((message,)) == (Message(role="user", content="hi"),)


def test_a_tool_call_survives_from_every_form() -> None:
    """An answer's tool calls can be sent back, ours and the official client's."""
    function = {"name": "f", "arguments": {"x": None}}
    call = ToolCall(ToolFunction("f", {"x": None}, 2), "call_1")
    ours = prepare_messages([Message(role="assistant", tool_calls=(call,))])
    mapped = prepare_messages(
        [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {**function, "index": 2}}
                ],
            }
        ]
    )
    official = prepare_messages(
        [ollama.Message(role="assistant", tool_calls=[{"function": function}])]
    )
    assert ours == mapped
    assert ours[0].tool_calls == (call,)
    assert official[0].tool_calls[0].function == ToolFunction("f", {"x": None}, 0)


def test_a_message_is_written_with_role_and_content() -> None:
    """Both are there even when empty; what is unset is left out."""
    assert msgspec.json.encode(Message()) == b'{"role":"","content":""}'
    result = Message(role="tool", content="4", tool_name="f", tool_call_id="c")
    assert msgspec.json.decode(msgspec.json.encode(result)) == {
        "role": "tool",
        "content": "4",
        "tool_name": "f",
        "tool_call_id": "c",
    }


def test_arguments_are_always_written() -> None:
    """A call without arguments has an empty object."""
    call = ToolCall(ToolFunction("f"))
    assert msgspec.json.decode(msgspec.json.encode(call)) == {
        "function": {"name": "f", "arguments": {}, "index": 0}
    }


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        (3, "messages must be"),
        (b"hi", "messages must be"),
        ({"role": "user"}, "messages must be"),
        (["s3cret"], r"messages\[0\] must be"),
        ([None], r"messages\[0\] must be"),
        ([{"role": "user"}, {"content": "s3cret"}], r"messages\[1\] has no role"),
        ([{"role": "", "content": "s3cret"}], "has no role"),
        ([{"role": 3}], r"messages\[0\]\.role must be a str, not int"),
        ([{"role": "user", "content": [{"type": "text", "text": "s3cret"}]}], "images go into"),
        ([{"role": "user", "thinking": 1}], "thinking must be a str"),
        ([{"role": "user", "images": "s3cret"}], r"images must be a list"),
        ([{"role": "user", "images": ["s3cret!"]}], r"images\[0\] is neither"),
        ([{"role": "user", "images": [3]}], r"images\[0\] must be bytes"),
        ([{"role": "a", "tool_calls": {}}], "tool_calls must be a list"),
        ([{"role": "a", "tool_calls": [{}]}], r"tool_calls\[0\] has no function.name"),
        (
            [
                {
                    "role": "a",
                    "tool_calls": [{"function": {"name": "f", "arguments": '{"s3cret":1}'}}],
                }
            ],
            "arguments must be a mapping, not str",
        ),
        (
            [
                {
                    "role": "a",
                    "tool_calls": [{"function": {"name": "f", "arguments": {"x": math.nan}}}],
                }
            ],
            "NaN",
        ),
        ([{"role": "a", "tool_calls": [{"id": 1, "function": {"name": "f"}}]}], "id a str"),
    ],
)
def test_a_bad_message_is_refused_by_place(messages: Any, told: str) -> None:
    """The message says which message and field, and repeats nothing of it."""
    with pytest.raises(InvalidRequestError, match=told) as caught:
        prepare_messages(messages)
    assert "s3cret" not in str(caught.value)


def nested(levels: int) -> dict[str, Any]:
    """An object with this many levels."""
    value: dict[str, Any] = {}
    for _ in range(levels - 1):
        value = {"x": value}
    return value


def test_arguments_have_a_depth_limit() -> None:
    """64 levels pass, 65 do not."""

    def messages(levels: int) -> list[dict[str, Any]]:
        function = {"name": "f", "arguments": nested(levels)}
        return [{"role": "assistant", "tool_calls": [{"function": function}]}]

    assert prepare_messages(messages(63))
    assert prepare_messages(messages(64))
    with pytest.raises(InvalidRequestError, match="deeper than 64"):
        prepare_messages(messages(65))


def test_later_changes_do_not_reach_a_request() -> None:
    """What was checked is a copy."""
    arguments = {"x": [1]}
    (message,) = prepare_messages(
        [{"role": "a", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}]
    )
    arguments["x"].append(math.nan)
    assert message.tool_calls[0].function.arguments == {"x": [1]}


def test_images_become_base64(png: bytes, png_base64: str) -> None:
    """Bytes in any form and base64 text are accepted without touching the disk."""
    images = [png, bytearray(png), memoryview(png), png_base64, ollama.Image(value=png)]
    (message,) = prepare_messages([{"role": "user", "content": "", "images": images}])
    assert message.images == (png_base64,) * 5


def test_files_are_read_only_by_the_reading_function(
    tmp_path: Path, png: bytes, png_base64: str
) -> None:
    """A path needs a file, is refused by the pure part, and is read by `ChatRequest.make`."""
    path = tmp_path / "cat.png"
    path.write_bytes(png)
    for image in (path, str(path), ollama.Image(value=path), ollama.Image(value=str(path))):
        for message in (
            {"role": "user", "content": "what is it?", "images": [image]},
            Message(role="user", content="what is it?", images=(image,)),
            ollama.Message(
                role="user",
                content="what is it?",
                images=[ollama.Image(value=getattr(image, "value", image))],
            ),
        ):
            assert needs_files([message])
            with pytest.raises(InvalidRequestError):
                prepare_messages([message])
            request = ChatRequest.make("m", [message])
            assert request.messages == (
                Message(role="user", content="what is it?", images=(png_base64,)),
            )


@pytest.mark.parametrize(
    "messages",
    [
        None,
        "text",
        3,
        [],
        ["x"],
        [None],
        [{"role": "user"}],
        [{"images": None}],
        [{"images": "x"}],
        [{"images": [b"x"]}],
        [{"images": ["A" * 4097]}],
        iter([{"images": ["x"]}]),
    ],
)
def test_most_messages_need_no_files(messages: object) -> None:
    """Only paths and short texts in `images` may be files; bad input is left to the checks."""
    assert not needs_files(messages)
    assert read_files(messages) is messages


def test_nothing_is_shown_in_repr() -> None:
    """Content, images and arguments are told by their size; equal texts look equal."""
    call = ToolCall(ToolFunction("f", {"k": "s3cret"}))
    message = Message(role="user", content="s3cret", images=("s3cret",), tool_calls=(call,))
    assert "s3cret" not in f"{message!r} {call!r}"
    assert "<6 long, #" in repr(message)
    assert repr(Message(content="a")) == repr(Message(content="a")) != repr(Message(content="b"))
