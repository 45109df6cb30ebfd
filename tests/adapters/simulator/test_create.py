"""Models are made as ``ollama-api.md`` §2.10 has it: out of others, out of files, quantized."""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import pytest

from triollama_adapters.simulator import Fault, FaultRule, ModelConfig

F16 = ModelConfig(
    name="base:f16",
    quantization="F16",
    capabilities=("completion", "tools"),
    size_bytes=100_000_000,
    system="You are terse.",
    license="Take it.",
    parameters={"temperature": 0.5},
)
SLOW = {"models": (F16,), "quantize_bytes_per_s": 50e6, "registry_s": 0.0}


def gguf(**metadata: int | str) -> bytes:
    """Make the head of a GGUF file; double underscores in keys stand for dots."""
    data = struct.pack("<4sIQQ", b"GGUF", 3, 0, len(metadata))
    for key, value in metadata.items():
        name = key.replace("__", ".").encode()
        data += struct.pack("<Q", len(name)) + name
        if isinstance(value, int):
            data += struct.pack("<II", 4, value)
        else:
            data += struct.pack("<IQ", 8, len(value)) + value.encode()
    return data


def upload(bench: Any, data: bytes) -> str:
    """Upload a blob."""
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    assert bench.send("POST", f"/api/blobs/{digest}", data).parse().status in {200, 201}
    return digest


def statuses(call: Any) -> list[str]:
    """What its events say, each once, without digests."""
    said = [event.get("status") or event["error"] for event in call.events]
    return list(dict.fromkeys(text.partition(" sha256:")[0] for text in said))


def test_g22_from_a_model_without_changes(bench: Any) -> None:
    """Its layers are used again; the answers are the same."""
    call = bench.ask("/api/create", model="mine", **{"from": "llama3.2"})
    assert statuses(call) == ["using existing layer", "writing manifest", "success"]
    assert call.headers["content-type"] == "application/x-ndjson"
    shown = bench.post("/api/show", model="mine").json
    assert shown["details"]["parent_model"] == "llama3.2:latest"
    assert shown["capabilities"] == ["completion", "tools"]
    asked = [bench.ask("/api/generate", model=m, prompt="why?") for m in ("mine", "llama3.2")]
    assert len({"".join(e["response"] for e in call.events) for call in asked}) == 1
    assert bench.get("/api/tags").json["models"][0]["name"] == "mine:latest"


def test_all_texts(make_bench: Any) -> None:
    """They are in new layers, and show tells of them; parameters and licenses are added."""
    bench = make_bench(**SLOW)
    call = bench.ask(
        "/api/create",
        name="mine",
        **{"from": "base:f16"},
        template="{{ .Prompt }}",
        system="Be <b>old</b>.",
        license=["One.", "Two."],
        parameters={"num_predict": 2, "stop": ["a", "b"]},
        messages=[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}],
        requires="0.30.0",
        renderer="r",
        parser="p",
        info={"capabilities": ["completion"], "context_length": 512, "parameter_size": "8.0B"},
    )
    assert statuses(call) == [
        "using existing layer",
        "creating new layer",
        "writing manifest",
        "success",
    ]
    shown = bench.post("/api/show", model="mine").json
    assert shown["template"] == "{{ .Prompt }}"
    assert shown["system"] == "Be <b>old</b>."
    assert shown["license"] == "Take it.\nOne.\nTwo."
    assert shown["parameters"].split("\n") == [
        f'{"stop":<30} "a"',
        f'{"stop":<30} "b"',
        f"{'temperature':<30} 0.5",
        f"{'num_predict':<30} 2",
    ]
    assert [message["content"] for message in shown["messages"]] == ["hi", "ho"]
    assert shown["requires"] == "0.30.0"
    assert shown["capabilities"] == ["completion"]
    assert shown["details"]["parameter_size"] == "8.0B"
    assert shown["model_info"]["llama.context_length"] == 512
    for part in ("TEMPLATE", "SYSTEM", "PARAMETER num_predict 2", "MESSAGE user hi", "LICENSE"):
        assert part in shown["modelfile"]


def test_its_parameters_and_messages_hold(make_bench: Any) -> None:
    """Where a request says nothing else, and before the messages of a chat."""
    model = ModelConfig(
        name="m",
        parameters={"num_predict": 2},
        messages=({"role": "user", "content": "hi"},),
    )
    bench = make_bench(models=(model,))
    body = {"model": "m", "messages": [{"role": "assistant", "content": "ho"}], "stream": False}
    assert bench.ask("/api/chat", **body).json["eval_count"] == 2
    told = bench.ask("/api/chat", **body, options={"num_predict": 3, "seed": None}).json
    assert told["eval_count"] == 3
    rendered = bench.ask("/api/chat", **body, _debug_render_only=True).json
    assert "user\nhi<" in rendered["_debug_info"]["rendered_template"]


def test_from_a_model_that_must_be_pulled(bench: Any) -> None:
    """The events of the pull come first, its success included."""
    call = bench.ask("/api/create", model="mine", **{"from": "all-minilm"})
    said = statuses(call)
    assert said[0] == "pulling manifest"
    assert "success" in said
    assert said.index("success") < said.index("using existing layer")
    assert call.events[-1] == {"status": "success"}
    unknown = bench.ask("/api/create", model="mine", **{"from": "nope"}).events
    assert unknown[-1] == {"error": "pull model manifest: file does not exist"}


def test_g23_quantize(make_bench: Any) -> None:
    """Its progress is told; the model is smaller then, and says so."""
    bench = make_bench(**SLOW)
    call = bench.ask("/api/create", model="small", quantize="q4_K_M", **{"from": "base:f16"})
    progress = [event for event in call.events if event["status"].startswith("quantizing")]
    assert {event["status"] for event in progress} == {"quantizing F16 model to Q4_K_M"}
    assert {event["digest"] for event in progress} == {"0" * 19}
    total = progress[0]["total"]
    assert "completed" not in progress[0]
    assert progress[-1]["completed"] == total
    assert len(progress) == pytest.approx(2.0 / 0.06, abs=2)
    shown = bench.post("/api/show", model="small").json
    assert shown["details"]["quantization_level"] == "Q4_K_M"
    sizes = {model["name"]: model["size"] for model in bench.get("/api/tags").json["models"]}
    assert 0.25 < sizes["small:latest"] / sizes["base:f16"] < 0.35


@pytest.mark.parametrize(
    ("model", "kind", "error"),
    [
        (
            "base:f16",
            "q5",
            "unsupported quantization type Q5 - supported types are F32, F16, Q4_K_S, Q4_K_M, Q8_0",
        ),
        ("llama3.2", "Q8_0", "quantization is only supported for F16, BF16 and F32 models"),
    ],
)
def test_what_cannot_be_quantized(make_bench: Any, model: str, kind: str, error: str) -> None:
    """It is no status that the request asks for, hence 500."""
    llama = ModelConfig(name="llama3.2")
    bench = make_bench(models=(F16, llama))
    for is_stream in (True, False):
        call = bench.ask(
            "/api/create", model="x", quantize=kind, stream=is_stream, **{"from": model}
        )
        assert (call.status, call.json) == (500, {"error": error})


def test_a_quantisation_that_fails(make_bench: Any) -> None:
    """An error line behind the progress; no model is made."""
    bench = make_bench(**SLOW)
    fault = Fault(kind="step_error", step="quantize", after_bytes=40_000_000, text="no space left")
    bench.simulator.faults.set((FaultRule(fault=fault, routes=("/api/create",)),))
    events = bench.ask("/api/create", model="x", quantize="Q8_0", **{"from": "base:f16"}).events
    assert events[-1] == {"error": "no space left"}
    assert 30_000_000 < events[-2]["completed"] <= 40_000_000
    assert len(bench.get("/api/tags").json["models"]) == 1


def test_from_a_file(bench: Any) -> None:
    """What its metadata say is shown."""
    data = gguf(
        general__architecture="qwen9",
        general__file_type=15,
        qwen9__context_length=777,
        general__name="secret",
    )
    digest = upload(bench, data + bytes(1000))
    call = bench.ask("/api/create", model="mine", files={"a/b.gguf": digest})
    assert [event["status"] for event in call.events] == [
        "parsing GGUF",
        "validating GGUF model",
        "validating GGUF model",
        f"using existing layer {digest}",
        "writing manifest",
        "success",
    ]
    shown = bench.post("/api/show", model="mine").json
    assert shown["details"]["family"] == "qwen9"
    assert shown["details"]["quantization_level"] == "Q4_K_M"
    assert shown["model_info"]["qwen9.context_length"] == 777
    assert "general.name" not in shown["model_info"]
    assert bench.ask("/api/generate", model="mine", prompt="q", stream=False).json["done"]


def test_from_other_files(bench: Any) -> None:
    """Without a name that tells, by the magic; with a projector; converted; with an adapter."""
    plain, projector = upload(bench, b"GGUF"), upload(bench, gguf(general__architecture="clip"))
    made = bench.ask("/api/create", model="a", files={"x": plain, "y.gguf": projector})
    assert made.events[-1] == {"status": "success"}
    assert "vision" in bench.post("/api/show", model="a").json["capabilities"]
    tensors = upload(bench, b"tensors")
    files = {"model.safetensors": tensors, "config.json": upload(bench, b"{}")}
    call = bench.ask("/api/create", model="b", files=files, quantize="q8_0")
    assert statuses(call)[0] == "converting model"
    assert bench.post("/api/show", model="b").json["details"]["quantization_level"] == "Q8_0"
    for adapters, said in (({"l.gguf": plain}, "parsing GGUF"), (files, "converting adapter")):
        call = bench.ask("/api/create", model="c", adapters=adapters, **{"from": "llama3.2"})
        assert statuses(call)[0] == said
        assert call.events[-1] == {"status": "success"}


def test_a_stub(bench: Any) -> None:
    """A model of the cloud, or of another server, is only noted."""
    bench.ask("/api/create", model="far", **{"from": "gpt-oss:120b-cloud"})
    shown = bench.post("/api/show", model="far").json
    assert (shown["remote_model"], shown["remote_host"]) == ("gpt-oss", "https://ollama.com:443")
    assert shown["details"]["format"] == ""
    bad = bench.ask("/api/create", model="far", remote_host="a b", **{"from": "x"})
    assert (bad.status, bad.json) == (400, {"error": "bad remote"})


ABSENT = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({}, 400, "invalid model name"),
        ({"model": "a@b", "from": "llama3.2"}, 400, "invalid model name"),
        ({"model": "m"}, 400, "neither 'from' or 'files' was specified"),
        ({"model": "m", "files": {}}, 400, "no files provided to convert"),
        ({"model": "m", "files": {"/a.gguf": ABSENT}}, 400, "file path must be relative"),
        ({"model": "m", "files": {"a/../b": ABSENT}}, 400, "file path must be relative"),
        ({"model": "m", "files": {"a.gguf": ""}}, 400, "invalid digest format"),
        ({"model": "m", "files": {"a.bin": ABSENT}}, 400, "unknown type"),
        (
            {"model": "m", "from": "llama3.2", "adapters": {"a.gguf": ABSENT, "b.gguf": ABSENT}},
            400,
            "only one adapter is currently supported",
        ),
        (
            {"model": "m", "from": "llama3.2", "template": "{{ if }}"},
            400,
            "template error: template: :1: unexpected EOF",
        ),
        (
            {"model": "m", "from": "llama3.2", "template": "{{ .Prompt"},
            400,
            "template error: template: :1: unclosed action",
        ),
        (
            {"model": "m", "from": "llama3.2", "template": "{{ end }}"},
            400,
            "template error: template: :1: unexpected {{end}}",
        ),
        (
            {"model": "m", "from": "llama3.2", "info": {"model_family": 1}},
            400,
            'info field "model_family" must be a string',
        ),
        (
            {"model": "m", "from": "llama3.2", "info": {"context_length": -1}},
            400,
            'info field "context_length" must be a non-negative integer',
        ),
        (
            {"model": "m", "from": "llama3.2", "info": {"context_length": "1"}},
            400,
            'info field "context_length" must be a number',
        ),
        (
            {"model": "m", "from": "llama3.2", "info": {"capabilities": "tools"}},
            400,
            'info field "capabilities" must be an array of strings',
        ),
        (
            {"model": "m", "from": "llama3.2", "draft_quantize": "q8_0"},
            400,
            "--draft-quantize requires a DRAFT model",
        ),
        (
            {"model": "m", "files": [1]},
            400,
            (
                "json: cannot unmarshal array into Go struct field CreateRequest.files of type "
                "map[string]interface {}"
            ),
        ),
    ],
)
def test_bad_requests(bench: Any, body: dict[str, Any], status: int, error: str) -> None:
    """Each is refused before anything was said, in a stream as without one."""
    for is_stream in (True, False):
        call = bench.ask("/api/create", **body, stream=is_stream)
        assert (call.status, call.json) == (status, {"error": error})


def test_files_that_are_not_there_or_no_gguf(bench: Any) -> None:
    """The first event is out by then, so it is a line; without a stream a status."""
    files = {"a.gguf": ABSENT}
    events = bench.ask("/api/create", model="m", files=files).events
    assert events[0] == {"status": "parsing GGUF"}
    assert "no such file or directory" in events[1]["error"]
    call = bench.ask("/api/create", model="m", files={"a.gguf": upload(bench, b"?")}, stream=False)
    assert (call.status, call.json) == (400, {"error": "supplied file was not in GGUF format"})
