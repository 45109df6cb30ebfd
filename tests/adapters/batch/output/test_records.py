"""Outcomes into flat records and into OpenAI's."""

import base64
import json
import struct
from typing import Any

import attrs
import pytest

from triollama import (
    Attempt,
    ChatResponse,
    ConnectError,
    EmbedResponse,
    GenerateResponse,
    Logprob,
    Message,
    Outcome,
    RequestRejectedError,
    StreamBrokenError,
    Timing,
    ToolCall,
    ToolFunction,
    Usage,
)
from triollama_adapters.batch.fields import fields_of
from triollama_adapters.batch.output.openai_records import OpenAIRecords
from triollama_adapters.batch.output.records import RECORD_KEYS, FlatRecords, Partial
from triollama_adapters.batch.rows import Answer, Ask, Row, RowError

DIGEST = bytes(range(16))
ASK = Ask("chat", {"model": "m", "messages": []}, "mine")
FIELDS = fields_of(b'{"id": 1.50, "content": "theirs", "prompt": "x"}', 1)
ROW = Row(4, DIGEST, "line 5", 48, ASK, None, FIELDS)
BAD = Row(4, DIGEST, "line 5", 48, None, RowError("LineNotJson", "line 5 is not JSON"))
USAGE = Usage(prompt_tokens=3, output_tokens=4)
CALL = ToolCall(ToolFunction("f", {"x": 1}), "c1")
CHAT = ChatResponse(
    model="m",
    created_at="2026-08-21T10:00:00.5Z",
    message=Message(role="assistant", content="yes", thinking="hm"),
    done=True,
    done_reason="stop",
    usage=USAGE,
)
TIMING = Timing(scheduled_ns=1, sent_ns=2_000_001, first_ns=5_000_001, done_ns=9_000_001)
BROKEN = StreamBrokenError("cut", reason="no server is left", content="half", thinking="hm")


@attrs.frozen
class Told:
    """How an answer came about."""

    endpoint: str = "b:1"
    attempts: tuple[Attempt, ...] = (
        Attempt("a:1", 1, 2_000_001, Outcome.FAILED, "cut", "resend", 2),
        Attempt("b:1", 1, 3_000_001, Outcome.DONE),
    )
    timing: Timing = TIMING


def flat(answer: Answer, **more: Any) -> Any:
    """The flat record of an answer."""
    return json.loads(FlatRecords(**more).answer(ROW, answer, Told()))


def body(answer: Answer, row: Row = ROW) -> Any:
    """The body of an answer in OpenAI's format."""
    record = json.loads(OpenAIRecords().answer(row, answer))
    assert record["response"]["status_code"] == 200
    assert record["error"] is None
    return record["response"]["body"]


def test_a_flat_record_has_the_row_and_the_answer() -> None:
    """As `run` writes it: the input's fields byte for byte, ours beside them."""
    data = FlatRecords().answer(ROW, CHAT, Told())
    assert data.startswith(b'{"index":4,"id":1.50,"input_content":"theirs","prompt":"x",')
    assert data.endswith(b"}\n")
    record = json.loads(data)
    assert {name: record[name] for name in ("content", "thinking", "done_reason", "endpoint")} == {
        "content": "yes",
        "thinking": "hm",
        "done_reason": "stop",
        "endpoint": "b:1",
    }
    assert record["usage"]["output_tokens"] == 4
    assert [attempt["why"] for attempt in record["attempts"]] == ["failed", "done"]
    assert record["timings"] == {"queued_ms": 2.0, "first_token_ms": 3.0, "total_ms": 9.0}
    assert record.keys() - FIELDS.keys() - {"input_content"} <= RECORD_KEYS


def test_calls_logprobs_and_vectors_have_their_own_fields() -> None:
    """Only where there are any."""
    logprob = Logprob("y", -0.5, (121,))
    answer = attrs.evolve(
        CHAT, message=Message(role="assistant", tool_calls=(CALL,)), logprobs=(logprob,)
    )
    record = flat(answer)
    assert record["tool_calls"] == [{"id": "c1", "function": {"name": "f", "arguments": {"x": 1}}}]
    assert record["logprobs"][0]["bytes"] == [121]
    record = flat(EmbedResponse(model="m", embeddings=((0.6, 0.8),), prompt_eval_count=2))
    assert record["embeddings"] == [[0.6, 0.8]]
    assert record["usage"]["prompt_tokens"] == 2
    assert flat(GenerateResponse(content="y", done_reason="length"))["done_reason"] == "length"


def test_select_chooses_and_orders() -> None:
    """What a row does not have is null; index is there, and ours go before theirs."""
    record = flat(CHAT, select=("content", "id", "none", "index", "input_content"))
    assert list(record.items()) == [
        ("index", 4),
        ("content", "yes"),
        ("id", 1.5),
        ("none", None),
        ("input_content", "theirs"),
    ]
    record = json.loads(FlatRecords(select=("id",)).error(ROW, ConnectError("refused")))
    assert list(record) == ["index", "id", "error"]


def test_a_flat_error_keeps_what_had_arrived() -> None:
    """With the attempts; a row that was never asked has its own kind."""
    record = json.loads(FlatRecords().error(ROW, BROKEN, Told()))
    assert record["error"] == {
        "type": "StreamBrokenError",
        "message": "the answer broke (cut), and no server is left",
        "partial": {"content": "half", "thinking": "hm"},
    }
    assert len(record["attempts"]) == 2
    assert "endpoint" not in record
    assert BAD.error is not None
    assert json.loads(FlatRecords().error(BAD, BAD.error)) == {
        "index": 4,
        "error": {"type": "LineNotJson", "message": "line 5 is not JSON"},
    }
    record = json.loads(FlatRecords().error(ROW, ConnectError("x"), None, Partial("a")))
    assert record["error"]["partial"] == {"content": "a"}


def test_an_output_line_of_openai() -> None:
    """Every field of it, and the same each time."""
    data = OpenAIRecords().answer(ROW, CHAT, Told())
    assert data == OpenAIRecords().answer(ROW, CHAT)
    name = f"{DIGEST.hex()}_4"
    assert json.loads(data) == {
        "id": f"batch_req_{name}",
        "index": 4,
        "custom_id": "mine",
        "response": {
            "status_code": 200,
            "request_id": f"req_{name}",
            "body": {
                "id": f"chatcmpl-{name}",
                "object": "chat.completion",
                "created": 1787306400,
                "model": "m",
                "system_fingerprint": "fp_ollama",
                "choices": [
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": "yes", "reasoning": "hm"},
                        "finish_reason": "stop",
                    }
                ],
                "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
            },
        },
        "error": None,
    }


def test_calls_and_logprobs_as_openai_has_them() -> None:
    """Arguments are a text again."""
    logprob = Logprob("y", -0.5, (121,), (Logprob("n", -1.0),))
    message = Message(role="assistant", tool_calls=(CALL,))
    [choice] = body(attrs.evolve(CHAT, message=message, logprobs=(logprob,)))["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"] == [
        {
            "id": "c1",
            "index": 0,
            "type": "function",
            "function": {"name": "f", "arguments": '{"x":1}'},
        }
    ]
    other = {"token": "n", "logprob": -1.0, "bytes": None, "top_logprobs": []}
    told = {"token": "y", "logprob": -0.5, "bytes": [121], "top_logprobs": [other]}
    assert choice["logprobs"] == {"content": [told]}


def test_completions_and_vectors_as_openai_has_them() -> None:
    """The other two addresses; vectors as numbers or as base64."""
    made = body(GenerateResponse(model="m", content="y", done_reason="length", usage=USAGE))
    assert made["object"] == "text_completion"
    assert made["created"] == 0
    assert made["choices"] == [{"text": "y", "index": 0, "finish_reason": "length"}]
    answer = EmbedResponse(model="m", embeddings=((0.5, 0.25), (1.0, 0.0)), prompt_eval_count=2)
    made = body(answer)
    assert made["usage"] == {"prompt_tokens": 2, "total_tokens": 2}
    assert [(each["index"], each["embedding"]) for each in made["data"]] == [
        (0, [0.5, 0.25]),
        (1, [1.0, 0.0]),
    ]
    packed = attrs.evolve(ROW, ask=Ask("embed", {"model": "m"}, "mine", "base64"))
    text = body(answer, packed)["data"][0]["embedding"]
    assert struct.unpack("<2f", base64.b64decode(text)) == (0.5, 0.25)


def test_an_error_line_of_openai() -> None:
    """A server's refusal is a response with its status; all else has a code and a message."""
    records = OpenAIRecords()
    record = json.loads(records.error(ROW, RequestRejectedError("no", status=400), Told()))
    assert record["error"] is None
    assert record["response"]["status_code"] == 400
    assert record["response"]["body"]["error"] == {
        "message": "the server answered 400: no",
        "type": "invalid_request_error",
        "param": None,
        "code": "RequestRejectedError",
    }
    assert len(record["attempts"]) == 2
    record = json.loads(records.error(ROW, BROKEN))
    assert record["response"] is None
    assert record["error"]["code"] == "StreamBrokenError"
    assert record["partial"] == {"content": "half", "thinking": "hm"}


@pytest.mark.parametrize(("custom_id", "known_as"), [("theirs", "theirs"), (None, "row-4")])
def test_each_line_of_openai_has_a_name(custom_id: str | None, known_as: str) -> None:
    """The row's own where it had one, also if it could not be asked."""
    row = attrs.evolve(BAD, custom_id=custom_id)
    assert row.error is not None
    record = json.loads(OpenAIRecords().error(row, row.error))
    assert record["custom_id"] == known_as
    assert record["index"] == 4
    assert record["error"] == {"code": "LineNotJson", "message": "line 5 is not JSON"}
