"""``/v1/messages`` and ``/v1/responses`` as ``ollama-api.md`` §7.3 and §7.4 have them."""

from __future__ import annotations

import json
from typing import Any

import pytest

TOOL = {"name": "weather", "description": "x", "input_schema": {"type": "object"}}
FUNCTION = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
HELLO = [{"role": "user", "content": "hello"}]


def message(bench: Any, **fields: Any) -> Any:
    """Ask for a message."""
    asked = {"model": "llama3.2", "max_tokens": 4, "messages": HELLO}
    return bench.ask("/v1/messages", **(asked | fields))


def respond(bench: Any, **fields: Any) -> Any:
    """Ask for a response."""
    asked = {"model": "llama3.2", "max_output_tokens": 4, "input": "hello"}
    return bench.ask("/v1/responses", **(asked | fields))


def events(call: Any) -> list[dict[str, Any]]:
    """The events of a stream; the kind of each stands before it and in it."""
    assert call.headers["content-type"] == "text/event-stream"
    assert call.headers["cache-control"] == "no-cache"
    found = []
    for block in call.body.decode().removesuffix("\n\n").split("\n\n"):
        kind, data = block.split("\n")
        found.append(json.loads(data.removeprefix("data: ")))
        assert kind == f"event: {found[-1]['type']}"
    return found


def kinds(found: list[dict[str, Any]]) -> list[str]:
    """The kinds of events, neighbours of the same kind once."""
    said = [event["type"] for event in found]
    return [kind for at, kind in enumerate(said) if not at or said[at - 1] != kind]


def native(bench: Any, model: str = "llama3.2", tokens: int = 4) -> dict[str, Any]:
    """What the native chat says."""
    options = {"num_predict": tokens}
    answer: dict[str, Any] = bench.ask(
        "/api/chat", model=model, messages=HELLO, options=options, stream=False
    ).json
    return answer


def test_a_message(bench: Any) -> None:
    """One object, with the words of the native chat and its counts."""
    whole, chat = message(bench).json, native(bench)
    assert whole["content"] == [{"type": "text", "text": chat["message"]["content"]}]
    assert (whole["type"], whole["role"], whole["stop_reason"]) == (
        "message",
        "assistant",
        "max_tokens",
    )
    counts = {"input_tokens": chat["prompt_eval_count"], "output_tokens": 4}
    assert whole["usage"] == counts
    assert whole["id"].startswith("msg_")
    assert len(whole["id"]) == 28


def test_g47_a_streamed_message(bench: Any) -> None:
    """Blocks one behind the other; the real counts stand at the end."""
    found = events(message(bench, model="qwen3:0.6b", stream=True, max_tokens=500))
    assert kinds(found) == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert found[0]["message"]["usage"] == {"input_tokens": 1, "output_tokens": 0}
    starts = [event for event in found if event["type"] == "content_block_start"]
    assert [(start["index"], start["content_block"]["type"]) for start in starts] == [
        (0, "thinking"),
        (1, "text"),
    ]
    chat = native(bench, "qwen3:0.6b", tokens=500)
    deltas = [event["delta"] for event in found if event["type"] == "content_block_delta"]
    assert "".join(delta.get("text", "") for delta in deltas) == chat["message"]["content"]
    assert "".join(delta.get("thinking", "") for delta in deltas) == chat["message"]["thinking"]
    assert found[-2]["delta"] == {"stop_reason": "end_turn"}
    assert found[-2]["usage"]["output_tokens"] == chat["eval_count"]


def test_a_message_that_calls_a_tool(bench: Any) -> None:
    """The arguments come in one piece; the results go back as messages of a tool."""
    asked = [{"role": "user", "content": [{"type": "text", "text": "the weather?"}]}]
    found = events(message(bench, messages=asked, tools=[TOOL], max_tokens=99, stream=True))
    start, delta, stop = found[1:4]
    assert (start["content_block"]["type"], start["content_block"]["name"]) == (
        "tool_use",
        "weather",
    )
    assert json.loads(delta["delta"]["partial_json"]) == {}
    assert (stop["type"], found[-2]["delta"]["stop_reason"]) == ("content_block_stop", "tool_use")
    whole = message(bench, messages=asked, tools=[TOOL], max_tokens=99).json
    [block] = whole["content"]
    assert block["id"] == start["content_block"]["id"]
    told = [
        *asked,
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}, block]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": block["id"], "content": "sunny"}],
        },
    ]
    again = message(bench, messages=told, tools=[TOOL], system=[{"type": "text", "text": "s"}])
    assert again.json["content"][0]["type"] == "text"


@pytest.mark.parametrize(
    ("fields", "status", "kind", "told"),
    [
        ({"model": ""}, 400, "invalid_request_error", "model is required"),
        (
            {"max_tokens": 0},
            400,
            "invalid_request_error",
            "max_tokens is required and must be positive",
        ),
        ({"messages": []}, 400, "invalid_request_error", "messages is required"),
        ({"model": "none"}, 404, "not_found_error", "model 'none' not found"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]},
            400,
            "invalid_request_error",
            "invalid image source type: . Only base64 images are supported.",
        ),
        (
            {"messages": [{"role": "assistant", "content": [{"type": "tool_use"}]}]},
            400,
            "invalid_request_error",
            "tool_use block missing required 'id' field",
        ),
    ],
)
def test_errors_of_messages(bench: Any, fields: Any, status: int, kind: str, told: str) -> None:
    """In Anthropic's shape."""
    call = message(bench, **fields)
    assert (call.status, call.json["type"]) == (status, "error")
    assert call.json["error"] == {"type": kind, "message": told}
    assert call.json["request_id"].startswith("req_")


def test_thinking_that_a_model_cannot_is_no_error(bench: Any) -> None:
    """The wish is dropped; a model that can obeys it."""
    assert message(bench, thinking={"type": "enabled"}).status == 200
    quiet = message(bench, model="qwen3:0.6b", thinking={"type": "disabled"}).json
    assert quiet["content"][0]["type"] == "text"
    assert message(bench, model="qwen3:0.6b", output_config={"effort": "xhigh"}).status == 200


def test_a_response(bench: Any) -> None:
    """One object, with the words of the native chat; it is completed, however it ended."""
    whole, chat = respond(bench).json, native(bench)
    [item] = whole["output"]
    assert item["content"][0]["text"] == chat["message"]["content"]
    assert (whole["object"], whole["status"], whole["store"]) == ("response", "completed", False)
    count = chat["prompt_eval_count"]
    assert whole["usage"]["total_tokens"] == count + 4


def test_g48_a_streamed_response(bench: Any) -> None:
    """Numbered from 0, in the order of the reference; the last event holds it all."""
    call = respond(bench, model="qwen3:0.6b", stream=True, max_output_tokens=500)
    found = events(call)
    assert [event["sequence_number"] for event in found] == list(range(len(found)))
    assert all(list(event) == sorted(event) for event in found)
    assert kinds(found) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.output_item.done",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    thinking, said = found[-1]["response"]["output"]
    chat = native(bench, "qwen3:0.6b", tokens=500)["message"]
    assert thinking["summary"][0]["text"] == thinking["encrypted_content"] == chat["thinking"]
    assert said["content"][0]["text"] == chat["content"]
    deltas = [event for event in found if event["type"] == "response.output_text.delta"]
    assert "".join(event["delta"] for event in deltas) == chat["content"]
    assert {event["output_index"] for event in deltas} == {1}


def test_a_response_that_calls_a_function(bench: Any) -> None:
    """Its arguments come at once; its result goes back as an item."""
    tools = [{"type": "namespace", "name": "sky", "tools": [FUNCTION]}, FUNCTION]
    asked = {"input": "the weather?", "tools": tools, "max_output_tokens": 99}
    found = events(respond(bench, stream=True, **asked))
    calls = [event for event in found if "arguments" in event["type"]]
    assert [event["type"].rpartition(".")[2] for event in calls[:2]] == ["delta", "done"]
    output = found[-1]["response"]["output"]
    assert {item["type"] for item in output} == {"function_call"}
    assert respond(bench, **asked).json["output"] == output
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "the weather?"}]},
        {"type": "reasoning", "encrypted_content": "hm"},
        output[0],
        {"type": "function_call_output", "call_id": output[0]["call_id"], "output": "sunny"},
    ]
    told = respond(bench, input=items, tools=tools, instructions="Be brief.").json
    assert told["output"][0]["type"] == "message"


@pytest.mark.parametrize(
    ("fields", "status", "told"),
    [
        ({"input": [{"type": "x"}]}, 400, 'input[0]: unknown input item type: "x"'),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file"}]}]},
            400,
            "file inputs are not currently supported",
        ),
        ({"reasoning": {"effort": "much"}}, 400, "invalid reasoning value: 'much'"),
        ({"model": "none"}, 404, "model 'none' not found"),
    ],
)
def test_errors_of_responses(bench: Any, fields: Any, status: int, told: str) -> None:
    """In OpenAI's shape."""
    call = respond(bench, **fields)
    assert (call.status, call.json["error"]["message"]) == (status, told)


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/responses"])
def test_a_stream_that_breaks_off(bench: Any, path: str) -> None:
    """A fault strikes these as all others; the end is missing then."""
    bench.post("/_sim/faults", fault={"kind": "reset", "after_tokens": 3})
    call = (message if path == "/v1/messages" else respond)(bench, stream=True)
    assert b"message_stop" not in call.body
    assert b"response.completed" not in call.body
    assert bench.state.failed == 1
