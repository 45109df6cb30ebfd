"""Where rows wait that nobody answers just then: an outage, a pause between two tries.

Owns the job's outages (`outage`), the places of its requests (`places`) and all waits of rows that
were begun, so that one call ends them: `Gate.stop`. A row that is sent away by it has no outcome,
and is asked when the job is resumed. Nothing here is spawned; who waits may be cancelled at any
time.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import trio

from triollama_adapters.batch.errors import FleetDownError, RowLeftError
from triollama_adapters.batch.work.outage import OUTAGE_S_MAX, Outages
from triollama_adapters.batch.work.places import Places

__all__ = ["Gate"]

MINUTES_FROM_S: Final = 120.0
"""Shorter times are told in seconds."""

BACK_S: Final = 1.0
"""Over this time the rows that waited for an outage's end are spread, in seconds."""


class Gate:
    """See the module.

    Args:
        give_up_s: see `outage`.
        draw: gives random numbers in [0, 1).

    Attributes:
        give_up_s: see above; may be set before anything has failed.
        places: of the requests; who waits here has none.
    """

    def __init__(
        self, *, give_up_s: float = OUTAGE_S_MAX, draw: Callable[[], float] = random.random
    ) -> None:
        self.places = Places()
        self.give_up_s = give_up_s
        self._away: dict[str, int] = {}
        self._draw = draw
        self._outages: Outages | None = None
        self._lot = trio.lowlevel.ParkingLot()
        self._stopped = trio.Event()

    @property
    def waiting(self) -> int:
        """How many rows wait here, those included that wait for a place only."""
        return self.away + sum(self.places.waiting.values())

    @property
    def away(self) -> int:
        """How many rows wait here for something else than a place."""
        return sum(self._away.values())

    def away_of(self, model: str) -> int:
        """How many of them are of one model."""
        return self._away.get(model, 0)

    @property
    def since_s(self) -> float | None:
        """Since when nobody answers for some model, on trio's clock; None if there is no outage."""
        return self._outages.since_s if self._outages is not None else None

    def is_down(self, model: str) -> bool:
        """Whether nobody answers for a model."""
        return self._outages is not None and self._outages.is_down(model)

    def answered(self, model: str) -> None:
        """Somebody has answered a row of a model, perhaps with a refusal."""
        if self._known.answered(model, trio.current_time()):
            self._lot.unpark_all()

    def stop(self) -> None:
        """Send away all who wait here, now and later."""
        self._stopped.set()
        self._lot.unpark_all()
        self.places.close()

    def check(self) -> None:
        """Send the caller away, if the job is to stop.

        Raises:
            RowLeftError: it is.
        """
        if self._stopped.is_set():
            raise RowLeftError("the job stops; the row is asked when it is resumed")

    @contextmanager
    def counted(self, model: str) -> Iterator[None]:
        """Count a row of a model as one that waits, for the time of a block; it has no place."""
        self._away[model] = self._away.get(model, 0) + 1
        try:
            yield
        finally:
            self._away[model] -= 1
            if not self._away[model]:
                del self._away[model]

    @asynccontextmanager
    async def place(self, model: str) -> AsyncIterator[None]:
        """A place for a request of a row, for the time of a block; waits for one.

        Raises:
            RowLeftError: there is none just now, and the job is to stop.
        """
        await self.places.take(model)
        try:
            yield
        finally:
            self.places.give_back(model)

    async def pause(self, seconds: float, model: str) -> None:
        """Wait between two tries.

        Args:
            seconds: how long.
            model: the one that the row asks.

        Raises:
            RowLeftError: the job is to stop.
        """
        with self.counted(model):
            with trio.move_on_after(seconds):
                await self._stopped.wait()
            self.check()

    async def wait_back(self, model: str, asked_s: float) -> bool:
        """After a row that nobody could be reached for: wait until it may be asked again.

        Args:
            model: the one it asks.
            asked_s: when it was asked, on trio's clock.

        Returns:
            False if there is no outage: it did not wait.

        Raises:
            FleetDownError: nobody has come back in time.
            RowLeftError: the job is to stop.
        """
        outages = self._known
        if not outages.missed(model, asked_s, trio.current_time()):
            return False
        with self.counted(model):
            while outages.is_down(model):
                self.check()
                now_s = trio.current_time()
                give_up_s = outages.give_up_due_s()
                if now_s >= give_up_s:
                    raise FleetDownError(self._told(model))
                if outages.take_probe(model, now_s):
                    return True
                with trio.move_on_at(min(outages.probe_due_s(model), give_up_s)):
                    await self._lot.park()
        await self.pause(self._draw() * BACK_S, model)
        return True

    # ---- inside

    @property
    def _known(self) -> Outages:
        """Made at the first use, which has a clock."""
        if self._outages is None:
            self._outages = Outages(self.give_up_s, trio.current_time())
        return self._outages

    def _told(self, model: str) -> str:
        seconds = self.give_up_s
        long = f"{seconds:,.3g} s" if seconds < MINUTES_FROM_S else f"{seconds / 60:,.3g} min"
        return (
            f"no server has answered for the model {model!r} for {long}; resume the batch when "
            "one does"
        )
