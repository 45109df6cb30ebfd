"""The blocking engine, against a simulated server on a socket."""

import contextlib
import gc
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
import trio

import triollama
from triollama_adapters import blocking

pytestmark = pytest.mark.slow

STALL = {"fault": {"kind": "stall", "after_tokens": 3}}


@pytest.fixture
def engine(ollama_simulator: Any) -> Iterator[blocking.Engine]:
    """An engine for the simulator."""
    config = blocking.EngineConfig(grace_s=1)
    with blocking.open_engine(ollama_simulator.url, config=config) as opened:
        yield opened


def until(is_so: Any) -> None:
    """Wait for something that comes soon, for 10 s at most."""
    for _ in range(1_000):
        if is_so():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come")


def running(engine: blocking.Engine) -> int:
    """Requests at servers."""
    return engine.statistics().running


def test_it_gives_what_the_engine_gives(engine: blocking.Engine, ollama_simulator: Any) -> None:
    """The same question has the same answer, whole and in chunks, as under trio."""

    async def ask() -> tuple[str, list[str]]:
        async with triollama.open_engine(ollama_simulator.url) as native:
            whole = await native.chat("llama3.2", "Why is the sky blue?")
            async with native.stream_chat("llama3.2", "Why is the sky blue?") as stream:
                return whole.content, [chunk.content async for chunk in stream]

    content, chunks = trio.run(ask)
    assert engine.chat("llama3.2", "Why is the sky blue?").content == content
    with engine.stream_chat("llama3.2", "Why is the sky blue?") as stream:
        assert [chunk.content for chunk in stream] == chunks
        assert stream.collect().content == content
        assert list(stream) == []
    assert stream.usage is not None
    assert stream.usage.output_tokens > 0


def test_every_kind_of_object_works(engine: blocking.Engine) -> None:
    """Transfers, vectors, tools, requests, conversations and facts come to blocking programs."""
    assert engine.endpoints == tuple(each.name for each in engine.statistics().endpoints)
    assert engine.pull("llama3.2").result().kind == "pull"
    assert [event.kind for event in engine.pull("llama3.2")][-1] == "pull"
    with engine.embed_many("nomic-embed-text", (str(number) for number in range(5))) as run:
        first = next(run)
        assert len([first, *run]) == 5
        assert run.progress().texts_given == 5
    with engine.embed_many("nomic-embed-text", ["a", "b"]) as run:
        assert len(run.collect()) == 2
    events = list(engine.run_tools("llama3.2", "Is it warm?", tools=[is_warm]))
    assert isinstance(events[-1], blocking.ToolRunEnded)
    answer = engine.request("llama3.2").system("Be brief.").user("Why?").send()
    assert answer.content
    chat = blocking.Chat(engine, "llama3.2")
    assert chat.ask("Why?").content == chat.history[-1].content
    assert blocking.Chat.from_json(engine, chat.to_json()).history == chat.history
    with chat.stream("And then?") as turn:
        text = "".join(chunk.content for chunk in turn)
    assert chat.history[-1].content == text
    with engine.subscribe(blocking.StreamEnded) as facts:
        engine.chat("llama3.2", "Why?")
        assert isinstance(next(facts), blocking.StreamEnded)


def is_warm(city: str) -> bool:
    """Whether it is warm in a city."""
    return bool(city)


@attrs.frozen
class City:
    """What an answer becomes."""

    name: str


def test_answers_become_objects(engine: blocking.Engine) -> None:
    """A class as format gives an object, and partial ones in a stream."""
    assert isinstance(engine.chat("llama3.2", "A city?", format=City), City)
    with engine.stream_chat("llama3.2", "A city?", format=City) as stream:
        assert [part.whole for part in stream.partials()][-1] == stream.parsed()


@pytest.mark.parametrize("way", ["break", "close", "drop", "block", "raise"])
def test_leaving_stops_the_server(engine: blocking.Engine, ollama_simulator: Any, way: str) -> None:
    """However a stream is left, its connection is closed."""
    ollama_simulator.set_faults(STALL)
    if way == "block":
        with engine.stream_chat("llama3.2", "?") as stream:
            assert next(stream).content
    elif way == "raise":
        with contextlib.suppress(ZeroDivisionError):
            for _ in engine.stream_chat("llama3.2", "?"):
                _ = 1 / 0
    elif way == "break":
        for _ in engine.stream_chat("llama3.2", "?"):
            break
    else:
        chunks: Any = iter(engine.stream_chat("llama3.2", "?"))
        assert next(chunks).content
        assert running(engine) == 1
        if way == "close":
            chunks.close()
        del chunks
    gc.collect()
    until(lambda: running(engine) == 0)
    assert engine.statistics().cancelled == 1


def test_a_dropped_block_is_left(engine: blocking.Engine, ollama_simulator: Any) -> None:
    """A stream that was entered by hand and forgotten does not run for ever."""
    ollama_simulator.set_faults(STALL)
    stream: Any = engine.stream_chat("llama3.2", "?").__enter__()
    assert next(stream).content
    gc.collect()
    assert running(engine) == 1  # who has the stream has its block
    del stream
    gc.collect()
    until(lambda: running(engine) == 0)


def test_threads_share_an_engine(engine: blocking.Engine) -> None:
    """Twenty threads ask at once, and each has its own answer."""
    answers: dict[int, str] = {}

    def ask(number: int) -> None:
        answers[number] = "".join(
            chunk.content for chunk in engine.stream_chat("llama3.2", f"Number {number}?")
        )

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, answer in answers.items():
        assert engine.chat("llama3.2", f"Number {number}?").content == answer
    assert len(answers) == 20


def test_two_threads_may_read_one_stream(engine: blocking.Engine) -> None:
    """Each chunk goes to one of them, and both come to the end."""
    pieces: list[str] = []
    with engine.stream_chat("llama3.2", "Why?") as stream:

        def read() -> None:
            pieces.extend(chunk.content for chunk in stream)

        threads = [threading.Thread(target=read) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(pieces) == sorted(
            chunk.content for chunk in engine.stream_chat("llama3.2", "Why?")
        )


def test_limits_end_what_waits(engine: blocking.Engine, ollama_simulator: Any) -> None:
    """`fail_after` ends a call, an iteration and a block within another, and closes connections."""
    ollama_simulator.set_faults(STALL)
    with pytest.raises(blocking.DeadlineExceededError, match=r"was not done within 0\.1 s"):
        with blocking.fail_after(0.1), blocking.fail_after(60):
            engine.chat("llama3.2", "?")
    assert running(engine) == 0
    with engine.stream_chat("llama3.2", "?") as stream:
        with pytest.raises(blocking.DeadlineExceededError):
            with blocking.fail_after(0.2):
                for _ in stream:
                    pass
        assert running(engine) == 1  # the block is still there
    for wrong in (-1, float("nan"), "1"):
        with pytest.raises(blocking.InvalidRequestError), blocking.fail_after(wrong):  # type: ignore[arg-type]
            pass


def test_a_signal_ends_a_wait_and_loses_nothing(
    engine: blocking.Engine, ollama_simulator: Any
) -> None:
    """A handler that raises ends an iteration; iterated on, the stream gives the next chunk."""
    whole = engine.chat("llama3.2", "?").content
    ollama_simulator.set_faults({"fault": {"kind": "stall", "after_tokens": 3, "seconds": 0.5}})

    def ring(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    pieces: list[str] = []
    try:
        with engine.stream_chat("llama3.2", "?") as stream:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(TimeoutError):
                iterated(stream, pieces)
            pieces.extend(chunk.content for chunk in stream)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert "".join(pieces) == whole


def iterated(stream: Any, pieces: list[str]) -> None:
    """Read into a list until something is raised."""
    for chunk in stream:
        pieces.append(chunk.content)


def test_a_signal_ends_a_call(engine: blocking.Engine, ollama_simulator: Any) -> None:
    """What a handler raises comes out of the call, whose connection is closed by then."""
    ollama_simulator.set_faults(STALL)

    def ring(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(TimeoutError):
            engine.chat("llama3.2", "?")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert running(engine) == 0


def test_errors_show_where_they_come_from(engine: blocking.Engine) -> None:
    """A traceback has the caller's line and the engine's, and few in between; twice the same."""
    with engine.stream_chat("nothing", "?") as stream:
        for _ in range(2):
            with pytest.raises(blocking.ModelNotFoundError) as caught:
                next(stream)
            lines = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
            assert lines[0] == "test_errors_show_where_they_come_from"
            assert len(lines) <= 8
    with pytest.raises(blocking.InvalidRequestError, match="messages") as refused:
        engine.chat("llama3.2", [{"role": "user", "content": 3}])
    told = "".join(traceback.format_exception(refused.value))
    assert "trio/" not in told
    assert "ExceptionGroup" not in told


def test_a_callback_cannot_wait_for_its_own_thread(engine: blocking.Engine) -> None:
    """What the engine calls may look at it, but a call that waits there is refused at once."""
    seen: list[object] = []

    def told(_: object) -> None:
        seen.append(engine.endpoints)
        try:
            engine.tags()
        except RuntimeError as error:
            seen.append(error)

    engine.chat("llama3.2", "?", on_chunk=told)
    assert seen[0] == engine.endpoints
    assert "cannot wait for the engine" in str(seen[1])


def test_texts_may_come_from_the_engine_itself(engine: blocking.Engine) -> None:
    """A generator of texts runs outside the engine's thread; what it raises is raised."""

    def texts() -> Iterator[str]:
        for number in range(3):
            yield engine.chat("llama3.2", f"Number {number}?").content
        raise ZeroDivisionError

    with engine.embed_many("nomic-embed-text", texts()) as run:
        vectors: list[Any] = []
        with pytest.raises(ZeroDivisionError):
            read_all(run, vectors)
        assert len(vectors) == 3


def read_all(run: Any, vectors: list[Any]) -> None:
    """Read into a list until something is raised."""
    for vector in run:
        vectors.append(vector)  # noqa: PERF402 - what came before an error is kept


def test_a_closed_engine_says_so(ollama_simulator: Any) -> None:
    """After its end calls are refused; what a stream tells of itself stays known."""
    with blocking.open_engine(ollama_simulator.url) as engine:
        with engine.stream_chat("llama3.2", "?") as stream:
            stream.collect()
        chat = engine.conversation("llama3.2")
        chat.ask("?")
    for refused in (
        engine.tags,
        lambda: engine.chat("llama3.2", "?"),
        lambda: engine.stream_chat("llama3.2", "?").__enter__(),
        lambda: engine.run_tools("llama3.2", "?", tools=[is_warm], deadline_s=1).__enter__(),
        lambda: engine.add_endpoint("http://127.0.0.1:1"),
        lambda: chat.ask("?"),
    ):
        with pytest.raises(blocking.EngineClosedError):
            refused()
    assert stream.usage is not None
    assert len(chat.history) == 2
    assert "closed" not in repr(stream)


def test_an_engine_without_a_block(ollama_simulator: Any) -> None:
    """`start_engine` gives one that is closed by hand, once or twice."""
    engine = blocking.start_engine(ollama_simulator.url)
    assert engine.version().version
    engine.close()
    engine.close()
    with pytest.raises(blocking.EngineClosedError):
        engine.version()
    with pytest.raises(blocking.ConfigError):
        blocking.start_engine("ftp://nowhere")
    with pytest.raises(blocking.ConfigError), blocking.open_engine("ftp://nowhere"):
        pass
    assert not [each for each in threading.enumerate() if each.name == "triollama"]


def test_leaving_gives_others_their_grace(ollama_simulator: Any) -> None:
    """A thread that still waits has its answer, or `EngineClosedError` when the grace is over."""
    outcomes: list[object] = []

    def ask(engine: blocking.Engine) -> None:
        try:
            outcomes.append(engine.chat("llama3.2", "?").content)
        except blocking.EngineClosedError as error:
            outcomes.append(error)

    for faults, kind in (((), str), ((STALL,), blocking.EngineClosedError)):
        ollama_simulator.set_faults(*faults)
        config = blocking.EngineConfig(grace_s=0.5)
        with blocking.open_engine(ollama_simulator.url, config=config) as engine:
            thread = threading.Thread(target=ask, args=(engine,))
            thread.start()
            until(lambda engine=engine: engine.statistics().accepted == 1)
        thread.join(10)
        assert isinstance(outcomes.pop(), kind)


def test_a_fork_has_no_engine(engine: blocking.Engine) -> None:
    """In a forked process calls are refused, and leaving blocks does not wait."""
    with engine.stream_chat("llama3.2", "?") as stream:
        child = os.fork()
        if child == 0:
            try:
                engine.tags()
            except blocking.EngineClosedError as error:
                os._exit(7 if "forked" in str(error) else 1)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert stream.collect().content  # the parent's goes on


def test_a_fetcher_waits() -> None:
    """Addresses are fetched without an engine, and refused as under trio."""
    with pytest.raises(blocking.FetchRefusedError):
        blocking.Fetcher().fetch("http://127.0.0.1:1/picture.png")


def test_the_garbage_collector_may_come_anywhere(
    engine: blocking.Engine, ollama_simulator: Any
) -> None:
    """A generator that is dropped in the engine's own thread is closed there, without a wait."""
    ollama_simulator.set_faults({**STALL, "nth": [1]})
    chunks: Any = iter(engine.stream_chat("llama3.2", "?"))
    assert next(chunks).content
    cycle = [chunks]
    cycle.append(cycle)
    del chunks, cycle
    engine.chat("llama3.2", "?", on_chunk=lambda _: gc.collect())
    until(lambda: running(engine) == 0)
    assert engine.statistics().cancelled == 1


def test_closing_under_load_hangs_nobody(ollama_simulator: Any) -> None:
    """Threads that call, stream, break off and run out of time all end when the engine does."""
    others: list[BaseException] = []

    def work(engine: blocking.Engine, number: int) -> None:
        try:
            while True:
                for place, _ in enumerate(engine.stream_chat("llama3.2", "?")):
                    if place == number:
                        break
                engine.tags()
                with contextlib.suppress(blocking.DeadlineExceededError):
                    with blocking.fail_after(0.001 * number):
                        engine.chat("llama3.2", "?")
        except blocking.EngineClosedError:
            pass
        except BaseException as error:  # noqa: BLE001 - shown below
            others.append(error)

    for grace_s in (0.01, 0.2):
        config = blocking.EngineConfig(grace_s=grace_s)
        with blocking.open_engine(ollama_simulator.url, config=config) as engine:
            threads = [threading.Thread(target=work, args=(engine, each)) for each in range(12)]
            for thread in threads:
                thread.start()
            time.sleep(0.3)
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()
    assert others == []
