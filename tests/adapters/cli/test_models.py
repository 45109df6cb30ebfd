"""``triollama pull``, ``create``, ``list`` and their kin, as a user runs them."""

from __future__ import annotations

import json
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import trio

from triollama import TransferEvent, TransferFailedError, open_engine
from triollama_adapters.cli._console import PlainConsole
from triollama_adapters.cli._failures import EXIT_SOME_FAILED, explain
from triollama_adapters.cli._models_bars import LINE_EVERY_S, Bars, _Lines
from triollama_adapters.cli._models_words import (
    describe_age,
    describe_bytes,
    describe_event,
    describe_rate,
)

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def at(ollama_simulator: Any) -> tuple[str, str]:
    """The option that names the simulated server."""
    return "--endpoint", ollama_simulator.url


@pytest.fixture
def name(ollama_simulator: Any) -> str:
    """The server's name."""
    url: str = ollama_simulator.url
    return url.removeprefix("http://")


@pytest.mark.slow
def test_the_life_of_a_model(run: Any, at: Any, name: str) -> None:
    """Pulled with lines of progress, listed, made into another, copied, shown, deleted."""
    done = run("pull", "tinyllama", *at)
    assert done.returncode == 0
    assert done.stdout.startswith(f"pulled tinyllama on {name}: ")
    assert f"{name}: pulling manifest\n" in done.stderr
    assert done.stderr.endswith(f"{name}: success\n")

    done = run("create", "mario", "--from", "tinyllama", "--system", "Be\nbrief.", *at)
    assert done.stdout.startswith(f"created mario on {name}: ")
    assert run("cp", "mario", "luigi", *at).stdout == f"copied mario to luigi on {name}\n"

    head, *rows = run("list", *at).stdout.splitlines()
    assert head.split() == ["name", "id", "size", "modified"]
    assert {row.split()[0] for row in rows} >= {"mario:latest", "luigi:latest", "tinyllama:latest"}

    shown = run("show", "luigi", *at).stdout
    assert "Be brief." in shown
    assert run("show", "luigi", "--part", "system", *at).stdout == "Be\nbrief.\n"
    assert json.loads(run("show", "luigi", "--json", *at).stdout)["system"] == "Be\nbrief."

    done = run("rm", "mario", "luigi", *at)
    assert done.stdout == f"deleted mario on {name}\ndeleted luigi on {name}\n"
    done = run("rm", "mario", *at)
    assert done.returncode == 2
    assert "no endpoint has the model 'mario'" in done.stderr


@pytest.mark.slow
def test_loaded_and_stopped(run: Any, at: Any, name: str, start: Any) -> None:
    """What is loaded is in ps, until it is stopped."""
    run("chat", "llama3.2", *at)

    async def load() -> None:
        async with open_engine(at[1]) as engine:
            await engine.load("llama3.2")

    trio.run(load)
    head, row = run("ps", *at).stdout.splitlines()
    assert head.split()[:2] == ["endpoint", "name"]
    assert row.split()[:2] == [name, "llama3.2:latest"]
    assert json.loads(run("ps", "--json", *at).stdout)[name]["models"]
    assert run("stop", "llama3.2", *at).stdout == f"stopped llama3.2 on {name}\n"
    assert len(run("ps", *at).stdout.splitlines()) == 1


@pytest.mark.slow
def test_a_result_as_json(run: Any, at: Any, name: str) -> None:
    """One object on standard output."""
    told = json.loads(run("pull", "all-minilm", "--json", *at).stdout)
    assert (told["kind"], told["model"]) == ("pull", "all-minilm")
    [each] = told["endpoints"]
    assert each["endpoint"] == name
    assert each["restarts"] == 0


@pytest.mark.slow
def test_what_goes_wrong_is_one_line(run: Any, at: Any, tmp_path: Path) -> None:
    """And an exit code: 1 for what a server said, 2 for usage, 3 for nobody there."""
    done = run("pull", "nosuch", *at)
    assert done.returncode == 1
    assert "the registry has no such model" in done.stderr.splitlines()[-1]
    done = run("create", "mine", *at)
    assert (done.returncode, done.stdout) == (2, "")
    assert "from_ or files" in done.stderr
    done = run("create", "mine", "--file", "nowhere.gguf", *at)
    assert done.returncode == 2
    assert "'nowhere.gguf' cannot be read" in done.stderr
    done = run("create", "mine", "--from", "llama3.2", "--system", "@nowhere", *at)
    assert "--system: cannot read 'nowhere'" in done.stderr
    done = run("create", "mine", "--from", "llama3.2", "--parameter", "num_ctx", *at)
    assert "--parameter takes NAME=VALUE" in done.stderr
    done = run("show", "llama3.2", "--part", "soul", *at)
    assert "--part must be one of" in done.stderr
    assert run("rm", *at).returncode == 2
    gone = run("pull", "llama3.2", "--endpoint", "http://127.0.0.1:9")
    assert gone.returncode == 3
    assert run("list", "--endpoint", "http://127.0.0.1:9").returncode == 3


@pytest.mark.slow
def test_texts_come_from_files(run: Any, at: Any, tmp_path: Path) -> None:
    """With an @."""
    (tmp_path / "prompt.txt").write_text("You are Mario.")
    run("create", "mario", "--from", "llama3.2", "--system", "@prompt.txt", *at)
    assert run("show", "mario", "--part", "system", *at).stdout == "You are Mario.\n"


@pytest.mark.slow
def test_a_fleet_and_one_that_is_gone(run: Any, at: Any, name: str) -> None:
    """The list is of those that answer, with a warning; a pull says where it was done."""
    both = (*at, "--endpoint", "http://127.0.0.1:9")
    done = run("list", *both)
    assert done.returncode == 0
    assert done.stderr.startswith("warning: ")
    done = run("pull", "tinyllama", *both)
    assert done.returncode == 1
    assert f"it was done on {name}" in done.stderr


@pytest.mark.slow
def test_ctrl_c_stops_the_server_as_well(start: Any, at: Any, ollama_simulator: Any) -> None:
    """One line, exit code 130, and nobody pulls any more."""
    stall = {"kind": "step_stall", "step": "layer", "after_bytes": 1_000}
    ollama_simulator.set_faults({"fault": stall, "routes": ["/api/pull"]})
    process = start("pull", "tinyllama", *at)
    for line in process.stderr:
        if "pulling " in line and "manifest" not in line:
            break
    os.kill(process.pid, signal.SIGINT)
    _, rest = process.communicate(timeout=20)
    assert process.returncode == 130
    assert rest.splitlines()[-1] == (
        "interrupted; a server keeps what it has of a layer, and the next pull goes on there"
    )
    deadline_s = time.monotonic() + 5
    while (running := pulls(ollama_simulator.state())) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert not running


def pulls(state: dict[str, Any]) -> bool:
    """Whether anybody is served, beside the one who asks."""
    return bool(state["in_flight"] > 1)


# ---- words and pictures


def event(completed: int = 0, **changes: Any) -> TransferEvent:
    """A step of a pull."""
    fields: dict[str, Any] = {
        "endpoint": "a",
        "model": "m",
        "kind": "pull",
        "status": "pulling 6a0746a1ec1a",
        "phase": "transfer",
        "digest": "sha256:6a",
        "total": 4_700_000_000,
        "completed": completed,
    }
    return TransferEvent(**(fields | changes))


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (9_940, "9.9 kB"),
        (9_960, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (4_700_000_000, "4.7 GB"),
        (2e15, "2000 TB"),
    ],
)
def test_bytes(count: float, told: str) -> None:
    """Two digits that count, in powers of 1,000."""
    assert describe_bytes(count) == told


def test_ages() -> None:
    """In the largest unit that there is one of."""
    for ago, told in {
        timedelta(): "just now",
        timedelta(seconds=1): "1 second ago",
        timedelta(minutes=5): "5 minutes ago",
        timedelta(days=3): "3 days ago",
        timedelta(days=800): "2 years ago",
    }.items():
        assert describe_age(NOW - ago, NOW) == told
    assert describe_age(None) == ""


def test_a_step_as_a_line() -> None:
    """As much as is known; a server's words cannot drive the terminal."""
    assert describe_event(event(total=None)) == "pulling 6a0746a1ec1a"
    assert describe_event(event(2_350_000_000)) == "pulling 6a0746a1ec1a: 50% of 4.7 GB"
    running = event(2_350_000_000, rate_bytes_per_s=50e6)
    assert describe_event(running) == "pulling 6a0746a1ec1a: 50% of 4.7 GB, 50 MB/s, 0:47 left"
    assert describe_rate(None) == ""
    assert "\x1b" not in describe_event(event(status="\x1b[2Jx"))


def test_lines_of_a_log() -> None:
    """One per step, and now and then one about the same."""
    out, now_s = StringIO(), 0.0
    lines = _Lines(out, lambda: now_s)
    lines.show(event(0))
    lines.show(event(1))
    now_s = LINE_EVERY_S
    lines.show(event(2_350_000_000))
    lines.show(event(status="writing manifest", total=None))
    assert out.getvalue().splitlines() == [
        "a: pulling 6a0746a1ec1a: 0% of 4.7 GB",
        "a: pulling 6a0746a1ec1a: 50% of 4.7 GB",
        "a: writing manifest",
    ]


@pytest.mark.parametrize("width", [40, 100])
def test_a_bar_per_server(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal; the cursor is shown again at the end, and nothing of the bar stays."""
    monkeypatch.setenv("TERM", "xterm")
    out = StringIO()
    out.isatty = lambda: True  # type: ignore[method-assign]
    console = PlainConsole(out, width=width)
    bars = Bars(console, lambda: 1.0)
    bars.show(event(2_350_000_000))
    bars.show(event(1, endpoint="b"))
    bars.show(event(status="success", phase="done", total=None))
    bars.close()
    assert "50%" in out.getvalue()
    assert "\x1b[?25h" in out.getvalue()
    assert all(len(line) < 400 for line in out.getvalue().splitlines())


def test_what_a_server_said_is_exit_code_1() -> None:
    """It was reached; the failure is in its answer."""
    error = TransferFailedError("no", kind="pull", model="m", phase="manifest", endpoint="a")
    assert explain(error) == ("a: pull of 'm' failed: no", EXIT_SOME_FAILED)
