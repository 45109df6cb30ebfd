"""How many requests of a job are with the engine at a time: each holds a place meanwhile.

A row gives its place back whenever it waits, for a server that is away or between two tries, so
that another row can be begun; to be asked again it needs one again. Who waits for a place gets it
before any new row is begun, in the order of coming, but for those whose model may not have more.

Bounds: those of `Bounds`; without any, everybody gets a place at once. Who waits may be cancelled
at any time.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Protocol

import attrs
import trio

from triollama_adapters.batch.errors import RowLeftError

__all__ = ["Bounds", "Places"]


class Bounds(Protocol):
    """What bounds a job's requests, as things stand."""

    @property
    def capacity(self) -> int:
        """How many there may be at a time, at least 1."""

    def capacity_of(self, model: str) -> int:
        """How many of them may be of one model, at least 1."""


@attrs.define(eq=False)
class _Waiter:
    """A row that waits for a place."""

    model: str
    number: int
    is_told: trio.Event = attrs.field(factory=trio.Event)
    has_place: bool = False


class Places:
    """See the module.

    Attributes:
        bounds: may be set before anybody has asked for a place; None: there are none.
    """

    def __init__(self) -> None:
        self.bounds: Bounds | None = None
        self._taken: dict[str, int] = {}
        self._taken_sum = 0
        self._lines: dict[str, OrderedDict[int, _Waiter]] = {}
        self._came = 0
        self._is_closed = False

    @property
    def taken(self) -> int:
        """How many have a place."""
        return self._taken_sum

    @property
    def waiting(self) -> Mapping[str, int]:
        """How many wait for one, for each model; only those that have some."""
        return {model: len(line) for model, line in self._lines.items()}

    def wanted(self, model: str) -> int:
        """How many rows of a model have a place or wait for one."""
        return self._taken.get(model, 0) + len(self._lines.get(model, ()))

    async def take(self, model: str) -> None:
        """Wait for a place, to be given back with `give_back`. If cancelled, there is none.

        Raises:
            RowLeftError: there is no place just now, and the job is to stop.
        """
        if not self._lines and self._may(model):
            self._note(model, 1)
            return
        self._came += 1
        waiter = _Waiter(model, self._came)
        self._lines.setdefault(model, OrderedDict())[waiter.number] = waiter
        try:
            self.look()
            if not waiter.has_place and not self._is_closed:
                await waiter.is_told.wait()
        except BaseException:
            self._forget(waiter)
            raise
        if not waiter.has_place:
            self._forget(waiter)
            raise RowLeftError("the job stops; the row is asked when it is resumed")

    def give_back(self, model: str) -> None:
        """Give a place back, to who waits for it."""
        self._note(model, -1)
        self.look()

    def look(self) -> None:
        """Give away the places that are free, as the bounds may have changed."""
        while self._lines:
            firsts = (
                next(iter(line.values())) for model, line in self._lines.items() if self._may(model)
            )
            first = min(firsts, key=lambda waiter: waiter.number, default=None)
            if first is None:
                return
            self._leave_line(first)
            first.has_place = True
            self._note(first.model, 1)
            first.is_told.set()

    def close(self) -> None:
        """Send away all who wait, now and later; places that are free can still be had."""
        self._is_closed = True
        for line in self._lines.values():
            for waiter in line.values():
                waiter.is_told.set()

    # ---- inside

    def _may(self, model: str) -> bool:
        if self.bounds is None:
            return True
        if self._taken_sum >= self.bounds.capacity:
            return False
        return self._taken.get(model, 0) < self.bounds.capacity_of(model)

    def _note(self, model: str, count: int) -> None:
        self._taken_sum += count
        taken = self._taken.get(model, 0) + count
        if taken:
            self._taken[model] = taken
        else:
            del self._taken[model]

    def _leave_line(self, waiter: _Waiter) -> None:
        line = self._lines[waiter.model]
        del line[waiter.number]
        if not line:
            del self._lines[waiter.model]

    def _forget(self, waiter: _Waiter) -> None:
        """Give back what it has: its place, or the one in line."""
        if waiter.has_place:
            self.give_back(waiter.model)
        else:
            self._leave_line(waiter)
