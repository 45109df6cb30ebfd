"""``/v1/completions``, ``/v1/embeddings``, ``/v1/models/:model`` and the transcriptions."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest

WAV = b"RIFF\x24\0\0\0WAVEfmt "
OPTIONS = {"max_tokens": 4, "temperature": 0}


def complete(bench: Any, **fields: Any) -> Any:
    """Ask for a completion of four tokens."""
    return bench.ask("/v1/completions", **({"model": "llama3.2", "prompt": "Why?"} | fields))


def chunks(call: Any) -> list[dict[str, Any]]:
    """The events of a stream, which ends with its mark."""
    *lines, done = call.parse().body.decode().strip().split("\n\n")
    assert done == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def test_a_completion(bench: Any) -> None:
    """One object, with the words of the native route."""
    call = complete(bench, **OPTIONS)
    assert call.headers["content-type"] == "application/json"
    assert call.body.endswith(b"}\n")
    whole = call.json
    assert (whole["object"], whole["id"][:5]) == ("text_completion", "cmpl-")
    [choice] = whole["choices"]
    options = {"num_predict": 4}
    native = bench.ask(
        "/api/generate", model="llama3.2", prompt="Why?", options=options, stream=False
    ).json
    assert choice == {"text": native["response"], "index": 0, "finish_reason": "length"}
    assert whole["usage"]["completion_tokens"] == 4
    assert whole["usage"]["total_tokens"] == 4 + native["prompt_eval_count"]


def test_a_streamed_completion(bench: Any) -> None:
    """The reason of the end is on the last chunk of text; the counts come behind it."""
    call = complete(bench, stream=True, stream_options={"include_usage": True}, **OPTIONS)
    assert call.headers["content-type"] == "text/event-stream"
    *said, finish, counts = chunks(call)
    text = "".join(chunk["choices"][0]["text"] for chunk in said)
    assert text == complete(bench, **OPTIONS).json["choices"][0]["text"]
    assert {chunk["choices"][0]["finish_reason"] for chunk in said} == {None}
    assert finish["choices"] == [{"text": "", "index": 0, "finish_reason": "length"}]
    zero = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    assert all(chunk["usage"] == zero for chunk in (*said, finish))
    assert counts["choices"] == []
    assert counts["usage"]["completion_tokens"] == 4
    assert len({chunk["id"] for chunk in (*said, finish, counts)}) == 1
    plain = chunks(complete(bench, stream=True, **OPTIONS))
    assert not any("usage" in chunk for chunk in plain)


def test_a_thinking_model_completes_in_silence(bench: Any) -> None:
    """What it thinks has no place in a completion: those events are empty."""
    said = chunks(complete(bench, model="qwen3:0.6b", stream=True, logprobs=3, **OPTIONS))
    assert [chunk["choices"][0]["text"] for chunk in said] == [""] * 5


def test_an_empty_prompt_loads(bench: Any) -> None:
    """As the native route does."""
    assert complete(bench, prompt="").json["choices"][0]["finish_reason"] == "load"
    assert bench.ps[0]["name"] == "llama3.2:latest"


def test_embeddings(bench: Any) -> None:
    """G46: the vectors of the native route, as numbers or as base64."""
    asked = {"model": "nomic-embed-text", "input": ["a", ""]}
    native = bench.ask("/api/embed", **asked).json
    found = bench.ask("/v1/embeddings", **asked).json
    assert [entry["embedding"] for entry in found["data"]] == native["embeddings"]
    assert [entry["index"] for entry in found["data"]] == [0, 1]
    count = native["prompt_eval_count"]
    assert found["usage"] == {"prompt_tokens": count, "total_tokens": count}
    packed = bench.ask("/v1/embeddings", **asked, encoding_format="BASE64", dimensions=8).json
    data = base64.b64decode(packed["data"][0]["embedding"])
    short = bench.ask("/api/embed", **asked, dimensions=8).json["embeddings"][0]
    assert struct.unpack("<8f", data) == pytest.approx(short, rel=1e-6)
    lone = bench.ask("/v1/embeddings", model="nomic-embed-text", input="").json
    assert len(lone["data"]) == 1


def test_one_model(bench: Any) -> None:
    """Under the name that it was asked for by; a name with a slash is no route."""
    found = bench.get("/v1/models/llama3.2").json
    assert (found["id"], found["object"], found["owned_by"]) == ("llama3.2", "model", "library")
    missing = bench.get("/v1/models/none").parse()
    assert (missing.status, missing.json["error"]["type"]) == (404, "not_found_error")
    assert bench.get("/v1/models/library/llama3.2").parse().status == 404
    assert bench.get("/v1/models/").parse().headers["location"] == "/v1/models"


@pytest.mark.parametrize(
    ("path", "body", "status", "told"),
    [
        ("/v1/completions", {"model": "none", "prompt": "a"}, 404, "model 'none' not found"),
        ("/v1/completions", {"model": "llama3.2", "prompt": ["a"]}, 400, "of type string"),
        ("/v1/completions", None, 400, "EOF"),
        ("/v1/embeddings", {"model": "nomic-embed-text"}, 400, "invalid input"),
        ("/v1/embeddings", {"model": "nomic-embed-text", "input": []}, 400, "invalid input"),
        ("/v1/embeddings", {"model": "m", "input": [[1]]}, 400, "invalid input type"),
        ("/v1/embeddings", {"model": "m", "input": 3}, 400, "invalid input type"),
        ("/v1/embeddings", {"model": "none", "input": "a"}, 404, "try pulling it first"),
        (
            "/v1/embeddings",
            {"model": "m", "input": "a", "encoding_format": "hex"},
            400,
            "encoding_format",
        ),
    ],
)
def test_errors(bench: Any, path: str, body: Any, status: int, told: str) -> None:
    """G44: in OpenAI's shape; what Ollama's own routes say ends its line."""
    call = bench.send("POST", path, body).parse()
    assert call.status == status
    assert told in call.json["error"]["message"]
    assert call.body.endswith(b"\n") == (status == 404)
    assert ("charset" in call.headers["content-type"]) == (status == 400)


def form(**fields: bytes | tuple[str, bytes]) -> tuple[bytes, bytes]:
    """Make a form: content type and body; a tuple is a file."""
    body = b""
    for name, value in fields.items():
        filename, content = value if isinstance(value, tuple) else ("", value)
        body += b'--X y\r\nContent-Disposition: form-data; name="' + name.encode() + b'"'
        body += b'; filename="' + filename.encode() + b'"' if filename else b""
        body += b"\r\n\r\n" + content + b"\r\n"
    return b'multipart/form-data; boundary="X y"', body + b"--X y--\r\n"


def transcribe(bench: Any, content_type: bytes, body: bytes) -> Any:
    """Send a form."""
    call = bench.send("POST", "/v1/audio/transcriptions", body, content_type=content_type)
    bench.finish(call)
    return call.parse()


def test_a_transcription(bench: Any) -> None:
    """What is heard depends on the file; json is the form for all but text."""
    file = ("a.wav", WAV + b"\r\n--X\r\n")
    call = transcribe(bench, *form(model=b"llava:7b", file=file))
    assert call.headers["content-type"] == "application/x-ndjson"
    assert call.headers["transfer-encoding"] == "chunked"
    text = call.json["text"]
    assert len(text) > 100
    as_text = transcribe(
        bench, *form(model=b"llava:7b", file=file, response_format=b"text", temperature=b"1")
    )
    assert as_text.body.decode() == text
    other = transcribe(bench, *form(model=b"llava:7b", file=("b.wav", WAV), language=b"de"))
    assert other.json["text"] != text


@pytest.mark.parametrize(
    ("sent", "status", "told"),
    [
        ((b"application/json", b"{}"), 400, "failed to parse multipart form: request Content-Type"),
        ((b"multipart/form-data", b""), 400, "failed to parse multipart form: no multipart bound"),
        ((b"multipart/form-data; boundary=x", b"--x"), 400, "failed to parse multipart form: mult"),
        (form(file=("a", b"x")), 400, "model is required"),
        (form(model=b"llava:7b"), 400, "file is required: http: no such file"),
        (form(model=b"llava:7b", file=b"x"), 400, "file is required: http: no such file"),
        (form(model=b"llava:7b", file=("a", b"")), 400, "audio file is empty"),
        (form(model=b"none", file=("a", b"x")), 404, "model 'none' not found"),
    ],
)
def test_bad_forms(bench: Any, sent: tuple[bytes, bytes], status: int, told: str) -> None:
    """Each says what is wrong, in OpenAI's shape."""
    call = transcribe(bench, *sent)
    assert call.status == status
    assert call.json["error"]["message"].startswith(told)
