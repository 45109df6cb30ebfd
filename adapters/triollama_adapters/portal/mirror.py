"""Classes that look like the engine's own, for programs that are not trio's.

A mirror holds an object of the engine's. It has its public methods and properties, with their
parameters and documentation, so that what the engine learns is there as well. How a call waits is
settled by the base classes of `triollama_adapters.blocking` and `triollama_adapters.aio`. What type
checkers see is written down by `stubs`.

Plain methods and properties are called in the loop's thread, which takes some tens of microseconds:
nothing of the engine's is touched by two threads.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, _AsyncGeneratorContextManager
from importlib import import_module
from types import GenericAlias
from typing import Any, ClassVar, Final

from triollama_adapters.portal.bell import call_plain
from triollama_adapters.portal.block import Lease
from triollama_adapters.portal.loop import Portal

__all__ = ["HIDDEN", "HOMES", "MADE_BY_USERS", "READ_AHEAD", "Mirror", "Mirrors", "public_members"]

HOMES: Final = {
    "Chat": "triollama.conversation",
    "EmbedRun": "triollama.volume",
    "Engine": "triollama",
    "FormedRequest": "triollama.conversation",
    "Opening": "triollama._runtime",
    "Progress": "triollama",
    "Request": "triollama.conversation",
    "SpeechOpening": "triollama.media",
    "SpeechStream": "triollama",
    "Stream": "triollama",
    "StructuredStream": "triollama",
    "Subscription": "triollama",
    "ToolRun": "triollama",
    "Transfer": "triollama",
    "Turn": "triollama.conversation",
}
"""The classes that are mirrored, and where they are."""

MADE_BY_USERS: Final = frozenset(("Chat",))
"""Those that a program makes itself; their first argument is an engine."""

READ_AHEAD: Final = frozenset(("Stream", "StructuredStream"))
"""Those that lose nothing by being read a little ahead; others would tell other things of
themselves than what their reader has seen."""

HIDDEN: Final = frozenset(
    ("Progress.begin", "Progress.leave", "Progress.tell", "Progress.tell_ended")
)
"""Members that the engine's own parts call."""

ADAPTED: Final = frozenset(("texts", "tools"))
"""Parameters that bring code of the program's, which may not run just anywhere."""


class Mirror:
    """What all mirrors have in common; each side has a base class of its own.

    It is made of an object of the engine's by `adopt`.
    """

    mirrors: ClassVar[Mirrors]
    _native: Any
    _portal: Portal
    _lease: Lease | None = None

    def __init__(self, *_: object, **__: object) -> None:
        raise TypeError(f"{type(self).__name__} is made by methods of an engine")

    def __repr__(self) -> str:
        return repr(self._native)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return self._plain(functools.partial(getattr, self._native, name))

    @classmethod
    def adopt(cls, native: Any, portal: Portal, lease: Lease | None = None) -> Mirror:
        """A mirror of an object; one that a block gave keeps the block's lease."""
        mirror = cls.__new__(cls)
        mirror.settle(native, portal, lease)
        return mirror

    def settle(self, native: Any, portal: Portal, lease: Lease | None = None) -> None:
        """Begin to mirror an object."""
        self._native = native
        self._portal = portal
        self._lease = lease

    def adapt(self, name: str, value: Any) -> Any:
        """An argument as the loop can use it.

        Args:
            name: one of `ADAPTED`.
            value: what the program gave.
        """
        raise NotImplementedError

    @classmethod
    def coroutine_method(cls, name: str) -> Callable[..., Any]:
        """What stands for a coroutine method of that name."""
        raise NotImplementedError

    @classmethod
    def told(cls, doc: str | None) -> str | None:
        """Documentation in the words of this side."""
        return doc

    # ---- inside

    def _plain(self, do: Callable[[], Any]) -> Any:
        return self._wrap(call_plain(self._portal, do))

    def _wrap(self, value: Any) -> Any:
        return self.mirrors.wrap(value, self._portal)


class Mirrors:
    """The mirrors of one side.

    Args:
        bases_of: the base classes for a class of the engine's; the first is a `Mirror`.
        module: where users find them.
    """

    def __init__(self, bases_of: Callable[[type], tuple[type[Mirror], ...]], module: str) -> None:
        self._bases_of = bases_of
        self._module = module
        self._classes: dict[type, type[Mirror] | None] = {}

    def named(self, name: str) -> type[Mirror]:
        """The mirror of one of `HOMES`."""
        found = self.of(getattr(import_module(HOMES[name]), name))
        assert found is not None
        return found

    def of(self, native: type) -> type[Mirror] | None:
        """The mirror of a class of the engine's; None if it needs none."""
        try:
            return self._classes[native]
        except KeyError:
            made = self._make(native) if _is_mirrored(native) else None
            return self._classes.setdefault(native, made)

    def wrap(self, value: Any, portal: Portal, lease: Lease | None = None) -> Any:
        """A mirror of a value, if it needs one; else itself."""
        found = self.of(type(value))
        return value if found is None else found.adopt(value, portal, lease)

    def _make(self, native: type) -> type[Mirror]:
        bases = self._bases_of(native)
        names: dict[str, Any] = {
            "__doc__": bases[0].told(native.__doc__),
            "__module__": self._module,
            "__class_getitem__": classmethod(GenericAlias),
        }
        for name, member in public_members(native):
            names[name] = _mirrored(name, member, bases[0])
        if native.__name__ in MADE_BY_USERS:
            names["__init__"] = _maker(native)
        return type(native.__name__, bases, names)


def public_members(native: type) -> Iterator[tuple[str, Any]]:
    """Public methods and properties of a class, as they stand in it or in its bases."""
    seen: set[str] = set()
    for each in native.__mro__:
        if not each.__module__.startswith("triollama."):
            continue
        for name, member in vars(each).items():
            is_member = inspect.isfunction(member) or isinstance(member, property | classmethod)
            is_hidden = name.startswith("_") or f"{native.__name__}.{name}" in HIDDEN
            if is_member and not is_hidden and name not in seen:
                seen.add(name)
                yield name, member


def _is_mirrored(native: type) -> bool:
    if native is _AsyncGeneratorContextManager:
        return True
    if not native.__module__.startswith("triollama."):
        return False
    return native.__name__ in HOMES or issubclass(
        native, AbstractAsyncContextManager | AsyncIterator
    )


def _mirrored(name: str, member: Any, base: type[Mirror]) -> Any:
    """What stands for one member."""
    if isinstance(member, property):
        return property(_reader(name), doc=base.told(member.__doc__))
    if isinstance(member, classmethod):
        return classmethod(_dressed(_plain_maker(name), member.__func__, base))
    if inspect.iscoroutinefunction(member):
        return _dressed(_adapting(base.coroutine_method(name), member), member, base)
    return _dressed(_adapting(_plain_method(name), member), member, base)


def _reader(name: str) -> Callable[[Any], Any]:
    def read(self: Any) -> Any:
        return self._plain(functools.partial(getattr, self._native, name))

    return read


def _plain_method(name: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self._plain(functools.partial(getattr(self._native, name), *args, **kwargs))

    return method


def _plain_maker(name: str) -> Callable[..., Any]:
    def method(cls: Any, engine: Any, *args: Any, **kwargs: Any) -> Any:
        native = _native_of(cls)
        kwargs = _adapt_named(engine, kwargs)
        make = functools.partial(getattr(native, name), engine._native, *args, **kwargs)  # noqa: SLF001
        return engine._plain(make)  # noqa: SLF001

    return method


def _native_of(mirror: type[Mirror]) -> Any:
    return getattr(import_module(HOMES[mirror.__name__]), mirror.__name__)


def _maker(native: type) -> Callable[..., None]:
    """The ``__init__`` of what programs make themselves."""

    def init(self: Any, engine: Any, *args: Any, **kwargs: Any) -> None:
        if not isinstance(engine, Mirror):
            kind = type(engine).__name__
            raise TypeError(f"{native.__name__} needs an engine of the same module, not {kind}")
        kwargs = _adapt_named(engine, kwargs)
        make = functools.partial(native, engine._native, *args, **kwargs)  # noqa: SLF001
        self.settle(call_plain(engine._portal, make), engine._portal)  # noqa: SLF001

    init.__name__ = "__init__"
    dressed: Callable[..., None] = _dressed(init, vars(native)["__init__"], Mirror)
    return dressed


def _adapting(method: Callable[..., Any], function: Any) -> Callable[..., Any]:
    """A method whose arguments are adapted first, where there are any to be."""
    parameters = [*inspect.signature(function).parameters.values()][1:]
    named = [each.name for each in parameters]
    takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters)
    if not takes_any and ADAPTED.isdisjoint(named):
        return method
    # A name for each argument by position, those of ``*args`` all alike.
    rest = next((each.name for each in parameters if each.kind is each.VAR_POSITIONAL), "")
    by_place = named[: named.index(rest)] if rest else named

    def adapted(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if rest in ADAPTED:
            args = (*args[: len(by_place)], *self.adapt(rest, args[len(by_place) :]))
        elif not ADAPTED.isdisjoint(by_place[: len(args)]):
            pairs = zip(by_place, args, strict=False)
            head = [self.adapt(name, each) if name in ADAPTED else each for name, each in pairs]
            args = (*head, *args[len(head) :])
        return method(self, *args, **_adapt_named(self, kwargs))

    if inspect.iscoroutinefunction(method):

        async def adapting(self: Any, *args: Any, **kwargs: Any) -> Any:
            return await adapted(self, args, kwargs)

        return adapting
    return lambda self, *args, **kwargs: adapted(self, args, kwargs)


def _adapt_named(mirror: Mirror, kwargs: dict[str, Any]) -> dict[str, Any]:
    for name in ADAPTED:
        if name in kwargs:
            kwargs[name] = mirror.adapt(name, kwargs[name])
    return kwargs


def _dressed(method: Callable[..., Any], function: Any, base: type[Mirror]) -> Any:
    """A method with the name, documentation and signature of the engine's own."""
    functools.update_wrapper(method, function)
    method.__doc__ = base.told(function.__doc__)
    vars(method).pop("__wrapped__")  # who follows it meets a coroutine
    vars(method)["__signature__"] = inspect.signature(function)
    return method
