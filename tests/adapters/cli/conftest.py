"""The program as a process, and a simulated server for it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import attrs
import pytest
from tests.adapters.cli.batch_runs import Server

from triollama import (
    EndpointProbes,
    EndpointStatistics,
    EngineStatistics,
    FactStatistics,
    LimiterStatistics,
    PoolStatistics,
    ProberStatistics,
)
from triollama_adapters.cli import main
from triollama_adapters.cli._readers import Reader

ENVIRONMENT = {"NO_COLOR": "1", "COLUMNS": "100"}

PROGRAM = [sys.executable, "-m", "triollama_adapters.cli"]


@pytest.fixture
def environment() -> dict[str, str]:
    """An environment in which nothing of the user's own settings matters."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OLLAMA_")}
    return kept | ENVIRONMENT


@attrs.frozen
class Done:
    """How the program ended."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Iterator[Callable[..., Any]]:
    """Start the program in an empty folder; what still runs at the end is killed."""
    started: list[subprocess.Popen[Any]] = []

    def start(
        *arguments: str, program: Sequence[str] = PROGRAM, **settings: Any
    ) -> "subprocess.Popen[Any]":
        defaults: dict[str, Any] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "text": True,
            "cwd": tmp_path,
            "env": environment,
        }
        process = subprocess.Popen([*program, *arguments], **(defaults | settings))
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Run the program to its end in an empty folder, within this process."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    stdin_before = os.dup(0)

    def run(*arguments: str, stdin: str = "") -> Done:
        with TemporaryFile() as file:
            file.write(stdin.encode())
            file.seek(0)
            os.dup2(file.fileno(), 0)
        capfd.readouterr()
        code = main(arguments)
        return Done(code, *capfd.readouterr())

    yield run
    os.dup2(stdin_before, 0)
    os.close(stdin_before)


@pytest.fixture
def write_lines(tmp_path: Path) -> Callable[..., Path]:
    """Write objects, or text as it is, as the lines of a file."""

    def write(*lines: Any, name: str = "in.jsonl") -> Path:
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        path = tmp_path / name
        path.write_text("".join(text + "\n" for text in texts))
        return path

    return write


@pytest.fixture
def read_records(tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """Read the records of an output, in the order of their index."""

    def read(name: str = "out.jsonl") -> list[dict[str, Any]]:
        # Not splitlines(), which also splits at U+2028 inside a text.
        *lines, rest = (tmp_path / name).read_bytes().split(b"\n")
        assert rest == b""
        return sorted(map(json.loads, lines), key=lambda record: record["index"])

    return read


@pytest.fixture
def server(ollama_simulator: Any) -> Server:
    """A server that answers, but for rows that say otherwise."""
    return Server(ollama_simulator)


@pytest.fixture
def known() -> Callable[..., EndpointStatistics]:
    """What a pool knows of an endpoint: one that is well, but for what is given."""

    def make(name: str = "a:1", **changes: Any) -> EndpointStatistics:
        well = EndpointStatistics(
            name=name,
            state="closed",
            out_s=0.0,
            is_draining=False,
            in_flight=0,
            in_flight_max=256,
            slots={},
            granted=0,
            outcomes={},
            failures_in_row=0,
            times_ejected=0,
            version="0.33.0",
            loaded=(),
            available=1,
            first_token_s=None,
            weight=1.0,
            tags=frozenset(),
        )
        return attrs.evolve(well, **changes)

    return make


@pytest.fixture
def probed() -> Callable[..., EndpointProbes]:
    """What a prober knows of an endpoint: one that has answered once, but for what is given."""

    def make(name: str = "a:1", **changes: Any) -> EndpointProbes:
        well = EndpointProbes(
            endpoint=name,
            is_good=True,
            probes=1,
            failed=0,
            failures_in_row=0,
            error="",
            version="0.33.0",
            took_s=0.003,
            age_s=0.5,
        )
        return attrs.evolve(well, **changes)

    return make


@pytest.fixture
def numbers() -> Callable[..., EngineStatistics]:
    """An engine's numbers, of some endpoints and their probes."""

    def make(
        endpoints: Sequence[EndpointStatistics],
        probes: Sequence[EndpointProbes] = (),
        waiting: int = 0,
    ) -> EngineStatistics:
        pool = PoolStatistics(
            endpoints=tuple(endpoints),
            waiting=waiting,
            waiting_bytes=0,
            granted=0,
            refused=0,
            predicted_wait_s=waiting * 0.5,
        )
        nothing = FactStatistics(published={}, subscriptions=(), dropped=0)
        limits = LimiterStatistics(
            **{field.name: 0 for field in attrs.fields(LimiterStatistics)} | {"limits": ()}
        )
        return EngineStatistics(
            accepted=0,
            done=0,
            failed=0,
            cancelled=0,
            waiting=waiting,
            running=0,
            pool=pool,
            health=ProberStatistics(endpoints=tuple(probes), crashes=0),
            limits=limits,
            facts=nothing,
            reactor=None,
            restarts={},
        )

    return make


@pytest.fixture
def reader() -> Callable[..., Any]:
    """A reader of a server that has got some pieces of its answer."""

    class Answering:
        """As much of a stream as a reader looks at."""

        def __init__(self, endpoint: str) -> None:
            self.endpoint = endpoint

    def make(endpoint: str = "a:1", chunks: int = 0, **changes: Any) -> Reader:
        stream: Any = Answering(endpoint)
        made = Reader("?", "w" * chunks, stream=stream, **changes)
        for place in range(chunks):
            made.take("w", place * 0.1)
        return made

    return make
