"""On sockets: which server gets which credentials, and what is said and logged when it refuses."""

from __future__ import annotations

import logging
import pickle
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
import trustme
from trio.testing import MockClock

from triollama import (
    AccessDeniedError,
    Basic,
    Bearer,
    ConfigError,
    EndpointConfig,
    EngineConfig,
    Fact,
    FleetUnavailableError,
    ProbeConfig,
    SignInRequiredError,
    TLSConfig,
    Token,
    TokenError,
    TriollamaError,
    open_engine,
)

CALM = EngineConfig(probe=ProbeConfig(enabled=False), retry_wait_s=0.0, attempts_max=2)
SECRET = "CANARY-0123456789"


def engine_for(*endpoints: Any, config: EngineConfig = CALM, **options: Any) -> Any:
    """An engine that nobody probes for."""
    return open_engine(*endpoints, config=config, **options)


class Tokens:
    """Gives CANARY-1, CANARY-2 and so on."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self) -> str:
        """Give the next one."""
        await trio.lowlevel.checkpoint()
        self.calls += 1
        return f"CANARY-{self.calls}"


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        (Bearer(SECRET), f"Bearer {SECRET}"),
        (Basic("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
        (Bearer(lambda: SECRET), f"Bearer {SECRET}"),
        (None, ""),
    ],
)
async def test_every_request_has_them(serve: Any, auth: Any, header: str) -> None:
    """Answers, questions, transfers and probes."""
    guard = await serve()
    config = EngineConfig(probe=ProbeConfig(interval_s=0.01, tags_interval_s=0.01))
    endpoint = EndpointConfig(guard.url, auth=auth, headers={"X-Tenant": "ours"})
    async with engine_for(endpoint, config=config) as engine:
        await engine.chat("m", "hello")
        await engine.version()
        await engine.delete("m")
        with trio.fail_after(5):
            while not {"/api/version", "/api/ps", "/api/tags"} <= {e.path for e in guard.asked}:
                await trio.sleep(0.01)
    assert set(guard.credentials) == {header}
    assert {each.headers["x-tenant"] for each in guard.asked} == {"ours"}


async def test_a_refused_token_is_renewed_and_the_request_repeated(serve: Any, deny: Any) -> None:
    """Once each, however many are refused at the same time; later ones have the new token."""
    guard, tokens = await serve(), Tokens()
    good = "Bearer CANARY-2"
    guard.refuses = lambda asked: None if asked.credentials == good else deny()
    async with engine_for(EndpointConfig(guard.url, auth=Bearer(tokens))) as engine:
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(engine.chat, "m", "hello")
        assert tokens.calls == 2
        assert len(guard.asked) <= 40
        await engine.version()
        assert guard.credentials[-1] == good
        guard.refuses = lambda asked: None if asked.credentials == "Bearer CANARY-3" else deny()
        await engine.delete("m")
        assert guard.credentials[-2:] == [good, "Bearer CANARY-3"]
    assert tokens.calls == 3


async def test_a_server_that_refuses_everything_makes_no_storm(serve: Any, deny: Any) -> None:
    """One renewal, then each request is sent once and told what is wrong."""
    guard, tokens = await serve(), Tokens()
    guard.refuses = lambda _: deny()
    async with engine_for(EndpointConfig(guard.url, auth=Bearer(tokens))) as engine:
        for _ in range(10):
            with pytest.raises(AccessDeniedError, match="the bearer token sent is not accepted"):
                await engine.chat("m", "hello")
    assert tokens.calls == 2
    assert len(guard.asked) == 11


@pytest.mark.parametrize("given", ["CANARY-same", Token("CANARY-same", lifetime_s=60)])
async def test_the_same_token_again_is_not_sent_again(serve: Any, deny: Any, given: Any) -> None:
    """It would be refused again."""
    guard = await serve()
    guard.refuses = lambda _: deny()
    async with engine_for(EndpointConfig(guard.url, auth=Bearer(lambda: given))) as engine:
        with pytest.raises(AccessDeniedError):
            await engine.chat("m", "hello")
    assert len(guard.asked) == 1


async def test_endpoints_with_the_same_object_share_its_tokens(serve: Any) -> None:
    """One call for all of them; another object has its own."""
    tokens, guards = Tokens(), [await serve(), await serve(), await serve()]
    shared = Bearer(tokens)
    auths = [shared, shared, Bearer(tokens)]
    endpoints = [
        EndpointConfig(guard.url, auth=auth) for guard, auth in zip(guards, auths, strict=True)
    ]
    async with engine_for(*endpoints) as engine:
        for name in engine.endpoints:
            await engine.version(endpoint=name)
    assert [each.credentials for each in guards] == [
        ["Bearer CANARY-1"],
        ["Bearer CANARY-1"],
        ["Bearer CANARY-2"],
    ]


async def test_without_a_token_nothing_is_sent(serve: Any) -> None:
    """The request fails with the reason, and other endpoints are used instead."""
    guard, other = await serve(), await serve()

    def fail() -> str:
        raise RuntimeError(SECRET)

    endpoint = EndpointConfig(guard.url, "locked", auth=Bearer(fail))
    async with engine_for(endpoint) as engine:
        with pytest.raises(FleetUnavailableError, match="failed: RuntimeError at") as caught:
            await engine.chat("m", "hello")
        assert all(isinstance(each, TokenError) for each in caught.value.causes)
        assert caught.value.causes[0].endpoint == "locked"
        engine.add_endpoint(other.url)
        await engine.chat("m", "hello")
    assert SECRET not in str(caught.value)
    assert (len(guard.asked), other.credentials) == (0, [""])


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("own", [True, False])
async def test_a_redirect_gets_nothing(serve: Any, status: int, *, own: bool) -> None:
    """Another host is never asked, by our connections and by those of httpx alike."""
    guard, thief = await serve(), await serve()
    guard.refuses = lambda asked: (status, {"Location": thief.url + asked.path}, b"")
    auths = {"auth": Bearer(SECRET)}, {"headers": {"Authorization": f"Bearer {SECRET}"}}
    for options in auths:
        async with httpx.AsyncHTTPTransport() as transport:
            endpoint = EndpointConfig(guard.url, **options)  # type: ignore[arg-type]
            given = {} if own else {"transport": transport}
            async with engine_for(endpoint, **given) as engine:
                for ask in (
                    lambda: engine.chat("m", "hello"),
                    engine.version,
                    lambda: engine.delete("m"),
                ):
                    with pytest.raises(TriollamaError, match="redirect") as caught:
                        await ask()
                    assert thief.url not in str(caught.value)
    assert guard.asked
    assert thief.connections == 0


async def test_another_address_gets_only_what_it_is_given(serve: Any) -> None:
    """What is updated is replaced whole: credentials stay with the address they came with."""
    first, second = await serve(), await serve()
    tls_free: dict[str, Any] = {"headers": {"X-Key": SECRET}, "auth": Basic("ann", SECRET)}
    async with engine_for(EndpointConfig(first.url, "one", **tls_free)) as engine:
        await engine.version()
        engine.update_endpoint(EndpointConfig(second.url, "one"))
        await engine.version()
        await engine.chat("m", "hello")
        engine.update_endpoint(EndpointConfig(second.url, "one", auth=Bearer("other-key")))
        await engine.version()
    assert first.credentials == [Basic("ann", SECRET).header()]
    assert second.credentials == ["", "", "Bearer other-key"]
    assert not any(SECRET in str(each.headers) for each in second.asked)


class Cloud(httpx.AsyncBaseTransport):
    """Stands for any host; writes down who is asked, and with what."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Give a version, as JSON."""
        await trio.lowlevel.checkpoint()
        self.asked.append((str(request.url.host), request.headers.get("authorization", "")))
        return httpx.Response(200, json={"version": "1"})


async def test_the_environments_key_goes_to_the_cloud_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not to other servers, not over http, and not where something else is configured."""
    monkeypatch.setenv("OLLAMA_API_KEY", SECRET)
    cloud, other = Cloud(), "http://gpu-1:11434"
    async with engine_for("https://ollama.com", other, transport=cloud) as engine:
        for name in engine.endpoints:
            await engine.version(endpoint=name)
        engine.update_endpoint(EndpointConfig("https://gpu-2", "ollama.com:443"))
        await engine.version(endpoint="ollama.com:443")
    assert cloud.asked == [("ollama.com", f"Bearer {SECRET}"), ("gpu-1", ""), ("gpu-2", "")]
    cloud.asked.clear()
    for options in (
        {"auth": Bearer("mine")},
        {"headers": {"authorization": "Bearer mine"}},
    ):
        endpoint = EndpointConfig("https://ollama.com", **options)  # type: ignore[arg-type]
        async with engine_for(endpoint, transport=cloud) as engine:
            await engine.version()
    async with engine_for("http://ollama.com", transport=cloud) as engine:
        await engine.version()
    assert [key for _, key in cloud.asked] == ["Bearer mine", "Bearer mine", ""]


async def test_a_bad_key_in_the_environment_is_told_when_it_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At the beginning; a fleet that it is not for does not mind, and stays as it was."""
    monkeypatch.setenv("OLLAMA_API_KEY", "CANARY key")
    with pytest.raises(ConfigError, match="OLLAMA_API_KEY"):
        async with engine_for("https://ollama.com", transport=Cloud()):
            raise AssertionError
    async with engine_for("http://gpu-1", transport=Cloud()) as engine:
        with pytest.raises(ConfigError, match="OLLAMA_API_KEY"):
            engine.add_endpoint("https://ollama.com")
        assert engine.endpoints == ("gpu-1:80",)
        await engine.version()


@pytest.mark.parametrize(
    ("options", "answer", "said"),
    [
        ({}, (401, {}, b""), r"answered 401: no reason given; no credentials were sent: give End"),
        ({}, (403, {}, b""), r"403: no reason given; it may not be called by this name"),
        ({"auth": Bearer(SECRET)}, (401, {}, b""), "the bearer key sent is not accepted"),
        (
            {"auth": Basic("ann", SECRET)},
            (401, {}, b""),
            "the user and password sent are not accepted",
        ),
        ({"headers": {"authorization": SECRET}}, (401, {}, b""), "the header Authorization sent"),
        ({"auth": Bearer(SECRET)}, (403, {}, b""), "the bearer key sent may not do this"),
        (
            {},
            (403, {}, b'{"error":"ollama cloud is disabled: remote model is unavailable"}'),
            "403: ollama cloud is disabled: remote model is unavailable$",
        ),
    ],
)
async def test_what_a_refusal_says(serve: Any, options: Any, answer: Any, said: str) -> None:
    """What is missing; it is sent once, and never shown."""
    guard = await serve()
    guard.refuses = lambda _: answer
    async with engine_for(EndpointConfig(guard.url, **options)) as engine:
        for ask in (lambda: engine.chat("m", "hello"), engine.version):
            guard.asked.clear()
            with pytest.raises(AccessDeniedError, match=said) as caught:
                await ask()
            assert len(guard.asked) == 1
            assert SECRET not in str(caught.value)
            again = pickle.loads(pickle.dumps(caught.value))
            assert str(again) == str(caught.value)


async def test_a_server_that_lacks_its_own_account_is_another_matter(serve: Any) -> None:
    """Our token is not to blame: it is not renewed."""
    guard, tokens = await serve(), Tokens()
    body = b'{"error":"unauthorized","signin_url":"https://ollama.com/connect"}'
    guard.refuses = lambda _: (401, {}, body)
    async with engine_for(EndpointConfig(guard.url, auth=Bearer(tokens))) as engine:
        with pytest.raises(SignInRequiredError) as caught:
            await engine.chat("m:cloud", "hello")
    assert (tokens.calls, len(guard.asked), caught.value.hint) == (1, 1, "")


ECHOES: dict[str, Any] = {
    "json": lambda key: (401, {}, b'{"error":"Incorrect API key provided: %b."}' % key),
    "page": lambda key: (403, {"Content-Type": "text/html"}, b"You sent " + key),
    "busy": lambda key: (503, {}, b'{"error":"server busy for %b"}' % key),
    "fault": lambda key: (500, {}, b"boom " + key),
    "rejected": lambda key: (400, {}, b'{"error":{"message":"bad %b"}}' % key),
    "cut": lambda key: (500, {}, b"x" * (1_000 - len(key) // 2) + key * 3),
    "kind": lambda key: (200, {"Content-Type": "text/" + key.decode()}, b"?"),
    "in the stream": lambda key: (
        200,
        {"Content-Type": "application/x-ndjson"},
        b'{"error":"who is %b"}\n' % key,
    ),
    "signin": lambda key: (401, {}, b'{"error":"no","signin_url":"https://x/?k=%b"}' % key),
    "location": lambda key: (307, {"Location": "http://x/?" + key.decode()}, b""),
}


@pytest.mark.parametrize(
    "echo",
    [
        pytest.param(echo, id=name, marks=[pytest.mark.slow] if name == "busy" else [])
        for name, echo in ECHOES.items()
    ],
)
@pytest.mark.parametrize(
    "options",
    [
        {"auth": Bearer(SECRET)},
        {"auth": Bearer(lambda: SECRET)},
        {"auth": Basic("ann", SECRET)},
        {"headers": {"X-Api-Key": SECRET}},
        {"headers": {"Authorization": f"Bearer {SECRET}"}},
    ],
    ids=["key", "function", "password", "header", "authorization"],
)
async def test_a_server_that_repeats_a_secret_is_not_repeated(
    serve: Any, caplog: pytest.LogCaptureFixture, everything_about: Any, echo: Any, options: Any
) -> None:
    """Neither in errors, what is behind them, facts, statistics, texts of objects nor the log."""
    caplog.set_level(logging.DEBUG)
    guard = await serve()
    encoded = Basic("ann", SECRET).header().split(" ")[1]
    guard.refuses = lambda asked: echo(
        (encoded if asked.credentials.startswith("Basic") else SECRET).encode()
    )
    shown: list[str] = []
    failed = 0
    endpoint = EndpointConfig(guard.url, **options)
    async with engine_for(endpoint) as engine, engine.subscribe(Fact) as facts:
        for ask in (
            lambda: engine.chat("m", "hello"),
            engine.version,
            lambda: engine.delete("m"),
        ):
            try:
                await ask()
            except TriollamaError as error:
                failed += 1
                shown.append(everything_about(error))
        assert failed  # some look at the status alone
        runtime = engine._runtime
        shown += [repr(engine), repr(engine.statistics()), repr(runtime._services)]
        access = runtime._access[endpoint.name]
        shown += [repr(access), repr(access._routes), repr(runtime._keepers)]
        with trio.move_on_after(0.05):
            async for each in facts:
                shown.append(repr(each))
    texts = "\n".join([*shown, caplog.text, *(repr(vars(each)) for each in caplog.records)])
    assert SECRET not in texts
    assert encoded not in texts
    assert SECRET[: len(SECRET) // 2] not in texts


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """Files of ours, and a server's context that wants our certificate."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    client = authority.issue_cert("ann@example.org")
    client.private_key_and_cert_chain_pem.write_to_path(str(folder / "client.pem"))
    client.private_key_pem.write_to_path(str(folder / "key.pem"))
    client.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return folder, context


async def test_both_sides_show_a_certificate(
    serve: Any, issued: tuple[Path, ssl.SSLContext]
) -> None:
    """With credentials besides, for all kinds of requests; the key may stand apart."""
    folder, context = issued
    guard = await serve(context)
    apart = {"client_cert_file": folder / "cert.pem", "client_key_file": folder / "key.pem"}
    for files in ({"client_cert_file": folder / "client.pem"}, apart):
        tls = TLSConfig(ca_file=folder / "ca.pem", **files)
        endpoint = EndpointConfig(guard.url, auth=Bearer(SECRET), tls=tls)
        async with engine_for(pickle.loads(pickle.dumps(endpoint))) as engine:
            assert (await engine.chat("m", "hello")).content == "hi"
            assert (await engine.version()).version == "0.9.0"
    assert set(guard.credentials) == {f"Bearer {SECRET}"}


async def test_files_that_are_not_usable_are_told_at_once(
    serve: Any, issued: tuple[Path, ssl.SSLContext]
) -> None:
    """When the engine opens, and when an endpoint is added: before anything is sent."""
    missing = EndpointConfig("https://gpu-1", tls=TLSConfig(ca_file=issued[0] / "none.pem"))
    with pytest.raises(ConfigError, match=r"none\.pem: No such file"):
        async with engine_for(missing):
            raise AssertionError
    guard = await serve()
    async with engine_for(guard.url) as engine:
        with pytest.raises(ConfigError, match=r"none\.pem: No such file"):
            engine.add_endpoint(missing)
        assert len(engine.endpoints) == 1


async def test_a_plain_endpoint_pays_nothing(serve: Any) -> None:
    """Its access is the plain one; of a key, too: the head is encoded once."""
    guard = await serve()
    async with engine_for(EndpointConfig(guard.url, auth=Bearer(SECRET))) as engine:
        access: Any = next(iter(engine._runtime._access.values()))
        assert type(access).__name__ == "EndpointAccess"
        await engine.chat("m", "hello")
        [route] = access._routes.values()
        await engine.chat("m", "hello")
        assert [route] == list(access._routes.values())
        assert SECRET.encode() in route.head


async def test_a_deadline_holds_while_a_token_is_fetched(autojump_clock: MockClock) -> None:
    """And the request that is given up leaves nothing behind."""
    endpoint = EndpointConfig("http://gpu-1", auth=Bearer(trio.sleep_forever, call_s=60))
    async with engine_for(endpoint, transport=Cloud()) as engine:
        with pytest.raises(TriollamaError, match="within 2 s"):
            await engine.chat("m", "hello", deadline_s=2)
        assert trio.current_time() == pytest.approx(2.0)
        assert engine.statistics().running == 0
