"""What stands in a mirror for each method and property of the engine's class."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from importlib import import_module
from typing import Any

from triollama_adapters.portal.bell import call_plain
from triollama_adapters.portal.mirror import ADAPTED, HOMES, Mirror

__all__ = ["maker_of", "mirrored"]


def mirrored(name: str, member: Any, base: type[Mirror]) -> Any:
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


def maker_of(native: type) -> Callable[..., None]:
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
