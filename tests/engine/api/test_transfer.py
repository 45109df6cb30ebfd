"""Requests of model management, and the lines of progress."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama._errors import InvalidRequestError, ProtocolError
from triollama.api.blobs import blob_path, checked_digest, is_digest
from triollama.api.create import CreateRequest
from triollama.api.transfer import (
    CopyRequest,
    DeleteRequest,
    ProgressLine,
    PullRequest,
    PushRequest,
    decode_progress,
)

DIGEST = "sha256:" + "0a" * 32
counts = st.none() | st.integers(-(2**63), 2**63 - 1)


def test_bodies() -> None:
    """What is unset is left out; a stream is always asked for."""
    assert json.loads(PullRequest(model=" m ").body()) == {"model": "m", "stream": True}
    pushed = PushRequest(model="me/m", insecure=True)
    assert pushed.path == "/api/push"
    assert json.loads(pushed.body()) == {"model": "me/m", "insecure": True, "stream": True}
    copied = CopyRequest(source="a", destination="b:c")
    assert json.loads(copied.body()) == {"source": "a", "destination": "b:c"}
    assert json.loads(DeleteRequest(model="a").body()) == {"model": "a"}


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: PullRequest(model=""), "model"),
        (lambda: CopyRequest(source="a b", destination="c"), "source"),
        (lambda: CopyRequest(source="a", destination=5), "destination"),
        (lambda: DeleteRequest(model=None), "model"),
    ],
)
def test_wrong_names(make: Any, told: str) -> None:
    """Each is refused by the name of its field."""
    with pytest.raises(InvalidRequestError, match=told):
        make()


def test_digests() -> None:
    """Both spellings are one; nothing else is any."""
    assert checked_digest(DIGEST.replace(":", "-")) == DIGEST
    assert checked_digest("sha256:" + "0A" * 32) == DIGEST
    assert blob_path(DIGEST) == f"/api/blobs/{DIGEST}"
    for wrong in ("", "sha256:", DIGEST[:-1], DIGEST + "0", "md5:" + "0" * 64, 5, DIGEST + "\n"):
        assert not is_digest(wrong)
        with pytest.raises(InvalidRequestError, match="digest"):
            checked_digest(wrong)


@given(st.text(max_size=50), st.text(max_size=80), counts, counts)
def test_a_line_is_read_as_it_was_written(
    status: str, digest: str, total: int | None, completed: int | None
) -> None:
    """Nulls are as good as nothing, and there are never less than no bytes."""
    line = {"status": status, "digest": digest, "total": total, "completed": completed}
    read = decode_progress(json.dumps(line | {"new": [1]}).encode())
    assert read == ProgressLine(
        status,
        digest,
        None if total is None else max(0, total),
        max(0, completed or 0),
    )


@pytest.mark.parametrize(
    ("error", "told"),
    [("no space", "no space"), ({"code": 5}, "no reason given"), ("", ""), (None, "")],
)
def test_an_error_is_told(error: object, told: str) -> None:
    """In the server's words, where these are words."""
    assert decode_progress(json.dumps({"error": error}).encode()).error == told


def test_an_error_is_bounded() -> None:
    """A server may answer with a page."""
    assert len(decode_progress(json.dumps({"error": "x" * 9_000}).encode()).error) == 1_000


@given(st.binary(max_size=60))
def test_any_bytes_are_a_line_or_a_typed_error(data: bytes) -> None:
    """Nothing else comes out of the parser."""
    with suppress(ProtocolError):
        decode_progress(data)


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"5", b'{"status":5}', b'{"total":"x"}', b'{"total":1e400}', b"{" * 9_999],
)
def test_what_is_no_line(line: bytes) -> None:
    """Of another type, or none at all."""
    with pytest.raises(ProtocolError):
        decode_progress(line)


def test_every_field_of_a_create() -> None:
    """By the names that it has on the wire."""
    request = CreateRequest(
        model="m",
        from_="base",
        remote_host="h",
        files={"a.gguf": DIGEST},
        draft_files={"d.gguf": DIGEST},
        adapters={"sub/l.gguf": DIGEST},
        quantize="q8_0",
        draft_quantize="Q4_K",
        template="t",
        license="l",
        system="s",
        parameters={"stop": ["x"]},
        messages="hi",
        renderer="r",
        parser="p",
        requires="0.14.0",
        info={"capabilities": ["tools"], "other": 1},
    )
    assert json.loads(request.body()) == {
        "model": "m",
        "from": "base",
        "remote_host": "h",
        "files": {"a.gguf": DIGEST},
        "draft_files": {"d.gguf": DIGEST},
        "adapters": {"sub/l.gguf": DIGEST},
        "quantize": "q8_0",
        "draft_quantize": "Q4_K",
        "template": "t",
        "license": "l",
        "system": "s",
        "parameters": {"stop": ["x"]},
        "messages": [{"role": "user", "content": "hi"}],
        "renderer": "r",
        "parser": "p",
        "requires": "0.14.0",
        "info": {"capabilities": ["tools"], "other": 1},
        "stream": True,
    }
    assert "hi" not in repr(request)
