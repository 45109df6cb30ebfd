"""Blobs: files on a server, named by the hash of their content, out of which models are made."""

from __future__ import annotations

import re
from typing import Final

from ._problems import refused

__all__ = ["blob_path", "checked_digest", "is_digest"]

_DIGEST: Final = re.compile(r"sha256[:-]([0-9a-fA-F]{64})\Z")


def is_digest(value: object) -> bool:
    """Whether it has the form of a digest, ``sha256:`` and 64 hexadecimal digits."""
    return isinstance(value, str) and _DIGEST.match(value) is not None


def checked_digest(value: object, where: str = "digest") -> str:
    """A digest in its usual spelling: ``sha256:`` and 64 lower-case digits.

    Args:
        value: what was given; ``sha256-`` is taken as well, as servers do.
        where: what it is, as the error should name it.

    Raises:
        InvalidRequestError: it is none.
    """
    found = _DIGEST.match(value) if isinstance(value, str) else None
    if found is None:
        found_is = "another text" if isinstance(value, str) else type(value).__name__
        allowed = '"sha256:" and 64 hexadecimal digits'
        raise refused(where, found_is, allowed, f"{where} must be {allowed}")
    return f"sha256:{found[1].lower()}"


def blob_path(digest: str) -> str:
    """Where a blob is found, and where it is put."""
    return f"/api/blobs/{digest}"
