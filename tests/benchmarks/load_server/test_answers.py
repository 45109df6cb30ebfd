"""The bytes of the load server are those of an Ollama server."""

import json

import pytest
from benchmarks.clients.lines import decode

from benchmarks.load_server import answers


def body_of(chunk: bytes) -> bytes:
    """Return the data of the first HTTP chunk, whose stated length must be true."""
    size, _, rest = chunk.partition(b"\r\n")
    body = rest[: int(size, 16)]
    assert rest[len(body) :].startswith(b"\r\n")
    return body


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
    line = decode(body_of(answers.LAST))
    assert line.done
    assert line.eval_count == 298
    parts = line.load_duration + line.prompt_eval_duration + line.eval_duration
    assert 0 < parts <= line.total_duration
    assert answers.LAST.endswith(b"\r\n0\r\n\r\n")


def test_a_whole_response_states_its_length() -> None:
    """``Content-Length`` is that of the encoded body, non-ASCII text included."""
    head, _, body = answers.whole('{"a":"é"}').partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body) == {"a": "é"}


@pytest.mark.parametrize("path", answers.OTHERS)
def test_what_is_asked_besides_is_json(path: bytes) -> None:
    """Version, tags and ps are answered with a JSON object."""
    assert json.loads(answers.OTHERS[path].partition(b"\r\n\r\n")[2])
