"""Images of a request: bytes, base64 text, or files.

Owns the one blocking step of preparing a request, `load_image`; everything else is pure. Audio for
models that take it travels the same way.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

from triollama._errors import InvalidRequestError

__all__ = [
    "IMAGE_BYTES_MAX",
    "ImageInput",
    "encode_image",
    "encode_images",
    "images_need_files",
    "load_image",
    "load_images",
    "may_be_file",
]

IMAGE_BYTES_MAX = 24 * 1024 * 1024
"""Bytes of one image; in base64 this fills a request body of 32 MiB. The limit also ends the
reading of a device or a pipe given by mistake."""

_PATH_CHARS_MAX = 4096  # PATH_MAX of Linux: a longer text is no path, it is base64

ImageInput = str | bytes | bytearray | memoryview | os.PathLike[str]
"""What is taken as an image: raw bytes, a path, or text that is base64 or a path."""


def may_be_file(image: object) -> bool:
    """Whether `load_image` would have to look at the disk for this image."""
    image = _unwrapped(image)
    return isinstance(image, os.PathLike) or (
        isinstance(image, str) and 0 < len(image) <= _PATH_CHARS_MAX
    )


def load_image(image: object, where: str) -> object:
    """Read the image's file, if it names one. Blocking: call it in a thread from async code.

    A text that is the path of an existing file is read, as the official client does; any other
    text is taken as base64.

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
    assert isinstance(image, str | os.PathLike)
    try:
        path = Path(image)
        if isinstance(image, str) and not path.is_file():
            return image
        with path.open("rb") as file:
            data = file.read(IMAGE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        # ValueError is a NUL in the path; a text that cannot be a path may still be base64.
        if isinstance(image, str) and not isinstance(error, PermissionError):
            return image
        reason = error.strerror if isinstance(error, OSError) else "not a possible path"
        raise InvalidRequestError(f"{where}: the file cannot be read: {reason}") from None
    return data


def load_images(images: object) -> object:
    """Read those images of a list that are files; see `load_image`. Blocking."""
    if not isinstance(images, list | tuple):
        return images
    return [load_image(image, f"images[{at}]") for at, image in enumerate(images)]


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
        raise InvalidRequestError(f"images must be a list, not {type(images).__name__}")
    return tuple(encode_image(image, f"images[{at}]") for at, image in enumerate(images)) or None


def encode_image(image: object, where: str) -> str:
    """Give an image as Ollama wants it: standard base64, no data URI.

    Pure: a path is refused here, because reading it is `load_image`'s.

    Raises:
        InvalidRequestError: text that is not base64, nothing, more than `IMAGE_BYTES_MAX`, or
            another type. The message does not repeat the text.
    """
    image = _unwrapped(image)
    if isinstance(image, bytes | bytearray | memoryview):
        if not 0 < len(image) <= IMAGE_BYTES_MAX:
            raise InvalidRequestError(
                f"{where} has {len(image)} bytes; it must have 1 to {IMAGE_BYTES_MAX}"
            )
        return base64.b64encode(image).decode("ascii")
    if isinstance(image, str):
        return _checked_base64(image, where)
    if isinstance(image, os.PathLike):
        raise InvalidRequestError(f"{where} is a path whose file has not been read: use make()")
    raise InvalidRequestError(
        f"{where} must be bytes, base64 text or a path, not {type(image).__name__}"
    )


def _checked_base64(text: str, where: str) -> str:
    """Check base64 text; line breaks in it are dropped, as many encoders write them."""
    if text.startswith("data:"):
        raise InvalidRequestError(f"{where} is a data URI: give only what follows the comma")
    if "\n" in text:
        text = text.replace("\r", "").replace("\n", "")
    try:
        size = len(binascii.a2b_base64(text, strict_mode=True))
    except (binascii.Error, ValueError):
        size = -1
    if size < 0 or len(text) % 4:  # Python's strict mode lets surplus padding pass, Ollama does not
        raise InvalidRequestError(f"{where} is neither an existing file nor base64")
    if not 0 < size <= IMAGE_BYTES_MAX:
        raise InvalidRequestError(f"{where} has {size} bytes; it must have 1 to {IMAGE_BYTES_MAX}")
    return text


def _unwrapped(image: object) -> object:
    """Take what the official client's ``Image`` holds out of it."""
    if isinstance(image, str | bytes | bytearray | memoryview | os.PathLike):
        return image
    return getattr(image, "value", image)
