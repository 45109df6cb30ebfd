"""Embeddings: deterministic unit vectors.

Owns the drawing of a vector from a text and its two forms on the wire: float32-shortest for
``/api/embed``, the same float32 widened to float64 for the legacy route.
"""

from __future__ import annotations

import hashlib
import math
import struct
from base64 import b64encode

from .encoding import float32_texts, float_text

__all__ = ["embed", "vector_base64", "vector_json", "wide_vector_json"]

_BYTES_PER_BLOCK = 64


def embed(text: str, *, model: str, size: int, dimensions: int = 0) -> tuple[float, ...]:
    """Give the vector of a text, as float32 values, of unit length.

    Args:
        text: what to embed.
        model: the key of the model's name.
        size: how many numbers the model gives.
        dimensions: how many to keep, re-normalised; 0, or as many as there are or more, keeps all.
    """
    key = hashlib.blake2b(f"{model}\0{text}".encode("utf-8", "replace")).digest()
    count = -(-2 * size // _BYTES_PER_BLOCK)
    blocks = (hashlib.blake2b(n.to_bytes(4, "big"), key=key).digest() for n in range(count))
    drawn = struct.unpack(f">{size}h", b"".join(blocks)[: 2 * size])
    kept = drawn[:dimensions] if 0 < dimensions < size else drawn
    norm = math.sqrt(sum(value * value for value in kept)) or 1.0
    form = f"{len(kept)}f"
    return struct.unpack(form, struct.pack(form, *(value / norm for value in kept)))


def vector_json(vector: tuple[float, ...]) -> str:
    """Write a vector as ``/api/embed`` does."""
    return f"[{','.join(float32_texts(vector))}]"


def vector_base64(vector: tuple[float, ...]) -> str:
    """Write a vector as ``/v1/embeddings`` does for base64: float32, little-endian."""
    data = struct.pack(f"<{len(vector)}f", *vector)
    return f'"{b64encode(data).decode()}"'


def wide_vector_json(vector: tuple[float, ...]) -> str:
    """Write a vector as ``/api/embeddings`` does."""
    return f"[{','.join(float_text(repr(value)) for value in vector)}]"
