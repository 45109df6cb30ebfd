"""Rate limits that hold for all workers together.

Limits of the scopes engine, model and caller are kept by the driver, which hands out a row when
they let it: that is exact, however many workers there are. Only a worker knows which endpoint a
request goes to; so a limit of that scope is divided by the most workers there can be.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import trio

from triollama import RateLimit
from triollama.actors.facts import FactHub
from triollama.actors.limits import Limiter, Reservation, tokens_guess
from triollama.actors.limits.core import LINE_MAX
from triollama.api import name_key
from triollama_adapters.batch.rows import Ask
from triollama_adapters.batch.work.asking import Asked

__all__ = ["Rates", "of_one_worker"]


def of_one_worker(limits: Iterable[RateLimit], workers: int) -> tuple[RateLimit, ...]:
    """What each worker's engine has to keep.

    Args:
        limits: those of all together.
        workers: the most that there can be.
    """
    return tuple(
        attrs.evolve(
            limit,
            requests_per_s=_part(limit.requests_per_s, workers),
            tokens_per_min=_part(limit.tokens_per_min, workers),
        )
        for limit in limits
        if limit.scope == "endpoint"
    )


class Rates:
    """The limits that the driver keeps.

    Args:
        limits: those of all workers together.
    """

    def __init__(self, limits: Iterable[RateLimit]) -> None:
        kept = [limit for limit in limits if limit.scope != "endpoint"]
        self._limiter = Limiter(kept, facts=FactHub())
        self._room = trio.Semaphore(LINE_MAX)

    async def wait(self, ask: Ask, size_bytes: int) -> Reservation | None:
        """Wait for a row's turn; None if there are no limits. If cancelled, nothing is taken.

        Args:
            ask: the row.
            size_bytes: its content's.

        Raises:
            InvalidRequestError: it may cost more tokens than a limit ever lets through.
        """
        if self._limiter.is_idle:
            return None
        async with self._room:
            options = ask.arguments.get("options") or {}
            limit = options.get("num_predict") if isinstance(options, dict) else None
            tokens = tokens_guess(size_bytes, limit if isinstance(limit, int) else None)
            reservation = self._limiter.ask(name_key(ask.model), "", tokens)
            if reservation.granted_s is None:
                await self._limiter.wait(reservation)
            return reservation

    def settle(self, reservation: Reservation | None, asked: Asked | None) -> None:
        """Put what a row did cost in the place of what was thought.

        Args:
            reservation: from `wait`.
            asked: what came of the row; None if it was given up.
        """
        if reservation is None:
            return
        usage = asked.answer.usage if asked is not None and asked.answer is not None else None
        tokens = None
        if usage is not None:
            tokens = usage.prompt_tokens + getattr(usage, "output_tokens", 0)
        self._limiter.settle(reservation, tokens)


def _part(rate: float | None, workers: int) -> float | None:
    return None if rate is None else rate / workers
