"""Images: bytes, base64, files."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from triollama._errors import InvalidRequestError
from triollama.api import GenerateRequest, images_need_files
from triollama.api import images as images_module
from triollama.api.images import encode_image, load_image


def test_base64_with_line_breaks_is_joined(png: bytes, png_base64: str) -> None:
    """What MIME encoders write is accepted and sent in one line."""
    assert encode_image(base64.encodebytes(png).decode(), "image") == png_base64


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ("data:image/png,AAAA", "not base64"),
        ("https://example.org/s3cret.png", "nothing is fetched unasked"),
        ("s3cret", "neither an existing file nor base64"),
        ("AAA", "neither"),
        ("AA=A", "neither"),
        ("AAAA=", "neither"),
        ("ümlaut", "neither"),
        ("", "has 0 bytes"),
        (b"", "has 0 bytes"),
        (None, "not NoneType"),
        (Path("cat.png"), "has not been read"),
    ],
)
def test_a_bad_image_is_refused(image: object, told: str) -> None:
    """The message says what is wrong and repeats no text."""
    with pytest.raises(InvalidRequestError, match=told) as caught:
        encode_image(image, "images[0]")
    assert "s3cret" not in str(caught.value)
    assert "images[0]" in str(caught.value)


@pytest.mark.parametrize(("surplus", "fits"), [(-1, True), (0, True), (1, False)])
def test_an_image_has_a_size_limit(
    surplus: int, *, fits: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit holds for bytes, for base64 and for files, and to the byte."""
    monkeypatch.setattr(images_module, "IMAGE_BYTES_MAX", 64)
    data = bytes(64 + surplus)
    path = tmp_path / "x"
    path.write_bytes(data)
    forms: list[object] = [data, base64.b64encode(data).decode(), load_image(path, "image")]
    for form in forms:
        if fits:
            assert encode_image(form, "image")
        else:
            with pytest.raises(InvalidRequestError, match="it must have 1 to 64"):
                encode_image(form, "image")


def test_a_file_is_never_read_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless device given by mistake costs one byte more than the limit."""
    monkeypatch.setattr(images_module, "IMAGE_BYTES_MAX", 64)
    with Path("/dev/zero").open("rb") as endless:
        data = load_image(endless, "image")
    assert isinstance(data, bytes)
    assert len(data) == 65


def test_a_path_that_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    """To open a FIFO would wait for its other end, and no cancellation ends that."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(InvalidRequestError, match=r"images\[0\]: .* no regular file"):
            load_image(path, "images[0]")


def test_a_missing_file_is_named_by_place(tmp_path: Path) -> None:
    """A path object whose file cannot be read is an error that says why."""
    with pytest.raises(InvalidRequestError, match=r"images\[1\]: .*No such file"):
        load_image(tmp_path / "none.png", "images[1]")
    with pytest.raises(InvalidRequestError, match="directory"):
        load_image(tmp_path, "image")
    with pytest.raises(InvalidRequestError, match="not a possible path"):
        load_image(Path("a\0b"), "image")


def test_a_text_that_is_no_file_is_left_as_it_is(tmp_path: Path, png_base64: str) -> None:
    """It may be base64; a directory, a NUL or a name too long is no file either."""
    for text in (png_base64, str(tmp_path), "a\0b", "x" * 4000):
        assert load_image(text, "image") == text


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    """An existing file without permission is not mistaken for base64."""
    path = tmp_path / "AAAA"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(InvalidRequestError, match="Permission"):
        load_image(str(path), "image")


def test_generate_takes_images_in_all_forms(tmp_path: Path, png: bytes, png_base64: str) -> None:
    """`make` reads paths; the constructor takes what is in memory."""
    path = tmp_path / "cat.png"
    path.write_bytes(png)
    request = GenerateRequest.make("m", "what?", images=[path, str(path), png, png_base64])
    assert request.images == (png_base64,) * 4
    assert GenerateRequest(model="m", images=[png]).images == (png_base64,)
    assert GenerateRequest(model="m", images=[]).images is None
    with pytest.raises(InvalidRequestError, match="images must be a list"):
        GenerateRequest.make("m", "x", images=png)


def test_only_paths_and_short_texts_need_files(png: bytes) -> None:
    """Bytes and long base64 do not."""
    assert images_need_files([png, "cat.png"])
    assert images_need_files([Path("x")])
    assert not images_need_files([png, "A" * 8192])
    assert not images_need_files(None)
    assert not images_need_files("cat.png")
