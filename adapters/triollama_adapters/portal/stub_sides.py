"""How the blocking side and asyncio's differ from the engine, in signatures and words."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

import attrs

from triollama_adapters.portal.words import without_async

__all__ = ["AIO", "BLOCKING", "Side"]

Function = ast.FunctionDef | ast.AsyncFunctionDef


@attrs.frozen
class Side:
    """One side.

    Attributes:
        name: of its package.
        is_async: whether it has coroutines.
        dunders: the special methods that it has, by their names in the engine.
        renames: names of the standard library that it needs in place of others.
        extras: methods that only it has, by class.
        own: public names that are its own.
        tail: what else its package has, as source.
    """

    name: str
    is_async: bool
    dunders: Mapping[str, str]
    renames: dict[str, str]
    extras: Mapping[str, str]
    own: frozenset[str]
    tail: str

    def told(self, doc: str) -> str:
        """Documentation in the words of this side."""
        return doc if self.is_async else without_async(doc)

    def stub(self, function: Function, doc: str | None) -> Function:
        """The signature of a method of the engine's."""
        found = deepcopy(function)
        is_async = isinstance(found, ast.AsyncFunctionDef) and self.is_async
        decorators = [ast.unparse(each) for each in found.decorator_list]
        if "asynccontextmanager" in decorators:
            is_async = False
            assert isinstance(found.returns, ast.Subscript)
            found.returns.value = ast.Name("AbstractAsyncContextManager")
            found.decorator_list = []
        if found.name == "__anext__" and isinstance(found, ast.FunctionDef) and not self.is_async:
            assert isinstance(found.returns, ast.Subscript)
            found.returns = found.returns.slice
        if found.name == "__await__" and not self.is_async:
            assert isinstance(found.returns, ast.Subscript)
            assert isinstance(found.returns.slice, ast.Tuple)
            found.returns = found.returns.slice.elts[-1]
        body: list[ast.stmt] = [ast.Expr(ast.Constant(...))]
        if doc is not None:
            body = [ast.Expr(ast.Constant(self.told(doc)))]
        kind: Any = ast.AsyncFunctionDef if is_async else ast.FunctionDef
        made: Function = kind(
            name=self.dunders.get(found.name, found.name),
            args=found.args,
            body=body,
            decorator_list=found.decorator_list,
            returns=found.returns,
        )
        return made

    def iterating(self, following: Function) -> tuple[str, list[ast.stmt]]:
        """The method that gives the iterator, where the engine's class inherits it."""
        name = self.dunders["__aiter__"]
        assert following.returns is not None
        kind = "AsyncIterator" if self.is_async else "Iterator"
        source = f"def {name}(self) -> {kind}[{ast.unparse(following.returns)}]: ..."
        return name, [*ast.parse(source).body]


_SPECIAL: Final = ("__aenter__", "__aexit__", "__aiter__", "__anext__", "__await__")

_OPEN: Final = """
    *endpoints: str | EndpointConfig,
    config: EngineConfig | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
"""

BLOCKING: Final = Side(
    name="blocking",
    is_async=False,
    dunders=dict(
        zip(_SPECIAL, ("__enter__", "__exit__", "__iter__", "__next__", "result"), strict=True)
    ),
    renames={
        "AbstractAsyncContextManager": "AbstractContextManager",
        "AsyncIterator": "Iterator",
    },
    extras={
        "Engine": "def close(self) -> None: ...",
        "Opening": "def __iter__(self) -> Iterator[C]: ...",
        "SpeechOpening": "def __iter__(self) -> Iterator[str]: ...",
        "Transfer": "def __iter__(self) -> Iterator[TransferEvent]: ...",
    },
    own=frozenset(("EngineOpening", "Fetcher", "fail_after", "open_engine", "start_engine")),
    tail=f"""
class Fetcher(triollama.Fetcher):
    def fetch(self, url: str) -> bytes: ...

class EngineOpening:
    def __enter__(self) -> Engine: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

def open_engine({_OPEN}) -> EngineOpening: ...
def start_engine({_OPEN}) -> Engine: ...
def fail_after(seconds: float) -> AbstractContextManager[None]: ...
""",
)
AIO: Final = Side(
    name="aio",
    is_async=True,
    dunders=dict(zip(_SPECIAL, _SPECIAL, strict=True)),
    renames={},
    extras={},
    own=frozenset(("EngineOpening", "Fetcher", "open_engine")),
    tail=f"""
class Fetcher(triollama.Fetcher):
    async def fetch(self, url: str) -> bytes: ...

class EngineOpening:
    async def __aenter__(self) -> Engine: ...
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

def open_engine({_OPEN}) -> EngineOpening: ...
""",
)
