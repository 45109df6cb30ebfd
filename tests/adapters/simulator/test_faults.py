"""The menu of faults and the rules that choose them, with a hand-driven clock."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import httptools
import pytest

from triollama._errors import ConfigError
from triollama_adapters.simulator.config import structure
from triollama_adapters.simulator.faults import KINDS, Fault, FaultRule, FaultTable, RequestFacts
from triollama_adapters.simulator.response import Ending

GENERATE = {"model": "llama3.2", "prompt": "q"}


@pytest.fixture
def meet(make_bench: Any) -> Any:
    """Make a server whose generates meet one fault; gives the server."""

    def meet(kind: str, **more: Any) -> Any:
        return make_bench(faults=(FaultRule(fault=Fault(kind=kind, **more)),))

    return meet


def lines_of(call: Any) -> list[bytes]:
    """The whole lines of a body."""
    lines: list[bytes] = call.parse().body.split(b"\n")[:-1]
    return lines


def test_refuse(meet: Any) -> None:
    """No byte comes, and for the given time the server refuses connections."""
    bench = meet("refuse", seconds=5.0)
    call = bench.post("/api/generate", **GENERATE)
    assert (call.ending, call.raw) == (Ending.REFUSE, b"")
    assert bench.simulator.is_refusing(bench.now + 4.9)
    assert not bench.simulator.is_refusing(bench.now + 5.0)


@pytest.mark.parametrize("count", [0, 1, 10, 200, 1000])
def test_reset_at_byte(meet: Any, count: int) -> None:
    """Exactly so many bytes of the response come; the slot is free then."""
    bench = meet("reset", after_bytes=count)
    call = bench.post("/api/generate", **GENERATE)
    bench.finish(call)
    assert (call.ending, len(call.raw)) == (Ending.RESET, count)
    assert bench.state.generations_aborted == 1
    assert bench.simulator.scheduler.runners["llama3.2:latest"].free == 4


def test_reset_after_events(meet: Any) -> None:
    """Without a byte given, so many events come first."""
    call = meet("reset", after_tokens=3).ask("/api/generate", **GENERATE)
    assert call.ending is Ending.RESET
    assert len(lines_of(call)) == 3


def test_stall_for_a_time(meet: Any) -> None:
    """Nothing comes for the time given; then the rest, nothing lost."""
    bench = meet("stall", after_tokens=2, seconds=60.0)
    call = bench.post("/api/generate", **GENERATE)
    bench.pass_s(50.0)
    assert len(lines_of(call)) == 2
    bench.finish(call)
    assert call.events[-1]["done"] is True
    assert call.events[-1]["eval_count"] == len(call.events) - 1


def test_stall_for_ever_ends_with_its_client(meet: Any) -> None:
    """A stall without an end holds the request until the client goes."""
    bench = meet("stall")
    call = bench.post("/api/generate", **GENERATE)
    bench.pass_s(1e6)
    assert (call.raw, bench.state.in_flight) == (b"", 1)
    bench.cancel(call)
    assert bench.state.in_flight == 0


@pytest.mark.parametrize("path", ["/api/generate", "/api/embed"])
def test_stall_holds_a_whole_body_too(meet: Any, path: str) -> None:
    """A response that is no stream stalls before its first byte."""
    bench = meet("stall", seconds=9.0)
    call = bench.post(path, model="nomic-embed-text", input="x", keep_alive=0)
    bench.pass_s(8.0)
    assert call.raw == b""
    bench.finish(call)
    assert call.parse().status == 200


def test_half_close(meet: Any) -> None:
    """After the events the server's direction closes, in the middle of the body."""
    call = meet("half_close", after_tokens=2).ask("/api/generate", **GENERATE)
    assert call.ending is Ending.HALF_CLOSE
    assert len(lines_of(call)) == 2
    assert not call.raw.endswith(b"0\r\n\r\n")


def test_drip(meet: Any) -> None:
    """Bytes come at the speed given, and the generation waits for them."""
    bench = meet("drip", bytes_per_s=100.0)
    call = bench.post("/api/generate", **GENERATE)
    bench.pass_s(10.5)
    assert 900 < len(call.raw) <= 1100
    bench.finish(call)
    assert call.events[-1]["done"] is True


def test_drip_stops_the_generation_when_much_is_queued(make_bench: Any) -> None:
    """What waits is bounded: a long answer is not written into memory."""
    rule = FaultRule(fault=Fault(kind="drip", bytes_per_s=1.0))
    bench = make_bench(faults=(rule,), answer_tokens_min=10**6, answer_tokens_max=10**6)
    call = bench.post("/api/generate", **GENERATE)
    bench.pass_s(100.0)
    assert bench.simulator.agenda.next_due > 0
    assert call.exchange.job.generation.blocks == 1
    assert call.exchange.job.generation.tokens < 2000


@pytest.mark.parametrize(
    ("count", "path"), [(10, "/api/generate"), (-5, "/api/generate"), (10, "/api/embed")]
)
def test_wrong_length(meet: Any, count: int, path: str) -> None:
    """The head promises another length than comes, and the connection closes."""
    bench = meet("wrong_length", count=count)
    call = bench.post(path, model="llama3.2", prompt="q", input="x")
    bench.finish(call)
    head, _, body = call.raw.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    assert (length > len(body)) == (count > 0)
    assert length != len(body)
    assert call.ending is Ending.CLOSE


def test_truncated_chunk(meet: Any) -> None:
    """The last chunk says more than comes."""
    call = meet("truncated_chunk", after_tokens=2).ask("/api/generate", **GENERATE)
    assert call.ending is Ending.CLOSE
    assert not call.body.endswith(b"\n")
    assert len(lines_of(call)) == 2


@pytest.mark.parametrize(("status", "after"), [(500, None), (502, None), (503, "5"), (429, "junk")])
def test_status(meet: Any, status: int, after: str | None) -> None:
    """The status comes in place of the answer, with Retry-After if wanted."""
    bench = meet("status", status=status, retry_after=after, text="no")
    call = bench.post("/api/generate", **GENERATE).parse()
    assert (call.status, call.json, call.headers.get("retry-after")) == (
        status,
        {"error": "no"},
        after,
    )
    assert bench.state.generations_started == 0


def test_garbage_line(meet: Any) -> None:
    """A line that is no JSON stands between the others."""
    call = meet("garbage_line", after_tokens=1).ask("/api/generate", **GENERATE)
    lines = lines_of(call)
    with pytest.raises(json.JSONDecodeError):
        json.loads(lines[1])
    assert json.loads(lines[2])["done"] is False
    own = meet("garbage_line", text='{"eval_count":NaN}').ask("/api/generate", **GENERATE)
    assert lines_of(own)[0] == b'{"eval_count":NaN}'


def test_error_line(meet: Any) -> None:
    """G53: an error line, then a clean end with status 200."""
    call = meet("error_line", after_tokens=4, text="boom").ask("/api/generate", **GENERATE)
    assert call.parse().status == 200
    assert call.events[-1] == {"error": "boom"}
    assert len(call.events) == 5
    assert call.raw.endswith(b"0\r\n\r\n")
    assert call.ending is Ending.KEEP


def test_done_faults(meet: Any) -> None:
    """The last event twice, not at all, or followed by another."""
    dones = {
        kind: [event["done"] for event in meet(kind).ask("/api/generate", **GENERATE).events][-3:]
        for kind in ("double_done", "missing_done", "after_done")
    }
    assert dones == {
        "double_done": [False, True, True],
        "missing_done": [False, False, False],
        "after_done": [False, True, False],
    }


@pytest.mark.parametrize("stream", [True, False])
def test_gzip(meet: Any, *, stream: bool) -> None:
    """The body is compressed, and says so; it can be read as it comes."""
    call = meet("gzip").ask("/api/generate", **GENERATE, stream=stream)
    assert call.headers["content-encoding"] == "gzip"
    assert json.loads(gzip.decompress(call.body).splitlines()[-1])["done"] is True
    if stream:
        assert zlib.decompressobj(wbits=31).decompress(call.chunks[0]).endswith(b"}\n")


def test_redirect(meet: Any) -> None:
    """The client is sent elsewhere."""
    call = meet("redirect", text="http://169.254.0.1/x").post("/api/generate", **GENERATE).parse()
    assert (call.status, call.headers["location"]) == (307, "http://169.254.0.1/x")
    assert meet("redirect", status=302).post("/api/generate", **GENERATE).parse().status == 302


def test_header_bomb_and_informational(meet: Any) -> None:
    """Many headers; or many interim responses before the real one."""
    bomb = meet("header_bomb", count=200).ask("/api/generate", **GENERATE)
    assert len(bomb.raw.partition(b"\r\n\r\n")[0]) > 200_000
    call = meet("informational", count=50).post("/api/generate", **GENERATE)
    bench = meet("informational", count=50)
    call = bench.post("/api/generate", **GENERATE)
    bench.finish(call)
    assert call.raw.count(b"HTTP/1.1 103 Early Hints\r\n") == 50
    assert call.raw.count(b"HTTP/1.1 200 OK\r\n") == 1


def test_huge_line(meet: Any) -> None:
    """One event of just the size given; the others are as ever."""
    call = meet("huge_line", after_tokens=1, count=1_000_000).ask("/api/generate", **GENERATE)
    lines = lines_of(call)
    assert len(lines[1]) + 1 == 1_000_000
    assert json.loads(lines[1])["done"] is False
    assert json.loads(lines[-1])["done"] is True


def test_restart(meet: Any) -> None:
    """The server cuts every connection, that of the request too, and forgets its models."""
    bench = meet("restart")
    bench.simulator.faults.set(())
    bench.ask("/api/generate", model="llama3.2")
    other = bench.post("/api/generate", **GENERATE)
    bench.simulator.faults.set((FaultRule(fault=Fault(kind="restart")),))
    call = bench.post("/api/generate", **GENERATE)
    assert (call.ending, other.ending, bench.ps) == (Ending.RESET, Ending.RESET, [])
    assert bench.state.restarts == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("path", ["/api/generate", "/api/embed"])
def test_every_fault_leaves_a_sound_server(meet: Any, kind: str, path: str) -> None:
    """After any fault the request is over, its slot is free, and the next request works."""
    bench = meet(kind, after_tokens=1, seconds=1.0, bytes_per_s=1e5)
    body = {
        "model": "nomic-embed-text" if path == "/api/embed" else "llama3.2",
        "prompt": "q",
        "input": "x",
    }
    call = bench.post(path, **body)
    bench.finish(call)
    bench.simulator.faults.set(())
    again = bench.ask(path, **body)
    assert again.status == 200
    assert bench.state.in_flight == 0
    assert all(runner.jobs == 0 for runner in bench.simulator.scheduler.runners.values())
    if again.ending is Ending.KEEP:
        httptools.HttpResponseParser(again).feed_data(b"")


def test_rules_choose_by_route_model_prompt_and_count() -> None:
    """All conditions must hold; the count is of the requests that pass the others."""
    fault = Fault(kind="reset")
    table = FaultTable((FaultRule(fault=fault, model="m", prompt="poison", nth=(2, 3)),), seed=0)
    hit = RequestFacts("/api/chat", "m", "the poison")
    others = [
        RequestFacts("/api/chat", "n", "the poison"),
        RequestFacts("/api/chat", "m", "x"),
        RequestFacts("/api/tags", "m", "the poison"),
    ]
    picks = []
    for _ in range(4):
        assert not any(table.pick(other) for other in others)
        picks.append(table.pick(hit))
    assert picks == [None, fault, fault, None]
    assert table.acted() == [2]


def test_rules_every_and_times() -> None:
    """Every third request, but only twice; rules without routes mean every route."""
    table = FaultTable((FaultRule(fault=Fault(kind="reset"), every=3, times=2, routes=()),), seed=0)
    picks = [table.pick(RequestFacts("/api/tags", "", "")) is not None for _ in range(12)]
    assert [n for n, picked in enumerate(picks, 1) if picked] == [3, 6]


def test_probability_is_drawn_by_the_seed() -> None:
    """The same seed draws the same requests, about the share asked for; another seed others."""

    def drawn(seed: int) -> list[bool]:
        rule = FaultRule(fault=Fault(kind="reset"), probability=0.3)
        table = FaultTable((rule,), seed)
        return [table.pick(RequestFacts("/api/chat", "", "")) is not None for _ in range(1000)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 240 < sum(drawn(1)) < 360


def test_control_routes(bench: Any) -> None:
    """Faults are set, seen to act, and cleared over HTTP; the control itself meets none."""
    rule = {"fault": {"kind": "status", "status": 502}, "nth": [1], "routes": []}
    assert bench.send("POST", "/_sim/faults", rule).json == {"rules": 1}
    assert bench.get("/_sim/state").json["faults"] == [0]
    assert bench.get("/api/tags").parse().status == 502
    assert bench.get("/_sim/state").json["faults"] == [1]
    assert bench.send("DELETE", "/_sim/faults").json == {"rules": 0}
    assert bench.get("/api/tags").parse().status == 200
    state = bench.get("/_sim/state").json
    assert state["routes"]["/api/tags"] == 2
    assert state["accepted"] == 2
    bench.ask("/api/generate", model="llama3.2")
    assert bench.send("POST", "/_sim/restart").json == {"restarted": True}
    assert not bench.ps
    bench.send("POST", "/_sim/reset")
    assert bench.get("/_sim/state").json["accepted"] == 0


def test_speed(make_bench: Any) -> None:
    """A server made slower writes at that speed, answers under way too, and tells it truly."""
    bench = make_bench(load_s=0.0, jitter=0.0, decode_tokens_per_s=10.0, prefill_tokens_per_s=1e6)
    options = {"num_predict": 20}
    under_way = bench.post("/api/generate", model="llama3.2", prompt="p", options=options)
    bench.pass_s(1.0)
    assert bench.send("POST", "/_sim/speed", {"share": 0.1}).json == {"share": 0.1}
    began = bench.now
    bench.finish(under_way)
    assert bench.now - began == pytest.approx(10.0, rel=0.2)
    slow = bench.ask("/api/generate", model="llama3.2", prompt="p", options=options).events[-1]
    assert slow["eval_duration"] == pytest.approx(20e9, rel=0.06)
    bench.send("POST", "/_sim/speed", {"share": 1})
    quick = bench.ask("/api/generate", model="llama3.2", prompt="p", options=options).events[-1]
    assert quick["eval_duration"] == pytest.approx(2e9, rel=0.06)


@pytest.mark.parametrize(
    "body", [None, b"{", {"share": 0}, {"share": True}, {"share": "1"}, [], {}]
)
def test_speed_that_means_nothing(bench: Any, body: Any) -> None:
    """A share that is none is refused, and nothing changes."""
    call = bench.send("POST", "/_sim/speed", body)
    assert call.parse().status == 400
    assert bench.simulator.speed == 1.0


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"fault": {"kind": "stall", "secnds": 1}}, "secnds"),
        ({"fault": {"kind": "explode"}}, "explode"),
        ({"fault": {"kind": "stall"}, "probability": 2}, "probability"),
        ({"fault": {"kind": "stall"}, "nth": 3}, "nth"),
        ({"fault": {"kind": "stall", "after_tokens": "1"}}, "after_tokens"),
        ({"fault": {"kind": "stall", "seconds": True}}, "seconds"),
        ({}, "fault"),
        ([1], "config"),
    ],
)
def test_wrong_rules_are_refused_by_name(bench: Any, rule: Any, told: str) -> None:
    """An unknown key, a wrong type, or a value out of range changes nothing and is named."""
    call = bench.send("POST", "/_sim/faults", rule).parse()
    assert call.status == 400
    assert told in call.json["error"]
    assert bench.get("/_sim/state").json["faults"] == []


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1])
def test_numbers_must_be_finite_and_in_range(number: float) -> None:
    """NaN, infinity and negative numbers are refused by name."""
    with pytest.raises(ConfigError, match="seconds"):
        Fault(kind="stall", seconds=number)


def test_rules_structure_from_json() -> None:
    """A rule read from JSON equals one made in Python."""
    data = [{"fault": {"kind": "reset", "after_bytes": 3}, "nth": [1, 2], "model": "m"}]
    rule = FaultRule(fault=Fault(kind="reset", after_bytes=3), nth=(1, 2), model="m")
    assert structure(data, tuple[FaultRule, ...]) == (rule,)
