"""A simulated server with a recorder before it, and both clients for it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import ollama
import pytest
from tests.adapters.compat.ollama.cases import Case
from tests.adapters.compat.ollama.recorder import Recorder, Sent, recording

from triollama import EngineConfig, ProbeConfig
from triollama_adapters.compat import ollama as compat
from triollama_adapters.simulator.pytest_plugin import OllamaSimulator

QUICK = {
    "load_s": 0.0,
    "decode_tokens_per_s": 5_000.0,
    "prefill_tokens_per_s": 1e6,
    "answer_tokens_min": 4,
    "answer_tokens_max": 8,
    "think_tokens_min": 2,
    "think_tokens_max": 4,
    "transfer_bytes_per_s": 1e11,
    "registry_s": 0.0,
    "disk_bytes_per_s": 1e12,
    "quantize_bytes_per_s": 1e11,
}
ONCE = EngineConfig(attempts_max=1, retry_wait_s=0.0, probe=ProbeConfig(enabled=False))
"""As the official client does: what fails is not asked again."""

CLOUD = "ollama.com"
KEY = {"Authorization": "Bearer a-key"}


class Rerouted(httpx.HTTPTransport):
    """Sends to the recorder what is meant for ollama.com."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = httpx.URL(url)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx."""
        request.url = _rerouted(request.url, self._url)
        return super().handle_request(request)


class ReroutedAsync(httpx.AsyncHTTPTransport):
    """The same for asynchronous clients."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = httpx.URL(url)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx."""
        request.url = _rerouted(request.url, self._url)
        return await super().handle_async_request(request)


def _rerouted(url: httpx.URL, to: httpx.URL) -> httpx.URL:
    if url.host != CLOUD:
        return url
    return url.copy_with(scheme=to.scheme, host=to.host, port=to.port)


@attrs.frozen
class Seen:
    """What came of a case.

    Attributes:
        sent: the requests that the server got.
        value: the answer, or the parts of it, as plain values; None for an error.
        error: class, status and text, or None.
    """

    sent: list[Sent]
    value: Any = None
    error: tuple[str, int, str] | None = None


class Pair:
    """Both clients, on a server as new for each call.

    Args:
        simulator: the server.
        recorder: what stands before it.
        folder: for files.

    Attributes:
        folder: the same.
    """

    def __init__(self, simulator: OllamaSimulator, recorder: Recorder, folder: Path) -> None:
        self._simulator = simulator
        self._recorder = recorder
        self.folder = folder

    @property
    def url(self) -> str:
        """The recorder's."""
        return self._recorder.url

    def official(self, case: Case, *, stream: bool = False, is_async: bool = False) -> Seen:
        """A case with the official client."""
        url = self._recorder.url
        if is_async:
            mounts: Any = {f"https://{CLOUD}": ReroutedAsync(url)}
            make: Any = ollama.AsyncClient
        else:
            mounts, make = {f"https://{CLOUD}": Rerouted(url)}, ollama.Client
        return self._see(
            case,
            ollama,
            lambda: make(host=url, trust_env=False, headers=KEY, mounts=mounts),
            stream=stream,
            is_async=is_async,
        )

    def ours(self, case: Case, *, stream: bool = False, is_async: bool = False) -> Seen:
        """A case with the client of this engine."""
        url = self._recorder.url
        make: Any = compat.AsyncClient if is_async else compat.Client
        transport = ReroutedAsync(url) if case.method.startswith("web_") else None
        return self._see(
            case,
            compat,
            lambda: make(host=url, headers=KEY, transport=transport, config=ONCE, on_break="raise"),
            stream=stream,
            is_async=is_async,
        )

    def take(self) -> list[Sent]:
        """What the server got since the last preparation."""
        return self._recorder.take()

    def prepare(self, case: Case) -> None:
        """Have the server as new, and in the state that a case wants."""
        self._simulator.reset()
        if case.before is not None:
            with ollama.Client(host=self._simulator.url, trust_env=False) as client:
                case.before(client)
        self._simulator.set_faults(*case.faults)
        self._recorder.take()

    def _see(
        self, case: Case, module: Any, make: Callable[[], Any], *, stream: bool, is_async: bool
    ) -> Seen:
        self.prepare(case)
        fields = dict(case.make(module, self.folder))
        places = [fields.pop(name) for name in list(fields)[: case.places]]
        if stream:
            fields["stream"] = True
        try:
            if is_async:
                value = asyncio.run(_call_async(make, case.method, places, fields))
            else:
                value = _call(make, case.method, places, fields)
        except Exception as error:  # noqa: BLE001 - that is what is compared
            status = getattr(error, "status_code", 0)
            return Seen(self.take(), error=(_kind(error), status, str(error)))
        return Seen(self.take(), value=value)


def _call(make: Callable[[], Any], method: str, places: list[Any], fields: dict[str, Any]) -> Any:
    with make() as client:
        value = getattr(client, method)(*places, **fields)
        return [part.model_dump() for part in value] if "stream" in fields else _plain(value)


async def _call_async(
    make: Callable[[], Any], method: str, places: list[Any], fields: dict[str, Any]
) -> Any:
    async with make() as client:
        value = await getattr(client, method)(*places, **fields)
        if "stream" in fields:
            return [part.model_dump() async for part in value]
        return _plain(value)


def _plain(value: Any) -> Any:
    return value.model_dump() if hasattr(value, "model_dump") else value


def _kind(error: Exception) -> str:
    """The class's name; what is known by its base is called so."""
    bases = (ConnectionError, FileNotFoundError, httpx.HTTPError)
    return next((base.__name__ for base in bases if isinstance(error, base)), type(error).__name__)


@pytest.fixture(scope="session")
def _server() -> Iterator[OllamaSimulator]:
    """A quick server in a process of its own."""
    command = [sys.executable, "-m", "triollama_adapters.simulator", "--until-eof", "--config", "-"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(QUICK).encode() + b"\n")
        process.stdin.flush()
        yield OllamaSimulator(json.loads(process.stdout.readline())["url"])
    finally:
        process.kill()
        process.wait(5)
        process.stdin.close()
        process.stdout.close()


@pytest.fixture(scope="session")
def _recorder(_server: OllamaSimulator) -> Iterator[Recorder]:
    with recording(_server.url) as recorder:
        yield recorder


@pytest.fixture
def pair(_server: OllamaSimulator, _recorder: Recorder, tmp_path: Path) -> Pair:
    """Both clients, for one server."""
    return Pair(_server, _recorder, tmp_path)
