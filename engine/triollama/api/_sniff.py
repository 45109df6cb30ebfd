"""What bytes are, and how large a picture says it is, read from the header only.

Nothing is decoded: a picture that would fill the memory of whoever decodes it is a few bytes here.
What is not known is None, and left to the server; a newer one may know it.
"""

from __future__ import annotations

import enum
import struct

__all__ = [
    "IMAGE_PIXELS_MAX",
    "JPEG_SEGMENTS_MAX",
    "MEDIA_TAKEN",
    "MediaKind",
    "foreign_kind",
    "is_audio",
    "picture_size",
    "sniff",
]

IMAGE_PIXELS_MAX = 2**27
"""Width times height that a picture may declare: 134 million, half a GiB as RGBA. The largest
cameras of telephones have 200 million, their usual pictures 12; Pillow refuses from 179 million."""

JPEG_SEGMENTS_MAX = 10_000
"""Before the one that has the size; cameras write fewer than 100. It bounds the search."""

MEDIA_TAKEN = "a PNG, JPEG or WebP picture, or WAV or MP3 audio"

Bytes = bytes | bytearray | memoryview


class MediaKind(enum.StrEnum):
    """What Ollama takes beside text."""

    PNG = "PNG"
    JPEG = "JPEG"
    WEBP = "WebP"
    WAV = "WAV"
    MP3 = "MP3"


_HEAD_BYTES = 64
_TEXT_BYTES = 512


def sniff(data: Bytes) -> MediaKind | None:
    """The kind of picture or sound, by the first bytes; None if it is none that Ollama takes."""
    head = bytes(data[:12])
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return MediaKind.PNG
    if head.startswith(b"\xff\xd8\xff"):
        return MediaKind.JPEG
    if head.startswith(b"RIFF"):
        return {b"WEBP": MediaKind.WEBP, b"WAVE": MediaKind.WAV}.get(head[8:12])
    if head.startswith(b"ID3") or _is_mp3_frame(head):
        return MediaKind.MP3
    return None


def is_audio(kind: MediaKind | None) -> bool:
    """Whether it is sound."""
    return kind in {MediaKind.WAV, MediaKind.MP3}


def _is_mp3_frame(head: bytes) -> bool:
    """Eleven bits set, then: a version, layer III, a bit rate and a sample rate that exist."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    is_layer_3 = head[1] & 0x06 == 0x02 and head[1] & 0x18 != 0x08
    return is_layer_3 and head[2] >> 4 not in {0, 15} and head[2] & 0x0C != 0x0C


_FOREIGN = (
    (0, b"GIF8", "a GIF"),
    (0, b"II*\0", "a TIFF picture"),
    (0, b"MM\0*", "a TIFF picture"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"PK\3\4", "a ZIP archive or an office document"),
    (0, b"\x1f\x8b\x08", "a gzip file"),
    (0, b"OggS", "Ogg audio"),
    (0, b"fLaC", "FLAC audio"),
    (0, b"\x1aE\xdf\xa3", "a Matroska or WebM file"),
    (0, b"\0\0\0\x0cJXL \r\n", "a JPEG XL picture"),
    (8, b"AVI ", "an AVI film"),
    (8, b"avif", "an AVIF picture"),
    (8, b"hei", "a HEIC picture"),
    (8, b"mif1", "a HEIC or AVIF picture"),
    (4, b"ftyp", "an MP4 film or M4A audio"),
)
_MARKUP = (b"<svg", b"<?xml", b"<!doctype", b"<html")


def foreign_kind(data: Bytes) -> str | None:
    """The name of a well-known kind that Ollama does not take; None for any other."""
    head = bytes(data[:_HEAD_BYTES])
    for at, magic, name in _FOREIGN:
        if head.startswith(magic, at) and (at != 8 or head[:4] == b"RIFF" or head[4:8] == b"ftyp"):
            return name
    if head.startswith(b"BM") and head[6:10] == bytes(4):
        return "a BMP picture"
    is_markup = bytes(data[:_TEXT_BYTES]).lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_MARKUP)
    return "a page or drawing in HTML, XML or SVG" if is_markup else None


def picture_size(data: Bytes) -> tuple[int, int] | None:
    """Width and height that a picture declares; None if it is no picture, or cut before that.

    Raises:
        ValueError: it is a JPEG whose size comes after more than `JPEG_SEGMENTS_MAX` segments.
    """
    kind = sniff(data)
    try:
        if kind is MediaKind.PNG:
            is_whole = bytes(data[12:16]) == b"IHDR"
            return struct.unpack_from(">II", data, 16) if is_whole else None
        if kind is MediaKind.JPEG:
            return _jpeg_size(data)
        return _webp_size(data) if kind is MediaKind.WEBP else None
    except (struct.error, IndexError):
        return None


def _jpeg_size(data: Bytes) -> tuple[int, int] | None:
    """Go from segment to segment until the one that begins a frame."""
    at = 2
    for _ in range(JPEG_SEGMENTS_MAX):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        if marker in {0xD9, 0xDA}:  # the end, or the picture's data without a frame
            return None
        has_length = not (0xD0 <= marker <= 0xD8 or marker == 0x01)
        at += 2 + (struct.unpack_from(">H", data, at + 2)[0] if has_length else 0)
    raise ValueError("a JPEG with too many segments before its size")


def _webp_size(data: Bytes) -> tuple[int, int] | None:
    """Of the three forms, simple, lossless and extended."""
    form = bytes(data[12:16])
    if form == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if form == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8X" and len(data) >= 30:
        width = int.from_bytes(bytes(data[24:27]), "little")
        return width + 1, int.from_bytes(bytes(data[27:30]), "little") + 1
    return None
