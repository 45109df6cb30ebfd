"""Endpoint URLs and OLLAMA_HOST."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama._address import Address, host_from_environment, parse_endpoint_url
from triollama._errors import ConfigError


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://gpu-1:11434", "http://gpu-1:11434"),
        ("http://gpu-1:11434/", "http://gpu-1:11434"),
        ("  HTTP://GPU-1:11434 ", "http://gpu-1:11434"),
        ("http://gpu-1", "http://gpu-1:80"),
        ("http://gpu-1:", "http://gpu-1:80"),
        ("https://gpu-1", "https://gpu-1:443"),
        ("https://gpu-1:443/", "https://gpu-1:443"),
        ("http://10.0.0.7:1", "http://10.0.0.7:1"),
        ("http://0.0.0.0:11434", "http://127.0.0.1:11434"),
        ("http://[::]:11434", "http://[::1]:11434"),
        ("http://[0:0:0::1]:65535", "http://[::1]:65535"),
        ("http://[FE80::1]", "http://[fe80::1]:80"),
        ("http://my_host.example.:5", "http://my_host.example.:5"),
        ("http://bücher.example:5", "http://xn--bcher-kva.example:5"),
    ],
)
def test_spellings_become_one_url(text: str, url: str) -> None:
    """Case, a default port and a last slash make no difference to the URL."""
    assert parse_endpoint_url(text).url == url


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("gpu-1:11434", "write http://gpu-1:11434"),
        ("gpu-1", "write http://gpu-1:11434"),
        ("GPU-1:80/", "write http://gpu-1:80"),
        ("::1", "has no scheme"),
        ("", "it is empty"),
        ("   ", "it is empty"),
        ("ftp://gpu-1", "must be http or https"),
        ("http://gpu-1:11434/api", "write http://gpu-1:11434"),
        ("http://gpu-1?x=1", "write http://gpu-1"),
        ("http://gpu-1#x", "write http://gpu-1"),
        ("http://gpu-1\\x", "no path"),
        ("http://", "host is missing"),
        ("http://:80", "host is missing"),
        ("http://a b", "not a possible name"),
        ("http://-a", "not a possible name"),
        ("http://a..b", "not a possible name"),
        (f"http://{'a' * 64}", "not a possible name"),
        (f"http://{'a.' * 130}b", "not a possible name"),
        pytest.param(f"http://{'ü' * 1_000_000}", "not a possible name", id="long"),
        ("http://::1:11434", "in brackets"),
        ("http://[::g]", "no IPv6 address"),
        ("http://[fe80::1%eth0]:1", "zone is not supported"),
        ("http://gpu-1:0", "1 to 65535"),
        ("http://gpu-1:65536", "1 to 65535"),
        ("http://gpu-1:x", "1 to 65535"),
        ("http://gpu-1:-1", "1 to 65535"),
        ("http://gpu-1:٣", "1 to 65535"),
    ],
)
def test_a_bad_url_is_refused_with_advice(text: str, advice: str) -> None:
    """What is no endpoint is refused, and the message says what to write."""
    with pytest.raises(ConfigError) as caught:
        parse_endpoint_url(text)
    assert advice in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "http://u:s3cret@gpu-1:11434",
        "u:s3cret@gpu-1",
        "http://gpu-1/?token=s3cret",
        "gpu-1/s3cret x",
        "http://gpu-1:x/s3cret",
    ],
)
def test_secrets_are_not_repeated(text: str) -> None:
    """Neither the user part of a URL nor what stands in its path or query reaches the message."""
    with pytest.raises(ConfigError) as caught:
        parse_endpoint_url(text)
    assert "s3cret" not in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        host_from_environment(text)
    assert "s3cret" not in str(caught.value)


def test_an_endpoint_that_is_no_text_is_refused() -> None:
    """Another type is named."""
    with pytest.raises(ConfigError, match="not int"):
        parse_endpoint_url(11434)


def test_the_authority_has_brackets_and_the_host_has_none() -> None:
    """A socket wants the bare address, the header Host wants brackets."""
    address = parse_endpoint_url("http://[::1]:5")
    assert address == Address("http", "::1", 5)
    assert address.authority == "[::1]:5"


@pytest.mark.parametrize(
    ("value", "url"),
    [
        (None, "http://127.0.0.1:11434"),
        ("", "http://127.0.0.1:11434"),
        ("  ", "http://127.0.0.1:11434"),
        ("1.2.3.4", "http://1.2.3.4:11434"),
        ('"1.2.3.4"', "http://1.2.3.4:11434"),
        (" '1.2.3.4' ", "http://1.2.3.4:11434"),
        (":56789", "http://127.0.0.1:56789"),
        ("1.2.3.4:56789", "http://1.2.3.4:56789"),
        ("http://1.2.3.4", "http://1.2.3.4:80"),
        ("https://1.2.3.4", "https://1.2.3.4:443"),
        ("https://1.2.3.4:56789", "https://1.2.3.4:56789"),
        ("example.com", "http://example.com:11434"),
        ("example.com/", "http://example.com:11434"),
        ("example.com:56789/", "http://example.com:56789"),
        ("http://", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("[::]:8080", "http://[::1]:8080"),
        ("::1", "http://[::1]:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("[0001:002:003:0004::1]:56789", "http://[1:2:3:4::1]:56789"),
        ("https://[::1]", "https://[::1]:443"),
        ("example.com:", "http://example.com:11434"),
        ("example.com:abc", "http://example.com:11434"),
        ("example.com:70000", "http://example.com:11434"),
        (f"example.com:{'9' * 5000}", "http://example.com:11434"),
        ("https://example.com:-1", "https://example.com:443"),
        ("ollama.com", "https://ollama.com:443"),
    ],
)
def test_ollama_host_is_read_as_ollama_reads_it(value: str | None, url: str) -> None:
    """Each form that Ollama's command line takes gives the address that it would use."""
    assert host_from_environment(value) == url


@pytest.mark.parametrize("value", ["example.com/path", "u:p@h", "a b", "ftp://x", "h:0"])
def test_an_ollama_host_that_is_no_endpoint_is_named(value: str) -> None:
    """The error says that it was the variable."""
    with pytest.raises(ConfigError, match="OLLAMA_HOST"):
        host_from_environment(value)


@given(st.text() | st.text("htps:/[]0123456789.aZ-_%@?# ").map("http://".__add__))
def test_any_text_is_an_address_or_a_config_error(text: str) -> None:
    """Reading is total, and what it gives reads as itself."""
    for read in (
        parse_endpoint_url,
        lambda value: parse_endpoint_url(host_from_environment(value)),
    ):
        try:
            address = read(text)
        except ConfigError:
            continue
        assert parse_endpoint_url(address.url) == address
        assert 0 < address.port < 65536
