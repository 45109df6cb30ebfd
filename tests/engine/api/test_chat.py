"""Chat: the request's body, the events, the folded answer."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Any

import attrs
import msgspec
import ollama
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from triollama._errors import InvalidRequestError, ProtocolError
from triollama.api import (
    ChatChunk,
    ChatFold,
    ChatRequest,
    ChatResponse,
    Logprob,
    Message,
    ToolCall,
    ToolFunction,
    Usage,
    decode_chat_chunk,
)
from triollama.api import _json as json_module

TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
FINAL = {
    "model": "m1",
    "created_at": "2026-08-21T10:00:00.14Z",
    "message": {"role": "assistant", "content": "."},
    "done": True,
    "done_reason": "stop",
    "total_duration": 91_000_000,
    "load_duration": 1_500_000,
    "prompt_eval_count": 7,
    "prompt_eval_duration": 20_000_000,
    "eval_count": 2,
    "eval_duration": 16_000_000,
}


def line(content: str = "", *, done: bool = False, **message: Any) -> bytes:
    """One event as a server writes it."""
    fields = {"model": "m1", "message": {"role": "assistant", "content": content, **message}}
    return json.dumps({**fields, "done": done}).encode()


def sent(**fields: Any) -> dict[str, Any]:
    """The decoded body of a request."""
    body: dict[str, Any] = json.loads(ChatRequest.make("m", "hi", **fields).body())
    return body


# ---- the request


def test_the_smallest_body_has_only_what_is_set() -> None:
    """Model, messages and stream, and nothing that the caller left out."""
    assert ChatRequest.make("m", "hi").body() == (
        b'{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":true}'
    )
    assert json.loads(ChatRequest.make(" m ", None).body(stream=False)) == {
        "model": "m",
        "messages": [],
        "stream": False,
    }


def test_every_field_is_sent_under_its_name() -> None:
    """Each field that is set reaches the body as Ollama names it."""
    fields = {
        "format": {"type": "object"},
        "keep_alive": 0.5,
        "tools": [TOOL],
        "options": {"seed": 1},
        "think": "high",
        "truncate": False,
        "shift": False,
        "logprobs": True,
        "top_logprobs": 20,
    }
    body = sent(**fields, debug_render_only=True)
    assert body == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        **fields,
        "_debug_render_only": True,
    }


@pytest.mark.parametrize(
    ("given_value", "value"),
    [
        (300, 300),
        (-1, -1),
        (0, 0),
        (0.5, 0.5),
        ("5m", "5m"),
        (" 1h30m ", "1h30m"),
        ("-1m", "-1m"),
        ("0", "0"),
        ("1.5h", "1.5h"),
        ("100µs", "100µs"),
        (timedelta(minutes=5), 300.0),
        (timedelta(seconds=-1), -1.0),
    ],
)
def test_keep_alive_takes_seconds_and_durations(given_value: Any, value: Any) -> None:
    """Numbers, Go durations and timedeltas are sent as Ollama reads them."""
    assert sent(keep_alive=given_value)["keep_alive"] == value


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"keep_alive": "300"}, 'write the number 300, or "300s"'),
        ({"keep_alive": "-1"}, "write the number -1"),
        ({"keep_alive": ""}, "is no duration"),
        ({"keep_alive": "5 m"}, "is no duration"),
        ({"keep_alive": "s3cret"}, "is no duration"),
        pytest.param({"keep_alive": "1" * 100_000 + "x"}, "is no duration", id="long"),
        ({"keep_alive": True}, "keep_alive must be .* not bool"),
        ({"keep_alive": math.nan}, "keep_alive is NaN"),
        ({"keep_alive": math.inf}, "keep_alive is NaN or infinite"),
        ({"think": "s3cret"}, "think must be True, False or one of low, medium, high, max"),
        ({"think": 1}, "think must be"),
        ({"format": "s3cret"}, "format must be"),
        ({"format": ["json"]}, "format must be"),
        ({"format": {"x": math.nan}}, "format holds a number that is NaN"),
        ({"top_logprobs": 21}, "top_logprobs must be between 0 and 20, not 21"),
        ({"top_logprobs": -1}, "top_logprobs must not be negative"),
        ({"top_logprobs": True}, "top_logprobs must be an int, not bool"),
        ({"logprobs": 1}, "logprobs must be a bool, not int"),
        ({"truncate": "yes"}, "truncate must be a bool, not str"),
        ({"shift": 0}, "shift must be a bool"),
        ({"tools": "s3cret"}, "tools must be a list"),
        ({"options": {"num_predict": "s3cret"}}, "'num_predict' must be an integer"),
        ({"model": ""}, "model is required"),
        ({"model": None}, "model must be a str"),
        ({"model": "s3cret?"}, "model is not a valid name"),
        ({"messages": [{"content": "s3cret"}]}, "no role"),
    ],
)
def test_a_bad_field_is_refused_by_name(fields: dict[str, Any], told: str) -> None:
    """The message names the field and what to write, and shows no content."""
    with pytest.raises(InvalidRequestError, match=told) as caught:
        ChatRequest(**{"model": "m", "messages": "hi", **fields})
    assert "s3cret" not in str(caught.value)


def test_an_empty_format_is_none() -> None:
    """As the server has it, and the official client allows it."""
    assert "format" not in sent(format="")
    assert sent(format="json")["format"] == "json"


@pytest.mark.parametrize("fields", [{"messages": "s3cret \ud800"}, {"options": {"x": "\udfff"}}])
def test_lone_surrogates_are_refused_without_the_text(fields: dict[str, Any]) -> None:
    """UTF-8 cannot carry them; neither the message nor a chained error shows the prompt."""
    request = ChatRequest(**{"model": "m", "messages": "hi", **fields})
    with pytest.raises(InvalidRequestError, match="lone surrogate") as caught:
        request.body()
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_body_has_a_size_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body of exactly the limit passes, one byte more does not."""
    request = ChatRequest.make("m", "hi")
    size = len(request.body())
    monkeypatch.setattr(json_module, "BODY_BYTES_MAX", size)
    assert len(request.body()) == size
    monkeypatch.setattr(json_module, "BODY_BYTES_MAX", size - 1)
    with pytest.raises(InvalidRequestError, match="the limit is"):
        request.body()


def test_tools_come_as_mappings_and_as_typed_objects() -> None:
    """The official client's class is written as its own client would."""
    parameters = {"type": "object", "$defs": {"a": {}}, "properties": {"x": {"type": "integer"}}}
    function = {"name": "f", "description": "d", "parameters": parameters}
    tool = ollama.Tool(type="function", function=function)
    (written,) = sent(tools=[tool])["tools"]
    assert written["type"] == "function"
    assert written["function"]["name"] == "f"
    assert written["function"]["parameters"]["$defs"] == {"a": {}}
    assert sent(tools=({"function": {"name": "f"}},))["tools"] == [
        {"type": "function", "function": {"name": "f"}}
    ]
    assert "tools" not in sent(tools=[])


@pytest.mark.parametrize(
    ("tool", "told"),
    [
        (print, r"tools\[0\] is a callable; write it as a mapping"),
        ("f", r"tools\[0\] is str"),
        ({"type": "function"}, r"tools\[0\] has no function.name"),
        ({"name": "f", "parameters": {}}, "no function.name"),
        ({"function": {"name": ""}}, "no function.name"),
        ({"function": {"name": "f", "parameters": {"x": {1}}}}, r"tools\[0\] holds a set"),
    ],
)
def test_a_bad_tool_is_refused(tool: object, told: str) -> None:
    """The message says which tool, and how one is written."""
    with pytest.raises(InvalidRequestError, match=told):
        ChatRequest.make("m", "hi", tools=[tool])


def test_runner_options_of_a_request_include_shift() -> None:
    """What reloads the model can be compared between requests."""
    request = ChatRequest.make("m", "hi", options={"num_ctx": 8, "seed": 1}, shift=False)
    assert request.runner_options == (("num_ctx", 8), ("shift", False))
    assert ChatRequest.make("m", "hi").runner_options == ()


def test_a_request_can_be_changed_by_evolve_only() -> None:
    """It is frozen; a changed copy is checked again."""
    request = ChatRequest.make("m", "hi")
    longer = attrs.evolve(
        request, messages=[*request.messages, Message(role="assistant", content="a")]
    )
    assert [message.content for message in longer.messages] == ["hi", "a"]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        request.model = "x"
    with pytest.raises(InvalidRequestError):
        attrs.evolve(request, top_logprobs=99)


def test_a_request_shows_no_content_in_repr() -> None:
    """Prompts, schemas and tools stay out of logs."""
    request = ChatRequest.make(
        "m", "s3cret", format={"s3cret": 1}, tools=[{"function": {"name": "s3cret"}}]
    )
    assert "s3cret" not in repr(request)


# ---- one event


def test_an_event_is_read_with_its_stamp() -> None:
    """Content, flags and the time of arrival; no usage before the end."""
    chunk = decode_chat_chunk(line("Hel"), 17)
    assert (chunk.model, chunk.content, chunk.done, chunk.arrived_ns) == ("m1", "Hel", False, 17)
    assert chunk.thinking is None
    assert chunk.tool_calls == ()
    assert chunk.usage is None
    assert chunk.error is None
    assert chunk.extra == {}


def test_the_last_event_has_usage() -> None:
    """Counts and durations come under our names, the wait for a slot is the residual."""
    chunk = decode_chat_chunk(json.dumps(FINAL).encode(), 1)
    assert chunk.done
    assert chunk.done_reason == "stop"
    assert chunk.content == "."
    assert chunk.usage == Usage(
        prompt_tokens=7,
        output_tokens=2,
        total_ns=91_000_000,
        load_ns=1_500_000,
        prefill_ns=20_000_000,
        decode_ns=16_000_000,
    )
    assert chunk.usage.slot_wait_ns == 53_500_000


def test_negative_metrics_count_as_none() -> None:
    """A server whose clock jumped does not make a sum smaller."""
    counts = {name: -5 for name in FINAL if name.endswith(("_count", "_duration"))}
    assert decode_chat_chunk(json.dumps({**FINAL, **counts}).encode(), 1).usage == Usage()


@pytest.mark.parametrize("reason", ["load", "unload"])
def test_a_load_is_read_by_the_same_function(reason: str) -> None:
    """The one object of a load or an unload is a last event without metrics."""
    body = (
        '{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant",'
        f'"content":""}},"done":true,"done_reason":"{reason}"}}'
    )
    chunk = decode_chat_chunk(body.encode(), 1)
    assert (chunk.done, chunk.done_reason, chunk.usage) == (True, reason, Usage())


def test_an_error_line_is_a_chunk() -> None:
    """It is for the engine to act on; reading it raises nothing."""
    chunk = decode_chat_chunk(b'{"error":"out of memory"}', 3)
    assert chunk.error == "out of memory"
    assert (chunk.content, chunk.done) == ("", False)


def test_unknown_fields_are_kept() -> None:
    """Those of the line and those of its message, in `extra`."""
    raw = (
        b'{"message":{"content":"x","audio":[1],"role":"assistant"},"new":{"a":null},"done":false}'
    )
    chunk = decode_chat_chunk(raw, 1)
    assert chunk.extra == {"new": {"a": None}, "message": {"audio": [1]}}
    assert ChatChunk().extra == {}


def test_a_server_cannot_set_the_stamps() -> None:
    """Whatever it sends under their wire names is overwritten, and shows up as unknown."""
    raw = b'{"<arrived_ns>":99,"<line>":"AAAA","arrived_ns":5,"line":"x"}'
    chunk = decode_chat_chunk(raw, 3)
    assert (chunk.arrived_ns, chunk.line) == (3, raw)
    assert chunk.extra == {"<arrived_ns>": 99, "<line>": "AAAA", "arrived_ns": 5, "line": "x"}


@pytest.mark.parametrize(
    "raw",
    [
        b'{"model":null,"created_at":null,"message":null,"done":null,"done_reason":null}',
        b'{"message":{"role":null,"content":null,"thinking":null,"tool_calls":null,"images":null}}',
        b'{"error":null,"eval_count":null,"logprobs":null,"_debug_info":null,"remote_host":null}',
    ],
)
def test_null_means_unset(raw: bytes) -> None:
    """Servers that imitate Ollama send null for what Ollama leaves out."""
    chunk = msgspec.structs.replace(decode_chat_chunk(raw, 0), line=b"")
    assert chunk == ChatChunk()


def test_null_stays_null_in_tool_arguments() -> None:
    """There it is a value that the model gave."""
    call = {"function": {"name": "f", "arguments": {"x": None}}}
    chunk = decode_chat_chunk(line(tool_calls=[call], images=None, thinking=None), 1)
    assert chunk.tool_calls == (ToolCall(ToolFunction("f", {"x": None})),)


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "truncated"),
        (b"s3cret", "malformed"),
        (b"<html>s3cret</html>", "malformed"),
        (b"null", "Expected `object`"),
        (b'["s3cret"]', "Expected `object`"),
        (b'"s3cret"', "Expected `object`"),
        (b'{"model":"s3cret"', "truncated"),
        (b'{"model":"s3cret"} {}', "trailing"),
        (b'{"model":"s3cret","done":"true"}', r"Expected `bool`, got `str` - at `\$.done`"),
        (b'{"message":"s3cret"}', "Expected `object`, got `str`"),
        (b'{"message":{"content":["s3cret"]}}', "Expected `str`, got `array`"),
        (b'{"eval_count":NaN}', "malformed"),
        (b'{"eval_count":"s3cret"}', "Expected `int"),
        (b'{"eval_count":1.5}', "Expected `int"),
        (b'{"eval_count":1e999}', "out of range"),
        (b'{"eval_count":Infinity}', "malformed"),
        (b'{"logprobs":[{"token":"s3cret","logprob":NaN}]}', "malformed"),
        (
            b'{"message":{"tool_calls":[{"function":{"arguments":"{s3cret}"}}]}}',
            "Expected `object`",
        ),
        (b'{"model":"s3cret\xff"}', "not UTF-8"),
        (b'{"model":"s3cret\\ud800"}', "as Ollama writes it"),
        pytest.param(b'{"x":' * 100_000, "too deeply", id="deep"),
        pytest.param(b'{"message":{"x":' + b"[" * 100_000, "too deeply", id="deep inside"),
        (b'{"error":{"message":"s3cret"}}', "Expected `str"),
    ],
)
def test_a_line_that_is_no_event_is_a_protocol_error(raw: bytes, told: str) -> None:
    """The message has a position and a type, and nothing of the line."""
    with pytest.raises(ProtocolError, match=told) as caught:
        decode_chat_chunk(raw, 1)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(("levels", "fits"), [(63, True), (64, True), (65, False)])
def test_tool_arguments_of_a_server_have_a_depth_limit(levels: int, *, fits: bool) -> None:
    """64 levels pass, 65 do not: what a model writes is as little trusted as what a caller does."""
    arguments = '{"x":' * (levels - 1) + "{}" + "}" * (levels - 1)
    raw = f'{{"message":{{"tool_calls":[{{"function":{{"name":"f","arguments":{arguments}}}}}]}}}}'
    if fits:
        assert decode_chat_chunk(raw.encode(), 1).tool_calls
    else:
        with pytest.raises(ProtocolError, match="nested too deeply"):
            decode_chat_chunk(raw.encode(), 1)


def test_logprobs_are_read() -> None:
    """Each token with its bytes and its alternatives."""
    entry = {"token": "é", "logprob": -0.5, "bytes": [195, 169]}
    raw = json.dumps(
        {"logprobs": [{**entry, "top_logprobs": [entry, {"token": "", "logprob": 0}]}]}
    )
    (logprob,) = decode_chat_chunk(raw.encode(), 1).logprobs
    plain = Logprob("é", -0.5, (195, 169))
    assert logprob == Logprob("é", -0.5, (195, 169), (plain, Logprob("", 0)))


@pytest.mark.parametrize(
    ("escaped", "text"),
    [
        (rb"\u003cthink\u003e \u0026", "<think> &"),
        (rb"a\u2028b\u2029c", "a\u2028b\u2029c"),
        ("a\u0085b\u2028c\u2029d".encode(), "a\u0085b\u2028c\u2029d"),
        ("😀 漢字".encode(), "😀 漢字"),
        (rb"\ud83d\ude00", "😀"),
        (rb"\r\n\t\u0000", "\r\n\t\0"),
    ],
)
def test_text_survives_escaping(escaped: bytes, text: str) -> None:
    """What Ollama escapes and what it does not give the same text; no line ends inside a string."""
    assert decode_chat_chunk(b'{"message":{"content":"' + escaped + b'"}}', 1).content == text


def test_a_chunk_shows_no_content_in_repr() -> None:
    """Its line neither."""
    assert "s3cret" not in repr(decode_chat_chunk(line("s3cret", thinking="s3cret"), 1))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from([*ChatChunk.__struct_encode_fields__, "x"]) | st.text()
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.slow
@given(st.binary() | st.dictionaries(NAMES, JSON).map(msgspec.json.encode))
@example(b'{"message":{"tool_calls":[{}]}}')
@example(b'{"message":{"tool_calls":[null]}}')
def test_any_bytes_are_a_chunk_or_a_protocol_error(raw: bytes) -> None:
    """Reading is total, and so is all that a chunk offers."""
    try:
        chunk = decode_chat_chunk(raw, 7)
    except ProtocolError:
        return
    assert (chunk.arrived_ns, chunk.line) == (7, raw)
    assert isinstance(chunk.content, str)
    assert isinstance(chunk.extra, dict)
    assert repr(chunk)
    assert chunk.usage is None or chunk.usage.slot_wait_ns >= 0
    fold = ChatFold()
    fold.add(chunk)
    assert fold.result().content == chunk.content


# ---- the whole answer


def fold_of(*raws: bytes) -> ChatFold:
    """Fold these lines."""
    fold = ChatFold()
    for raw in raws:
        fold.add(decode_chat_chunk(raw, 1))
    return fold


def test_events_fold_into_the_answer() -> None:
    """Content, thinking, calls and logprobs of all events; the rest is the last event's."""
    call = {"id": "call_1", "function": {"index": 0, "name": "f", "arguments": {"x": 1}}}
    late = {"function": {"index": 1, "name": "g", "arguments": {}}}
    logprob = {"logprobs": [{"token": "a", "logprob": -1}]}
    last = {**FINAL, "new": 1, "message": {**FINAL["message"], "tool_calls": [late]}, **logprob}
    fold = fold_of(
        line(thinking="h"),
        line(thinking="m"),
        line("Hel"),
        json.dumps({**json.loads(line("lo")), **logprob}).encode(),
        line(tool_calls=[call]),
        json.dumps(last).encode(),
    )
    answer = fold.result()
    assert answer == ChatResponse(
        model="m1",
        created_at="2026-08-21T10:00:00.14Z",
        message=Message(
            role="assistant",
            content="Hello.",
            thinking="hm",
            tool_calls=(
                ToolCall(ToolFunction("f", {"x": 1}, 0), "call_1"),
                ToolCall(ToolFunction("g", {}, 1)),
            ),
        ),
        done=True,
        done_reason="stop",
        usage=Usage(7, 2, 91_000_000, 1_500_000, 20_000_000, 16_000_000),
        logprobs=(Logprob("a", -1), Logprob("a", -1)),
    )
    assert answer.extra == {"new": 1}
    assert (answer.content, answer.thinking) == ("Hello.", "hm")
    assert answer.tool_calls == fold.tool_calls


def test_an_answer_goes_into_the_next_request() -> None:
    """Its message can be put behind the others."""
    answer = fold_of(line("Hi"), json.dumps(FINAL).encode()).result()
    request = ChatRequest.make("m", [{"role": "user", "content": "Hello"}, answer.message])
    assert request.messages[1] == Message(role="assistant", content="Hi.")


def test_a_fold_can_be_read_at_any_time() -> None:
    """Before anything came, in the middle, and again at the end."""
    fold = ChatFold()
    assert (fold.text, fold.thinking, fold.is_done) == ("", None, False)
    assert fold.result() == ChatResponse(message=Message(role="assistant"))
    fold.add(decode_chat_chunk(line("a"), 1))
    assert fold.text == "a"
    assert not fold.result().done
    assert fold.result().usage == Usage()
    fold.add(decode_chat_chunk(line("b", done=True), 1))
    assert fold.text == "ab"
    assert fold.is_done
    assert fold.result().content == "ab"


def test_usage_of_several_attempts_can_be_given() -> None:
    """Where an answer was continued elsewhere, the caller of the fold knows the sum."""
    fold = fold_of(json.dumps(FINAL).encode())
    assert fold.result(usage=Usage(output_tokens=99)).usage.output_tokens == 99


def test_an_answer_shows_no_content_in_repr() -> None:
    """Nor does the fold."""
    fold = fold_of(line("s3cret", thinking="s3cret"), b'{"done":true,"s3cret":"s3cret"}')
    assert "s3cret" not in f"{fold!r} {fold.result()!r}"
    assert repr(fold) == "ChatFold(<6 long>, is_done=True)"


@given(st.lists(st.tuples(TEXT, st.none() | TEXT)))
def test_a_streamed_answer_equals_the_whole_one(pieces: list[tuple[str, str | None]]) -> None:
    """Folding the events gives what the one object of an unstreamed answer gives."""
    lines = [msgspec.json.encode({"message": {"content": c, "thinking": t}}) for c, t in pieces]
    thoughts = [t for _, t in pieces if t is not None]
    message: dict[str, Any] = {"role": "assistant", "content": "".join(c for c, _ in pieces)}
    if thoughts:
        message["thinking"] = "".join(thoughts)
    end = {**FINAL, "message": {"role": "assistant", "content": ""}}
    streamed = fold_of(*lines, json.dumps(end).encode()).result()
    whole = fold_of(json.dumps({**FINAL, "message": message}).encode()).result()
    assert streamed == whole
