"""What users write: checked when it is made, never shown, carried to other processes."""

from __future__ import annotations

import base64
import copy
import pickle
from functools import partial
from typing import Any

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from triollama import Basic, Bearer, ConfigError, EndpointConfig, TLSConfig, Token
from triollama.auth.environment import key_for

A = "http://gpu-1:11434"
KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)
PASSWORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)


def give(key: str) -> str:
    """Stands for a token service; `partial` hides a key in it."""
    return key


def shown(thing: Any) -> str:
    """All that is shown of it, also by what takes it apart or fills it into a text."""
    told = [repr(thing), str(thing), f"{thing}", repr([thing]), repr({"a": thing})]
    return "\n".join([*told, repr(attrs.asdict(thing)), repr(attrs.astuple(thing))])


@given(st.text("ABCDEFGHJKMN0123456789-_~+/=", min_size=8, max_size=60))
def test_no_text_shows_a_secret(secret: str) -> None:
    """Neither of credentials, nor of an endpoint that has them."""
    for auth in (Bearer(secret), Bearer(partial(give, secret)), Basic("ann", secret)):
        endpoint = EndpointConfig(A, auth=auth)
        encoded = base64.b64encode(f"ann:{secret}".encode()).decode()
        texts = [repr(endpoint), str(endpoint), repr([endpoint]), repr(auth), str(auth)]
        if auth.source is None:
            texts += [shown(auth), shown(endpoint)]
        assert not any(secret in text or encoded in text for text in texts)
    by_header = EndpointConfig(A, headers={"Authorization": f"Bearer {secret}"})
    assert secret not in repr(by_header) + str(by_header)
    assert secret not in shown(Token(secret, lifetime_s=5))


@given(KEYS)
def test_a_key_is_sent_as_it_is(key: str) -> None:
    """`Authorization: Bearer KEY`."""
    assert Bearer(key).header() == f"Bearer {key}"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=":")), PASSWORDS)
def test_user_and_password_are_encoded_as_the_standard_says(user: str, password: str) -> None:
    """UTF-8, joined by the first colon, in base64."""
    scheme, _, encoded = Basic(user, password).header().partition(" ")
    assert scheme == "Basic"
    assert base64.b64decode(encoded).decode() == f"{user}:{password}"


def test_the_standards_own_example() -> None:
    """RFC 7617, sections 2 and 2.1."""
    assert Basic("Aladdin", "open sesame").header() == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert Basic("test", "123£").header() == "Basic dGVzdDoxMjPCow=="


@given(st.text(min_size=1))
def test_what_cannot_be_a_key_is_refused_and_not_shown(key: str) -> None:
    """Anything that could leave its header, or is no key."""
    assume(not all(33 <= ord(each) <= 126 for each in key))
    with pytest.raises(ConfigError) as caught:
        Bearer(key)
    assert len(key) < 9 or key not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Bearer(""), "must not be empty"),
        (lambda: Bearer("CANARY\n"), "line break"),
        (lambda: Bearer("CANARY\r\nX: y"), "blanks"),
        (lambda: Bearer("Bearer CANARY"), "without the word Bearer"),
        (lambda: Bearer("CANARY" * 2_000), "at most 8,192"),
        (lambda: Bearer(b"CANARY"), "not bytes"),  # type: ignore[arg-type]
        (lambda: Bearer(None), "not NoneType"),  # type: ignore[arg-type]
        (lambda: Bearer(give, call_s=0), "call_s must be seconds"),
        (lambda: Bearer(give, call_s=float("nan")), "call_s must be seconds"),
        (lambda: Token("CANARY", lifetime_s=-1), "lifetime_s must be seconds"),
        (lambda: Token("CANARY ", lifetime_s=1), "blanks"),
        (lambda: Basic("a:b", "CANARY"), "colon"),
        (lambda: Basic("a\n", "CANARY"), "line break"),
        (lambda: Basic("a", "CANARY\n"), "line break"),
        (lambda: Basic("a", "CANARY\ud800"), "controls"),
        (lambda: Basic("a", 12_345_678), "not int"),  # type: ignore[arg-type]
        (lambda: EndpointConfig(A, auth="CANARY"), r"Bearer\(…\) or Basic\(…\), not str"),  # type: ignore[arg-type]
        (lambda: EndpointConfig(A, auth=("u", "CANARY")), "not tuple"),  # type: ignore[arg-type]
        (
            lambda: EndpointConfig(A, auth=Bearer("CANARY"), headers={"authorization": "CANARY"}),
            "headers have Authorization as well",
        ),
        (lambda: EndpointConfig("http://ann:CANARY@gpu-1"), r"auth=triollama\.Basic"),
        (lambda: EndpointConfig("http://CANARY@gpu-1"), r"auth=triollama\.Basic"),
    ],
)
def test_bad_input_is_told_without_its_value(make: Any, said: str) -> None:
    """One line: what is wrong and what may be there."""
    with pytest.raises(ConfigError, match=said) as caught:
        make()
    assert "CANARY" not in str(caught.value) + repr(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("auth", [Bearer("CANARY"), Bearer(give), Basic("ann", "CANARY"), None])
def test_other_processes_get_all_of_it(auth: Any) -> None:
    """Workers of a batch reach the same servers."""
    endpoint = EndpointConfig(
        "https://gpu-1", "one", headers={"X-Tenant": "a"}, auth=auth, tags=["t"], tls=TLSConfig()
    )
    for again in (pickle.loads(pickle.dumps(endpoint)), copy.deepcopy(endpoint)):
        assert again == endpoint
        assert again.headers == {"X-Tenant": "a"}
        with pytest.raises(TypeError):
            again.headers["X-Tenant"] = "b"
    assert attrs.evolve(endpoint, weight=2.0).auth == auth


@pytest.mark.parametrize(
    ("url", "is_sent"),
    [
        ("https://ollama.com", True),
        ("https://OLLAMA.com:443/", True),
        ("https://ollama.com:8443", True),
        ("http://ollama.com", False),
        ("https://ollama.com.evil.example", False),
        ("https://api.ollama.com.example", False),
        ("https://notollama.com", False),
        ("https://ollama.community", False),
        ("https://www.ollama.com", False),
        ("http://127.0.0.1:11434", False),
        ("https://gpu-1", False),
    ],
)
def test_the_environments_key_is_for_one_host(url: str, *, is_sent: bool) -> None:
    """The official client sends it to all of them."""
    found = key_for(EndpointConfig(url).url, " CANARYkey\n")
    assert (found == Bearer("CANARYkey")) is is_sent
    assert (found is None) is not is_sent
    assert key_for(EndpointConfig(url).url, None) is None
    assert key_for(EndpointConfig(url).url, " ") is None


def test_a_bad_key_in_the_environment_is_named() -> None:
    """The variable, not its value."""
    with pytest.raises(ConfigError, match=r"^OLLAMA_API_KEY: a bearer key must") as caught:
        key_for("https://ollama.com:443", "CANARY key")
    assert "CANARY" not in str(caught.value)
