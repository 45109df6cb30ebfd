"""The log of what the load server sent."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from pathlib import Path
from zlib import crc32

import pytest
from benchmarks.processes import ROOT

from triollama_adapters.simulator.truth import read_truth


@pytest.mark.slow
def test_streams_end_and_are_logged(tmp_path: Path) -> None:
    """Each token at its turn, the end with the last; a line for each stream, none for one left."""
    path = tmp_path / "truth.jsonl"
    command = [sys.executable, "-m", "benchmarks.load_server", "--streams=2", "--interval-s=0.02"]
    command += ["--tokens=3", f"--truth={path}"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        port = json.loads(server.stdout.readline())["port"]
        answers = [_ask(port, words) for words in ("one", "two")]
        _leave(port)
        server.communicate(timeout=10)
    for lines in answers:
        assert [line["done"] for line in lines] == [False, False, False, True]
        assert lines[-1]["eval_count"] == 3
    truths = read_truth(path)
    assert [truth.prompt for truth in truths] == [crc32(b"one"), crc32(b"two")]
    for truth in truths:
        first, second, third, end = truth.event_times_ns
        assert third == end
        assert truth.arrived_ns < first
        assert second - first == pytest.approx(20e6, abs=15e6)
        assert (truth.tokens, truth.ending, truth.path) == (3, "keep", "/api/chat")


def _ask(port: int, words: str) -> list[dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": words}]})
    connection.request("POST", "/api/chat", body)
    lines = [json.loads(line) for line in connection.getresponse().read().splitlines()]
    connection.close()
    return lines


def _leave(port: int) -> None:
    """Ask, and go after the first token."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/api/chat", '{"messages":[{"content":"three"}]}')
    connection.getresponse().read(1)
    connection.close()
