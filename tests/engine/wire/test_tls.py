"""TLS: who is trusted, who we say we are, and what is said when it fails."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trustme
from cryptography.hazmat.primitives import serialization

from triollama._errors import ConfigError
from triollama.wire.failures import translate
from triollama.wire.tls import TLSConfig, open_context, tls_words

encrypted = pytest.mark.parametrize("bench", ["tls"], indirect=True)
plain = pytest.mark.parametrize("bench", ["task"], indirect=True)


async def connect_error(client: Any) -> str:
    """The text of the error, as the engine will show it."""
    with pytest.raises(httpx.ConnectError) as caught:
        await client.post()
    assert client.connections.in_use == 0
    return str(translate(caught.value, "gpu-1"))


@encrypted
async def test_an_unknown_authority_is_refused(bench: Any, client_of: Any, authority: Any) -> None:
    """A server certified by someone else gets no request, and the reason is given."""
    url = await bench.serve(tls=authority.stranger_server)
    text = await connect_error(client_of(bench.transport(), url))
    assert "the certificate was refused: unable to get local issuer certificate" in text
    assert bench.peers[0].requests == []


@encrypted
async def test_the_systems_authorities_are_the_default(bench: Any, client_of: Any) -> None:
    """Without a file of ours, our own authority is nobody."""
    client = client_of(bench.transport(tls=None), await bench.serve())
    assert "the certificate was refused" in await connect_error(client)


@encrypted
async def test_a_wrong_name_is_refused(bench: Any, client_of: Any, authority: Any) -> None:
    """A good certificate for another host is no good."""
    url = await bench.serve(tls=authority.misnamed_server)
    text = await connect_error(client_of(bench.transport(), url))
    assert "the certificate was refused" in text


@plain
async def test_a_server_without_tls_is_named_as_such(bench: Any, client_of: Any) -> None:
    """``https`` to a plain port says what to write instead."""

    async def script(peer: Any) -> None:
        await peer.stream.receive_some()
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.wait_closed()

    url = await bench.serve(script)
    text = await connect_error(client_of(bench.transport(), url.replace("http:", "https:")))
    assert text == f"gpu-1: no TLS: the server does not speak it; try {url.rstrip('/')}"


@plain
async def test_a_server_that_hangs_up_in_the_handshake_is_an_error(
    bench: Any, client_of: Any
) -> None:
    """The end of the connection has words too."""

    async def script(peer: Any) -> None:
        peer.reset()

    url = (await bench.serve(script)).replace("http:", "https:")
    text = await connect_error(client_of(bench.transport(), url))
    assert text.startswith("gpu-1: no TLS: ")
    assert not text.endswith(": ")


@encrypted
async def test_a_client_certificate_is_shown(bench: Any, client_of: Any, authority: Any) -> None:
    """A server that asks who we are is told."""
    url = await bench.serve(tls=authority.picky_server)
    tls = TLSConfig(ca_file=authority.ca_file, client_cert_file=authority.client_file)
    assert await client_of(bench.transport(tls=tls), url).post(b"me") == b"me"


@encrypted
async def test_a_missing_client_certificate_is_named(
    bench: Any, client_of: Any, authority: Any
) -> None:
    """In TLS 1.3 the refusal comes after the handshake; its reason must not get lost."""

    def refuse(listener: socket.socket) -> None:
        # Not trio's: its TLS stream closes without sending the alert.
        plain, _ = listener.accept()
        with plain:
            with suppress(ssl.SSLError):
                authority.picky_server.wrap_socket(
                    plain.dup(), server_side=True, suppress_ragged_eofs=False
                )
            plain.shutdown(socket.SHUT_WR)
            while plain.recv(65_536):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = client_of(bench.transport(), f"https://127.0.0.1:{listener.getsockname()[1]}")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, refuse, listener)
            with pytest.raises(httpx.ReadError) as caught:
                await client.post()
    assert "certificate required: give TLSConfig(client_cert_file" in str(caught.value)
    assert client.connections.in_use == 0


@plain
async def test_cancelling_a_handshake_closes_the_socket(
    bench: Any, client_of: Any, quiet: Any
) -> None:
    """A server that accepts and says nothing holds nothing of ours."""

    async def script(peer: Any) -> None:
        while await peer.stream.receive_some():
            scope.cancel()
        closed.set()

    closed = trio.Event()
    url = (await bench.serve(script)).replace("http:", "https:")
    client = client_of(bench.transport(), url)
    with trio.CancelScope() as scope:
        await client.post()
    assert scope.cancelled_caught
    with trio.fail_after(2):
        await closed.wait()
    assert client.connections.in_use == 0


def test_contexts_are_shared(authority: Any) -> None:
    """Equal settings load their files once."""
    config = TLSConfig(ca_file=str(authority.ca_file))
    assert open_context(config) is open_context(TLSConfig(ca_file=authority.ca_file))


def test_a_key_without_certificate_is_refused() -> None:
    """One is of no use without the other."""
    with pytest.raises(ConfigError, match="client_cert_file"):
        TLSConfig(client_key_file="key.pem")


@pytest.mark.parametrize("field", ["ca_file", "client_cert_file"])
def test_files_that_are_missing_or_wrong_are_named(field: str, tmp_path: Path) -> None:
    """The path and the reason are in the error."""
    missing = tmp_path / "none.pem"
    with pytest.raises(ConfigError, match=r"none\.pem: No such file"):
        open_context(TLSConfig(**{field: missing}))
    empty = tmp_path / "empty.pem"
    empty.write_text("not a certificate")
    with pytest.raises(ConfigError, match=r"empty\.pem: ."):
        open_context(TLSConfig(**{field: empty}))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A certificate of ours, its key, that key encrypted, and another one's."""
    ours, theirs = (trustme.CA().issue_cert("ann@example.org") for _ in range(2))
    ours.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    theirs.private_key_pem.write_to_path(str(tmp_path / "other.pem"))
    key = serialization.load_pem_private_key(ours.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"CANARY"),
    )
    (tmp_path / "locked.pem").write_bytes(locked)
    return tmp_path


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("locked.pem", r"the key in .*locked\.pem is encrypted; give one that is not"),
        ("other.pem", r"other\.pem: the key is not that of the certificate"),
        ("cert.pem", r"cert\.pem: a certificate and its key, in PEM, are not in there"),
        ("none.pem", r"none\.pem: No such file"),
    ],
)
def test_a_key_that_does_not_fit_is_told(files: Path, key: str, said: str) -> None:
    """Nobody is asked for a password on the terminal, which would stop everything."""
    with pytest.raises(ConfigError, match=said):
        open_context(TLSConfig(client_cert_file=files / "cert.pem", client_key_file=files / key))


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("TLSV1_ALERT_UNKNOWN_CA", "the server does not know the authority of our certificate"),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "our certificate has expired"),
        ("WRONG_VERSION_NUMBER", "wrong version number"),
        (None, "the connection has ended"),
    ],
)
def test_what_a_server_says_of_us_has_words(reason: str | None, words: str) -> None:
    """OpenSSL's names are for its authors."""
    error = ssl.SSLError(1, "x")
    error.reason = reason  # type: ignore[assignment]
    assert tls_words(error) == words
