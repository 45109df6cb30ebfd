"""What went wrong, as an outcome."""

from __future__ import annotations

import errno

import httpx
import pytest

import triollama as t
from triollama.wire.http1 import CutShortError
from triollama_adapters.loadtest.sample import Outcome
from triollama_adapters.loadtest.targets.heard import Heard
from triollama_adapters.loadtest.targets.verdicts import (
    DETAIL_CHARACTERS_MAX,
    answer_outcome,
    engine_outcome,
    refused_outcome,
    transport_outcome,
)

BUSY = b'{"error":"server busy, please try again.  maximum pending requests exceeded"}'


def caused(error: Exception, cause: Exception) -> Exception:
    """An error with its cause."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (httpx.ConnectError("no connection: Connection refused"), "connect"),
        (httpx.ConnectTimeout("connect took longer than 5 s"), "connect"),
        (httpx.PoolTimeout("pool"), "connect"),
        (httpx.UnsupportedProtocol("x"), "connect"),
        (httpx.ConnectError("no TLS: the certificate was refused: expired"), "tls"),
        (caused(httpx.ConnectError("no connection"), OSError(errno.EMFILE, "x")), "client"),
        (caused(httpx.ConnectError("no connection"), OSError(errno.EADDRNOTAVAIL, "")), "client"),
        (caused(httpx.ConnectError("no connection"), OSError(errno.ECONNREFUSED, "")), "connect"),
        (httpx.ReadError("reset"), "lost"),
        (httpx.RemoteProtocolError("not HTTP"), "lost"),
        (CutShortError("inside the body"), "lost"),
        (t.ProtocolError("no JSON"), "error_in_stream"),
        (t.AnswerTooLargeError("too large"), "error_in_stream"),
        (ZeroDivisionError("secret"), "client"),
    ],
)
def test_what_the_transport_raises(error: Exception, outcome: Outcome) -> None:
    """Each has its class; a defect of ours does not show its words."""
    found, detail = transport_outcome(error)
    assert found == outcome
    assert detail
    assert "secret" not in detail


@pytest.mark.parametrize(
    ("status", "body", "asks_to_wait", "outcome"),
    [
        (429, b"", False, "http_429"),
        (503, BUSY, False, "queue_503"),
        (503, b'{"error":{"message":"Server busy"}}', False, "queue_503"),
        (503, b"no upstream", True, "queue_503"),
        (503, b"no upstream", False, "http_5xx"),
        (500, b'{"error":"x"}', False, "http_5xx"),
        (502, b"<html>bad gateway</html>", False, "http_5xx"),
        (404, b"404 page not found", False, "http_4xx"),
        (307, b"", False, "http_4xx"),
    ],
)
def test_what_a_status_means(
    status: int, body: bytes, *, asks_to_wait: bool, outcome: Outcome
) -> None:
    """A 503 is push-back only if it says so."""
    found, detail = refused_outcome(status, body, asks_to_wait=asks_to_wait)
    assert found == outcome
    assert detail.startswith(str(status))


def test_the_words_of_a_refusal() -> None:
    """One line, short, and no page."""
    assert refused_outcome(500, b'{"error":"a\\nb"}', asks_to_wait=False)[1] == "500: a b"
    assert refused_outcome(502, b"<html>", asks_to_wait=False)[1] == "502: a page of HTML"
    long = b'{"error":"%s"}' % (b"x" * 10_000)
    assert len(refused_outcome(500, long, asks_to_wait=False)[1]) <= DETAIL_CHARACTERS_MAX + 5


def test_a_body_that_has_ended() -> None:
    """An error counts before an end; without either it is truncated."""
    heard = Heard()
    assert answer_outcome(heard)[0] == "truncated"
    heard.done_ns = 1
    assert answer_outcome(heard) == ("ok", "")
    heard.error = "out of memory"
    assert answer_outcome(heard) == ("error_in_stream", "out of memory")


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (t.ConnectError("refused"), "connect"),
        (t.ConnectError("no TLS: refused"), "tls"),
        (t.ServerBusyError("busy", status=429), "http_429"),
        (t.ServerBusyError("busy", status=503), "queue_503"),
        (t.ServerFailedError("x", status=500), "http_5xx"),
        (t.ServerFailedError("x", status=200), "error_in_stream"),
        (t.ModelNotFoundError("m"), "http_4xx"),
        (t.RequestRejectedError("x", status=400), "http_4xx"),
        (t.StallError("first_token_s", 1.0), "first_token_timeout"),
        (t.StallError("stall_s", 1.0), "stall"),
        (t.DeadlineExceededError("x", limit_s=1.0), "total_timeout"),
        (t.OverloadError("full", retry_after_s=1.0), "queue_503"),
        (t.TruncatedError("x"), "truncated"),
        (t.ConnectionLostError("x"), "lost"),
        (t.ProtocolError("x"), "error_in_stream"),
        (t.FleetUnavailableError([]), "connect"),
        (t.FleetUnavailableError([t.ConnectError("x"), t.StallError("stall_s", 1.0)]), "stall"),
        (
            caused(t.StreamBrokenError("x", reason="y"), t.ConnectionLostError("z")),
            "lost",
        ),
        (t.EngineFaultError("x"), "client"),
    ],
)
def test_what_the_engine_raises(error: t.TriollamaError, outcome: Outcome) -> None:
    """What ended the last attempt counts."""
    assert engine_outcome(error)[0] == outcome
