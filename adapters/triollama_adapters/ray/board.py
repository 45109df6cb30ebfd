"""Which worker is given which row, and what becomes of the rows of a worker that died. No IO.

Rows wait in one line; each worker is given as many as its share of `rows_max` allows, and shares
are made anew whenever a worker comes or goes. A worker that dies with its process puts each of its
rows under suspicion: they go to the front, but only to a worker that holds nothing besides them,
and each time there are a quarter as many of them together. So the row that kills workers is alone
in the end, which costs one worker for each factor of four in the share, and all others are
answered. A machine that dies says nothing about its rows.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

import attrs

__all__ = ["Board", "Held", "company_max"]

ALONE_DEATHS_MIN: Final = 2
"""Workers that must have died with a row before it is given up, the last one with it alone: a
single death is as likely the machine's doing."""

DEATHS_MAX: Final = 12
"""Workers that one row may take with it in any company."""

LOSSES_MAX: Final = 20
"""Workers of any fate that may be lost with one row: on machines that come and go a long row is
lost often, but not for ever."""


@attrs.define(eq=False)
class Held:
    """A row on its way.

    Attributes:
        ticket: which one it is.
        content: the row, packed.
        model: the one that it asks.
        worker: who has it; None while it waits.
        deaths: workers whose process died while they had it.
        losses: workers that were lost in any way while they had it.
    """

    ticket: int
    content: bytes = attrs.field(repr=False)
    model: str = ""
    worker: str | None = None
    deaths: int = 0
    losses: int = 0


@attrs.define
class _Place:
    """A worker."""

    models: frozenset[str] | None = None
    room: int | None = None
    rows: dict[int, Held] = attrs.field(factory=dict)
    level: int = 0
    is_examining: bool = False


def company_max(deaths: int, share: int) -> int:
    """How many rows may be with a worker whose rows are under that suspicion.

    Args:
        deaths: workers that died with such a row.
        share: what a worker may hold otherwise.
    """
    return max(1, share >> 2 * min(deaths, 32))


class Board:
    """Every row that is on its way, and who has it.

    Args:
        rows_max: rows that all workers together may hold; at least one for each.
    """

    def __init__(self, rows_max: int) -> None:
        self._rows_max = rows_max
        self._tickets = 0
        self._fresh: dict[str, OrderedDict[int, Held]] = {}
        self._suspects: dict[int, deque[Held]] = {}
        self._places: dict[str, _Place] = {}

    @property
    def share(self) -> int:
        """Rows that one worker may hold."""
        return max(1, -(-self._rows_max // max(1, len(self._places))))

    def held_by(self, worker: str) -> int:
        """How many rows a worker has; 0 for one that is not there."""
        place = self._places.get(worker)
        return len(place.rows) if place is not None else 0

    def add(self, content: bytes, model: str = "") -> Held:
        """Take a row.

        Args:
            content: the row, packed.
            model: the one that it asks.
        """
        self._tickets += 1
        held = Held(self._tickets, content, model)
        self._fresh.setdefault(model, OrderedDict())[held.ticket] = held
        return held

    def join(self, worker: str, models: frozenset[str] | None = None) -> None:
        """A worker can be given rows from now on.

        Args:
            worker: its name.
            models: those that its servers have; rows that ask another one go to a worker that has
                it, if there is any. None: all.
        """
        assert worker not in self._places
        self._places[worker] = _Place(models)

    def set_room(self, worker: str, room: int) -> None:
        """A worker can use so many rows at once; before that is known, its share."""
        if (place := self._places.get(worker)) is not None:
            place.room = room

    def leave(self, worker: str, *, is_its_fault: bool) -> list[Held]:
        """A worker is lost: its rows go to others, but those that are given up.

        Args:
            worker: which one; one that never joined had nothing.
            is_its_fault: whether its process died, rather than the machine under it.

        Returns:
            The rows that nobody is to ask again.
        """
        place = self._places.pop(worker, None)
        given_up = []
        for held in reversed(place.rows.values() if place is not None else ()):
            held.worker = None
            held.losses += 1
            held.deaths += is_its_fault
            assert place is not None
            if _is_given_up(held, was_alone=len(place.rows) == 1 and is_its_fault):
                given_up.append(held)
            else:
                self._put_first(held)
        return given_up

    def take(self, worker: str, count_max: int, size_max: int) -> list[Held]:
        """Give a worker rows, perhaps none.

        Args:
            worker: which one; it has joined.
            count_max: so many at once.
            size_max: bytes of their content together, but one row in any case.
        """
        place = self._places[worker]
        self._choose_examiner()
        taken: list[Held] = []
        size = 0
        while len(taken) < count_max and (first := self._next_for(place)) is not None:
            size += len(first.content)
            if taken and size > size_max:
                break
            self._forget(first)
            first.worker = worker
            place.rows[first.ticket] = first
            place.level = first.deaths
            taken.append(first)
        return taken

    def done(self, worker: str, ticket: int) -> Held | None:
        """A worker has the outcome of a row; None if that row is nobody's, or another's, by now."""
        place = self._places.get(worker)
        held = place.rows.pop(ticket, None) if place is not None else None
        if held is not None:
            held.worker = None
        return held

    def drop(self, held: Held) -> str | None:
        """Nobody wants a row any more; who is to be told, if it was given to somebody."""
        if (worker := held.worker) is not None:
            self.done(worker, held.ticket)
            return worker
        self._forget(held)
        return None

    # ---- lines

    def _put_first(self, held: Held) -> None:
        if held.deaths:
            self._suspects.setdefault(held.deaths, deque()).appendleft(held)
        else:
            line = self._fresh.setdefault(held.model, OrderedDict())
            line[held.ticket] = held
            line.move_to_end(held.ticket, last=False)

    def _forget(self, held: Held) -> None:
        """Take a row out of the line in which it waits, if it does."""
        if held.deaths:
            if held in (suspects := self._suspects.get(held.deaths, deque())):
                suspects.remove(held)
        elif (line := self._fresh.get(held.model)) is not None:
            line.pop(held.ticket, None)
            if not line:
                del self._fresh[held.model]

    def _next_for(self, place: _Place) -> Held | None:
        """The row that a worker may take next; None if it may take none."""
        for level in self._levels_for(place):
            if len(place.rows) < company_max(level, self.share):
                for held in self._suspects[level]:
                    if self._suits(place, held.model):
                        return held
        if place.is_examining or (place.rows and place.level) or not self._has_room(place):
            return None
        firsts = (
            next(iter(line.values()))
            for model, line in self._fresh.items()
            if self._suits(place, model)
        )
        return min(firsts, key=lambda held: (-held.losses, held.ticket), default=None)

    def _levels_for(self, place: _Place) -> list[int]:
        """Which suspects a worker may be given, in the order in which they are to be tried."""
        levels = sorted((level for level, line in self._suspects.items() if line), reverse=True)
        if not place.rows:
            return levels
        return [place.level] if place.level in levels and place.level else []

    def _has_room(self, place: _Place) -> bool:
        room = self.share if place.room is None else min(place.room, self.share)
        return len(place.rows) < room

    def _suits(self, place: _Place, model: str) -> bool:
        """Whether a worker may be given rows of a model: its servers have it, or nobody's do."""
        if place.models is None or model in place.models:
            return True
        return not any(
            each.models is None or model in each.models for each in self._places.values()
        )

    def _choose_examiner(self) -> None:
        """See to it that one worker becomes free for suspects, if there are any."""
        is_needed = any(self._suspects.values())
        examiners = [place for place in self._places.values() if place.is_examining]
        if not is_needed:
            for place in examiners:
                place.is_examining = False
        elif not examiners:
            min(self._places.values(), key=lambda place: len(place.rows)).is_examining = True


def _is_given_up(held: Held, *, was_alone: bool) -> bool:
    is_guilty = was_alone and held.deaths >= ALONE_DEATHS_MIN
    return is_guilty or held.deaths >= DEATHS_MAX or held.losses >= LOSSES_MAX
