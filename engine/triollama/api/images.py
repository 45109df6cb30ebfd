"""Images and audio of a request: bytes, files, data URIs, or base64 text.

Owns the one blocking step of preparing a request, `load_image`; everything else is pure. Audio for
models that take it travels the same way. No address on the web is ever fetched here: that is for
`triollama.Fetcher`, which the caller asks for.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from triollama._errors import InvalidRequestError, Problem

from ._problems import each_problem, refused
from ._sniff import IMAGE_PIXELS_MAX, MEDIA_TAKEN, foreign_kind, picture_size

__all__ = [
    "IMAGE_BYTES_MAX",
    "BinaryFile",
    "ImageInput",
    "check_media",
    "encode_image",
    "encode_images",
    "images_need_files",
    "load_image",
    "load_images",
    "may_be_file",
    "noting",
]

IMAGE_BYTES_MAX = 24 * 1024 * 1024
"""Bytes of one image; in base64 this fills a request body of 32 MiB. The limit also ends the
reading of a device or a pipe that was opened by mistake."""

_PATH_CHARS_MAX = 4096  # PATH_MAX of Linux: a longer text is no path, it is base64


class BinaryFile(Protocol):
    """A file that was opened for reading bytes, or an `io.BytesIO`."""

    def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes."""


ImageInput = str | bytes | bytearray | memoryview | os.PathLike[str] | BinaryFile
"""What is taken as an image: raw bytes, a path, an open file, or text that is base64, a ``data:``
URI or a path."""

_ALLOWED = "bytes, base64 text, a data URI, a path or an open file"
_PLAIN = (str, bytes, bytearray, memoryview, os.PathLike)
_WEB = re.compile(r"(?:https?|ftp|file)://", re.IGNORECASE)
_DATA_URI = re.compile(r"data:[^,]{0,256}?(;base64)?,", re.IGNORECASE)


def may_be_file(image: object) -> bool:
    """Whether `load_image` would have to look at the disk for this image, or read an open file."""
    image = _unwrapped(image)
    if isinstance(image, str):
        return 0 < len(image) <= _PATH_CHARS_MAX and not _is_address(image)
    return isinstance(image, os.PathLike) or _is_open_file(image)


def load_image(image: object, where: str) -> object:
    """Read the image's file, if it names or is one. Blocking: call it in a thread from async code.

    A text that is the path of an existing file is read, as the official client does; any other
    text is taken as base64. An open file is read from where it stands, and stays open.

    Args:
        image: one image in any accepted form.
        where: which image it is, as the error should name it.

    Returns:
        The bytes of the file, or the image as it was.

    Raises:
        InvalidRequestError: a path object whose file cannot be read, or a file above
            `IMAGE_BYTES_MAX`.
    """
    image = _unwrapped(image)
    if not may_be_file(image):
        return image
    if not isinstance(image, str | os.PathLike):
        return _read_open(image, where)
    try:
        path = Path(image)
        if isinstance(image, str) and not path.is_file():
            return image
        # Before it is opened: that would wait for the other end of a FIFO, and nothing ends it.
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise _unreadable(where, "it is a directory" if stat.S_ISDIR(mode) else _NO_FILE)
        with path.open("rb") as file:
            return file.read(IMAGE_BYTES_MAX + 1)
    except InvalidRequestError:
        raise  # it is a ValueError, too
    except (OSError, ValueError) as error:
        # ValueError is a NUL in the path; a text that cannot be a path may still be base64.
        if isinstance(image, str) and not isinstance(error, PermissionError):
            return image
        reason = error.strerror if isinstance(error, OSError) else "not a possible path"
        raise _unreadable(where, str(reason)) from None


def _read_open(file: Any, where: str) -> bytes:
    """Read an open file up to the limit; a pipe gives it in pieces."""
    pieces: list[bytes] = []
    room = IMAGE_BYTES_MAX + 1
    try:
        while room and (piece := file.read(room)):
            if not isinstance(piece, bytes | bytearray):
                raise _unreadable(where, _why_no_bytes(piece))
            pieces.append(bytes(piece))
            room -= len(piece)
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidRequestError):
            raise
        reason = (isinstance(error, OSError) and error.strerror) or "it is closed or not readable"
        raise _unreadable(where, reason) from None
    return b"".join(pieces)


def _why_no_bytes(piece: object) -> str:
    if isinstance(piece, Coroutine):
        piece.close()
        return "it is read with await; give what that gives"
    return "it gives text; open it with 'rb'" if isinstance(piece, str) else "it gives no bytes"


def _unreadable(where: str, reason: str) -> InvalidRequestError:
    told = f"{where}: the file cannot be read: {reason}"
    return refused(where, f"a file that cannot be read ({reason})", "a readable file", told)


def load_images(images: object, load: Callable[[object, str], object] = load_image) -> object:
    """Read those images of a list that are files; see `load_image`. Blocking."""
    if not isinstance(images, list | tuple):
        return images
    return [load(image, f"images[{at}]") for at, image in enumerate(images)]


_STAND_IN = "AAAA"
_NO_FILE = "it is no regular file; a pipe or a device has to be opened first"


def noting(problems: list[Problem]) -> Callable[[object, str], object]:
    """`load_image` for a request that was refused already: notes what cannot be read, and goes on.

    What it gives in place of such an image raises no further doubt. An open file is not read again.
    """

    def load(image: object, where: str) -> object:
        if _is_open_file(_unwrapped(image)):
            return _STAND_IN
        try:
            return load_image(image, where)
        except InvalidRequestError as error:
            problems.extend(error.problems)
            return _STAND_IN

    return load


def images_need_files(images: object) -> bool:
    """Whether `load_images` would look at the disk."""
    return isinstance(images, list | tuple) and any(may_be_file(image) for image in images)


def encode_images(images: object) -> tuple[str, ...] | None:
    """Give a list of images as base64 texts; None if there is none.

    Raises:
        InvalidRequestError: it is no list, or see `encode_image`.
    """
    if images is None:
        return None
    if not isinstance(images, list | tuple):
        raise refused("images", type(images).__name__, "a list")
    try:
        return tuple(encode_image(each, f"images[{at}]") for at, each in enumerate(images)) or None
    except InvalidRequestError as first:
        every = (partial(encode_image, each, f"images[{at}]") for at, each in enumerate(images))
        raise each_problem(every) or first from None


def encode_image(image: object, where: str) -> str:
    """Give an image or a sound as Ollama wants it: standard base64, no data URI.

    Pure: a path is refused here, because reading it is `load_image`'s.

    Raises:
        InvalidRequestError: text that is not base64, nothing, more than `IMAGE_BYTES_MAX`, a kind
            of file that Ollama does not take, a picture of more than `IMAGE_PIXELS_MAX` pixels, or
            another type. The message does not repeat the text.
    """
    image = _unwrapped(image)
    if isinstance(image, bytes | bytearray | memoryview):
        data = image.tobytes() if isinstance(image, memoryview) else image
        check_media(data, where)
        return base64.b64encode(data).decode("ascii")
    if isinstance(image, str):
        return _checked_text(image, where)
    if isinstance(image, os.PathLike) or _is_open_file(image):
        form = "a path" if isinstance(image, os.PathLike) else "an open file"
        told = f"{where} is {form} whose file has not been read: use make()"
        raise refused(where, form, "what has been read", told)
    raise refused(where, type(image).__name__, _ALLOWED)


def _checked_text(text: str, where: str) -> str:
    """Check a data URI or base64 text; line breaks are dropped, as many encoders write them."""
    if _is_address(text):
        if _WEB.match(text):
            told = f"{where} is an address; nothing is fetched unasked: use triollama.Fetcher"
            raise refused(where, "an address", _ALLOWED, told)
        text = _base64_of_uri(text, where)
    if "\n" in text:
        text = text.replace("\r", "").replace("\n", "")
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        data = None
    # Python's strict mode lets surplus padding pass, Ollama does not.
    if data is None or len(text) % 4:
        told = f"{where} is neither an existing file nor base64"
        raise refused(where, "a text that is neither a file nor base64", _ALLOWED, told)
    check_media(data, where)
    return text


def _base64_of_uri(uri: str, where: str) -> str:
    """What follows the comma of a data URI."""
    found = _DATA_URI.match(uri)
    if found is None or found[1] is None:
        told = f"{where} is a data URI that is not base64: write data:image/png;base64,…"
        raise refused(where, "a data URI without base64", _ALLOWED, told)
    text = uri[found.end() :]
    return unquote_to_bytes(text).decode("latin-1") if "%" in text else text


def check_media(data: bytes | bytearray, where: str) -> None:
    """Check size, kind and declared dimensions of a picture or sound.

    Raises:
        InvalidRequestError: see `encode_image`.
    """
    if not 0 < len(data) <= IMAGE_BYTES_MAX:
        found, allowed = f"{len(data)} bytes", f"1 to {IMAGE_BYTES_MAX} bytes"
        told = f"{where} has {found}; it must have 1 to {IMAGE_BYTES_MAX}"
        raise refused(where, found, allowed, told)
    if (name := foreign_kind(data)) is not None:
        raise refused(where, name, MEDIA_TAKEN)
    try:
        size = picture_size(data)
    except ValueError as error:
        raise refused(where, str(error), MEDIA_TAKEN) from None
    if size is not None and size[0] * size[1] > IMAGE_PIXELS_MAX:
        found, allowed = f"{size[0]} x {size[1]} pixels", f"at most {IMAGE_PIXELS_MAX} pixels"
        told = f"{where} declares {found}, more than {IMAGE_PIXELS_MAX}: make it smaller first"
        raise refused(where, found, allowed, told)


def _is_address(text: str) -> bool:
    """Whether a text is a data URI or an address, and so neither a path nor base64."""
    return text[:5].lower() == "data:" or _WEB.match(text) is not None


def _is_open_file(value: object) -> bool:
    return not isinstance(value, _PLAIN) and callable(getattr(value, "read", None))


def _unwrapped(image: object) -> object:
    """Take what the official client's ``Image`` holds out of it."""
    if isinstance(image, _PLAIN) or _is_open_file(image):
        return image
    return getattr(image, "value", image)
