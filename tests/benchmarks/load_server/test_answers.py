"""The bytes of the load server are those of an Ollama server."""

import json

import pytest
from benchmarks.clients.lines import decode
from benchmarks.load_server.forms import Form

from benchmarks.load_server import answers, openai_answers


def body_of(chunk: bytes) -> bytes:
    """Return the data of the first HTTP chunk, whose stated length must be true."""
    size, _, rest = chunk.partition(b"\r\n")
    body = rest[: int(size, 16)]
    assert rest[len(body) :].startswith(b"\r\n")
    return body


def body_of_stream(form: Form) -> bytes:
    """Return the chunks of a whole streamed answer, without its head."""
    assert form.one_line.startswith(form.head)
    return form.one_line.removeprefix(form.head)


@pytest.mark.parametrize("chunk", answers.TOKENS)
def test_each_token_is_one_line_in_one_chunk(chunk: bytes) -> None:
    """A token is one whole JSON line with text, in an HTTP chunk of the right length."""
    body = body_of(chunk)
    assert body.count(b"\n") == 1
    line = decode(body)
    assert line.message.content
    assert not line.done


def test_the_terminal_line_carries_the_usage_and_ends_the_body() -> None:
    """A stream ends with ``done``, counts and durations that add up, and the last chunk."""
    chunk = body_of_stream(answers.OLLAMA)
    line = decode(body_of(chunk))
    assert line.done
    assert line.eval_count == 298
    parts = line.load_duration + line.prompt_eval_duration + line.eval_duration
    assert 0 < parts <= line.total_duration
    assert chunk.endswith(b"\r\n0\r\n\r\n")


def test_a_whole_response_states_its_length() -> None:
    """``Content-Length`` is that of the encoded body, non-ASCII text included."""
    head, _, body = answers.whole('{"a":"é"}').partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body) == {"a": "é"}


@pytest.mark.parametrize("path", answers.OTHERS)
def test_what_is_asked_besides_is_json(path: bytes) -> None:
    """Version, tags and ps are answered with a JSON object."""
    assert json.loads(answers.OTHERS[path].partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("form", [answers.OLLAMA, openai_answers.OPENAI])
def test_a_stamped_chunk_says_when_it_was_sent(form: Form) -> None:
    """The text is the time, and the chunk's stated length stays true."""
    for now_ns in (1, 2**62):
        body = body_of(form.stamped(now_ns))
        assert f"{now_ns:019d}".encode() in body
    assert decode(body_of(answers.OLLAMA.stamped(7))).message.content == f"{7:019d}"


@pytest.mark.parametrize("chunk", openai_answers.OPENAI.tokens)
def test_each_event_is_one_json_object_in_one_chunk(chunk: bytes) -> None:
    """A server-sent event is ``data: {json}``, ended by an empty line, with text in its delta."""
    body = body_of(chunk)
    assert body.startswith(b"data: ")
    assert body.endswith(b"\n\n")
    event = json.loads(body.removeprefix(b"data: "))
    assert event["object"] == "chat.completion.chunk"
    assert event["choices"][0]["delta"]["content"]
    assert event["choices"][0]["finish_reason"] is None


def test_events_end_with_a_reason_and_done() -> None:
    """The last event says why the answer ended; then comes the word that ends all events."""
    chunks = body_of_stream(openai_answers.OPENAI)
    event = json.loads(body_of(chunks).removeprefix(b"data: "))
    assert event["choices"][0]["finish_reason"] == "stop"
    assert chunks.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("form", "body", "wanted"),
    [
        (answers.OLLAMA, b"{}", True),
        (answers.OLLAMA, b'{"stream": false}', False),
        (openai_answers.OPENAI, b"{}", False),
        (openai_answers.OPENAI, b'{"stream": true}', True),
    ],
)
def test_each_api_has_its_own_default_for_streaming(
    form: Form, body: bytes, *, wanted: bool
) -> None:
    """Ollama streams unless it is told not to, OpenAI only when it is told to."""
    assert form.wants_stream(body) is wanted


def test_a_short_answer_has_so_many_tokens() -> None:
    """Each in a line and a chunk of its own, or all in one object; its counts agree."""
    form = answers.of_tokens(8)
    rest = body_of_stream(form)
    lines = []
    while rest != answers.END:
        lines.append(decode(body := body_of(rest)))
        rest = rest[len(body) + len(b"%x\r\n\r\n" % len(body)) :]
    assert [bool(line.message.content) for line in lines] == [True] * 8 + [False]
    assert [line.done for line in lines] == [False] * 8 + [True]
    assert lines[-1].eval_count == 8
    whole = json.loads(form.one_object.partition(b"\r\n\r\n")[2])
    assert whole["message"]["content"] == "".join(line.message.content for line in lines)
    assert whole["eval_count"] == 8
