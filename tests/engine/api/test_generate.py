"""Generate: the request's body, the events, the folded answer."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama._errors import InvalidRequestError, ProtocolError
from triollama.api import (
    DebugInfo,
    GenerateChunk,
    GenerateFold,
    GenerateRequest,
    GenerateResponse,
    Logprob,
    ToolCall,
    ToolFunction,
    Usage,
    decode_generate_chunk,
)

FINAL = {
    "model": "m1",
    "created_at": "2026-08-21T10:00:00.14Z",
    "response": "!",
    "done": True,
    "done_reason": "length",
    "context": [1, 2, 3],
    "total_duration": 91,
    "load_duration": 1,
    "prompt_eval_count": 7,
    "prompt_eval_duration": 20,
    "eval_count": 2,
    "eval_duration": 16,
}


def fold_of(*lines: bytes) -> GenerateFold:
    """Fold these lines."""
    fold = GenerateFold()
    for line in lines:
        fold.add(decode_generate_chunk(line, 1))
    return fold


def test_the_smallest_body_has_only_what_is_set() -> None:
    """Model, prompt and stream; without a prompt it only loads."""
    assert GenerateRequest.make("m", "hi").body() == b'{"model":"m","prompt":"hi","stream":true}'
    assert json.loads(GenerateRequest.make("m", None, keep_alive=0).body(stream=False)) == {
        "model": "m",
        "stream": False,
        "keep_alive": 0,
    }


def test_every_field_is_sent_under_its_name(png_base64: str) -> None:
    """Each field that is set reaches the body as Ollama names it."""
    fields: dict[str, Any] = {
        "suffix": "end",
        "system": "be brief",
        "template": "{{ .Prompt }}",
        "context": [1, 2],
        "raw": False,
        "format": "json",
        "keep_alive": "5m",
        "images": [png_base64],
        "options": {"seed": 1},
        "think": False,
        "truncate": True,
        "shift": True,
        "logprobs": True,
        "top_logprobs": 0,
    }
    request = GenerateRequest.make("m", "p", **fields, debug_render_only=True)
    expected = {"model": "m", "prompt": "p", "stream": True, **fields, "_debug_render_only": True}
    assert json.loads(request.body()) == expected
    assert request.runner_options == (("shift", True),)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"prompt": ["s3cret"]}, "prompt must be a str, not list"),
        ({"suffix": 1}, "suffix must be a str"),
        ({"system": 1}, "system must be a str"),
        ({"template": b"s3cret"}, "template must be a str"),
        ({"context": "s3cret"}, "context must be a list of ints"),
        ({"context": [1, True]}, "context must be a list of ints"),
        ({"context": 3}, "context must be a list of ints"),
        ({"raw": "true"}, "raw must be a bool"),
        ({"images": ["s3cret"]}, r"images\[0\] is neither"),
        ({"raw": True, "system": "s3cret"}, "raw does not go together"),
        ({"raw": True, "template": "s3cret"}, "raw does not go together"),
        ({"raw": True, "context": [1]}, "raw does not go together"),
        ({"keep_alive": "60"}, "has no unit"),
        ({"think": "maximal"}, "think must be"),
        ({"top_logprobs": 21}, "top_logprobs"),
    ],
)
def test_a_bad_field_is_refused_by_name(fields: dict[str, Any], told: str) -> None:
    """The message names the field and shows no content."""
    with pytest.raises(InvalidRequestError, match=told) as caught:
        GenerateRequest(model="m", **fields)
    assert "s3cret" not in str(caught.value)


def test_raw_goes_with_empty_neighbours() -> None:
    """As on the server: only a template, system or context that says something is in the way."""
    assert GenerateRequest(model="m", prompt="x", raw=True, system="", context=[]).raw


def test_a_request_shows_no_content_in_repr(png_base64: str) -> None:
    """Prompts stay out of logs; equal ones can still be matched."""
    request = GenerateRequest.make(
        "m", "s3cret", system="s3cret", suffix="s3cret", template="s3cret", images=[png_base64]
    )
    assert "s3cret" not in repr(request)
    assert png_base64 not in repr(request)
    assert "prompt=<6 long, #" in repr(request)


def test_an_event_is_read_with_its_stamp() -> None:
    """The same surface as a chat's event."""
    line = b'{"model":"m1","created_at":"x","response":"Hel","thinking":"h","done":false,"new":1}'
    chunk = decode_generate_chunk(line, 17)
    assert (chunk.content, chunk.response, chunk.thinking) == ("Hel", "Hel", "h")
    assert (chunk.done, chunk.arrived_ns, chunk.usage, chunk.error) == (False, 17, None, None)
    assert chunk.tool_calls == ()
    assert chunk.extra == {"new": 1}
    assert "Hel" not in repr(chunk)


def test_a_rendered_prompt_is_read() -> None:
    """The answer to `_debug_render_only` is one event that is not done."""
    line = (
        b'{"response":"","done":false,"_debug_info":{"rendered_template":"s3cret","image_count":2}}'
    )
    answer = fold_of(line).result()
    assert answer.debug_info == DebugInfo("s3cret", 2)
    assert "s3cret" not in repr(answer)


@pytest.mark.parametrize("reason", ["load", "unload"])
def test_a_load_is_read_by_the_same_function(reason: str) -> None:
    """One object, done, without metrics."""
    line = f'{{"model":"m","created_at":"","response":"","done":true,"done_reason":"{reason}"}}'
    answer = fold_of(line.encode()).result()
    assert (answer.done, answer.done_reason, answer.usage) == (True, reason, Usage())


def test_an_error_line_is_a_chunk() -> None:
    """It is for the engine to act on; reading it raises nothing."""
    assert decode_generate_chunk(b'{"error":"out of memory"}', 3).error == "out of memory"


def test_null_means_unset() -> None:
    """For each field of the wire."""
    names = [name for name in GenerateChunk.__struct_encode_fields__ if not name.startswith("<")]
    line = msgspec.json.encode(dict.fromkeys(names))
    chunk = msgspec.structs.replace(decode_generate_chunk(line, 0), line=b"")
    assert chunk == GenerateChunk()


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b'{"response":["s3cret"]}', b'{"response":"s3cret', b'{"context":["s3cret"]}'],
)
def test_a_line_that_is_no_event_is_a_protocol_error(line: bytes) -> None:
    """The message has nothing of the line."""
    with pytest.raises(ProtocolError, match="a generate line is not as Ollama writes it") as caught:
        decode_generate_chunk(line, 1)
    assert "s3cret" not in str(caught.value)


def test_deep_tool_arguments_are_refused() -> None:
    """The same limit as in a chat."""
    arguments = '{"x":' * 64 + "{}" + "}" * 64
    line = f'{{"tool_calls":[{{"function":{{"name":"f","arguments":{arguments}}}}}]}}'
    with pytest.raises(ProtocolError, match="nested too deeply"):
        decode_generate_chunk(line.encode(), 1)


def test_events_fold_into_the_answer() -> None:
    """Text, thinking, calls and logprobs of all events; the rest is the last event's."""
    call = {"id": "c", "function": {"index": 0, "name": "f", "arguments": {}}}
    fold = fold_of(
        b'{"thinking":"h"}',
        b'{"response":"Hi","logprobs":[{"token":"Hi","logprob":-1}]}',
        json.dumps({**FINAL, "tool_calls": [call], "new": 2}).encode(),
    )
    assert fold.text == "Hi!"
    answer = fold.result()
    assert answer == GenerateResponse(
        model="m1",
        created_at="2026-08-21T10:00:00.14Z",
        content="Hi!",
        thinking="h",
        tool_calls=(ToolCall(ToolFunction("f"), "c"),),
        done=True,
        done_reason="length",
        context=(1, 2, 3),
        usage=Usage(7, 2, 91, 1, 20, 16),
        logprobs=(Logprob("Hi", -1),),
    )
    assert answer.extra == {"new": 2}
    assert answer.response == "Hi!"
    assert "Hi!" not in repr(answer)


def test_an_empty_fold_gives_an_empty_answer() -> None:
    """Nothing has arrived yet."""
    assert GenerateFold().result() == GenerateResponse()
    assert GenerateFold().result(usage=Usage(1)).usage == Usage(1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from([*GenerateChunk.__struct_encode_fields__, "x"]) | st.text()


@pytest.mark.slow
@given(st.binary() | st.dictionaries(NAMES, JSON).map(msgspec.json.encode))
def test_any_bytes_are_a_chunk_or_a_protocol_error(line: bytes) -> None:
    """Reading is total, and so is all that a chunk offers."""
    try:
        chunk = decode_generate_chunk(line, 7)
    except ProtocolError:
        return
    assert (chunk.arrived_ns, chunk.line) == (7, line)
    assert isinstance(chunk.extra, dict)
    assert fold_of(line).result().content == chunk.content


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_a_streamed_answer_equals_the_whole_one(pieces: list[str]) -> None:
    """Folding the events gives what the one object of an unstreamed answer gives."""
    lines = [msgspec.json.encode({"response": piece}) for piece in pieces]
    streamed = fold_of(*lines, json.dumps({**FINAL, "response": ""}).encode()).result()
    whole = fold_of(json.dumps({**FINAL, "response": "".join(pieces)}).encode()).result()
    assert streamed == whole
