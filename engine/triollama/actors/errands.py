"""The errands actor: long work that several callers may wait for, each in one task.

Owns: the nursery of the tasks, and the errands by their keys. A second caller with the same key
joins the first one's errand. Who waits is told what happens, by `Listener`; when the last one has
left, the task is cancelled. An errand that fails ends for all who wait for it, and for nobody else.

When the actor is stopped, all errands end with `EngineClosedError`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, Protocol, TypeVar

import trio

from triollama._errors import (
    EngineClosedError,
    EngineFaultError,
    StreamCancelledError,
    TriollamaError,
)

__all__ = ["Errand", "Errands", "Listener"]

E_contra = TypeVar("E_contra", contravariant=True)
E = TypeVar("E")

_log = logging.getLogger("triollama")


class Listener(Protocol[E_contra]):
    """Somebody who waits for an errand."""

    def tell(self, event: E_contra, /) -> None:
        """Something happened. Never waits."""

    def tell_ended(self) -> None:
        """It has ended, well or not. Never waits."""


class Errand(Generic[E]):
    """One piece of work, and those who wait for it. Made by `Errands.join`.

    Attributes:
        latest: what was told last; None before anything was.
        value: what came of it; None while it runs, and if it failed.
        error: why it failed; None if it went well.
        ended: set when it has ended and holds nothing any more.
        scope: cancelled when nobody waits for it any more.
        listeners: who waits.
    """

    def __init__(self) -> None:
        self.latest: E | None = None
        self.value: Any = None
        self.error: TriollamaError | None = None
        self.ended = trio.Event()
        self.scope = trio.CancelScope()
        self.listeners: list[Listener[E]] = []

    @property
    def is_shared(self) -> bool:
        """Whether more than one waits for it."""
        return len(self.listeners) > 1

    def tell(self, event: E) -> None:
        """Tell all who wait."""
        self.latest = event
        for listener in self.listeners:
            listener.tell(event)


class Errands:
    """Runs errands; see the module."""

    def __init__(self) -> None:
        self._nursery: trio.Nursery | None = None
        self._by_key: dict[Hashable, Errand[Any]] = {}

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run errands until cancelled."""
        try:
            async with trio.open_nursery() as self._nursery:
                task_status.started()
                await trio.sleep_forever()
        finally:
            self._nursery = None

    def join(
        self,
        key: Hashable,
        listener: Listener[E],
        work: Callable[[Errand[E]], Awaitable[object]],
    ) -> Errand[E]:
        """Wait for an errand; it is begun if there is none with this key.

        Args:
            key: what makes two errands the same.
            listener: who waits.
            work: what to do; it is given the errand, to tell of what happens, and returns what came
                of it.

        Raises:
            EngineClosedError: the engine is closed.
        """
        errand: Errand[E] | None = self._by_key.get(key)
        if errand is None:
            if self._nursery is None:
                raise EngineClosedError("the engine is closed")
            errand = self._by_key[key] = Errand()
            self._nursery.start_soon(self._perform, errand, work)
        errand.listeners.append(listener)
        return errand

    def leave(self, errand: Errand[Any], listener: Listener[Any]) -> bool:
        """Wait no more; whether the errand goes on, for others. Never waits.

        If it does not, it holds what it holds until `Errand.ended`.
        """
        listeners = errand.listeners
        if listener in listeners:
            listeners.remove(listener)
        if not listeners and not errand.ended.is_set():
            self._forget(errand)  # at once: nobody may join what is being stopped
            errand.scope.cancel()
        return bool(listeners)

    async def _perform(
        self, errand: Errand[E], work: Callable[[Errand[E]], Awaitable[object]]
    ) -> None:
        errand.error = EngineClosedError("the engine was closed")
        try:
            with errand.scope:
                errand.value = await work(errand)
                errand.error = None
            if errand.scope.cancelled_caught:
                errand.error = StreamCancelledError("everybody left before the end")
        except TriollamaError as error:
            errand.error = error
        except Exception as error:  # noqa: BLE001 - a defect ends this errand, not the others
            _log.error("an errand failed unexpectedly", exc_info=error)
            errand.error = EngineFaultError("the work failed unexpectedly")
            errand.error.__cause__ = error
        finally:
            self._forget(errand)
            errand.ended.set()
            for listener in errand.listeners:
                listener.tell_ended()

    def _forget(self, errand: Errand[Any]) -> None:
        for key, each in list(self._by_key.items()):
            if each is errand:
                del self._by_key[key]
