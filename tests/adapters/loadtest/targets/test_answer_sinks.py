"""Answers from bytes: the same chunks and stamps, whatever pieces they come in."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from triollama import AnswerTooLargeError, ProtocolError
from triollama_adapters.loadtest.plan import Api
from triollama_adapters.loadtest.targets import answer_sinks
from triollama_adapters.loadtest.targets.answer_sinks import AnswerSink, make_sink

END = {
    "done": True,
    "total_duration": 90,
    "load_duration": 10,
    "prompt_eval_count": 5,
    "prompt_eval_duration": 20,
    "eval_count": 3,
    "eval_duration": 30,
}


@attrs.define
class Flow:
    """A connection that reads at known times."""

    received_ns: int = 0
    sent_ns: int = 1

    def pause(self) -> None:
        """Nobody pauses."""

    def resume(self) -> None:
        """Nor resumes."""


def fed(api: Api, *pieces: bytes, keeps_text: bool = False) -> AnswerSink:
    """A sink that got these, one every 10 ns from 100 on, and the end."""
    sink, flow = make_sink(api, keeps_text=keeps_text), Flow()
    sink.bind(flow)
    for number, piece in enumerate(pieces):
        flow.received_ns = 100 + 10 * number
        sink.feed(piece)
    sink.finish()
    return sink


def lines(*values: Any) -> list[bytes]:
    """Lines of NDJSON."""
    return [json.dumps(each).encode() + b"\n" for each in values]


def say(**message: Any) -> dict[str, Any]:
    """A line of a chat."""
    return {"model": "m", "message": {"role": "assistant", "content": ""} | message, "done": False}


CHAT = lines(say(content=""), say(thinking="Hm"), say(content="a"), say(content="b"), say() | END)


def test_a_chat_is_stamped_chunk_by_chunk() -> None:
    """Empty chunks say nothing; thinking is the first token, content the first shown."""
    sink = fed("chat", *CHAT, keeps_text=True)
    assert sink.stamps == [110, 120, 130]
    assert (sink.shown_ns, sink.done_ns) == (120, 140)
    assert (sink.prompt_tokens, sink.output_tokens) == (5, 3)
    assert sink.times_ns == (90, 10, 20, 30)
    assert "".join(sink.text) == "ab"
    assert not sink.error


@pytest.mark.parametrize("size", [1, 2, 7, 50, 10_000])
def test_in_whatever_pieces(size: int) -> None:
    """What counts is when the piece came that ends a line."""
    whole = b"".join(CHAT)
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]
    sink = fed("chat", *pieces)
    ends = [sum(map(len, CHAT[: place + 1])) for place in range(len(CHAT))]
    came = [100 + 10 * ((end - 1) // size) for end in ends]
    assert sink.stamps == came[1:4]
    assert (sink.shown_ns, sink.done_ns) == (came[2], came[4])


def test_a_last_line_needs_no_break() -> None:
    """Its arrival is that of its last piece."""
    sink = fed("chat", *CHAT[:-1], CHAT[-1][:20], CHAT[-1][20:-1])
    assert sink.done_ns == 150


def test_a_tool_call_is_shown() -> None:
    """It is visible, and kept for the next turn."""
    call = {"function": {"name": "look", "arguments": {"at": 1}}}
    sink = fed("chat", *lines(say(tool_calls=[call]), say() | END), keeps_text=True)
    assert sink.shown_ns == sink.stamps[0] == 100
    assert sink.tool_calls == [call]


def test_content_with_the_last_line_counts() -> None:
    """As a chunk that is the end as well."""
    sink = fed("chat", *lines(say(content="all") | END))
    assert (sink.stamps, sink.done_ns) == ([100], 100)


def test_generate() -> None:
    """Its text stands elsewhere."""
    said = ({"response": "", "thinking": "Hm"}, {"response": "a"}, {"response": ""} | END)
    sink = fed("generate", *lines(*said), keeps_text=True)
    assert (sink.stamps, sink.shown_ns, sink.done_ns) == ([100, 110], 110, 120)
    assert "".join(sink.text) == "a"


def test_embed_has_no_first_token() -> None:
    """One document, over when its last piece came; without vectors being decoded."""
    document = {"embeddings": [[0.1] * 100], "total_duration": 7, "prompt_eval_count": 4}
    whole = json.dumps(document).encode()
    sink = fed("embed", whole[:50], whole[50:])
    assert (sink.stamps, sink.shown_ns, sink.done_ns) == ([], 0, 110)
    assert (sink.prompt_tokens, sink.times_ns) == (4, (7, 0, 0, 0))


def events(*values: Any) -> list[bytes]:
    """Server-sent events."""
    return [b"data: %s\n\n" % json.dumps(each).encode() for each in values]


def delta(**fields: Any) -> dict[str, Any]:
    """An event of an answer."""
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": None}]}


def test_openai() -> None:
    """Role and usage say nothing; reasoning is the first token; the end is ``[DONE]``."""
    used = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}
    said = (
        delta(role="assistant", content=""),
        delta(content="", reasoning="Hm"),
        delta(content="a"),
        delta() | {"finish_reason": "stop"},
        used,
    )
    sink = fed("openai", *events(*said), b": ping\n\n", b"data: [DONE]\n\n")
    assert (sink.stamps, sink.shown_ns, sink.done_ns) == ([110, 120], 120, 160)
    assert (sink.prompt_tokens, sink.output_tokens, sink.times_ns) == (9, 2, None)


def test_events_of_other_servers() -> None:
    """Lines that end with CR LF, no blank behind the colon, another name for reasoning."""
    said = events(delta(reasoning_content="Hm"), delta(content="a"))
    pieces = [each.replace(b"data: ", b"data:").replace(b"\n", b"\r\n") for each in said]
    sink = fed("openai", *pieces, b"data:[DONE]\r\n\r\n")
    assert (sink.stamps, sink.done_ns) == ([100, 110], 120)


@pytest.mark.parametrize(
    ("api", "line"),
    [
        ("chat", b'{"error":"out of memory"}\n'),
        ("openai", b'data: {"error":{"message":"out of memory","type":"api_error"}}\n\n'),
        ("embed", b'{"error":"out of memory"}'),
    ],
)
def test_an_error_is_told(api: Api, line: bytes) -> None:
    """In the server's words, and there is no end."""
    sink = fed(api, line)
    assert (sink.error, sink.done_ns) == ("out of memory", 0)


def test_an_error_without_words() -> None:
    """It is one all the same."""
    assert fed("chat", b'{"error":""}\n').error


def test_no_end_is_no_end() -> None:
    """An answer that just stops has no `done_ns`."""
    assert fed("chat", *CHAT[:-1]).done_ns == 0


def test_nulls_are_nothing() -> None:
    """Some servers write them; negative figures are none either."""
    line = {"message": {"content": None, "tool_calls": None}, "response": None}
    end = END | {"eval_count": None, "eval_duration": -5, "load_duration": None}
    sink = fed("chat", *lines(line, say() | end))
    assert sink.stamps == []
    assert (sink.output_tokens, sink.times_ns) == (0, (90, 0, 20, 0))


@pytest.mark.parametrize("api", ["chat", "generate", "openai", "embed"])
def test_what_is_no_json_is_refused_without_being_shown(api: Api) -> None:
    """The message has none of the line."""
    with pytest.raises(ProtocolError) as caught:
        fed(api, b"data: secret secret\n\n" if api == "openai" else b"secret\n")
    assert "secret" not in str(caught.value)


def test_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the lines are."""
    monkeypatch.setattr(answer_sinks, "ANSWER_BYTES_MAX", 100)
    with pytest.raises(AnswerTooLargeError):
        fed("chat", b" " * 101)
