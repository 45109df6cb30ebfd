"""The engine in asyncio programs, against a simulated server on a socket; uvloop's loop as well.

The tests are plain functions that run asyncio themselves: the suite's own loop is trio's.
"""

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
import trio

import triollama
from triollama_adapters import aio

STALL = {"fault": {"kind": "stall", "after_tokens": 3}}
pytestmark = pytest.mark.slow
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """What runs a program; uvloop's where it is installed."""
    given: Run = pytest.importorskip(request.param).run
    return given


def test_it_gives_what_the_engine_gives(run: Run, ollama_simulator: Any) -> None:
    """The same question has the same answer, whole and in chunks, as under trio."""

    async def native() -> tuple[str, list[str]]:
        async with triollama.open_engine(ollama_simulator.url) as engine:
            whole = await engine.chat("llama3.2", "Why?")
            async with engine.stream_chat("llama3.2", "Why?") as stream:
                return whole.content, [chunk.content async for chunk in stream]

    async def main() -> None:
        async with aio.open_engine(ollama_simulator.url) as engine:
            assert (await engine.chat("llama3.2", "Why?")).content == content
            async with engine.stream_chat("llama3.2", "Why?") as stream:
                assert [chunk.content async for chunk in stream] == chunks
                assert (await stream.collect()).content == content
                assert [chunk async for chunk in stream] == []
            assert stream.usage is not None
        assert stream.endpoint
        with pytest.raises(aio.EngineClosedError):
            await engine.tags()

    content, chunks = trio.run(native)
    run(main())


def test_every_kind_of_object_works(run: Run, ollama_simulator: Any) -> None:
    """Transfers, vectors, requests, conversations and facts come to asyncio programs."""

    async def texts() -> AsyncIterator[str]:
        loop = asyncio.get_running_loop()
        for number in range(5):
            await asyncio.sleep(0)
            assert asyncio.get_running_loop() is loop
            yield str(number)

    async def main() -> None:
        async with aio.open_engine(ollama_simulator.url) as engine:
            assert (await engine.pull("llama3.2")).kind == "pull"
            async with engine.pull("llama3.2") as progress:
                assert [event.kind async for event in progress]
                assert (await progress.result()).kind == "pull"
            for given in (texts(), ["a"] * 5, iter("abcde")):
                async with engine.embed_many("nomic-embed-text", given) as vectors:
                    first = await anext(vectors)
                    assert len([first, *await vectors.collect()]) == 5
            answer = await engine.request("llama3.2").user("Why?").send()
            chat = aio.Chat(engine, "llama3.2")
            assert (await chat.ask("Why?")).content == answer.content
            async with chat.stream("And then?") as turn:
                text = "".join([chunk.content async for chunk in turn])
            assert chat.history[-1].content == text
            async with engine.subscribe(aio.StreamEnded) as facts:
                await engine.chat("llama3.2", "Why?")
                assert isinstance(await anext(facts), aio.StreamEnded)

    run(main())


def test_a_cancelled_task_has_closed_its_connection(run: Run, ollama_simulator: Any) -> None:
    """When a cancelled call or block is over, its request is, too; more cancels change nothing."""

    async def stream(engine: aio.Engine, begun: asyncio.Event) -> None:
        async with engine.stream_chat("llama3.2", "?") as chunks:
            async for _ in chunks:
                begun.set()

    async def call(engine: aio.Engine, begun: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        tell = loop.call_soon_threadsafe
        await engine.chat("llama3.2", "?", on_chunk=lambda _: tell(begun.set))

    async def main() -> None:
        async with aio.open_engine(ollama_simulator.url) as engine:
            for number, work in enumerate((stream, call), 1):
                begun = asyncio.Event()
                task = asyncio.create_task(work(engine, begun))
                await begun.wait()
                task.cancel()
                await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                numbers = engine.statistics()
                assert (numbers.running, numbers.cancelled) == (0, number)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await engine.chat("llama3.2", "?")
            assert engine.statistics().running == 0

    ollama_simulator.set_faults(STALL)
    run(main())


def test_an_interrupted_iteration_loses_nothing(run: Run, ollama_simulator: Any) -> None:
    """Iterations that are cancelled by a limit again and again give every chunk once."""

    async def main() -> None:
        async with aio.open_engine(ollama_simulator.url) as engine:
            whole = (await engine.chat("llama3.2", "?")).content
            async with engine.stream_chat("llama3.2", "?") as stream:
                assert await read_by_bits(stream) == whole
            async with engine.conversation("llama3.2").stream("?") as turn:
                assert await read_by_bits(turn) == whole

    run(main())


async def read_by_bits(chunks: Any) -> str:
    """All the text, in iterations that are cut short."""
    pieces = []
    while True:
        try:
            async with asyncio.timeout(0.002):
                pieces.append((await anext(chunks)).content)
        except TimeoutError:
            continue
        except StopAsyncIteration:
            return "".join(pieces)


place = contextvars.ContextVar("place", default="nowhere")


def test_tools_run_at_home(run: Run, ollama_simulator: Any) -> None:
    """An async tool runs in the asyncio loop, in the context of who asked, and is cancelled."""
    seen: list[object] = []

    async def find(city: str) -> str:
        """Find a city."""
        seen.append((place.get(), asyncio.get_running_loop(), city))
        if len(seen) == 1:
            return city
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        raise AssertionError

    def where(city: str) -> str:
        """Say where."""
        return place.get() + city

    async def main() -> None:
        place.set("here")
        loop = asyncio.get_running_loop()
        home = aio_home()
        assert home.tool(where) is where
        async with aio.open_engine(ollama_simulator.url) as engine:
            native: Any = engine
            for tool in (find, aio.tool(find)):
                adapted = native.adapt("tools", [tool])[0]
                called = adapted if isinstance(adapted, aio.Tool) else aio.Tool(adapted)
                assert called.definition == aio.Tool(find).definition
                task = asyncio.create_task(in_portal(native, called))
                if not seen:
                    assert await task == "Ulm"
                    assert seen == [("here", loop, "Ulm")]
                else:
                    while len(seen) == 1:
                        await asyncio.sleep(0.01)
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                    assert seen[-1] == "cancelled"

    run(main())


def aio_home() -> Any:
    """What adapts functions of the running loop."""
    from triollama_adapters.aio.abroad import Home  # noqa: PLC0415 - of the inside

    return Home()


async def in_portal(engine: Any, tool: Any) -> Any:
    """Call a tool as the engine does."""
    from triollama_adapters.aio.waiting import call  # noqa: PLC0415 - of the inside

    return await call(engine._portal, lambda: tool.call({"city": "Ulm"}))


def test_a_tool_that_fails_is_told(run: Run) -> None:
    """What a function raises in its own loop is raised where the engine called it."""

    async def fail() -> None:
        raise ZeroDivisionError

    async def give_up() -> None:
        raise asyncio.CancelledError

    async def main() -> None:
        async with aio.open_engine("http://127.0.0.1:1") as engine:
            home = aio_home()
            with pytest.raises(ZeroDivisionError):
                await in_portal_plain(engine, home.function(fail))
            with pytest.raises(RuntimeError, match="its asyncio task was cancelled"):
                await in_portal_plain(engine, home.function(give_up))

    run(main())


async def in_portal_plain(engine: Any, work: Any) -> Any:
    """Await something in the engine's loop."""
    from triollama_adapters.aio.waiting import call  # noqa: PLC0415 - of the inside

    return await call(engine._portal, work)


def test_a_token_is_fetched_at_home(run: Run, ollama_simulator: Any) -> None:
    """An async function that gives a bearer token runs in the loop that opened the engine."""
    loops: list[object] = []

    async def token() -> str:
        await asyncio.sleep(0)
        loops.append(asyncio.get_running_loop())
        return "secret"

    async def main() -> None:
        endpoint = aio.EndpointConfig(ollama_simulator.url, auth=aio.Bearer(token))
        async with aio.open_engine(endpoint) as engine:
            await engine.version()
            assert loops[0] is asyncio.get_running_loop()

    run(main())


def test_several_loops_share_an_engine(ollama_simulator: Any) -> None:
    """Other threads' loops use the engine of the one that opened it."""
    answers: list[str] = []

    async def ask(engine: aio.Engine) -> None:
        async with engine.stream_chat("llama3.2", "?") as stream:
            answers.append("".join([chunk.content async for chunk in stream]))

    async def main() -> None:
        async with aio.open_engine(ollama_simulator.url) as engine:
            async with asyncio.TaskGroup() as group:
                for _ in range(4):
                    group.create_task(asyncio.to_thread(lambda: asyncio.run(ask(engine))))
                    group.create_task(ask(engine))

    asyncio.run(main())
    assert len(answers) == 8
    assert len({*answers}) == 1


def test_other_tasks_run_meanwhile(ollama_simulator: Any) -> None:
    """A reader that always finds a chunk lets others run, and be heard."""

    async def main() -> None:
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async with aio.open_engine(ollama_simulator.url) as engine:
            counting = asyncio.create_task(count())
            async with engine.stream_chat("llama3.2", "Why?") as stream:
                async for _ in stream:
                    pass
            counting.cancel()
        assert turns > 1

    asyncio.run(main())


def test_a_failed_block_stops_at_once(run: Run, ollama_simulator: Any) -> None:
    """An exception ends the engine without its grace, and is what comes out; so is a cancel."""

    async def main() -> None:
        config = aio.EngineConfig(grace_s=60)
        asking: list[asyncio.Task[Any]] = []
        with pytest.raises(ZeroDivisionError):
            async with aio.open_engine(ollama_simulator.url, config=config) as engine:
                asking.append(asyncio.create_task(engine.chat("llama3.2", "?")))
                while not engine.statistics().running:
                    await asyncio.sleep(0.01)
                raise ZeroDivisionError
        with pytest.raises(aio.EngineClosedError):
            await asking[0]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                async with aio.open_engine(ollama_simulator.url, config=config) as engine:
                    asking.append(asyncio.create_task(engine.chat("llama3.2", "?")))
                    while not engine.statistics().running:
                        await asyncio.sleep(0.01)
        with pytest.raises(aio.EngineClosedError):
            await asking[1]
        with pytest.raises(aio.ConfigError):
            await aio.open_engine("ftp://nowhere").__aenter__()

    ollama_simulator.set_faults(STALL)
    run(main())
    assert not [each for each in threading.enumerate() if each.name == "triollama"]


def test_two_tasks_cannot_read_one_stream(ollama_simulator: Any) -> None:
    """The second one is refused, as under trio."""

    async def main() -> None:
        async with aio.open_engine(ollama_simulator.url) as engine:
            async with engine.stream_chat("llama3.2", "?") as stream:
                for _ in range(3):
                    await anext(stream)
                reading = asyncio.create_task(anext(stream))
                await asyncio.sleep(0.2)
                with pytest.raises(trio.BusyResourceError):
                    await anext(stream)
                reading.cancel()

    ollama_simulator.set_faults(STALL)
    asyncio.run(main())


def test_a_fetcher_works(run: Run) -> None:
    """Addresses are fetched without an engine, and refused as under trio."""

    async def main() -> None:
        with pytest.raises(aio.FetchRefusedError):
            await aio.Fetcher().fetch("http://127.0.0.1:1/picture.png")

    run(main())
