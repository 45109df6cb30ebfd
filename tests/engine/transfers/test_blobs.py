"""Files that are uploaded: each form, and what goes wrong with them."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from tests.engine.transfers.conftest import Scripted
from trio.testing import MockClock

from triollama import (
    BlobChangedError,
    ConfigError,
    ConnectError,
    DigestMismatchError,
    InvalidRequestError,
    PartialFailureError,
    StallError,
)
from triollama.transfers import Blob, as_source
from triollama.transfers.blobs import PIECE_BYTES, BlobStream

DATA = os.urandom(64) * 40_000
"""Two and a half pieces."""

DIGEST = f"sha256:{hashlib.sha256(DATA).hexdigest()}"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with the data."""
    file = tmp_path / "model.gguf"
    file.write_bytes(DATA)
    return file


def ignore(done: int, total: int) -> None:
    """Nobody is told."""


async def test_each_form_is_uploaded(servers: Scripted, open_lab: Any, path: Path) -> None:
    """A path, bytes, a file object from where it stands; only what is missing is sent."""
    async with open_lab() as engine:
        assert await engine.push_blob(path) == DIGEST
        [asked] = [each for each in servers.asked if each.method == "POST"]
        assert (asked.path, asked.body) == (f"/api/blobs/{DIGEST}", DATA)
        with path.open("rb") as file:
            file.seek(10)
            rest = await engine.push_blob(file)
            assert not file.closed
        assert rest == f"sha256:{hashlib.sha256(DATA[10:]).hexdigest()}"
        for form in (str(path), DATA, bytearray(DATA), memoryview(DATA), io.BytesIO(DATA)):
            assert await engine.push_blob(form) == DIGEST
        assert await engine.push_blob(b"") == f"sha256:{hashlib.sha256().hexdigest()}"
    posts = [each.body for each in servers.asked if each.method == "POST"]
    assert posts == [DATA, DATA[10:], b""]


async def test_has_blob(servers: Scripted, open_lab: Any) -> None:
    """By HEAD, in either spelling; of several endpoints all must have it."""
    servers.has.add(("a", f"/api/blobs/{DIGEST}"))
    async with open_lab("a", "b") as engine:
        assert await engine.has_blob(DIGEST.replace(":", "-").upper().lower(), endpoint="a")
        assert not await engine.has_blob(DIGEST, endpoint="b")
        assert not await engine.has_blob(DIGEST)
        with pytest.raises(InvalidRequestError, match="64 hexadecimal digits"):
            await engine.has_blob("sha256:abc")


async def test_every_endpoint_gets_it_and_failures_are_told(
    servers: Scripted, open_lab: Any, path: Path
) -> None:
    """One file object feeds uploads side by side; a lost server is a part of the error."""
    async with open_lab("a", "b") as engine:
        with path.open("rb") as file:
            await engine.push_blob(file)
        assert {each.host: each.body for each in servers.asked if each.method == "POST"} == {
            "a": DATA,
            "b": DATA,
        }
        servers.lost.add("b")
        with pytest.raises(PartialFailureError) as caught:
            await engine.push_blob(b"new")
    assert caught.value.done == ("a",)
    assert isinstance(caught.value.failures["b"], ConnectError)


async def test_failures_are_told_in_the_order_of_the_endpoints(
    servers: Scripted, open_lab: Any
) -> None:
    """Not in that of their failing, which is another one each time."""
    hosts = "abcdefgh"
    servers.lost |= set(hosts)
    async with open_lab(*hosts) as engine:
        with pytest.raises(PartialFailureError) as caught:
            await engine.push_blob(b"new")
    assert list(caught.value.failures) == list(hosts)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("nowhere.gguf", "No such file"),
        (".", "folder"),
        ("\0", "no path"),
        (5, "not int"),
        (io.StringIO("text"), "mode 'rb'"),
    ],
)
async def test_what_cannot_be_uploaded(given: Any, told: str, open_lab: Any) -> None:
    """Each is refused before anything is sent."""
    async with open_lab() as engine:
        with pytest.raises(InvalidRequestError, match=told):
            await engine.push_blob(given)


async def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path, open_lab: Any) -> None:
    """To open one would wait for its other end."""
    os.mkfifo(tmp_path / "pipe")
    async with open_lab() as engine:
        with trio.fail_after(5), pytest.raises(InvalidRequestError, match="no regular file"):
            await engine.push_blob(tmp_path / "pipe")


class Broken(io.BytesIO):
    """A file on a disk that fails after some reads."""

    def __init__(self, reads: int, error: Exception) -> None:
        super().__init__(DATA)
        self._reads = reads
        self._error = error

    def read(self, size: int | None = -1, /) -> bytes:
        """Its bytes, as long as the disk works."""
        self._reads -= 1
        if self._reads < 0:
            raise self._error
        return super().read(size)


@pytest.mark.parametrize("reads", [0, 1, 5], ids=["hashing", "hashing on", "uploading"])
@pytest.mark.parametrize("hosts", ["a", "ab"])
async def test_a_file_that_cannot_be_read_on(reads: int, hosts: str, open_lab: Any) -> None:
    """One error of ours, by whichever call; no `OSError`, no group, and no defect of the engine."""
    disk = OSError(5, "Input/output error")
    async with open_lab(*hosts) as engine:
        with pytest.raises((InvalidRequestError, PartialFailureError), match="Input/output error"):
            await engine.push_blob(Broken(reads, disk))
        with pytest.raises((InvalidRequestError, PartialFailureError), match="Input/output error"):
            await engine.create("m", files={"a.gguf": Broken(reads, disk)})


async def test_a_defect_of_a_file_object_is_raised_as_it_is(open_lab: Any) -> None:
    """By itself, and not within an exception group."""
    async with open_lab("a", "b") as engine:
        with pytest.raises(LookupError, match="mine"):
            await engine.push_blob(Broken(5, LookupError("mine")))


async def test_a_closed_file_is_told(open_lab: Any) -> None:
    """Not as one that cannot seek."""
    file = io.BytesIO(DATA)
    file.close()
    async with open_lab() as engine:
        with pytest.raises(InvalidRequestError, match="source is closed"):
            await engine.push_blob(file)


async def test_a_wrong_endpoint_is_told_before_anything_is_hashed(open_lab: Any) -> None:
    """A file of 100 GB takes minutes."""
    file = Broken(0, LookupError("it was read"))
    async with open_lab() as engine:
        with pytest.raises(ConfigError, match="no endpoint 'nosuch'"):
            await engine.push_blob(file, endpoint="nosuch")


def change_file(path: Path, how: str) -> None:
    """Let it be another one."""
    before = path.stat()
    if how == "appended":
        path.write_bytes(DATA + b"x")
    elif how == "shortened":
        path.write_bytes(DATA[:-1])
    elif how == "replaced":
        other = path.with_suffix(".new")
        other.write_bytes(DATA)
        other.rename(path)
    else:
        with path.open("r+b") as file:
            file.write(b"X" if DATA[:1] != b"X" else b"Y")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", ["appended", "shortened", "replaced", "same size and time"])
async def test_a_file_that_changed_since_it_was_hashed(path: Path, change: str) -> None:
    """Its last piece is not sent, whatever the change; even one that no stamp shows."""
    blob = Blob(as_source(path, "source"))
    assert await blob.hashed(ignore) == DIGEST
    change_file(path, change)
    got = b""
    with pytest.raises(BlobChangedError, match=r"model\.gguf"):
        stream = await blob.open(ignore)
        try:
            async for piece in stream:
                got += piece
        finally:
            stream.close()
    assert len(got) < len(DATA)


async def test_a_file_that_changes_while_it_is_uploaded(
    servers: Scripted, open_lab: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names it, and no server has made a blob of it."""
    read = BlobStream._read

    def read_and_write(stream: BlobStream) -> bytes:
        piece = read(stream)
        with path.open("ab") as file:
            file.write(b"more")
        return piece

    monkeypatch.setattr(BlobStream, "_read", read_and_write)
    async with open_lab() as engine:
        with pytest.raises(BlobChangedError) as caught:
            await engine.create("m", files=[path])
    assert caught.value.path == str(path)
    assert not servers.has
    assert not servers.of("/api/create")


async def test_a_file_that_changes_while_it_is_hashed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not sent at all."""
    blob = Blob(as_source(path, "source"))

    def change(done: int, total: int) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    with pytest.raises(BlobChangedError):
        await blob.hashed(change)


async def test_a_digest_that_the_server_does_not_get(servers: Scripted, open_lab: Any) -> None:
    """What it got was something else: the way there, or the server, is broken."""
    refusal = httpx.Response(400, json={"error": 'digest mismatch, expected "A", got "B"'})
    servers.script(f"/api/blobs/{DIGEST}", [httpx.Response(404)], [refusal])
    async with open_lab() as engine:
        with pytest.raises(DigestMismatchError) as caught:
            await engine.push_blob(DATA)
    assert (caught.value.digest, caught.value.endpoint) == (DIGEST, "a")


async def test_pieces_are_bounded(path: Path) -> None:
    """However large the file."""
    blob = Blob(as_source(path, "source"))
    await blob.hashed(ignore)
    told: list[tuple[int, int]] = []
    stream = await blob.open(lambda done, total: told.append((done, total)))
    sizes = [len(piece) async for piece in stream]
    stream.close()
    assert sizes == [PIECE_BYTES, PIECE_BYTES, len(DATA) - 2 * PIECE_BYTES]
    assert told == [(sum(sizes[: count + 1]), len(DATA)) for count in range(3)]


async def test_it_is_hashed_once(path: Path) -> None:
    """Also if several wait for it."""
    blob = Blob(as_source(path, "source"))
    told: list[int] = []
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(blob.hashed, lambda done, _: told.append(done))
    assert told == [len(DATA)]


def open_files() -> int:
    """How many files this process has open, where the system tells."""
    here = Path("/proc/self/fd")
    return len(list(here.iterdir())) if here.exists() else 0


# ---- creates


SUCCESS = [{"status": "parsing GGUF"}, {"status": "success"}]


async def test_create_uploads_what_is_missing(servers: Scripted, open_lab: Any, path: Path) -> None:
    """Local files become digests under their own names; others are digests already."""
    servers.script("/api/create", SUCCESS)
    lora = "sha256:" + "b" * 64
    async with (
        open_lab() as engine,
        engine.create(
            "mine",
            files=[path],
            adapters={"lora.gguf": lora},
            quantize="q4_K_M",
            system="You are Mario.",
            parameters={"temperature": 1, "stop": ["a", "b"]},
            messages=[{"role": "user", "content": "hi"}],
            license=["one", "two"],
            info={"context_length": 5},
        ) as progress,
    ):
        events = [event async for event in progress]
        result = await progress.result()
    by_phase = {event.phase: event for event in events}
    assert list(by_phase) == ["hash", "upload", "convert", "done"]
    assert (by_phase["upload"].completed, by_phase["upload"].digest) == (len(DATA), DIGEST)
    assert result.moved_bytes == len(DATA)
    assert [each.method for each in servers.asked] == ["HEAD", "POST", "POST"]
    assert servers.asked[-1].fields == {
        "model": "mine",
        "files": {"model.gguf": DIGEST},
        "adapters": {"lora.gguf": lora},
        "quantize": "q4_K_M",
        "license": ["one", "two"],
        "system": "You are Mario.",
        "parameters": {"temperature": 1, "stop": ["a", "b"]},
        "messages": [{"role": "user", "content": "hi"}],
        "info": {"context_length": 5},
        "stream": True,
    }


async def test_create_of_another_model(servers: Scripted, open_lab: Any) -> None:
    """``from`` on the wire; nothing is uploaded."""
    servers.script("/api/create", SUCCESS)
    async with open_lab() as engine:
        await engine.create("mario", from_="llama3.2", template="{{ .Prompt }}", requires="0.14.0")
    [asked] = servers.asked
    assert asked.fields == {
        "model": "mario",
        "from": "llama3.2",
        "template": "{{ .Prompt }}",
        "requires": "0.14.0",
        "stream": True,
    }


async def test_a_create_that_fails_is_not_begun_again(servers: Scripted, open_lab: Any) -> None:
    """Neither when the server says so, nor when the connection breaks."""
    failing = [
        {"status": "quantizing F16 model to Q4_K_M", "digest": "0" * 19, "total": 9},
        {"error": "quantization is only supported for F16, BF16 and F32 models"},
    ]
    servers.script("/api/create", failing, [{"status": "parsing GGUF"}, "cut"])
    async with open_lab() as engine:
        with pytest.raises(Exception, match="create of 'm' failed: quantization is only") as caught:
            await engine.create("m", files={"a.gguf": DATA}, quantize="Q4_K_M")
        assert getattr(caught.value, "phase", "") == "convert"
        with pytest.raises(Exception, match="reset"):
            await engine.create("m", files={"a.gguf": DATA})
    assert len(servers.of("/api/create")) == 2


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "from_ or files"),
        ({"files": {}}, "from_ or files"),
        ({"files": {"/abs.gguf": DIGEST}}, "relative"),
        ({"files": {"../up.gguf": DIGEST}}, "relative"),
        ({"files": {"": DIGEST}}, "empty"),
        ({"files": "model.gguf"}, "list of paths"),
        ({"files": [b"bytes"]}, "no names"),
        ({"files": ["a/m.gguf", "b/m.gguf"]}, "two files named 'm.gguf'"),
        ({"adapters": ["a/m", Path("b/m")], "from_": "m"}, "adapters has two files"),
        ({"files": ["."]}, r"files\[0\]: '.' names no file"),
        ({"files": {"a": "nowhere"}}, r"files\['a'\]: 'nowhere' cannot be read"),
        ({"from_": "a b"}, "from_"),
        ({"from_": "m", "quantize": "Q5"}, "quantize must be one of"),
        ({"from_": "m", "draft_quantize": "Q8_0"}, "draft_quantize needs draft_files"),
        ({"files": {"a": DIGEST}, "remote_host": "h"}, "remote_host needs from_"),
        ({"from_": "m", "license": 5}, "license"),
        ({"from_": "m", "parameters": {"num_ctx": "x"}}, "parameters"),
        ({"from_": "m", "info": {"context_length": -1}}, "info.context_length"),
        ({"from_": "m", "info": {"capabilities": "tools"}}, "info.capabilities"),
        ({"from_": "m", "info": {"base_name": 5}}, "info.base_name"),
        ({"from_": "m", "info": []}, "info must be a mapping"),
        ({"from_": "m", "messages": [{}]}, "role"),
    ],
)
async def test_a_create_that_makes_no_sense(
    fields: dict[str, Any], told: str, servers: Scripted, open_lab: Any
) -> None:
    """Refused before a file is read or anything is sent."""
    async with open_lab() as engine:
        with pytest.raises(InvalidRequestError, match=told):
            await engine.create("m", **fields)
    assert not servers.asked


async def test_a_create_tells_all_that_is_wrong(servers: Scripted, open_lab: Any) -> None:
    """Each problem with its path; of a text nothing."""
    async with open_lab() as engine:
        with pytest.raises(InvalidRequestError, match="9 problems") as caught:
            await engine.create(
                "a b",
                files={"../a": DIGEST, "b": "nowhere", "c": 5},
                quantize="secret",
                template=3,  # type: ignore[arg-type]  # wrong on purpose
                parameters={"num_ctx": "secret"},
                remote_host="h",
                draft_quantize="Q8_0",
            )
    assert [each.path for each in caught.value.problems] == [
        "files['../a']",
        "files['c']",
        "files['b']",
        "model",
        "quantize",
        "template",
        "parameters.num_ctx",
        "draft_quantize",
        "remote_host",
    ]
    assert "secret" not in str(caught.value)
    assert not servers.asked


@pytest.mark.parametrize("phase", ["parsing GGUF", "quantizing F16 model to Q4_K_M"])
async def test_a_silent_create_ends_when_it_was_said(
    phase: str, servers: Scripted, open_lab: Any, autojump_clock: MockClock
) -> None:
    """`stall_s` is for all of a create: not ten times that where the server works."""
    servers.script("/api/create", [{"status": phase}, 59, {"status": "using"}, "hang"])
    async with open_lab() as engine:
        began_s = trio.current_time()
        with pytest.raises(StallError, match="60 s"):
            await engine.create("m", from_="llama3.2", stall_s=60)
        assert trio.current_time() - began_s == pytest.approx(119)


@pytest.mark.parametrize("step", range(1, 30, 2))
async def test_cancelled_anywhere_it_leaves_nothing(
    step: int,
    servers: Scripted,
    open_lab: Any,
    cancel_at_step: Any,
    path: Path,
) -> None:
    """No open file, no errand."""
    servers.script("/api/create", SUCCESS)
    fds = open_files()
    async with open_lab() as engine:
        with cancel_at_step(step, of_any=True):
            await engine.create("m", files=[path])
        assert not engine._runtime.errands._by_key
        assert open_files() == fds
