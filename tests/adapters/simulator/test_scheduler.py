"""Ollama's scheduler, seen from its API with a hand-driven clock."""

from __future__ import annotations

import gc
import random
import weakref
from typing import Any

import pytest

from triollama_adapters.simulator.faults import Fault, FaultRule
from triollama_adapters.simulator.models import DEFAULT_MODELS, ModelConfig
from triollama_adapters.simulator.response import Ending

BUSY = "server busy, please try again.  maximum pending requests exceeded"
MANY = tuple(ModelConfig(name=f"m{n}") for n in range(10))
EXACT: dict[str, Any] = {"jitter": 0.0, "answer_tokens_min": 10, "answer_tokens_max": 10}


def test_slots_serve_in_waves_without_refusal(make_bench: Any) -> None:
    """G40: more requests than slots on one warm model wait in line; none is refused."""
    bench = make_bench(num_parallel=2, **EXACT)
    bench.ask("/api/generate", model="llama3.2")
    began = bench.now
    calls = [bench.post("/api/generate", model="llama3.2", prompt=f"q{n}") for n in range(6)]
    assert bench.state.slot_line == 4
    ends: list[float] = []
    while bench.state.in_flight:
        bench.step()
        ends += [bench.now] * (sum(call.ending is not None for call in calls) - len(ends))
    wave = 11 / 75
    assert [round((end - began) / wave) for end in ends] == [1, 1, 2, 2, 3, 3]
    assert all(call.parse().status == 200 for call in calls)


def test_slot_wait_is_the_residual_of_the_total(make_bench: Any) -> None:
    """Total = load + prefill + decode + wait, to the nanosecond, and nobody reports the wait."""
    bench = make_bench(num_parallel=1, **EXACT)
    bench.ask("/api/generate", model="llama3.2")
    first, second = (
        bench.post("/api/chat", model="llama3.2", messages=[{"role": "user", "content": c}])
        for c in "ab"
    )
    bench.finish(first, second)
    waits = []
    for call in (first, second):
        last = call.events[-1]
        parts = ("load_duration", "prompt_eval_duration", "eval_duration")
        waits.append(last["total_duration"] - sum(last[part] for part in parts))
    assert waits[0] == 0
    assert waits[1] == pytest.approx(11 / 75 * 1e9 + 13 / 2000 * 1e9, rel=0.02)


def test_load_duration_holds_queue_and_load(make_bench: Any) -> None:
    """A cold request's load_duration is the load; a warm one's is small but not absent."""
    bench = make_bench(load_s=3.0)
    cold = bench.ask("/api/generate", model="llama3.2", prompt="q").events[-1]
    warm = bench.ask("/api/generate", model="llama3.2", prompt="q").events[-1]
    assert cold["load_duration"] == pytest.approx(3e9, rel=1e-3)
    assert 0 < warm["load_duration"] < 1e6


def test_full_load_line_refuses_with_503(make_bench: Any) -> None:
    """G41: beyond max_queue requests for models not loaded, the exact 503, at once."""
    bench = make_bench(models=MANY, max_queue=2, load_s=5.0)
    calls = [bench.post("/api/generate", model=f"m{n}", prompt="q") for n in range(5)]
    refused = [call for call in calls if call.ending is not None]
    assert [call.parse().status for call in refused] == [503, 503]
    assert refused[0].json == {"error": BUSY}
    assert refused[0].headers["content-type"] == "application/json; charset=utf-8"
    bench.finish(*calls)
    assert bench.state.finished == 5


def test_a_warm_model_never_refuses(make_bench: Any) -> None:
    """While a load holds up the whole line, requests for a loaded model proceed."""
    bench = make_bench(models=MANY, max_queue=1, load_s=5.0)
    bench.ask("/api/generate", model="m0")
    cold = [bench.post("/api/generate", model=f"m{n}", prompt="q") for n in (1, 2, 3)]
    warm = [bench.post("/api/generate", model="m0", prompt=f"q{n}") for n in range(50)]
    bench.pass_s(4.0)
    assert cold[2].parse().status == 503
    assert cold[0].ending is None
    assert sum(call.ending is Ending.KEEP for call in warm) > 3
    bench.finish(*cold, *warm)
    assert all(call.parse().status == 200 for call in warm)


def test_loads_go_one_at_a_time(make_bench: Any) -> None:
    """The second model's load begins when the first one's is done."""
    bench = make_bench(models=MANY, load_s=2.0)
    bench.post("/api/generate", model="m0")
    bench.post("/api/generate", model="m1")
    bench.pass_s(2.5)
    assert [model["name"] for model in bench.ps] == ["m0:latest"]
    bench.pass_s(2.0)
    assert {model["name"] for model in bench.ps} == {"m0:latest", "m1:latest"}


def test_keep_alive_runs_out_after_the_last_request(make_bench: Any) -> None:
    """The timer starts when the last request ends; a request stops it."""
    bench = make_bench(keep_alive_s=10.0)
    bench.ask("/api/generate", model="llama3.2")
    bench.pass_s(9.9)
    bench.ask("/api/generate", model="llama3.2", prompt="q")
    bench.pass_s(9.9)
    assert len(bench.ps) == 1
    bench.pass_s(0.2)
    assert not bench.ps


def test_keep_alive_is_sticky(make_bench: Any) -> None:
    """A request without keep_alive keeps the last value rather than the default."""
    bench = make_bench(keep_alive_s=10.0)
    bench.ask("/api/generate", model="llama3.2", keep_alive=100)
    bench.ask("/api/generate", model="llama3.2", prompt="q")
    bench.pass_s(50.0)
    assert len(bench.ps) == 1
    bench.pass_s(51.0)
    assert not bench.ps


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(60, 60), ("60s", 60), ("1m", 60), (0.5, 0.5), ("1h30m", 5400), ("5m0s", 300)],
)
def test_keep_alive_encodings(bench: Any, value: Any, seconds: float) -> None:
    """G13: numbers are seconds, texts are Go durations."""
    bench.ask("/api/generate", model="llama3.2", keep_alive=value)
    bench.pass_s(seconds * 0.99)
    assert len(bench.ps) == 1
    bench.pass_s(seconds * 0.02)
    assert not bench.ps


@pytest.mark.parametrize("value", [-1, "-1m", -0.5])
def test_negative_keep_alive_is_for_ever(bench: Any, value: Any) -> None:
    """A negative stay never ends, and shows a date far ahead."""
    bench.ask("/api/generate", model="llama3.2", keep_alive=value)
    bench.pass_s(1e7)
    assert bench.ps[0]["expires_at"] > "2300"


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ("300", 'time: missing unit in duration "300"'),
        ("-1", 'time: missing unit in duration "-1"'),
        ("", 'time: invalid duration ""'),
        (True, "Unsupported type: 'bool'"),
        ("1x", 'time: unknown unit "x" in duration "1x"'),
    ],
)
def test_bad_keep_alive(bench: Any, value: Any, error: str) -> None:
    """A bare number as text, an empty text and other types are 400."""
    call = bench.post("/api/generate", model="llama3.2", keep_alive=value)
    assert (call.parse().status, call.json) == (400, {"error": error})


def test_keep_alive_zero_unloads_when_idle(make_bench: Any) -> None:
    """A request with prompt and keep_alive 0 works, and the model goes when all are done."""
    bench = make_bench(**EXACT)
    bench.ask("/api/generate", model="llama3.2")
    calls = [
        bench.post("/api/generate", model="llama3.2", prompt="q", keep_alive=0) for _ in range(6)
    ]
    bench.finish(*calls)
    assert not bench.ps


def test_unload_lets_running_requests_finish(bench: Any) -> None:
    """G11: the unload answers at once; the model stays until its last request is done."""
    call = bench.post("/api/generate", model="llama3.2", prompt="q")
    bench.pass_s(1.0)
    assert (
        bench.post("/api/generate", model="llama3.2", keep_alive=0).json["done_reason"] == "unload"
    )
    assert len(bench.ps) == 1
    bench.finish(call)
    assert call.events[-1]["done"] is True
    assert not bench.ps


def test_eviction_takes_the_idle_model_with_the_shortest_stay(make_bench: Any) -> None:
    """Room for another model is made where it is least missed."""
    bench = make_bench(models=MANY, max_loaded_models=3)
    for name, stay in (("m0", 100), ("m1", 50), ("m2", -1)):
        bench.ask("/api/generate", model=name, keep_alive=stay)
    bench.ask("/api/generate", model="m3", keep_alive=10)
    assert {model["name"] for model in bench.ps} == {"m0:latest", "m2:latest", "m3:latest"}


def test_eviction_waits_for_a_busy_model(make_bench: Any) -> None:
    """If none is idle, the one with the shortest stay is marked and waited for."""
    bench = make_bench(models=MANY, max_loaded_models=1)
    busy = bench.post("/api/generate", model="m0", prompt="q")
    bench.pass_s(1.0)
    other = bench.post("/api/generate", model="m1", prompt="q")
    assert bench.state.loading == "m1:latest"
    bench.finish(busy)
    assert not bench.ps
    bench.finish(other)
    assert [model["name"] for model in bench.ps] == ["m1:latest"]


def test_changed_runner_options_reload(bench: Any) -> None:
    """G52: another num_ctx loads anew, after the running requests, and shows in ps."""
    running = bench.post("/api/generate", model="llama3.2", prompt="q")
    bench.pass_s(1.0)
    other = bench.post("/api/generate", model="llama3.2", prompt="q", options={"num_ctx": 8192})
    bench.finish(running)
    assert other.ending is None
    bench.finish(other)
    assert bench.ps[0]["context_length"] == 8192
    assert other.events[-1]["load_duration"] > 5e8
    again = bench.ask("/api/generate", model="llama3.2", prompt="q", options={"num_ctx": 8192})
    assert again.events[-1]["load_duration"] < 1e6


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.1, "seed": 3},
        {"num_ctx": 4096},
        {"num_gpu": -1},
        {"unknown": "x"},
        {"num_ctx": None},
    ],
)
def test_other_options_do_not_reload(bench: Any, options: dict[str, Any]) -> None:
    """Sampling options, automatic values and the value that is loaded change nothing."""
    bench.ask("/api/generate", model="llama3.2")
    last = bench.ask("/api/generate", model="llama3.2", prompt="q", options=options).events[-1]
    assert last["load_duration"] < 1e6


@pytest.mark.parametrize(
    "change", [{"shift": False}, {"options": {"num_thread": 4}}, {"options": {"num_gpu": 3}}]
)
def test_shift_and_runner_options_reload(bench: Any, change: dict[str, Any]) -> None:
    """``shift`` counts as a runner option."""
    bench.ask("/api/generate", model="llama3.2")
    last = bench.ask("/api/generate", model="llama3.2", prompt="q", **change).events[-1]
    assert last["load_duration"] > 4e8


def test_num_ctx_is_clamped(bench: Any) -> None:
    """Above the trained length it is that; a vision model has at least 2048."""
    bench.ask("/api/generate", model="qwen3:0.6b", options={"num_ctx": 10**6})
    bench.ask("/api/generate", model="llava:7b", options={"num_ctx": 1})
    assert {model["name"]: model["context_length"] for model in bench.ps} == {
        "qwen3:0.6b": 40_960,
        "llava:7b": 2048,
    }


def test_disconnect_frees_the_slot_at_once(make_bench: Any) -> None:
    """G42: a client that leaves mid-stream is replaced by the next in line in the same moment."""
    bench = make_bench(num_parallel=1)
    bench.ask("/api/generate", model="llama3.2")
    first, second = (bench.post("/api/generate", model="llama3.2", prompt=p) for p in "ab")
    bench.pass_s(0.3)
    written = len(first.raw)
    bench.cancel(first)
    assert bench.state.generations_started == 2
    bench.finish(second)
    assert len(first.raw) == written
    assert (bench.state.cancelled, bench.state.generations_aborted) == (1, 1)


def test_disconnect_in_the_slot_line_drops_the_request(make_bench: Any) -> None:
    """A client that leaves while it waits costs no work."""
    bench = make_bench(num_parallel=1)
    calls = [bench.post("/api/generate", model="llama3.2", prompt=p) for p in "abc"]
    bench.pass_s(0.6)
    bench.cancel(calls[1])
    bench.finish(calls[0], calls[2])
    assert bench.state.generations_started == 2


def test_disconnect_aborts_the_load_it_caused(make_bench: Any) -> None:
    """The next request for the model starts loading again from zero."""
    bench = make_bench(load_s=4.0)
    first, second = (bench.post("/api/generate", model="llama3.2", prompt=p) for p in "ab")
    bench.pass_s(3.0)
    bench.cancel(first)
    bench.pass_s(3.9)
    assert not bench.ps
    bench.pass_s(0.2)
    assert len(bench.ps) == 1
    bench.finish(second)
    assert second.events[-1]["load_duration"] == pytest.approx(7e9, rel=0.01)


def test_the_gone_keep_their_place_in_the_load_line(make_bench: Any) -> None:
    """A client that left the load line still counts until it is reached."""
    bench = make_bench(models=MANY, max_queue=1, load_s=4.0)
    bench.post("/api/generate", model="m0")
    waiting = bench.post("/api/generate", model="m1")
    bench.cancel(waiting)
    assert bench.post("/api/generate", model="m2").parse().status == 503
    bench.pass_s(4.1)
    assert bench.state.load_line == 0
    assert len(bench.ps) == 1


def test_failed_load_is_500_for_that_request_only(make_bench: Any) -> None:
    """A model that cannot be loaded fails its own request; the next in line goes on."""
    models = (
        ModelConfig(name="bad", load_error="unable to load full model on GPU"),
        *DEFAULT_MODELS,
    )
    bench = make_bench(models=models)
    bad, good = (
        bench.post("/api/generate", model="bad"),
        bench.post("/api/generate", model="llama3.2"),
    )
    bench.finish(bad, good)
    assert (bad.parse().status, bad.json) == (500, {"error": "unable to load full model on GPU"})
    assert good.json["done_reason"] == "load"


def test_embedding_models_have_one_slot(make_bench: Any) -> None:
    """A model without completion takes one request at a time, whatever num_parallel says."""
    bench = make_bench(num_parallel=8, prefill_tokens_per_s=1.0)
    bench.ask("/api/embed", model="nomic-embed-text")
    for _ in range(3):
        bench.post("/api/embed", model="nomic-embed-text", input="word")
    assert bench.state.slot_line == 2


def test_a_client_that_does_not_read_stops_its_generation(bench: Any) -> None:
    """Blocked, a stream makes no tokens; then it goes on where it was, at its own pace."""
    call = bench.post("/api/generate", model="llama3.2", prompt="q")
    bench.pass_s(1.0)
    bench.simulator.block(call.exchange)
    written = len(call.raw)
    bench.pass_s(100.0)
    assert len(call.raw) == written
    bench.simulator.unblock(call.exchange, bench.now)
    bench.simulator.advance(bench.now)
    assert len(call.raw) - written < 400
    bench.finish(call)
    assert call.events[-1]["done"] is True


def test_restart_forgets_models_and_cuts_everything(bench: Any) -> None:
    """After a restart nothing is loaded, nothing is in flight, and requests work again."""
    calls = [bench.post("/api/generate", model="llama3.2", prompt=f"{n}") for n in range(6)]
    bench.pass_s(1.0)
    bench.simulator.restart(bench.now)
    assert {call.ending for call in calls} == {Ending.RESET}
    assert not bench.ps
    assert bench.state.failed == 6
    assert (
        bench.ask("/api/generate", model="llama3.2", prompt="q").events[-1]["load_duration"] > 4e8
    )


@pytest.mark.parametrize("seed", range(30))
def test_nothing_is_lost_under_random_load(make_bench: Any, seed: int) -> None:
    """C1: after every step accepted = finished + failed + cancelled + in flight; all ends well."""
    draw = random.Random(seed)
    bench = make_bench(
        models=MANY,
        max_queue=4,
        max_loaded_models=2,
        num_parallel=2,
        keep_alive_s=1.0,
        answer_tokens_min=1,
    )
    alive: list[Any] = []
    for _ in range(120):
        action = draw.random()
        if action < 0.5:
            body = {
                "model": f"m{draw.randint(0, 3)}",
                "prompt": draw.choice(["", "q"]),
                "keep_alive": draw.choice([None, 0, 1, -1]),
                "options": {"num_ctx": draw.choice([2048, 4096])},
            }
            alive.append(bench.post("/api/generate", **body))
        elif action < 0.7 and alive:
            bench.cancel(alive.pop(draw.randrange(len(alive))))
        else:
            bench.pass_s(draw.random())
        assert bench.state.in_flight >= 0
    bench.finish(*[call for call in alive if not call.exchange.over])
    assert bench.state.in_flight == 0
    for runner in bench.simulator.scheduler.runners.values():
        assert (runner.jobs, runner.free) == (0, 2)


def test_a_full_line_of_mere_loads(make_bench: Any) -> None:
    """Hundreds that only load a model all have their answer when it is loaded."""
    bench = make_bench(max_queue=512)
    calls = [bench.post("/api/generate", model="llama3.2") for _ in range(512)]
    bench.finish(*calls)
    assert {call.json["done_reason"] for call in calls} == {"load"}
    assert bench.state.load_line == 0


def test_batch_of_an_embedding_model(bench: Any) -> None:
    """Its own default given as an option loads nothing anew; that of other models does."""
    body = {"model": "nomic-embed-text", "input": "x", "keep_alive": 3600}
    bench.ask("/api/embed", **body)
    for batch, is_reload in ((2048, False), (512, True)):
        answer = bench.ask("/api/embed", **body, options={"num_batch": batch}).json
        assert (answer["load_duration"] > 1e8) is is_reload


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/chat", {"model": "llama3.2", "messages": [{"role": "user", "content": "q"}]}),
        ("/api/embed", {"model": "nomic-embed-text", "input": "q"}),
        ("/api/version", {}),
    ],
)
@pytest.mark.parametrize("rules", [(), (FaultRule(fault=Fault(kind="drip", bytes_per_s=1e6)),)])
def test_a_request_is_let_go_at_its_end(
    make_bench: Any, path: str, body: dict[str, Any], rules: tuple[FaultRule, ...]
) -> None:
    """Nothing keeps its body, not even until the collector of cycles runs."""
    bench = make_bench(faults=rules)
    gc.disable()
    try:
        call = bench.ask(path, **body)
        request = weakref.ref(call.exchange.request)
        call.exchange = None
        assert request() is None
    finally:
        gc.enable()
