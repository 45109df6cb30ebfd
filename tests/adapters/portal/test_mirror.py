"""Both sides offer what the engine offers, to programs and to type checkers."""

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import triollama
from triollama_adapters import aio, blocking
from triollama_adapters.portal.mirror import HOMES, public_members
from triollama_adapters.portal.stub_sides import AIO, BLOCKING, Side
from triollama_adapters.portal.stubs import formatted, path_of

SIDES = pytest.mark.parametrize("side", [blocking, aio], ids=["blocking", "aio"])
CLASSES = pytest.mark.parametrize("name", sorted(HOMES))


def native_of(name: str) -> Any:
    """The engine's class of that name."""
    return getattr(import_module(HOMES[name]), name)


@SIDES
def test_every_public_name_is_there(side: ModuleType) -> None:
    """A program that imports another module in place of triollama finds all names."""
    for name in triollama.__all__:
        found = getattr(side, name)
        if name not in HOMES and name not in {"Fetcher", "open_engine"}:
            assert found is getattr(triollama, name), name
    assert {*triollama.__all__} <= {*dir(side)}


@SIDES
def test_other_names_are_not(side: ModuleType) -> None:
    """A name that does not exist is told as of any module."""
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = side.nothing


@SIDES
@CLASSES
def test_members_have_the_same_signatures(side: ModuleType, name: str) -> None:
    """Each public method and property exists, with equal parameters, annotations and kind."""
    native, mirror = native_of(name), getattr(side, name)
    for member, found in public_members(native):
        mirrored = inspect.getattr_static(mirror, member)
        assert type(mirrored) is type(found), member
        if isinstance(found, property):
            continue
        expected = inspect.signature(getattr(native, member))
        assert inspect.signature(getattr(mirror, member)) == expected, member
        assert getattr(mirror, member).__doc__, member
        is_coroutine = inspect.iscoroutinefunction(found) and side is aio
        assert inspect.iscoroutinefunction(mirrored) is is_coroutine, member


@CLASSES
def test_blocks_and_iterators_are_what_they_are(name: str) -> None:
    """``async with`` becomes ``with`` for blocking programs, ``async for`` becomes ``for``."""
    pairs = {
        "__aenter__": "__enter__",
        "__aexit__": "__exit__",
        "__anext__": "__next__",
        "__await__": "result",
    }
    for dunder, plain in pairs.items():
        assert hasattr(native_of(name), dunder) == hasattr(getattr(aio, name), dunder)
        if hasattr(native_of(name), dunder):
            assert hasattr(getattr(blocking, name), plain)
            assert not hasattr(getattr(blocking, name), dunder)


@SIDES
def test_mirrors_are_not_made_by_hand(side: ModuleType) -> None:
    """What methods of an engine make says so."""
    with pytest.raises(TypeError, match="Stream is made by methods of an engine"):
        side.Stream()
    with pytest.raises(TypeError, match="needs an engine of the same module, not str"):
        side.Chat("an engine", "llama3.2")


def test_documentation_speaks_of_no_async() -> None:
    """The help of a blocking method has no ``await`` in it."""
    for name in HOMES:
        for member, _ in public_members(native_of(name)):
            doc = getattr(getattr(blocking, name), member).__doc__ or ""
            assert not any(word in doc for word in ("async with", "async for", "await ")), member


@pytest.mark.slow
@pytest.mark.parametrize("side", [BLOCKING, AIO], ids=["blocking", "aio"])
def test_stubs_are_up_to_date(side: Side) -> None:
    """What type checkers see is what the engine's source says now."""
    is_same = path_of(side).read_text() == formatted(side)
    assert is_same, "run: python -m triollama_adapters.portal.stubs"


PROGRAM = """
from typing import assert_type
import attrs
from triollama_adapters import aio, blocking

@attrs.frozen
class City:
    name: str

def wait() -> None:
    with blocking.open_engine("http://gpu-1:11434") as engine:
        assert_type(engine, blocking.Engine)
        assert_type(engine.chat("m", "?"), blocking.ChatResponse)
        assert_type(engine.chat("m", "?", format=City), City)
        with engine.stream_chat("m", "?") as stream:
            assert_type(stream, blocking.Stream[blocking.ChatChunk, blocking.ChatResponse])
            for chunk in stream:
                assert_type(chunk, blocking.ChatChunk)
            assert_type(stream.collect(), blocking.ChatResponse)
        with engine.stream_chat("m", "?", format=City) as formed:
            assert_type(formed.parsed(), City)
            for part in formed.partials():
                assert_type(part.whole, City | None)
        for chunk in engine.stream_chat("m", "?"):
            assert_type(chunk, blocking.ChatChunk)
        assert_type(engine.pull("m").result(), blocking.TransferResult)
        for event in engine.pull("m"):
            assert_type(event, blocking.TransferEvent)
        assert_type(engine.request("m").user("?").send(), blocking.ChatResponse)
        assert_type(blocking.Chat(engine, "m").ask("?"), blocking.ChatResponse)
        with engine.subscribe() as facts:
            for fact in facts:
                assert_type(fact, blocking.Fact)
    blocking.start_engine().close()

async def wait_not() -> None:
    async with aio.open_engine() as engine:
        assert_type(engine, aio.Engine)
        assert_type(await engine.chat("m", "?", format=City), City)
        async with engine.stream_chat("m", "?") as stream:
            async for chunk in stream:
                assert_type(chunk, aio.ChatChunk)
        assert_type(await engine.pull("m"), aio.TransferResult)
        assert_type(await aio.Chat(engine, "m", format=City).ask("?"), City)
        async with engine.run_tools("m", "?", tools=[]) as run:
            async for event in run:
                assert_type(event, aio.ToolEvent)
"""


@pytest.mark.slow
def test_type_checkers_know_it_all(tmp_path: Path) -> None:
    """A program of both kinds has the engine's types, under mypy's strictest settings."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    root = Path(__file__).parents[3]
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", str(path)]
    checked = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
