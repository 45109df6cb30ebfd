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
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Final

from triollama_adapters.portal.bell import call_plain
from triollama_adapters.portal.block import Lease
from triollama_adapters.portal.loop import Portal

if TYPE_CHECKING:
    from triollama_adapters.portal.mirrors import Mirrors

__all__ = ["HIDDEN", "HOMES", "MADE_BY_USERS", "READ_AHEAD", "Mirror", "public_members"]

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
