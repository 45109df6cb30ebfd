"""What bytes are, and how large a picture says it is."""

from __future__ import annotations

import base64
import io
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama._errors import InvalidRequestError
from triollama.api import ChatRequest, GenerateRequest, MediaKind, images_need_files, sniff
from triollama.api import _sniff as sniff_module
from triollama.api._sniff import IMAGE_PIXELS_MAX, foreign_kind, picture_size
from triollama.api.images import encode_image, load_image


def png(width: int, height: int) -> bytes:
    """The head of a PNG."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", width, height) + b"\x08\x02\0\0\0"


def jpeg(width: int, height: int, *, before: bytes = b"", marker: int = 0xC0) -> bytes:
    """A JPEG up to the segment that has its size."""
    app0 = b"\xff\xe0\0\x10JFIF\0" + bytes(9)
    frame = struct.pack(">BBHBHH", 0xFF, marker, 17, 8, height, width)
    return b"\xff\xd8" + app0 + before + frame + bytes(10)


def webp(form: bytes, rest: bytes) -> bytes:
    """A WebP of one form."""
    return b"RIFF\x40\0\0\0WEBP" + form + b"\x10\0\0\0" + rest + bytes(20)


def lossy(width: int, height: int) -> bytes:
    """The simple form."""
    return webp(b"VP8 ", b"\x30\1\0\x9d\1\x2a" + struct.pack("<HH", width, height))


def lossless(width: int, height: int) -> bytes:
    """Fourteen bits each."""
    return webp(b"VP8L", b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14))


def extended(width: int, height: int) -> bytes:
    """The form with a canvas."""
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp(b"VP8X", b"\x10\0\0\0" + sides)


MAKERS = [png, jpeg, lossy, lossless, extended]
SIDE = st.integers(1, 16383)


@given(st.sampled_from(MAKERS), SIDE, SIDE)
def test_the_size_is_read_from_the_head(make: Any, width: int, height: int) -> None:
    """In each format, in each form of bytes."""
    data = make(width, height)
    for form in (data, bytearray(data), memoryview(data)):
        assert picture_size(form) == (width, height)


@pytest.mark.parametrize(
    "before",
    [
        b"\xff" * 20,  # fill bytes
        b"\xff\xfe\0\x06\xff\xc0\0\1",  # a comment that looks like a frame inside
        b"\xff\xc4\0\x04\0\0\xff\xcc\0\x02\xff\xc8\0\x02",  # tables, which have near markers
        b"\xff\xe1\xff\xff" + jpeg(9, 9).ljust(0xFFFD, b"\0"),  # a thumbnail in the Exif part
        b"\xff\x01\xff\xd0",  # markers without a length
    ],
)
def test_what_comes_before_the_size_of_a_jpeg(before: bytes) -> None:
    """It is gone over."""
    assert picture_size(jpeg(320, 200, before=before)) == (320, 200)
    assert picture_size(jpeg(320, 200, before=before, marker=0xC2)) == (320, 200)


def test_a_jpeg_of_many_segments_is_refused() -> None:
    """The search is bounded; 24 MiB of empty segments are no work."""
    data = b"\xff\xd8" + b"\xff\xfe\0\2" * 6_000_000
    with pytest.raises(InvalidRequestError, match="too many segments"):
        encode_image(data, "images[0]")


HEADS = [make(7, 7)[:size] for make in MAKERS for size in (12, 20, 30)]


@given(st.binary(max_size=64), st.sampled_from(HEADS))
def test_any_bytes_have_a_size_or_none(tail: bytes, head: bytes) -> None:
    """The readers of heads are total, also where they are cut or followed by anything."""
    for data in (tail, head + tail, head[: len(tail)]):
        size = picture_size(data)
        assert size is None or min(size) >= 0
        assert foreign_kind(data) is None or sniff(data) is None


@pytest.mark.parametrize("make", [png, jpeg, extended])
@pytest.mark.parametrize(("surplus", "fits"), [(0, True), (1, False)])
def test_an_image_bomb_is_refused_by_its_head(
    make: Any, surplus: int, *, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the pixel; nothing is decoded."""
    monkeypatch.setattr("triollama.api.images.IMAGE_PIXELS_MAX", 1000 * 1000)
    data = make(1000, 1000 + surplus)
    if fits:
        assert encode_image(data, "x")
        return
    for form in (data, base64.b64encode(data).decode(), io.BytesIO(data)):
        messages = [{"role": "user", "images": [form]}]
        with pytest.raises(InvalidRequestError) as caught:
            ChatRequest.make("m", messages)
        (problem,) = caught.value.problems
        assert problem.path == "messages[0].images[0]"
        assert problem.found == "1000 x 1001 pixels"


def test_usual_pictures_are_far_below_the_limit() -> None:
    """A camera of 108 million pixels fits, the largest that a PNG can declare does not."""
    assert encode_image(png(12_032, 9_024), "x")
    assert IMAGE_PIXELS_MAX < 16_384 * 16_384
    with pytest.raises(InvalidRequestError, match="4294967295 x 4294967295 pixels"):
        encode_image(png(2**32 - 1, 2**32 - 1), "x")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (png(1, 1), MediaKind.PNG),
        (jpeg(1, 1), MediaKind.JPEG),
        (lossy(1, 1), MediaKind.WEBP),
        (b"RIFF\0\0\0\0WAVEfmt ", MediaKind.WAV),
        (b"ID3\4\0\0", MediaKind.MP3),
        (b"\xff\xfb\x90\0", MediaKind.MP3),
        (b"\xff\xf3\x40\xc0", MediaKind.MP3),
        (b"\xff\xff\xff\xff", None),
        (b"\xff\xf1\x50\x80", None),  # AAC
        (b"\xff\xfb\xf0\0", None),
        (b"\xff\xfb\x9c\0", None),
        (b"\x89PNG", None),
        (b"", None),
    ],
)
def test_kinds_by_their_first_bytes(data: bytes, kind: MediaKind | None) -> None:
    """What Ollama takes, and nothing that only looks like it."""
    assert sniff(data) is kind


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"GIF89a", "a GIF"),
        (b"BM\x36\0\0\0\0\0\0\0", "a BMP picture"),
        (b"%PDF-1.4", "a PDF document"),
        (b"PK\3\4", "a ZIP archive"),
        (b"\0\0\0\x1cftypavif", "an AVIF picture"),
        (b"\0\0\0\x1cftypheic", "a HEIC picture"),
        (b"\0\0\0\x1cftypisom", "an MP4 film"),
        (b"RIFF\0\0\0\0AVI LIST", "an AVI film"),
        (b"OggS", "Ogg audio"),
        (b"  \n<!DOCTYPE html>", "a page or drawing"),
        (b"\xef\xbb\xbf<svg xmlns=", "a page or drawing"),
    ],
)
def test_other_kinds_are_refused_by_name(data: bytes, name: str) -> None:
    """What a user may give by mistake, before a model is loaded for it."""
    with pytest.raises(InvalidRequestError, match=f"images\\[0\\] must be .*, not {name}"):
        GenerateRequest.make("m", "x", images=[data])


@pytest.mark.parametrize("data", [b"?", b"s3cret", b"BMW", b"\0\0\0\0avif", bytes(100)])
def test_what_nobody_knows_is_left_to_the_server(data: bytes) -> None:
    """A newer one may know it."""
    assert encode_image(data, "x") == base64.b64encode(data).decode()


def test_every_form_of_an_image_is_the_same(tmp_path: Path) -> None:
    """Path, text, bytes, views, open files, base64 and data URIs give one body."""
    data = png(2, 2)
    text = base64.b64encode(data).decode()
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with path.open("rb") as opened:
        forms: list[Any] = [
            path,
            str(path),
            data,
            bytearray(data),
            memoryview(data),
            opened,
            io.BytesIO(data),
            text,
            f"data:image/png;base64,{text}",
            f"DATA:;base64,{text}",
            "data:image/png;base64," + text.replace("+", "%2B").replace("=", "%3D"),
        ]
        assert images_need_files(forms)
        assert GenerateRequest.make("m", "x", images=forms).images == (text,) * len(forms)
        assert not opened.closed
    assert not images_need_files([f"data:image/png;base64,{text}"])


class Pipe(io.RawIOBase):
    """Gives a little at a time, and never ends."""

    def read(self, size: int = -1) -> bytes:
        """Seven bytes."""
        return b"x" * min(7, size)


def test_an_open_file_is_read_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that gives it in pieces is read to its end, an endless one to the limit."""
    monkeypatch.setattr("triollama.api.images.IMAGE_BYTES_MAX", 100)
    assert load_image(Pipe(), "x") == b"x" * 101
    with pytest.raises(InvalidRequestError, match="101 bytes"):
        GenerateRequest.make("m", "x", images=[Pipe()])


def test_open_files_that_cannot_be_read() -> None:
    """Text, closed, or writing only: each says what to do, or why."""
    closed = io.BytesIO(b"x")
    closed.close()

    class Async:
        async def read(self, size: int) -> bytes:
            return b""

    for file, told in ((io.StringIO("s3cret"), "open it with 'rb'"), (closed, "closed")):
        with pytest.raises(InvalidRequestError, match=told):
            load_image(file, "images[0]")
    with pytest.raises(InvalidRequestError, match="read with await"):
        load_image(Async(), "images[0]")
    with pytest.raises(InvalidRequestError, match="has not been read: use make"):
        encode_image(io.BytesIO(b"x"), "images[0]")


@pytest.mark.parametrize(
    "text", ["http://127.0.0.1/a.png", "HTTPS://example.org", "file:///etc/passwd", "ftp://h/x"]
)
def test_an_address_is_not_fetched(text: str) -> None:
    """Neither from the web nor from the disk; the error says what fetches."""
    assert not images_need_files([text])
    with pytest.raises(InvalidRequestError, match="nothing is fetched unasked") as caught:
        GenerateRequest.make("m", "x", images=[text])
    assert text not in str(caught.value)


def test_limits_have_names() -> None:
    """And are those that the page tells."""
    assert sniff_module.IMAGE_PIXELS_MAX == 2**27
