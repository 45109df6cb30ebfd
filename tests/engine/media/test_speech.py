"""Transcriptions, against a server that says what a test wants."""

from __future__ import annotations

import io
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
import trio

import triollama
from triollama import (
    BlobChangedError,
    EngineConfig,
    FleetUnavailableError,
    InvalidRequestError,
    ProbeConfig,
    ProtocolError,
    RequestRejectedError,
    StreamBrokenError,
    Transcription,
)
from triollama.media import recordings

WAV = b"RIFF\x24\0\0\0WAVEfmt " + bytes(range(256)) * 40
MP3 = b"\xff\xfb\x90\x00" + b"m" * 500
QUIET = EngineConfig(
    probe=ProbeConfig(enabled=False), attempts_max=2, retry_wait_s=0.1, buffer_bytes_high=64
)


def parts_of(request: bytes) -> dict[str, Message]:
    """The parts of the form in a request, by name."""
    head, _, body = request.partition(b"\r\n\r\n")
    line = next(x for x in head.split(b"\r\n") if x.lower().startswith(b"content-type:"))
    form = message_from_bytes(line + b"\r\n\r\n" + body)
    parts = {}
    for part in form.get_payload():
        assert isinstance(part, Message)
        parts[str(part.get_param("name", header="content-disposition"))] = part
    return parts


def text_of(part: Message) -> str:
    """A field's value."""
    return part.get_payload(decode=True).decode()  # type: ignore[union-attr]


def engine_for(web: Any) -> Any:
    """An engine of that one server."""
    return triollama.open_engine(f"http://127.0.0.1:{web.port}", config=QUIET)


@pytest.mark.parametrize("form", ["path", "text", "bytes", "file", "memory"])
async def test_a_recording_is_sent_as_a_form(web: Any, tmp_path: Path, form: str) -> None:
    """Every form of file gives the same upload; its name on disk is not told."""
    web.says(b'{"text":"hello","duration":1}', headers="Content-Type: application/x-ndjson\r\n")
    path = tmp_path / "s3cret.wav"
    path.write_bytes(WAV)
    with path.open("rb") as opened:
        file = {
            "path": path,
            "text": str(path),
            "bytes": WAV,
            "file": opened,
            "memory": io.BytesIO(WAV),
        }[form]
        async with engine_for(web) as engine:
            answer = await engine.transcribe("whisper", file, language="en", prompt="Ünal,\r\nX")
    assert answer == Transcription(text="hello", extra={"duration": 1})
    parts = parts_of(web.requests[0])
    assert web.requests[0].startswith(b"POST /v1/audio/transcriptions HTTP/1.1\r\n")
    assert {name: text_of(part) for name, part in parts.items() if name != "file"} == {
        "model": "whisper",
        "language": "en",
        "prompt": "Ünal,\r\nX",
        "response_format": "json",
    }
    assert parts["file"].get_payload(decode=True) == WAV
    assert parts["file"].get_filename() == "audio.wav"
    assert b"s3cret" not in web.requests[0]


async def test_text_can_be_asked_for(web: Any) -> None:
    """The result is the same; what is not given is not sent."""
    web.says("Grüß Gott\n".encode(), headers="Content-Type: text/plain; charset=utf-8\r\n")
    async with engine_for(web) as engine:
        answer = await engine.transcribe("whisper", MP3, response_format="text")
    assert answer.text == "Grüß Gott\n"
    assert "Grüß" not in repr(answer)
    parts = parts_of(web.requests[0])
    assert set(parts) == {"model", "response_format", "file"}
    assert text_of(parts["response_format"]) == "text"
    assert parts["file"].get_content_type() == "audio/mpeg"


async def test_it_is_read_piece_by_piece(
    web: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No read is larger than a piece, however long the recording is."""
    monkeypatch.setattr(recordings, "PIECE_BYTES", 1000)
    sizes: list[int] = []
    read = recordings.RecordingStream._read

    def noted(stream: Any) -> bytes:
        piece = read(stream)
        sizes.append(len(piece))
        return piece

    monkeypatch.setattr(recordings.RecordingStream, "_read", noted)
    web.says(b'{"text":"x"}')
    async with engine_for(web) as engine:
        await engine.transcribe("whisper", WAV)
    assert max(sizes) == 1000
    assert sum(sizes) == len(WAV)
    assert parts_of(web.requests[0])["file"].get_payload(decode=True) == WAV


@pytest.mark.parametrize(
    ("file", "told"),
    [
        (b"", "0 bytes"),
        (b"fLaC....", "FLAC audio"),
        (b"OggS....", "Ogg audio"),
        (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
        (b"s3cret text", "something else"),
        (Path("/no/such.wav"), "cannot be read"),
        (Path("/"), "a folder"),
        (io.StringIO("RIFF"), "text file"),
        (None, "must be a path, bytes or a binary file"),
    ],
)
async def test_what_is_no_recording(web: Any, file: Any, told: str) -> None:
    """It is refused before anything is sent, without its content."""
    async with engine_for(web) as engine:
        with pytest.raises(InvalidRequestError, match=told) as caught:
            await engine.transcribe("whisper", file)
        assert "s3cret" not in str(caught.value)
    assert web.requests == []


async def test_fields_are_checked_together(web: Any) -> None:
    """All that is wrong is told at once."""
    async with engine_for(web) as engine:
        with pytest.raises(InvalidRequestError) as caught:
            await engine.transcribe("", WAV, language=3, response_format="srt")
        with pytest.raises(InvalidRequestError, match="prompt"):
            await engine.transcribe("m", WAV, prompt="\ud800")
    assert [each.path for each in caught.value.problems] == ["model", "language", "response_format"]


async def test_terms_are_told_with_the_fields(web: Any) -> None:
    """A deadline that is none does not hide what else is wrong."""
    async with engine_for(web) as engine:
        for ask in (
            lambda: engine.transcribe("a b", b"", language=3, deadline_s=-1),
            lambda: engine.stream_transcribe("a b", b"", language=3, deadline_s=-1).__aenter__(),
        ):
            with pytest.raises(InvalidRequestError) as caught:
                await ask()
            paths = [each.path for each in caught.value.problems]
            assert paths == ["model", "language", "deadline_s"]


async def test_a_recording_has_a_size_limit(web: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the byte."""
    web.says(b'{"text":"x"}')
    async with engine_for(web) as engine:
        monkeypatch.setattr(recordings, "AUDIO_BYTES_MAX", len(WAV))
        await engine.transcribe("whisper", WAV)
        monkeypatch.setattr(recordings, "AUDIO_BYTES_MAX", len(WAV) - 1)
        with pytest.raises(InvalidRequestError, match=f"not {len(WAV)} bytes"):
            await engine.transcribe("whisper", WAV)


async def test_a_file_that_changes_is_told(
    web: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made of half an old and half a new file."""
    path = tmp_path / "a.wav"
    path.write_bytes(WAV)
    opened = recordings.Recording.open

    def changed(recording: Any) -> Any:
        path.write_bytes(WAV + b"more")
        return opened(recording)

    monkeypatch.setattr(recordings.Recording, "open", changed)
    async with engine_for(web) as engine:
        with pytest.raises(BlobChangedError):
            await engine.transcribe("whisper", path)
    assert web.requests == []


async def test_a_refusal_is_told(web: Any) -> None:
    """Also one that comes before the recording has been read."""
    web.is_impatient = True
    body = b'{"error":{"message":"audio file is empty","type":"invalid_request_error"}}'
    web.says(body, "400 Bad Request", "Content-Type: application/json\r\n")
    async with engine_for(web) as engine:
        with pytest.raises(RequestRejectedError, match="audio file is empty"):
            await engine.transcribe("whisper", WAV * 200)


@pytest.mark.parametrize("response_format", ["json", "text"])
async def test_an_empty_answer_is_a_failure(web: Any, response_format: Any) -> None:
    """So the server ends when it fails after its first word; each endpoint is tried."""
    web.says(b"", headers="Content-Type: application/x-ndjson\r\n")
    async with engine_for(web) as engine:
        with pytest.raises(FleetUnavailableError, match="the answer is empty"):
            await engine.transcribe("whisper", WAV, response_format=response_format)
    assert len(web.requests) == 2
    assert all(parts_of(each)["file"].get_payload(decode=True) == WAV for each in web.requests)


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"text":3}', b"no json", b'{"text":"\xff"}'])
async def test_an_answer_that_is_none(web: Any, body: bytes) -> None:
    """Another server's page is no transcription."""
    web.says(body)
    async with engine_for(web) as engine:
        with pytest.raises(FleetUnavailableError) as caught:
            await engine.transcribe("whisper", WAV)
    assert isinstance(caught.value.causes[-1], ProtocolError)


async def test_the_text_comes_in_pieces(nursery: trio.Nursery) -> None:
    """Each piece as it arrives, and characters that are cut between two are whole."""
    go_on = trio.Event()

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            seen = b""
            while not seen.endswith(b"--\r\n"):
                piece = await stream.receive_some()
                assert piece
                seen += piece
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\none \xc3")
            await go_on.wait()
            await stream.send_all(b"\xbc two!")

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    nursery.start_soon(trio.serve_listeners, serve, listeners)
    url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
    async with triollama.open_engine(url, config=QUIET) as engine:
        async with engine.stream_transcribe("whisper", WAV) as stream:
            assert await anext(stream) == "one "
            assert stream.endpoint
            go_on.set()
            assert "".join([piece async for piece in stream]) == "ü two!"
            assert (await stream.collect()).text == "one ü two!"
    nursery.cancel_scope.cancel()


async def test_a_stream_that_breaks_has_what_came(web: Any) -> None:
    """It is not tried again once a part was seen; before that it is."""
    web.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf of"
    async with engine_for(web) as engine:
        async with engine.stream_transcribe("whisper", WAV) as stream:
            with pytest.raises(StreamBrokenError) as caught:
                await stream.collect()
        assert caught.value.content == "half of"
        assert len(web.requests) == 1
        web.says(b"")
        async with engine.stream_transcribe("whisper", WAV) as stream:
            with pytest.raises(FleetUnavailableError):
                await anext(stream)
        assert len(web.requests) == 3


async def test_a_slow_reader_holds_the_server_back(web: Any) -> None:
    """What is unread is bounded, and nothing of it is lost."""
    web.says(b"x" * 4_000_000)
    async with engine_for(web) as engine:
        async with engine.stream_transcribe("whisper", WAV) as stream:
            text = await anext(stream)
            await trio.sleep(0.05)
            assert len(text) < 4_000_000
            assert len(text + "".join([piece async for piece in stream])) == 4_000_000


async def test_leaving_hangs_up(web: Any) -> None:
    """The server need not go on for nobody; the same when the task is cancelled."""
    web.keeps_open = True
    web.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf"
    async with engine_for(web) as engine:
        async with engine.stream_transcribe("whisper", WAV) as stream:
            assert await anext(stream) == "half"
        with trio.fail_after(5):
            await web.hung_up.wait()
        web.hung_up = trio.Event()
        with trio.move_on_after(0.05):
            await engine.transcribe("whisper", WAV)
        with trio.fail_after(5):
            await web.hung_up.wait()


async def test_bytes_that_are_no_text(web: Any) -> None:
    """Cut or wrong UTF-8 is the server's fault."""
    web.says(b"abc\xff")
    async with engine_for(web) as engine:
        async with engine.stream_transcribe("whisper", WAV) as stream:
            with pytest.raises((FleetUnavailableError, StreamBrokenError)):
                await stream.collect()
