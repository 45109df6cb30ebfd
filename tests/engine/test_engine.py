"""What an application calls: every method, over memory and over sockets; opening and closing."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import httpx
import pytest
import trio
from trio.testing import MockClock

import triollama
from triollama import (
    ConfigError,
    EndpointConfig,
    Engine,
    EngineClosedError,
    EngineConfig,
    EngineFaultError,
    FleetUnavailableError,
    InvalidRequestError,
    ModelNotFoundError,
    ProbeConfig,
    RequestRejectedError,
    StallError,
    StreamCancelledError,
    open_engine,
)
from triollama_adapters.simulator import DEFAULT_MODELS, SimulatorConfig, fast_config, open_fleet
from triollama_adapters.simulator.server import Server

A, B = "http://a:11434", "http://b:11434"
QUESTION = ("llama3.2", "why?")
SILENT = EngineConfig(probe=ProbeConfig(enabled=False))
PIXEL = base64.b64encode(
    b"\x89PNG\r\n\x1a\n" + bytes.fromhex("0000000d49484452000000010000000108060000001f15c489")
).decode()


@pytest.fixture(params=["memory", "sockets"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[Engine]:
    """An engine over two quick servers, both ways."""
    config = fast_config(decode_tokens_per_s=10_000.0, load_s=0.0)
    if request.param == "memory":
        async with (
            open_fleet({A: config, B: config}) as fleet,
            open_engine(A, EndpointConfig(B, "beta"), transport=fleet.transport()) as opened,
        ):
            yield opened
    else:
        async with (
            served(config) as one,
            served(config) as other,
            open_engine(one.url, EndpointConfig(other.url, "beta")) as opened,
        ):
            yield opened


@asynccontextmanager
async def served(config: SimulatorConfig) -> AsyncIterator[Server]:
    """A simulated server on a loopback port."""
    server = Server(config, host="127.0.0.1", port=0)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.driver.run)
            nursery.start_soon(server.accept, nursery)
            yield server
            nursery.cancel_scope.cancel()
    finally:
        server.close()


# ---- every method


async def test_chat(engine: Engine) -> None:
    """A text, mappings and objects are messages; the answer has text, usage and reason."""
    answers = [
        await engine.chat("llama3.2", messages)
        for messages in (
            "why?",
            [{"role": "user", "content": "why?"}],
            [triollama.Message(role="user", content="why?")],
        )
    ]
    assert len({answer.content for answer in answers}) == 1
    [answer, *_] = answers
    assert answer.content
    assert answer.done_reason == "stop"
    assert answer.usage.output_tokens > 0
    assert answer.model == "llama3.2"


async def test_stream_chat_is_chat_in_pieces(engine: Engine) -> None:
    """The chunks add up to the whole answer, and the stream tells of itself."""
    whole = await engine.chat(*QUESTION)
    async with engine.stream_chat(*QUESTION) as stream:
        chunks = [chunk async for chunk in stream]
        assert await stream.collect() == stream.partial
    assert "".join(chunk.content for chunk in chunks) == whole.content
    assert [chunk.done for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert stream.chunks == len(chunks)
    assert stream.usage is not None
    assert stream.usage.output_tokens == whole.usage.output_tokens
    assert stream.endpoint in engine.endpoints
    [attempt] = stream.attempts
    assert (attempt.endpoint, attempt.why, attempt.error) == (
        stream.endpoint,
        triollama.Outcome.DONE,
        "",
    )
    timing = stream.timing
    stamps = [timing.scheduled_ns, timing.sent_ns, timing.first_ns, timing.last_ns, timing.done_ns]
    assert stamps == sorted(stamps)
    assert timing.scheduled_ns > 0
    assert timing.scheduled_ns <= attempt.started_ns <= attempt.ended_ns
    assert "done" in repr(stream)


async def test_generate(engine: Engine) -> None:
    """A completion, whole and in pieces."""
    whole = await engine.generate("llama3.2", "once", options={"seed": 3})
    async with engine.stream_generate("llama3.2", "once", options={"seed": 3}) as stream:
        answer = await stream.collect()
    assert answer.content == whole.content != ""
    assert answer.usage.output_tokens == whole.usage.output_tokens


@pytest.mark.parametrize("ask", ["chat", "generate"])
async def test_every_chunk_is_told(engine: Engine, ask: str) -> None:
    """`on_chunk` hears all that comes, whole and in pieces, each with the time of its arrival."""
    whole: list[Any] = []
    answer = await getattr(engine, ask)(*QUESTION, on_chunk=whole.append)
    pieces: list[Any] = []
    async with getattr(engine, f"stream_{ask}")(*QUESTION, on_chunk=pieces.append) as stream:
        read = [chunk async for chunk in stream]
    assert read == pieces
    for told in (whole, pieces):
        assert "".join(chunk.content for chunk in told) == answer.content != ""
        assert told[-1].done
        stamps = [chunk.arrived_ns for chunk in told]
        assert stamps == sorted(stamps)
    assert stream.timing.sent_ns < pieces[0].arrived_ns == stream.timing.first_ns


async def test_who_is_told_of_a_chunk_and_fails_ends_the_answer(engine: Engine) -> None:
    """An exception of `on_chunk` ends its own answer, and nothing else."""

    def fail(_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(EngineFaultError):
        await engine.chat(*QUESTION, on_chunk=fail)
    assert await engine.chat(*QUESTION)


async def test_thinking_tools_and_images(engine: Engine, tmp_path: Any) -> None:
    """The fields of a chat reach the server: thinking, tools, pictures by text, bytes and path."""
    thought = await engine.chat("qwen3:0.6b", "why?", think=True)
    assert thought.thinking
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    assert await engine.chat("llama3.2", "why?", tools=[tool])
    path = tmp_path / "pixel.png"
    path.write_bytes(base64.b64decode(PIXEL))
    contents = set()
    for image in (PIXEL, base64.b64decode(PIXEL), path):
        message = {"role": "user", "content": "what is it?", "images": [image]}
        contents.add((await engine.chat("llava:7b", [message])).content)
        contents.add((await engine.generate("llava:7b", "what is it?", images=[image])).content)
    assert len(contents) == 1


async def test_embed(engine: Engine) -> None:
    """One vector of length 1 per text."""
    answer = await engine.embed("nomic-embed-text", ["one", "two"], dimensions=8)
    assert [len(vector) for vector in answer.embeddings] == [8, 8]
    [vector] = (await engine.embed("nomic-embed-text", "one", dimensions=8)).embeddings
    assert vector == answer.embeddings[0]
    assert sum(x * x for x in vector) == pytest.approx(1.0, abs=1e-3)


async def test_version_tags_ps_show(engine: Engine) -> None:
    """Questions about a server, asked of any or of one."""
    assert (await engine.version()).version == "0.33.0"
    names = [model.name for model in (await engine.tags(endpoint="beta")).models]
    assert names == [model.display for model in DEFAULT_MODELS]
    assert (await engine.ps(endpoint="beta")).models == ()
    shown = await engine.show("llama3.2", verbose=True, endpoint="beta")
    assert "completion" in shown.capabilities


async def test_load_and_unload(engine: Engine) -> None:
    """On every endpoint, or on one; an embedding model too."""
    assert await engine.load("llama3.2", keep_alive="10m") == engine.endpoints
    for name in engine.endpoints:
        assert [m.name for m in (await engine.ps(endpoint=name)).models] == ["llama3.2:latest"]
    assert await engine.load("nomic-embed-text", endpoint="beta") == ("beta",)
    assert len((await engine.ps(endpoint="beta")).models) == 2
    assert await engine.unload("llama3.2", endpoint="beta") == ("beta",)
    assert await engine.unload("llama3.2") == engine.endpoints
    assert await engine.unload("nomic-embed-text") == engine.endpoints
    for name in engine.endpoints:
        assert (await engine.ps(endpoint=name)).models == ()


async def test_statistics(engine: Engine) -> None:
    """The snapshot adds up, while it runs and after."""
    await engine.chat(*QUESTION)
    async with engine.stream_chat(*QUESTION) as stream:
        await anext(stream)
    with pytest.raises(ModelNotFoundError):
        await engine.chat("stranger", "why?")
    now = engine.statistics()
    assert (now.accepted, now.done, now.failed) == (3, 3 - now.failed - now.cancelled, 1)
    assert [endpoint.name for endpoint in now.endpoints] == list(engine.endpoints)
    assert set(now.restarts.values()) == {0}
    assert "2 endpoints, 0 running" in repr(engine)


# ---- bad input


@pytest.mark.parametrize(
    "call",
    [
        lambda engine: engine.chat("", "why?"),
        lambda engine: engine.chat("a b", "why?"),
        lambda engine: engine.chat("llama3.2", 7),
        lambda engine: engine.chat("llama3.2", "why?", options={"temperature": "hot"}),
        lambda engine: engine.chat("llama3.2", "why?", options={"temperature": float("nan")}),
        lambda engine: engine.chat("llama3.2", "why?", deadline_s=0),
        lambda engine: engine.chat("llama3.2", "why?", deadline_s=float("nan")),
        lambda engine: engine.chat("llama3.2", "why?", deadline_s=-1),
        lambda engine: engine.chat("llama3.2", "why?", deadline_s="5"),
        lambda engine: engine.chat("llama3.2", "why?", deadline_s=True),
        lambda engine: engine.chat("llama3.2", "why?", priority="high"),
        lambda engine: engine.chat("llama3.2", "why?", priority=float("nan")),
        lambda engine: engine.chat("llama3.2", "why?", priority=None),
        lambda engine: engine.generate("llama3.2", "x", images=["%%%"]),
        lambda engine: engine.generate("llama3.2", "\ud800"),
        lambda engine: engine.embed("llama3.2", "x", dimensions=-1),
        lambda engine: engine.show(""),
        lambda engine: engine.load("llama3.2", keep_alive="soon"),
    ],
)
async def test_a_wrong_request_is_refused_before_it_is_sent(
    autojump_clock: MockClock, open_lab: Any, call: Any
) -> None:
    """The caller's mistake is a typed error, and no request is counted or sent."""
    async with open_lab() as lab:
        with pytest.raises(InvalidRequestError):
            await call(lab.engine)
        assert lab.engine.statistics().accepted == 0
        assert lab.fleet.simulator(A).statistics().accepted == 0


async def test_a_wrong_stream_is_refused_on_entering(open_lab: Any) -> None:
    """`stream_chat` itself raises nothing; its block does."""
    async with open_lab() as lab:
        opening = lab.engine.stream_chat("llama3.2", 7)
        with pytest.raises(InvalidRequestError):
            async with opening:
                pytest.fail("entered")


async def test_an_unknown_endpoint_is_named(open_lab: Any) -> None:
    """The error says which endpoints there are."""
    async with open_lab() as lab:
        for call in (lab.engine.version, lab.engine.tags, lab.engine.ps):
            with pytest.raises(ConfigError, match="a:11434, b:11434"):
                await call(endpoint="c")
        with pytest.raises(ConfigError):
            await lab.engine.load("llama3.2", endpoint="c")


async def test_a_model_that_nobody_has(autojump_clock: MockClock, open_lab: Any) -> None:
    """Every method names the models that exist."""
    async with open_lab() as lab:
        engine = lab.engine
        for call in (
            partial(engine.chat, messages="why?"),
            partial(engine.generate, prompt="why?"),
            partial(engine.embed, input="why?"),
            engine.show,
            engine.load,
            engine.unload,
        ):
            with pytest.raises(ModelNotFoundError) as caught:
                await call("stranger")
            assert caught.value.available == tuple(sorted(m.display for m in DEFAULT_MODELS))
            assert "llama3.2:latest" in str(caught.value)


async def test_a_refusal_by_the_whole_fleet_stays_the_callers(
    autojump_clock: MockClock, open_lab: Any
) -> None:
    """What every server calls the caller's mistake is no trouble of the fleet."""
    async with open_lab() as lab:
        with pytest.raises(RequestRejectedError, match="400"):
            await lab.engine.chat("nomic-embed-text", "why?")
        assert (lab.asked(A), lab.asked(B)) in {(1, 0), (0, 1)}
        for url in (A, B):
            lab.fault(url, "status", status=400, text="no", rule={"routes": ()})
        for ask in (lab.engine.show, lab.engine.load):
            with pytest.raises(RequestRejectedError, match="400: no"):
                await ask("llama3.2")


async def test_questions_go_to_the_next_server(autojump_clock: MockClock, open_lab: Any) -> None:
    """Version, tags, ps and show are asked of one after the other until one answers."""
    async with open_lab() as lab:
        lab.fleet.kill(A)
        assert (await lab.engine.version()).version
        lab.fleet.revive(A)
        lab.fault(A, "stall", rule={"routes": ()})
        started_s = trio.current_time()
        assert (await lab.engine.tags()).models
        assert trio.current_time() - started_s <= 30.0
        lab.fleet.kill(B)
        with pytest.raises(FleetUnavailableError) as caught:
            await lab.engine.ps()
        stalled, refused = caught.value.causes
        assert isinstance(stalled, StallError)
        assert (stalled.endpoint, refused.endpoint) == ("a:11434", "b:11434")


async def test_loading_where_it_can_be_loaded(autojump_clock: MockClock, open_lab: Any) -> None:
    """One server down: the model is loaded on the others, and the answer says where."""
    async with open_lab() as lab:
        lab.fleet.kill(A)
        assert await lab.engine.load("llama3.2") == ("b:11434",)
        lab.fleet.kill(B)
        with pytest.raises(FleetUnavailableError) as caught:
            await lab.engine.load("llama3.2")
        assert {cause.endpoint for cause in caught.value.causes} == {"a:11434", "b:11434"}


# ---- opening


@pytest.mark.parametrize(
    "endpoints",
    [
        ("gpu-1:11434",),
        ("http://gpu-1/api",),
        ("",),
        (A, A),
        (A, f"{A}/"),
        (A, EndpointConfig(B, "a:11434")),
        (7,),
        (A, None),
        (b"http://a",),
    ],
)
async def test_a_wrong_fleet_is_refused(endpoints: Any) -> None:
    """Addresses without a scheme, twins and other things are refused before anything starts."""
    with pytest.raises(ConfigError):
        async with open_engine(*endpoints):
            pytest.fail("opened")


@pytest.mark.parametrize(
    ("value", "name"),
    [(None, "127.0.0.1:11434"), ("", "127.0.0.1:11434"), ("gpu-7", "gpu-7:11434")],
)
async def test_without_endpoints_it_is_ollama_host(
    monkeypatch: pytest.MonkeyPatch, value: str | None, name: str
) -> None:
    """The environment's address, or the usual one."""
    if value is None:
        monkeypatch.delenv("OLLAMA_HOST", raising=False)
    else:
        monkeypatch.setenv("OLLAMA_HOST", value)
    async with open_engine() as engine:
        assert engine.endpoints == (name,)


async def test_a_wrong_ollama_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says which variable is wrong."""
    monkeypatch.setenv("OLLAMA_HOST", "http://gpu/path")
    with pytest.raises(ConfigError, match="OLLAMA_HOST"):
        async with open_engine():
            pytest.fail("opened")


async def test_a_given_transport_stays_open(open_lab: Any) -> None:
    """It is the caller's, who may give it to another engine."""

    class Counting(httpx.AsyncBaseTransport):
        closed = 0

        async def aclose(self) -> None:
            self.closed += 1

    transport = Counting()
    async with open_engine(A, transport=transport):
        pass
    assert transport.closed == 0


async def test_without_epoll(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no epoll, each connection has a task; all else is the same."""
    monkeypatch.setattr("triollama.wire.reactor.Reactor.is_supported", lambda: False)
    config = fast_config(decode_tokens_per_s=10_000.0, load_s=0.0)
    async with served(config) as server, open_engine(server.url) as engine:
        assert (await engine.chat(*QUESTION)).content
        assert engine.statistics().reactor is None


# ---- leaving


class Own(Exception):  # noqa: N818 - the caller's own
    """An error of the caller."""


@pytest.mark.parametrize("kind", [Own, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("has_stream", [False, True])
async def test_the_callers_exception_comes_out_bare(
    autojump_clock: MockClock, kind: type[BaseException], *, has_stream: bool
) -> None:
    """No group, the same object, its cause kept; the streams are stopped at once."""
    raised, cause = kind(), LookupError()
    async with open_fleet({A: SimulatorConfig()}) as fleet:
        with pytest.raises(kind) as caught:
            async with open_engine(A, transport=fleet.transport()) as engine:
                if not has_stream:
                    raise raised from cause
                async with engine.stream_chat(*QUESTION) as stream:
                    await anext(stream)
                    raise raised from cause
        assert caught.value is raised
        assert raised.__cause__ is cause
        assert fleet.simulator(A).statistics().in_flight == 0
        assert engine.statistics().running == 0


async def test_the_callers_group_stays_as_it_is(open_lab: Any) -> None:
    """A group of the caller's nursery is not wrapped again."""
    group = ExceptionGroup("own", [Own(), LookupError()])
    with pytest.raises(ExceptionGroup) as caught:
        async with open_engine(A):
            raise group
    assert caught.value is group


async def test_an_exception_while_cancelled_is_not_lost() -> None:
    """Cancelled or not, what the caller raised comes out."""
    with pytest.raises(Own), trio.CancelScope() as scope:
        async with open_engine(A):
            scope.cancel()
            raise Own


async def test_a_broken_engine_says_so_without_a_group() -> None:
    """An actor that crashes again and again ends the block with `EngineFaultError` itself."""
    with pytest.raises(EngineFaultError, match="'pool'"), trio.fail_after(5):
        async with open_engine(A, config=SILENT) as engine:
            engine._runtime.pool._core = None
            engine._runtime.pool._due_s = 0.0
            engine._runtime.pool._due_changed.set()
            await trio.sleep_forever()


async def test_cancelling_the_block_stops_everything(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """Whoever reads or waits in another task is told, and no work is left."""
    ended: list[EngineClosedError] = []

    async def ask(engine: Engine) -> None:
        with pytest.raises(EngineClosedError) as caught:
            await engine.chat(*QUESTION)
        ended.append(caught.value)

    async with open_fleet({A: SimulatorConfig()}) as fleet:
        with trio.CancelScope() as scope:
            one_place = EndpointConfig(A, max_in_flight=1)
            async with open_engine(one_place, transport=fleet.transport()) as engine:
                for _ in range(3):
                    nursery.start_soon(ask, engine)
                await trio.sleep(1)
                assert fleet.simulator(A).statistics().in_flight == 1
                scope.cancel()
                await trio.lowlevel.checkpoint()
        await trio.sleep(0.01)
        assert len(ended) == 3
        assert fleet.simulator(A).statistics().in_flight == 0
        now = engine.statistics()
        assert (now.accepted, now.cancelled) == (3, 3)


async def test_a_deadline_beyond_all_numbers_is_none(
    autojump_clock: MockClock, open_lab: Any
) -> None:
    """What no float can hold is as good as infinite."""
    async with open_lab() as lab:
        for deadline_s in (10**400, float("inf"), 1e308):
            assert await lab.engine.chat(*QUESTION, deadline_s=deadline_s)


@pytest.mark.parametrize("how", ["left", "cancelled"])
async def test_after_its_block_an_engine_refuses(autojump_clock: MockClock, how: str) -> None:
    """A closed engine takes nothing, and says so, whichever way it was closed."""
    async with open_fleet({A: SimulatorConfig()}) as fleet:
        with trio.CancelScope() as scope:
            async with open_engine(A, config=SILENT, transport=fleet.transport()) as engine:
                if how == "cancelled":
                    scope.cancel()
                    await trio.lowlevel.checkpoint()
        for call in (
            partial(engine.chat, *QUESTION),
            partial(engine.embed, "nomic-embed-text", "x"),
            engine.version,
            partial(engine.show, "llama3.2"),
            partial(engine.load, "llama3.2"),
        ):
            with pytest.raises(EngineClosedError), trio.fail_after(1):
                await call()
        with pytest.raises(EngineClosedError):
            async with engine.stream_chat(*QUESTION):
                pytest.fail("entered")
        assert fleet.simulator(A).statistics().accepted == 0


# ---- closing


@attrs.define
class Closing:
    """How tasks of a closing engine ended."""

    done: list[float] = attrs.field(factory=list)
    stopped: list[float] = attrs.field(factory=list)
    refused: list[float] = attrs.field(factory=list)


@pytest.mark.parametrize("is_stream", [False, True])
async def test_closing_refuses_new_and_lets_the_running_finish(
    autojump_clock: MockClock, nursery: trio.Nursery, *, is_stream: bool
) -> None:
    """Within `grace_s` what runs may end; then it ends with `EngineClosedError`."""
    seen = Closing()
    started_s = trio.current_time()
    slow = {"jitter": 0.0, "load_s": 0.0, "answer_tokens_min": 20, "answer_tokens_max": 20}
    quick = SimulatorConfig(decode_tokens_per_s=10.0, **slow)
    long = SimulatorConfig(decode_tokens_per_s=1.0, **slow)

    async def ask(engine: Engine) -> None:
        try:
            if is_stream:
                async with engine.stream_chat(*QUESTION) as stream:
                    async for _ in stream:
                        pass
            else:
                await engine.chat(*QUESTION)
        except EngineClosedError:
            ended = seen.stopped if trio.current_time() > started_s + 3 else seen.refused
            ended.append(trio.current_time() - started_s)
        else:
            seen.done.append(trio.current_time() - started_s)

    async def ask_later(engine: Engine) -> None:
        await trio.sleep(1.5)
        await ask(engine)

    async with open_fleet({A: quick, B: long}) as fleet:
        config = EngineConfig(grace_s=4.0)
        endpoints = [EndpointConfig(url, num_parallel=3) for url in (A, B)]
        async with open_engine(*endpoints, config=config, transport=fleet.transport()) as engine:
            for _ in range(6):
                nursery.start_soon(ask, engine)
            nursery.start_soon(ask_later, engine)
            await trio.sleep(1)
        closed_s = trio.current_time() - started_s
        await trio.testing.wait_all_tasks_blocked()
        assert fleet.simulator(B).statistics().in_flight == 0
    assert closed_s == pytest.approx(5.0, abs=0.1)
    assert len(seen.done) == len(seen.stopped) == 3
    assert seen.refused == [pytest.approx(1.5)]
    assert all(at == pytest.approx(5.0, abs=0.1) for at in seen.stopped)
    now = engine.statistics()
    assert (now.done, now.cancelled, now.accepted) == (3, 3, 6)


async def test_closing_an_idle_engine_takes_no_time(autojump_clock: MockClock) -> None:
    """The grace is for what runs; where nothing runs there is none."""
    started_s = trio.current_time()
    async with open_engine(A, config=EngineConfig(grace_s=60.0)):
        pass
    assert trio.current_time() == started_s


async def test_no_grace(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """With `grace_s` 0 what runs is stopped at once."""
    ended = trio.Event()

    async def read(engine: Engine) -> None:
        with pytest.raises(EngineClosedError):
            await engine.chat(*QUESTION)
        ended.set()

    async with open_fleet({A: SimulatorConfig()}) as fleet:
        config = EngineConfig(grace_s=0)
        async with open_engine(A, config=config, transport=fleet.transport()) as engine:
            nursery.start_soon(read, engine)
            await trio.sleep(1)
            closing_s = trio.current_time()
        assert trio.current_time() == closing_s
        await ended.wait()


async def test_cancel_ends_a_stream_for_its_reader(
    autojump_clock: MockClock, open_lab: Any, nursery: trio.Nursery
) -> None:
    """`Stream.cancel` from another task: the reader gets `StreamCancelledError`."""
    async with open_lab(A) as lab, lab.engine.stream_chat(*QUESTION) as stream:

        async def cancel() -> None:
            await trio.sleep(0.55)
            stream.cancel()

        nursery.start_soon(cancel)
        taken = []
        with pytest.raises(StreamCancelledError):
            async for chunk in stream:
                taken.append(chunk)
        assert len(taken) == 5
        assert lab.engine.statistics().cancelled == 1
        assert lab.fleet.simulator(A).statistics().generations_aborted == 1
        assert "cancelled" in repr(stream)


async def test_cancelling_a_whole_stream_does_nothing(
    autojump_clock: MockClock, open_lab: Any
) -> None:
    """What is whole stays whole."""
    async with open_lab(A) as lab, lab.engine.stream_chat(*QUESTION) as stream:
        answer = await stream.collect()
        stream.cancel()
        assert await stream.collect() == answer
        assert lab.engine.statistics().done == 1
