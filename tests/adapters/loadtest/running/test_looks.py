"""What is loaded, and how busy this machine is."""

from __future__ import annotations

from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
import trio

from triollama import PsResponse, RunningModel
from triollama_adapters.loadtest.plan import ClosedLoop, Plan, Target
from triollama_adapters.loadtest.running import looks as looks_module
from triollama_adapters.loadtest.running.looks import HostLooks, ServerLooks
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.workload.scenario import Scenario, Workload

NS = 1_000_000_000


def plan_of(*urls: str) -> Plan:
    """Any, for these."""
    return Plan(Target(urls), Workload((Scenario("s", "llama3.2"),)), ClosedLoop(1), 1.0)


def loaded(*names: str, expires_at: str = "") -> PsResponse:
    """These are loaded."""
    models = [RunningModel(name=name, size_vram=7, expires_at=expires_at) for name in names]
    return PsResponse(models=tuple(models))


def test_the_last_look_before_counts() -> None:
    """Without any, nothing is known, and the model counts as there."""
    looks = ServerLooks(plan_of("http://a:1"), RunClock(1))
    assert not looks.was_absent("a:1", "llama3.2", NS)
    looks.note("a:1", loaded("qwen3:0.6b"), 1 * NS)
    looks.note("a:1", loaded("qwen3:0.6b", "llama3.2:latest"), 3 * NS)
    looks.note("a:1", loaded(), 5 * NS)
    times = [0, 1, 2, 3, 4, 5, 9]
    absent = [looks.was_absent("a:1", "llama3.2", each * NS) for each in times]
    assert absent == [False, True, True, False, False, True, True]
    assert not looks.was_absent("b:1", "llama3.2", 9 * NS)


def test_an_answer_shows_that_a_model_is_there() -> None:
    """From its first token on, until a look says otherwise; not only from the next look on."""
    looks = ServerLooks(plan_of("http://a:1"), RunClock(1))
    looks.saw("a:1", "llama3.2", NS // 2)  # before any look nothing is known, nor need it be
    looks.note("a:1", loaded(), 1 * NS)
    looks.saw("a:1", "llama3.2", NS * 3 // 2)
    looks.saw("a:1", "llama3.2", NS * 5 // 4)
    looks.note("a:1", loaded("llama3.2:latest"), 2 * NS)
    looks.note("a:1", loaded(), 3 * NS)
    looks.saw("a:1", "llama3.2", NS * 5 // 2)  # older than the last look
    times = [10, 12, 15, 16, 20, 29, 30, 40]
    absent = [looks.was_absent("a:1", "llama3.2", each * NS // 10) for each in times]
    assert absent == [True, True, False, False, False, False, True, True]


def test_a_timeline_of_what_is_loaded() -> None:
    """Each model at each look, with its memory and how long it stays."""
    clock = RunClock(1)
    looks = ServerLooks(plan_of("http://a:1"), clock)
    ends = (clock.began_at + timedelta(seconds=300)).astimezone(UTC).isoformat()
    looks.note("a:1", loaded("m:latest", expires_at=ends.replace("+00:00", "Z")), 2 * NS)
    looks.note("a:1", loaded("m:latest", expires_at="2318-01-01T00:00:00Z"), 4 * NS)
    [one, other] = looks.loaded
    assert (one.at_s, one.endpoint, one.model, one.vram_bytes) == (2.0, "a:1", "m:latest", 7)
    assert one.expires_s == pytest.approx(298.0, abs=0.01)
    assert other.expires_s is None  # for ever


def test_a_long_timeline_is_thinned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evenly, over all of its length."""
    monkeypatch.setattr(looks_module, "LOOKS_MAX", 10)
    looks = ServerLooks(plan_of("http://a:1"), RunClock(1))
    for number in range(100):
        looks.note("a:1", loaded("m"), number * NS)
    times = [each.at_s for each in looks.loaded]
    assert len(times) <= 11
    assert times[0] < 10
    assert times[-1] > 85


async def test_a_server_is_looked_at(
    monkeypatch: pytest.MonkeyPatch, ollama_simulator: Any
) -> None:
    """Again and again; what is loaded meanwhile is seen."""
    monkeypatch.setattr(looks_module, "LOOK_S", 0.01)
    plan = plan_of(ollama_simulator.url)
    looks = ServerLooks(plan, RunClock(1))
    with trio.move_on_after(0.2):
        await looks.run()
    assert looks.loaded == []
    name = ollama_simulator.url.removeprefix("http://")
    assert looks.was_absent(name, "llama3.2", 10**18)


async def test_one_that_does_not_answer_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few tries."""
    monkeypatch.setattr(looks_module, "LOOK_S", 0.001)
    looks = ServerLooks(plan_of("http://127.0.0.1:9"), RunClock(1))
    with trio.fail_after(5):
        await looks.run()
    assert looks.loaded == []


# ---- the host


def proc(root: Path, busy: int, idle: int) -> None:
    """What Linux would tell."""
    root.joinpath("stat").write_text(f"cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1 2 3\n")
    root.joinpath("meminfo").write_text("MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 400 kB\n")


def test_cpu_is_the_share_between_two_looks(tmp_path: Path) -> None:
    """So that the first look tells nothing yet."""
    looks = HostLooks(RunClock(1), tmp_path)
    for busy, idle in ((100, 100), (130, 110), (130, 110), (130, 210)):
        proc(tmp_path, busy, idle)
        looks.note(0.5, 3)
    assert [each.cpu for each in looks.looks] == [0.75, 0.0]
    assert [each.memory_bytes for each in looks.looks] == [600 * 1024] * 2
    assert (looks.looks[0].gpu, looks.looks[0].gpu_memory_bytes) == (0.5, 3)


@pytest.mark.parametrize("text", [None, "", "cpu a b c d e\n"])
async def test_without_proc_there_are_none(tmp_path: Path, text: str | None) -> None:
    """It just ends."""
    if text is not None:
        tmp_path.joinpath("stat").write_text(text)
        tmp_path.joinpath("meminfo").write_text("")
    looks = HostLooks(RunClock(1), tmp_path)
    with trio.fail_after(5):
        await looks.run()
    assert looks.looks == []


async def test_gpus_are_asked_where_there_are_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their use is a mean, their memory a sum; a command that fails is asked once."""
    monkeypatch.setattr(looks_module, "LOOK_S", 0.01)
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\necho 50, 100\necho 100, 300\n")
    command.chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda _: str(command))
    looks = HostLooks(RunClock(1), tmp_path)
    assert await looks._look_at_gpu() == (0.75, 400 * 2**20)
    command.write_text("#!/bin/sh\necho broken\n")
    assert await looks._look_at_gpu() == (None, None)
    assert looks._gpu_command is None
