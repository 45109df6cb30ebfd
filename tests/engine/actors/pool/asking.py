"""How a worker asks the pool for a lease, for tests that need one."""

from __future__ import annotations

import math
from typing import Any

import trio

from triollama.actors.pool import Lease, Pool
from triollama.actors.pool.messages import Acquire


async def acquire(pool: Pool, model: str, *, deadline_s: float = math.inf, **terms: Any) -> Lease:
    """`Pool.ask`, and `Pool.wait` if need be; `terms` are further ones of `Acquire`."""
    await trio.lowlevel.checkpoint_if_cancelled()  # before, not between: see `Pool.ask`
    ticket = pool.new_ticket()
    ask = Acquire(ticket, model, deadline_s, trio.current_time(), pool.draw(), **terms)
    return pool.ask(ask) or await pool.wait(ticket)
