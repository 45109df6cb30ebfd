"""The log of what really happened."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from zlib import crc32

import httpx
import pytest
import trio

from triollama_adapters.simulator import SimulatorConfig, Truth, read_truth, serve
from triollama_adapters.simulator.response import Ending, Request
from triollama_adapters.simulator.truth import Send, TruthLog

NS = 10**9


@pytest.fixture
async def log_of(nursery: trio.Nursery, tmp_path: Path) -> Any:
    """Start a server with a log; gives its client and the function that reads what is logged."""

    async def start(**config: Any) -> Any:
        path = tmp_path / "truth.jsonl"
        quick = {"load_s": 0.05, "decode_tokens_per_s": 500.0, "prefill_tokens_per_s": 1e3} | config

        async def run(*, task_status: trio.TaskStatus[str]) -> None:
            await serve(SimulatorConfig(**quick), truth=path, task_status=task_status)

        url = await nursery.start(run)
        return httpx.AsyncClient(base_url=url, trust_env=False), lambda: read_truth(path)

    return start


def _chat(words: str, tokens: int, **fields: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": words}]
    return {"model": "llama3.2", "messages": messages, "options": {"num_predict": tokens}, **fields}


@pytest.mark.slow
async def test_phases_and_sends_of_a_stream(log_of: Any) -> None:
    """The phases are in order and add up to what the server told; each event has its time."""
    client, read = await log_of()
    async with client:
        before_ns = time.perf_counter_ns()
        answer = await client.post("/api/chat", json=_chat("Größe?", 4))
        after_ns = time.perf_counter_ns()
    last = json.loads(answer.text.splitlines()[-1])
    [truth] = read()
    assert (truth.number, truth.path, truth.ending) == (0, "/api/chat", "keep")
    assert truth.prompt == crc32("Größe?".encode())
    assert (truth.prompt_tokens, truth.tokens) == (last["prompt_eval_count"], 4)
    order = [before_ns, truth.arrived_ns, truth.loaded_ns, truth.slot_ns, truth.read_ns]
    order += [truth.ended_ns, after_ns]
    assert order == sorted(order)
    # The last token counts as written when it was due, by the clock of the loop.
    assert truth.read_ns < truth.written_ns <= truth.ended_ns + 1_000_000
    assert truth.loaded_ns - truth.arrived_ns == pytest.approx(last["load_duration"], abs=1e6)
    assert truth.read_ns - truth.slot_ns == last["prompt_eval_duration"]
    assert truth.written_ns - truth.read_ns == last["eval_duration"]
    events_ns = truth.event_times_ns
    assert len(events_ns) == 5, "four tokens and the last event"
    assert truth.read_ns < events_ns[0] <= events_ns[-1] < truth.ended_ns


@pytest.mark.slow
async def test_a_wait_for_the_slot_is_seen(log_of: Any) -> None:
    """Of two requests for one slot, the second has its own when the first is written."""
    client, read = await log_of(num_parallel=1)
    async with client, trio.open_nursery() as nursery:
        for words in ("one", "two"):
            nursery.start_soon(lambda words: client.post("/api/chat", json=_chat(words, 5)), words)
    first, second = read()
    assert second.slot_ns - second.loaded_ns > 5e6
    assert second.slot_ns == pytest.approx(first.written_ns, abs=1e6)


@pytest.mark.slow
async def test_what_is_no_stream_and_what_is_cut(log_of: Any) -> None:
    """A whole answer is one event; a client that leaves is gone; control routes are no requests."""
    client, read = await log_of(decode_tokens_per_s=50.0)
    async with client:
        await client.get("/_sim/state")
        await client.get("/api/version")
        await client.post("/api/chat", json=_chat("whole", 2, stream=False))
        with trio.move_on_after(0.2):
            await client.post("/api/chat", json=_chat("cut", 100))
        with trio.fail_after(5):
            while len(read()) < 3:
                await trio.sleep(0.01)
    version, whole, cut = read()
    assert (version.path, version.prompt, len(version.event_times_ns)) == ("/api/version", 0, 1)
    assert (whole.tokens, len(whole.event_times_ns)) == (2, 1)
    assert (cut.ending, cut.written_ns, cut.prompt) == ("gone", 0, crc32(b"cut"))
    assert cut.slot_ns > cut.arrived_ns


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    """It may be another run's."""
    path = tmp_path / "truth.jsonl"
    path.write_text("precious")
    with pytest.raises(FileExistsError):
        TruthLog(path, 0.0)
    assert path.read_text() == "precious"


async def test_a_server_without_its_log_does_not_listen(tmp_path: Path) -> None:
    """It says which file it is, and closes its socket."""
    with pytest.raises(OSError, match="truth") as told:
        await serve(SimulatorConfig(), truth=tmp_path / "none" / "truth.jsonl")
    assert told.value.filename == str(tmp_path / "none" / "truth.jsonl")


def test_half_a_line_at_the_end_is_left_out(tmp_path: Path) -> None:
    """As a killed server leaves it; lines come back in the order of arrival."""
    path = tmp_path / "truth.jsonl"
    path.write_text(
        '{"number":1,"path":"/b","arrived_ns":9,"sends":[[1,2,1],[5,1,2]]}\n'
        '{"number":0,"path":"/a","arrived_ns":7}\n{"number":2,"pa'
    )
    assert read_truth(path) == [
        Truth(0, "/a", 7),
        Truth(1, "/b", 9, sends=(Send(1, 2, 1), Send(5, 1, 2))),
    ]
    assert read_truth(path)[1].event_times_ns == [12, 15, 15]


class Nowhere:
    """A wire that takes everything."""

    def write(self, data: bytes) -> None:
        """Take it."""

    def finish(self, ending: Ending) -> None:
        """Take it."""


def test_a_closed_log_has_what_was_under_way(tmp_path: Path) -> None:
    """As gone; what ends after that is written nowhere."""
    log = TruthLog(tmp_path / "truth.jsonl", 0.0)
    below = Nowhere()
    wire = log.wire(Request("POST", "/api/chat?x"), below)
    wire.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    wire.write(b"1\r\na\r\n1\r\nb\r\n")
    wire.write(b"1\r\nc\r\n")
    wire.write(b"0\r\n\r\n")
    log.close()
    wire.finish(Ending.KEEP)
    [truth] = read_truth(tmp_path / "truth.jsonl")
    assert (truth.path, truth.ending) == ("/api/chat", "gone")
    assert [send.events for send in truth.sends] == [0, 2, 1, 0]
