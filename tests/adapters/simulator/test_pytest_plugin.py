"""The fixture for other people's tests."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]


IMPORTS = """
import sys, time
import pytest
began = time.perf_counter()
import triollama_adapters.simulator.pytest_plugin
print(time.perf_counter() - began)
print([name for name in ("trio", "httpx", "attrs", "json") if name in sys.modules])
"""

SUITE = """
import json, urllib.error, urllib.request
import pytest



def get(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, data=data)) as response:
        return json.loads(response.read())


def test_answers(ollama_simulator):
    body = {"model": "llama3.2", "prompt": "q", "stream": False}
    assert get(ollama_simulator.url + "/api/generate", body)["done"]
    assert ollama_simulator.state()["generations_finished"] == 1


def test_is_as_new(ollama_simulator):
    assert ollama_simulator.state()["accepted"] == 0
    assert ollama_simulator.state()["loaded"] == []


def test_faults(ollama_simulator):
    ollama_simulator.set_faults({"fault": {"kind": "status", "status": 502}, "routes": []})
    with pytest.raises(urllib.error.HTTPError) as caught:
        get(ollama_simulator.url + "/api/tags")
    caught.value.close()
    ollama_simulator.clear_faults()
    assert get(ollama_simulator.url + "/api/tags")["models"]
    with pytest.raises(ValueError, match="kind"):
        ollama_simulator.set_faults({"fault": {"kind": "nothing"}})
    ollama_simulator.restart()
"""


def test_import_is_light() -> None:
    """Loading the plugin imports nothing that pytest itself does not."""
    plain = subprocess.run(
        [
            sys.executable,
            "-c",
            IMPORTS.replace("import triollama_adapters.simulator.pytest_plugin", ""),
        ],
        capture_output=True,
        check=True,
    ).stdout.splitlines()
    took, modules = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, check=True
    ).stdout.splitlines()
    assert modules == plain[1]
    assert float(took) < 0.05


@pytest.mark.slow
def test_fixture(pytester: pytest.Pytester) -> None:
    """It works in a suite without trio, and is as new for each test."""
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess("-p", "no:trio", "-p", "no:cacheprovider").assert_outcomes(
        passed=3
    )
