"""How a worker asks the limiter for the turn of a request, for tests that need one."""

from __future__ import annotations

import math

import trio

from triollama.actors.limits import Limiter, Reservation


async def reserve(
    limiter: Limiter, model: str, caller: str, tokens: int, *, deadline_s: float = math.inf
) -> Reservation:
    """`Limiter.ask`, and `Limiter.wait` if need be."""
    await trio.lowlevel.checkpoint_if_cancelled()  # before, not between: see `Limiter.ask`
    reservation = limiter.ask(model, caller, tokens, deadline_s=deadline_s)
    if reservation.granted_s is None:
        await limiter.wait(reservation, deadline_s)
    return reservation
