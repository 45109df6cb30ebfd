"""Blobs, copy, delete, pull and push as ``ollama-api.md`` §2.8 to §2.11 have them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from triollama_adapters.simulator import Fault, FaultRule, ModelConfig
from triollama_adapters.simulator.response import Request
from triollama_adapters.simulator.uploads import HEAD_BYTES, Upload

MB = 1_000_000
TINY = ModelConfig(name="tiny", layer_bytes=(50 * MB, 10 * MB, 500))
PULL = {"registry": (TINY,), "transfer_bytes_per_s": 10.0 * MB, "registry_s": 0.5}


def names(bench: Any) -> list[str]:
    """What tags lists."""
    return [model["name"] for model in bench.get("/api/tags").json["models"]]


def digest_of(data: bytes) -> str:
    """The digest of a blob."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def strike(bench: Any, **fault: Any) -> None:
    """Put one rule in force, for every route, once."""
    bench.simulator.faults.set((FaultRule(fault=Fault(**fault), routes=(), times=1),))


def test_g25_blobs(bench: Any) -> None:
    """A blob that is not there is 404; stored it is 201, again 200; a wrong digest is 400."""
    path = f"/api/blobs/{digest_of(b'GGUF..')}"
    missing = bench.send("HEAD", path).parse()
    assert missing.raw.startswith(b"HTTP/1.1 404 ")
    assert missing.raw.endswith(b"\r\n\r\n")
    stored = bench.send("POST", path, b"GGUF..").parse()
    assert (stored.status, stored.body, stored.headers["content-length"]) == (201, b"", "0")
    assert bench.send("HEAD", path).raw.startswith(b"HTTP/1.1 200 ")
    assert bench.send("HEAD", path.replace("sha256:", "sha256-")).raw.startswith(b"HTTP/1.1 200 ")
    assert bench.send("POST", path, b"GGUF..").parse().status == 200
    other = digest_of(b"other")
    wrong = bench.send("POST", f"/api/blobs/{other}", b"GGUF..").parse()
    told = f'digest mismatch, expected "{other}", got "{digest_of(b"GGUF..")}"'
    assert (wrong.status, wrong.json) == (400, {"error": told})
    assert bench.simulator.store.blob(other) is None


@pytest.mark.parametrize("method", ["HEAD", "POST"])
def test_what_is_no_digest(bench: Any, method: str) -> None:
    """Both methods refuse it, and others are not allowed."""
    assert bench.send(method, "/api/blobs/sha256:12", b"").raw.startswith(b"HTTP/1.1 400 ")
    refused = bench.send("GET", "/api/blobs/sha256:12").parse()
    assert (refused.status, refused.headers["allow"]) == (405, "HEAD, POST")


def test_blobs_are_counted_as_one_route(bench: Any) -> None:
    """The counts, and the rules for faults, name the route and no digest."""
    bench.simulator.faults.set(
        (FaultRule(fault=Fault(kind="status"), routes=("/api/blobs/:digest",)),)
    )
    assert bench.send("POST", f"/api/blobs/{digest_of(b'x')}", b"x").parse().status == 503
    assert bench.state.routes == {"/api/blobs/:digest": 1}


def test_g26_copy_and_delete(bench: Any) -> None:
    """Both answer with nothing; a copy is the same model under another name, and the newest."""
    copied = bench.post("/api/copy", source="LLAMA3.2", destination="mine/copy:v1").parse()
    assert (copied.status, copied.body) == (200, b"")
    first, second, *_ = bench.get("/api/tags").json["models"]
    assert (first["name"], first["digest"]) == ("mine/copy:v1", second["digest"])
    said = [bench.ask("/api/generate", model=m, prompt="why?") for m in ("llama3.2", first["name"])]
    body = json.dumps({"model": "mine/copy:v1"}).encode()
    assert [event["response"] for event in said[0].events] == [
        event["response"] for event in said[1].events
    ]
    deleted = bench.send("DELETE", "/api/delete", body).parse()
    assert (deleted.status, deleted.body) == (200, b"")
    assert "mine/copy:v1" not in names(bench)
    assert "llama3.2:latest" in names(bench)
    again = bench.send("DELETE", "/api/delete", body).parse()
    assert (again.status, again.json) == (404, {"error": "model 'mine/copy:v1' not found"})


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("POST", "/api/copy", {}, 400, 'source "" is invalid'),
        ("POST", "/api/copy", {"source": "a@b"}, 400, 'source "a@b" is invalid'),
        ("POST", "/api/copy", {"source": "x"}, 400, 'destination "" is invalid'),
        (
            "POST",
            "/api/copy",
            {"source": "x", "destination": "y"},
            404,
            'model "x" not found',
        ),
        ("DELETE", "/api/delete", {}, 400, "model is required"),
        ("DELETE", "/api/delete", {"name": "a@b"}, 400, 'name "a@b" is invalid'),
        ("DELETE", "/api/delete", {"name": "x"}, 404, "model 'x' not found"),
        ("DELETE", "/api/delete", b"", 400, "missing request body"),
        ("POST", "/api/pull", {}, 400, "invalid model name"),
        ("POST", "/api/pull", {"model": "a@b"}, 400, "invalid model name"),
        ("POST", "/api/push", {}, 400, "model is required"),
    ],
)
def test_g37_names(bench: Any, method: str, path: str, body: Any, status: int, error: str) -> None:
    """The table of §2.13."""
    call = bench.send(method, path, body).parse()
    assert (call.status, call.json) == (status, {"error": error})


def test_a_pull(make_bench: Any) -> None:
    """The statuses in their order; what came of a layer is told every 60 ms; then it is there."""
    bench = make_bench(**PULL)
    call = bench.ask("/api/pull", model="tiny")
    assert call.headers["content-type"] == "application/x-ndjson"
    events = call.events
    large, _small, _config = bench.simulator.store.get("tiny:latest").layers
    assert events[0] == {"status": "pulling manifest"}
    assert events[1] == {
        "status": f"pulling {large.digest[7:19]}",
        "digest": large.digest,
        "total": 50 * MB,
        "completed": 600_000,
    }
    assert [event["status"] for event in events[-3:]] == [
        "verifying sha256 digest",
        "writing manifest",
        "success",
    ]
    statuses = list(dict.fromkeys(event["status"] for event in events))
    assert len(statuses) == 6, "the configuration is too small to be seen"
    assert len(events) == 1 + 83 + 16 + 3
    assert bench.now - 100 == pytest.approx(0.5 + 6.0 + 0.03, abs=0.01)
    assert names(bench)[0] == "tiny:latest"
    assert bench.get("/api/tags").json["models"][0]["size"] == 60 * MB + 500
    assert (bench.state.bytes_pulled, bench.state.transfers) == (60 * MB + 500, 0)


def test_g18_g21_a_pull_of_what_is_there(bench: Any) -> None:
    """Each layer is told of once, as completed; without a stream the success alone."""
    events = bench.ask("/api/pull", name="llama3.2", insecure=True).events
    layers = [event for event in events if "digest" in event]
    assert all(event["completed"] == event["total"] for event in layers)
    assert len(layers) == len(bench.simulator.store.get("llama3.2:latest").layers)
    call = bench.ask("/api/pull", model="llama3.2", stream=False)
    assert (call.body, call.headers["content-type"]) == (
        b'{"status":"success"}',
        "application/json",
    )
    assert bench.state.bytes_pulled == 0


def test_g20_a_pull_of_an_unknown_model(bench: Any) -> None:
    """In a stream it is the line behind the first event, else a status."""
    told = {"error": "pull model manifest: file does not exist"}
    assert bench.ask("/api/pull", model="nope").events == [{"status": "pulling manifest"}, told]
    call = bench.ask("/api/pull", model="nope", stream=False)
    assert (call.status, call.json) == (500, told)
    plain = bench.ask("/api/pull", model="http://tiny.host/a/b", stream=False)
    assert plain.json == {"error": "insecure protocol http"}


def test_pulls_of_one_layer_share_its_transfer(make_bench: Any) -> None:
    """They report the same progress, and the bytes come once."""
    bench = make_bench(**PULL)
    first = bench.post("/api/pull", model="tiny")
    bench.pass_s(2.0)
    second = bench.post("/api/pull", model="tiny")
    bench.pass_s(1.0)
    assert bench.state.transfers == 1
    told = [call.events[-1]["completed"] for call in (first, second)]
    assert all(24 * MB < completed <= 25 * MB for completed in told)
    bench.finish(first, second)
    assert bench.state.bytes_pulled == 60 * MB + 500
    assert first.events[-1] == second.events[-1] == {"status": "success"}


def test_a_pull_that_is_left_keeps_what_came(make_bench: Any) -> None:
    """It stops when the last client has gone, and goes on from there."""
    bench = make_bench(**PULL)
    calls = [bench.post("/api/pull", model="tiny") for _ in range(2)]
    bench.pass_s(2.5)
    bench.cancel(calls[0])
    bench.pass_s(1.0)
    bench.cancel(calls[1])
    assert (bench.state.bytes_pulled, bench.state.transfers) == (30 * MB, 0)
    bench.pass_s(100)
    assert "tiny:latest" not in names(bench)
    events = bench.ask("/api/pull", model="tiny").events
    assert events[1]["completed"] == 30 * MB + 600_000
    assert bench.state.bytes_pulled == 60 * MB + 500


def test_an_update_removes_the_layers_of_before(make_bench: Any) -> None:
    """A newer model under the same name; what nothing refers to any more goes."""
    old = ModelConfig(name="tiny", layer_bytes=(7 * MB, 400))
    bench = make_bench(models=(old,), **PULL)
    store = bench.simulator.store
    store.publish(make_bench(models=(TINY,)).simulator.store.get("tiny:latest"))
    gone = store.get("tiny:latest").layers[0].digest
    statuses = [event["status"] for event in bench.ask("/api/pull", model="tiny").events]
    assert statuses[-3:] == ["writing manifest", "removing unused layers", "success"]
    assert store.blob(gone) is None


def test_a_push(make_bench: Any) -> None:
    """What the registry has is told of once; the rest takes its time; then it can be pulled."""
    bench = make_bench(**PULL)
    bench.simulator.store._remote_layers.clear()
    bench.post("/api/copy", source="nomic-embed-text", destination="ada/mine")
    events = bench.ask("/api/push", model="ada/mine").events
    assert events[0] == {"status": "retrieving manifest"}
    assert events[1]["status"].startswith("pushing ")
    assert [event["status"] for event in events[-2:]] == ["pushing manifest", "success"]
    assert bench.state.bytes_pushed == 274_302_450
    layers = [event for event in bench.ask("/api/push", name="ada/mine").events if "total" in event]
    assert all(event["completed"] == event["total"] for event in layers)
    bench.send("DELETE", "/api/delete", {"model": "ada/mine"})
    assert bench.ask("/api/pull", model="ada/mine", stream=False).json == {"status": "success"}


@pytest.mark.parametrize("name", ["nope", "a@b"])
def test_a_push_of_an_unknown_model(bench: Any, name: str) -> None:
    """Its errors come behind the first events."""
    first, second, last = bench.ask("/api/push", model=name).events
    assert (first["status"], second["status"]) == (
        "retrieving manifest",
        "couldn't retrieve manifest",
    )
    assert "no such file or directory" in last["error"]


def test_a_transfer_that_stands_still(make_bench: Any) -> None:
    """Its events go on with the same progress, for all who share it; then it goes on."""
    bench = make_bench(**PULL)
    strike(bench, kind="step_stall", step="layer", after_steps=1, after_bytes=MB, seconds=60.0)
    first = bench.post("/api/pull", model="tiny")
    second = bench.post("/api/pull", model="tiny")
    bench.pass_s(30.0)
    for call in (first, second):
        assert {event["completed"] for event in call.events[-100:]} == {MB}
    bench.finish(first, second)
    assert bench.now - 100 == pytest.approx(66.53, abs=0.01)


def test_a_transfer_that_fails(make_bench: Any) -> None:
    """An error line behind the progress; what came is kept."""
    bench = make_bench(**PULL)
    strike(bench, kind="step_error", step="layer", after_bytes=20 * MB, text="max retries exceeded")
    events = bench.ask("/api/pull", model="tiny").events
    assert events[-1] == {"error": "max retries exceeded"}
    assert bench.state.bytes_pulled == 20 * MB
    assert bench.ask("/api/pull", model="tiny").events[1]["completed"] == 20_600_000
    strike(bench, kind="step_error", step="manifest", text="no route to host")
    failed = bench.ask("/api/pull", model="tiny", stream=False)
    assert (failed.status, failed.json) == (500, {"error": "no route to host"})


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "error_line", "after_tokens": 20},
        {"kind": "reset", "after_tokens": 20},
        {"kind": "truncated_chunk", "after_tokens": 20},
    ],
)
def test_faults_of_the_response_stop_a_pull(make_bench: Any, fault: Any) -> None:
    """As a client's leaving does: the transfer ends, what came is kept."""
    bench = make_bench(**PULL)
    strike(bench, **fault)
    call = bench.post("/api/pull", model="tiny")
    bench.finish(call)
    assert bench.state.transfers == 0
    assert 0 < bench.state.bytes_pulled < 20 * MB


def test_who_does_not_read_hears_less(make_bench: Any) -> None:
    """The transfer goes on meanwhile, and its end is told when the client reads again."""
    bench = make_bench(**PULL)
    call = bench.post("/api/pull", model="tiny")
    bench.pass_s(2.0)
    heard = len(call.events)
    bench.simulator.block(call.exchange)
    bench.pass_s(3.0)
    assert len(call.events) == heard
    bench.simulator.unblock(call.exchange, bench.now)
    bench.pass_s(0.0)
    assert call.events[-1]["completed"] == 45 * MB
    bench.finish(call)
    assert call.events[-1] == {"status": "success"}


def test_a_reset_brings_the_models_back(bench: Any) -> None:
    """What was deleted is there again, what was copied is gone."""
    before = names(bench)
    bench.post("/api/copy", source="llama3.2", destination="new")
    bench.send("DELETE", "/api/delete", {"model": "llama3.2"})
    assert names(bench) != before
    bench.post("/_sim/reset")
    assert names(bench) == before


def test_a_restart_keeps_the_disk(make_bench: Any) -> None:
    """Models and parts of layers are still there; the pull is cut."""
    bench = make_bench(**PULL)
    call = bench.post("/api/pull", model="tiny")
    bench.pass_s(2.5)
    bench.post("/_sim/restart")
    assert call.ending is not None
    assert bench.ask("/api/pull", model="tiny").events[1]["completed"] == 20_600_000


def test_an_upload_is_not_kept(bench: Any) -> None:
    """Of a blob the store has the size and the first bytes only."""
    upload, data = Upload(), b"GGUF" + bytes(100_000)
    for at in range(0, len(data), 999):
        upload.feed(data[at : at + 999])
    request = Request("POST", f"/api/blobs/{digest_of(data)}", upload=upload)
    bench.simulator.submit(request, _Nowhere(), bench.now)
    blob = bench.simulator.store.blob(digest_of(data))
    assert (blob.size, blob.head) == (len(data), data[:HEAD_BYTES])


class _Nowhere:
    """A wire that nobody reads."""

    def write(self, data: bytes) -> None:
        """Drop the bytes."""

    def finish(self, ending: object) -> None:
        """Drop the end."""
