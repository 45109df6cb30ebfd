"""`Mirrors`: the classes of one side, each made when it is first needed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, _AsyncGeneratorContextManager
from importlib import import_module
from types import GenericAlias
from typing import Any

from triollama_adapters.portal.block import Lease
from triollama_adapters.portal.loop import Portal
from triollama_adapters.portal.members import maker_of, mirrored
from triollama_adapters.portal.mirror import HOMES, MADE_BY_USERS, Mirror, public_members

__all__ = ["Mirrors"]


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
            names[name] = mirrored(name, member, bases[0])
        if native.__name__ in MADE_BY_USERS:
            names["__init__"] = maker_of(native)
        return type(native.__name__, bases, names)


def _is_mirrored(native: type) -> bool:
    if native is _AsyncGeneratorContextManager:
        return True
    if not native.__module__.startswith("triollama."):
        return False
    return native.__name__ in HOMES or issubclass(
        native, AbstractAsyncContextManager | AsyncIterator
    )
