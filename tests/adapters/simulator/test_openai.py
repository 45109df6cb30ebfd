"""``/v1/chat/completions`` and ``/v1/models``, as Ollama has them."""

from __future__ import annotations

import json
from typing import Any

import pytest

V1 = "/v1/chat/completions"


def _events(call: Any) -> list[Any]:
    """The events of a stream, which has to end as one does."""
    body = call.parse().body.decode()
    parts = body.split("\n\n")
    assert parts[-2:] == ["data: [DONE]", ""]
    return [json.loads(part.removeprefix("data: ")) for part in parts[:-2]]


def _ask(bench: Any, words: str = "Why?", **fields: Any) -> Any:
    messages = [{"role": "user", "content": words}]
    return bench.ask(V1, **{"model": "llama3.2", "messages": messages, "max_tokens": 3} | fields)


def test_a_stream_says_what_the_native_one_says(bench: Any) -> None:
    """The same words, one event each, one id; the role first, the reason last, then the counts."""
    call = _ask(bench, stream=True, stream_options={"include_usage": True})
    *said, finish, counts = _events(call)
    native = bench.ask(
        "/api/chat",
        model="llama3.2",
        messages=[{"role": "user", "content": "Why?"}],
        options={"num_predict": 3},
    ).events
    assert call.headers["content-type"] == "text/event-stream"
    deltas = [event["choices"][0]["delta"] for event in said]
    assert [delta["content"] for delta in deltas] == [
        event["message"]["content"] for event in native[:-1]
    ]
    assert ["role" in delta for delta in deltas] == [True, False, False]
    assert finish["choices"] == [{"index": 0, "delta": {}, "finish_reason": "length"}]
    assert counts["choices"] == []
    read = native[-1]["prompt_eval_count"]
    assert counts["usage"] == {
        "prompt_tokens": read,
        "completion_tokens": 3,
        "total_tokens": read + 3,
    }
    everything = [*said, finish, counts]
    assert len({(event["id"], event["created"]) for event in everything}) == 1
    assert {event["object"] for event in everything} == {"chat.completion.chunk"}


def test_counts_are_told_to_who_asks(bench: Any) -> None:
    """Without ``include_usage`` no event has them."""
    assert not any("usage" in event for event in _events(_ask(bench, stream=True)))


def test_a_whole_answer(bench: Any) -> None:
    """Without ``stream`` it is one object, with the words of the stream."""
    call = _ask(bench, stop=["never said"], seed=3, temperature=0.5)
    whole = call.json
    streamed = _events(_ask(bench, stream=True, seed=3))
    words = "".join(event["choices"][0]["delta"].get("content", "") for event in streamed)
    [choice] = whole["choices"]
    assert choice["message"] == {"role": "assistant", "content": words}
    assert (whole["object"], choice["finish_reason"]) == ("chat.completion", "length")
    assert whole["usage"]["completion_tokens"] == 3


def test_thinking_is_reasoning(bench: Any) -> None:
    """A model that thinks does so in a field of its own, unless it is told not to."""
    thinking = _events(_ask(bench, model="qwen3:0.6b", stream=True))
    assert all(event["choices"][0]["delta"]["reasoning"] for event in thinking[:-1])
    quiet = _events(_ask(bench, model="qwen3:0.6b", stream=True, reasoning_effort="none"))
    assert not any("reasoning" in event["choices"][0]["delta"] for event in quiet)


def test_a_tool_is_called_with_a_text_of_arguments(bench: Any) -> None:
    """As the reason of the end says, too; in a stream and as a whole."""
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    asked = {"tools": [tool], "max_tokens": None}
    *_, called, finish = _events(_ask(bench, "the weather?", stream=True, **asked))
    [call] = called["choices"][0]["delta"]["tool_calls"]
    assert (call["type"], call["index"], call["function"]["name"]) == ("function", 0, "weather")
    assert json.loads(call["function"]["arguments"]) == {}
    assert finish["choices"][0]["finish_reason"] == "tool_calls"
    whole = _ask(bench, "the weather?", **asked).json["choices"][0]
    assert whole["message"]["tool_calls"] == [call]


@pytest.mark.parametrize("arguments", [{"a": 1}, "no JSON", "[1]", None])
def test_a_call_that_is_told_again_has_a_text_of_arguments(bench: Any, arguments: Any) -> None:
    """A client sends back what it got; anything else is refused."""

    def again(arguments: Any) -> Any:
        call = {"id": "call_1", "type": "function"}
        called = {"role": "assistant", "tool_calls": [call | {"function": arguments}]}
        result = {"role": "tool", "tool_call_id": "call_1", "content": "3"}
        messages = [{"role": "user", "content": "hello"}, called, result]
        return bench.ask("/v1/chat/completions", model="llama3.2", messages=messages)

    assert again({"name": "add", "arguments": '{"a": 1}'}).status == 200
    refused = again({"name": "add", "arguments": arguments})
    assert refused.status == 400
    assert refused.json["error"]["message"] == "invalid tool call arguments"


def test_a_format_is_obeyed(bench: Any) -> None:
    """A schema, or any JSON."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    wanted = {"type": "json_schema", "json_schema": {"schema": schema}}
    whole = _ask(bench, response_format=wanted, max_tokens=None).json
    assert isinstance(json.loads(whole["choices"][0]["message"]["content"])["n"], int)
    other = _ask(bench, response_format={"type": "json_object"}, max_tokens=None).json
    json.loads(other["choices"][0]["message"]["content"])


def test_parts_of_a_message(bench: Any) -> None:
    """Texts and images in base64 are taken; what is neither, or elsewhere, is refused."""
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    text = {"type": "text", "text": "What is it?"}
    seen = _ask(bench, [text, image], model="llava:7b").json
    assert seen["usage"]["completion_tokens"] == 3
    for parts, told in [
        ([{"type": "image_url", "image_url": "http://a/b.png"}], "not currently supported"),
        ([{"type": "image_url", "image_url": "data:text/plain,x"}], "invalid image input"),
        ([{"type": "video"}], "invalid message format"),
        (None, "invalid message content type: <nil>"),
    ]:
        call = _ask(bench, parts)
        assert (call.json["error"]["type"], call.status) == ("invalid_request_error", 400)
        assert told in call.json["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "status", "kind", "told"),
    [
        ({"model": "none"}, 404, "not_found_error", "model 'none' not found"),
        ({"messages": []}, 400, "invalid_request_error", "[] is too short - 'messages'"),
        ({"reasoning_effort": "much"}, 400, "invalid_request_error", "invalid reasoning value"),
        ({"stop": 3}, 500, "api_error", "stop"),
        ({"stream_options": "all"}, 400, "invalid_request_error", "stream_options"),
        ({"response_format": ["json"]}, 400, "invalid_request_error", "response_format"),
        ({"reasoning": {"effort": ["low"]}}, 400, "invalid_request_error", "reasoning value"),
        ({"stream": "yes"}, 400, "invalid_request_error", "of type bool"),
        ({"messages": ["Why?"]}, 400, "invalid_request_error", "Message"),
    ],
)
def test_errors_have_openais_shape(
    bench: Any, fields: dict[str, Any], status: int, kind: str, told: str
) -> None:
    """An object with a message and a type; the status is the native one."""
    call = _ask(bench, **fields)
    error = call.json["error"]
    assert (call.status, error["type"], error["code"]) == (status, kind, None)
    assert told in error["message"]


def test_models_are_listed(bench: Any, make_bench: Any) -> None:
    """By the names of ``/api/tags``; no models are null."""
    listed = bench.get("/v1/models").json
    tags = bench.get("/api/tags").json["models"]
    assert [model["id"] for model in listed["data"]] == [model["name"] for model in tags]
    assert {model["owned_by"] for model in listed["data"]} == {"library"}
    assert make_bench(models=()).get("/v1/models").json["data"] is None


def test_a_fault_strikes_it_as_well(bench: Any) -> None:
    """An answer that is cut has no end."""
    rule = {"fault": {"kind": "reset", "after_tokens": 1}}
    bench.post("/_sim/faults", **rule)
    body = _ask(bench, stream=True).parse().body
    assert body.count(b"data: ") == 1


def test_logprobs_stand_beside_the_delta(bench: Any) -> None:
    """One entry for each token, in streams and whole answers."""
    said = _events(_ask(bench, stream=True, logprobs=True))[:-1]
    entries = [event["choices"][0]["logprobs"]["content"][0] for event in said]
    whole = _ask(bench, logprobs=True).json["choices"][0]
    assert whole["logprobs"]["content"] == entries
    assert "".join(entry["token"] for entry in entries) == whole["message"]["content"]
