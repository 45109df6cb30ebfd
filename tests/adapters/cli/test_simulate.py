"""``triollama simulate`` as a user runs it."""

import json
import os
import re
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import trio

from triollama import ConfigError
from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._simulate import make_config, simulate
from triollama_adapters.simulator import SimulatorConfig, fast_config


def test_single_options_go_before_the_base() -> None:
    """What is not given stays as the preset or the file has it."""
    assert make_config(None, {"num_parallel": None}, is_fast=False) == SimulatorConfig()
    assert make_config(None, {"seed": 0}, is_fast=True) == fast_config(seed=0)
    assert make_config({"load_s": 3.0}, {"seed": 4}, is_fast=False) == SimulatorConfig(
        load_s=3.0, seed=4
    )


def test_unusable_values_are_refused_by_name() -> None:
    """NaN, an unknown key of the file, and two bases at once."""
    with pytest.raises(ConfigError, match="load_s"):
        make_config(None, {"load_s": float("nan")}, is_fast=False)
    with pytest.raises(ConfigError, match="lod_s"):
        make_config({"lod_s": 1.0}, {}, is_fast=False)
    with pytest.raises(CliError, match="exclude"):
        make_config({}, {}, is_fast=True)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_stopped(start: Any, number: int) -> None:
    """It says where it listens and what to try, serves, and ends quietly with 0."""
    process = start("simulate", "--port", "0", "--fast")
    first, second = process.stderr.readline(), process.stderr.readline()
    [url] = re.findall(r"http://127\.0\.0\.1:\d+", first)
    assert second.startswith(f"try: curl {url}/api/generate -d")
    with urllib.request.urlopen(f"{url}/api/version", timeout=10) as answer:
        assert "version" in json.load(answer)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=10)
    assert (process.returncode, stdout, stderr) == (0, "", "")


@pytest.mark.slow
def test_a_taken_port_is_one_clear_line(start: Any, run: Any) -> None:
    """Two servers on one port: the second says so and ends with 2."""
    process = start("simulate", "--port", "0")
    [port] = re.findall(r"127\.0\.0\.1:(\d+)", process.stderr.readline())
    done = run("simulate", "--port", port)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr


@pytest.mark.slow
def test_a_log_that_is_there_is_one_clear_line(run: Any, tmp_path: Path) -> None:
    """What another run wrote is not overwritten, and it is no trouble with the address."""
    (tmp_path / "truth.jsonl").touch()
    done = run("simulate", "--port", "0", "--truth", "truth.jsonl")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot write truth.jsonl: File exists" in done.stderr


@pytest.mark.slow
def test_a_bad_configuration_file_is_one_clear_line(run: Any, tmp_path: Path) -> None:
    """Missing, not JSON, or with an unknown key; the file is named."""
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "unknown.json").write_text('{"modles": []}')
    (tmp_path / "inner.json").write_text('{"models": [{"name": "m", "lod_s": 1}]}')
    (tmp_path / "text.json").write_text('{"jitter": "much"}')
    for name, words in [
        ("none", "No such"),
        ("broken.json", "JSON"),
        ("unknown.json", r"\(modles\).*; its keys can be: models, version, num_parallel, "),
        ("inner.json", r"\(lod_s\) @ config.models\[0\]\Z"),
        ("text.json", r"must be float, not str @ config.jitter\Z"),
    ]:
        done = run("simulate", "--port", "0", "--config", name)
        assert done.returncode == 2
        assert name in done.stderr
        assert re.search(words, done.stderr.rstrip())
        assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("option", "value"),
    [("jitter", "5"), ("load-s", "nan"), ("num-parallel", "0"), ("decode-tokens-per-s", "0")],
)
def test_an_unusable_option_is_named_as_it_was_given(run: Any, option: str, value: str) -> None:
    """With its hyphens, and with where its help is."""
    done = run("simulate", f"--{option}", value)
    assert done.returncode == 2
    assert f"for --{option}. " in done.stderr
    assert done.stderr.endswith("; see: triollama simulate --help\n")


@pytest.mark.slow
async def test_ctrl_c_ends_it_with_0(capfd: pytest.CaptureFixture[str]) -> None:
    """The command itself, within this process."""
    codes = []

    async def command() -> None:
        codes.append(await simulate(port=0, seed=1))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(command)
        told = ""
        with trio.fail_after(10):
            while "Ctrl-C stops it" not in told:
                await trio.sleep(0.01)
                told += capfd.readouterr().err
        os.kill(os.getpid(), signal.SIGINT)
    assert codes == [0]
