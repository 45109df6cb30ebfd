"""Shared pieces of the API's tests."""

from __future__ import annotations

import base64

import pytest

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(24))


@pytest.fixture
def png() -> bytes:
    """A few bytes that begin like an image."""
    return PNG


@pytest.fixture
def png_base64() -> str:
    """The same in base64."""
    return base64.b64encode(PNG).decode()
