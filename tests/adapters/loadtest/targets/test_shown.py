"""What a load's endpoints are shown, and that nothing else is shown it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from tests.adapters.cli.key_proxy import open_key_proxy

from triollama import Basic, Bearer, EndpointConfig
from triollama_adapters.loadtest.errors import TargetError
from triollama_adapters.loadtest.plan import Api
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.sessions import Session, Turn
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.open import endpoints_of, open_target
from triollama_adapters.loadtest.targets.preflight import preflight
from triollama_adapters.loadtest.targets.shown import denial, headers_of, secrets_of, veiled

KEY = "s3cret-0123456789"
CLOUD = "https://ollama.com"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of Ollama's cloud."""
    monkeypatch.setenv("OLLAMA_API_KEY", KEY)


class Echo(httpx.AsyncBaseTransport):
    """Answers 401 and repeats what it was shown."""

    def __init__(self) -> None:
        self.shown: list[str | None] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Refuse."""
        value = request.headers.get("authorization")
        self.shown.append(value)
        return httpx.Response(401, json={"error": f"no such key: {value}"})


async def _asked(plan: Any, session: Session, transport: Echo) -> Sample:
    clock = RunClock(time.perf_counter_ns())
    async with open_target(plan, clock, transport=transport) as asker:
        return await asker.ask(session, 0, [], clock.now_ns())


@pytest.mark.parametrize(
    ("api", "routing"),
    [
        *(("chat", "even"), ("generate", "even"), ("embed", "even"), ("openai", "even")),
        *(("chat", "engine"), ("generate", "engine"), ("embed", "engine")),
    ],
)
async def test_the_key_of_the_cloud(
    make_plan: Callable[..., Any], make_session: Callable[..., Session], api: Api, routing: str
) -> None:
    """Whichever way the load goes; one request, and a sample without the key."""
    transport = Echo()
    sample = await _asked(
        make_plan(CLOUD, api=api, routing=routing), make_session(Turn("why?")), transport
    )
    assert transport.shown
    assert set(transport.shown) == {f"Bearer {KEY}"}
    assert sample.outcome == "http_4xx"
    assert "401" in sample.detail
    assert "no such key: " in sample.detail
    assert KEY not in repr(sample)


@pytest.mark.parametrize(
    ("url", "headers", "shown"),
    [
        (CLOUD, {}, f"Bearer {KEY}"),
        (f"{CLOUD}:443", {}, f"Bearer {KEY}"),
        ("http://ollama.com", {}, None),
        ("https://ollama.com.example", {}, None),
        ("https://gpu-1.example", {}, None),
        ("http://localhost:11434", {}, None),
        (CLOUD, {"authorization": "Bearer of-my-own"}, "Bearer of-my-own"),
        ("http://localhost:11434", {"Authorization": "Bearer of-my-own"}, "Bearer of-my-own"),
    ],
)
async def test_who_gets_it(
    make_plan: Callable[..., Any],
    make_session: Callable[..., Session],
    url: str,
    headers: dict[str, str],
    shown: str | None,
) -> None:
    """Over TLS, and that host alone; what a plan says itself counts for more."""
    transport = Echo()
    await _asked(make_plan(url, headers=headers), make_session(), transport)
    assert transport.shown == [shown]


def test_a_key_that_is_none(make_plan: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the target, without the key."""
    monkeypatch.setenv("OLLAMA_API_KEY", "s3cret s3cret")
    with pytest.raises(TargetError, match="OLLAMA_API_KEY: a bearer key must be") as caught:
        endpoints_of(make_plan(CLOUD).target)
    assert "s3cret" not in str(caught.value)
    assert endpoints_of(make_plan("http://a:1").target)[0].auth is None


@pytest.mark.parametrize(
    ("config", "value"),
    [
        (EndpointConfig("http://a:1", auth=Bearer(KEY)), f"Bearer {KEY}"),
        (
            EndpointConfig("http://a:1", auth=Basic("ann", "pass-word")),
            "Basic YW5uOnBhc3Mtd29yZA==",
        ),
        (EndpointConfig("http://a:1", headers={"Authorization": f"Bearer {KEY}"}), f"Bearer {KEY}"),
    ],
)
def test_credentials_of_an_endpoint(config: EndpointConfig, value: str) -> None:
    """All kinds are sent, and taken out of what a server says, also where it is cut off."""
    assert headers_of(config) == {"Authorization": value}
    secret = value.split(" ")[1]
    secrets = secrets_of(config)
    assert veiled(f"401: no {secret} here", secrets) == "401: no *** here"
    assert veiled(f"401: no {secret[:9]}", secrets) == "401: no ***"
    assert veiled("401: no", secrets) == "401: no"
    assert veiled("", secrets) == ""
    assert veiled(secret, ()) == secret
    told = denial(config, 401, f"no {secret} here", "/api/tags")
    assert told.startswith("a:1 answered 401: no *** here; ")
    assert told.endswith("not accepted")


async def test_a_refusal_before_any_load(make_plan: Callable[..., Any]) -> None:
    """No request is made of a server that wants other credentials."""
    with open_key_proxy("http://127.0.0.1:9") as proxy:
        plan = make_plan(proxy.url, headers={"Authorization": "Bearer wr0ng-98765"})
        with pytest.raises(
            TargetError, match=r"answered 401: no such key: \*\*\*; .* not accepted"
        ):
            await preflight(plan)
        with pytest.raises(TargetError, match="no credentials were sent"):
            await preflight(make_plan(proxy.url))
        assert {path for path, _ in proxy.asked} == {"/api/version", "/api/tags"}


def test_a_proxy_that_gives_no_reason() -> None:
    """The status alone is told."""
    config = EndpointConfig("http://a:1")
    assert denial(config, 401, "", "/api/tags").startswith("a:1 answered 401: no reason given; no")
