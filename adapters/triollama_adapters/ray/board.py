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
        worker: who has it; None while it waits.
        deaths: workers whose process died while they had it.
        losses: workers that were lost in any way while they had it.
    """

    ticket: int
    content: bytes = attrs.field(repr=False)
    worker: str | None = None
    deaths: int = 0
    losses: int = 0


@attrs.define
class _Place:
    """A worker."""

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
        self._fresh: OrderedDict[int, Held] = OrderedDict()
        self._suspects: dict[int, deque[Held]] = {}
        self._places: dict[str, _Place] = {}

    @property
    def workers(self) -> int:
        """How many there are."""
        return len(self._places)

    @property
    def share(self) -> int:
        """Rows that one worker may hold."""
        return max(1, -(-self._rows_max // max(1, len(self._places))))

    @property
    def waiting(self) -> int:
        """Rows that nobody has."""
        return len(self._fresh) + sum(map(len, self._suspects.values()))

    def held_by(self, worker: str) -> int:
        """How many rows a worker has; 0 for one that is not there."""
        place = self._places.get(worker)
        return len(place.rows) if place is not None else 0

    def add(self, content: bytes) -> Held:
        """Take a row."""
        self._tickets += 1
        held = self._fresh[self._tickets] = Held(self._tickets, content)
        return held

    def join(self, worker: str) -> None:
        """A worker can be given rows from now on."""
        assert worker not in self._places
        self._places[worker] = _Place()

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
        while len(taken) < count_max and (line := self._line_for(place)) is not None:
            first = line[0] if isinstance(line, deque) else next(iter(line.values()))
            size += len(first.content)
            if taken and size > size_max:
                break
            if isinstance(line, deque):
                line.popleft()
            else:
                line.popitem(last=False)
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
        self._fresh.pop(held.ticket, None)
        if held.deaths and held in (line := self._suspects.get(held.deaths, deque())):
            line.remove(held)
        return None

    # ---- lines

    def _put_first(self, held: Held) -> None:
        if held.deaths:
            self._suspects.setdefault(held.deaths, deque()).appendleft(held)
        else:
            self._fresh[held.ticket] = held
            self._fresh.move_to_end(held.ticket, last=False)

    def _line_for(self, place: _Place) -> deque[Held] | OrderedDict[int, Held] | None:
        """The line from which a worker may take one more; None if from none."""
        level = self._level_for(place)
        if level:
            has_room = len(place.rows) < company_max(level, self.share)
            return self._suspects[level] if has_room else None
        if place.is_examining or (place.rows and place.level):
            return None
        return self._fresh if self._fresh and len(place.rows) < self.share else None

    def _level_for(self, place: _Place) -> int:
        """Which suspects a worker may be given; 0 for none of them."""
        levels = [level for level, line in self._suspects.items() if line]
        if not levels or (place.rows and not place.level):
            return 0
        if place.rows:
            return place.level if place.level in levels else 0
        return max(levels)

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
