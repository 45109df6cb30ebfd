"""Short requests that are answered by a status, or asked of several endpoints side by side."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import trio

from triollama._errors import (
    ConnectionLostError,
    ModelNotFoundError,
    StallError,
    TriollamaError,
)
from triollama.actors.streams import Call
from triollama.actors.streams.attempt import EndpointAccess
from triollama.actors.streams.core import STALE_MAX
from triollama.transfers.errors import PartialFailureError

__all__ = ["ORDER_S", "do_on_each", "give_order"]

ORDER_S: Final = 300.0
"""For a copy or a delete: a server removes files of 100 GB meanwhile."""


async def give_order(access: EndpointAccess, call: Call, limit_s: float = ORDER_S) -> int:
    """Send what is answered by a status alone; returns that.

    If cancelled, the connection is closed.

    Args:
        access: the endpoint.
        call: what to send.
        limit_s: how long it may take.

    Raises:
        EndpointError: the endpoint failed, or took too long.
        RequestRejectedError: it refused.
    """
    stale = 0
    with trio.move_on_after(limit_s):
        while True:
            try:
                return await access.order(call)
            except ConnectionLostError as error:
                stale += 1
                if not error.stale or stale > STALE_MAX:
                    raise
    raise StallError("ORDER_S", limit_s, endpoint=access.name)


async def do_on_each(
    what: str,
    accesses: Sequence[EndpointAccess],
    do: Callable[[EndpointAccess], Awaitable[object]],
    *,
    skips_missing: bool = False,
) -> tuple[str, ...]:
    """Do something on each endpoint, side by side; returns the names of those where it was done.

    Args:
        what: what it is, for the error.
        accesses: the endpoints.
        do: does it on one.
        skips_missing: it is no failure that an endpoint does not have the model, unless none has.

    Raises:
        PartialFailureError: it failed on some of several endpoints, or on all.
        TriollamaError: it failed on the only one, or in the same way on all for lack of the model.
    """
    failures: dict[str, TriollamaError] = {}
    defects: list[Exception] = []

    async def do_one(access: EndpointAccess) -> None:
        try:
            await do(access)
        except TriollamaError as error:
            failures[access.name] = error
        except Exception as error:  # noqa: BLE001 - raised below, outside the nursery
            defects.append(error)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for access in accesses:
            nursery.start_soon(do_one, access)
    if defects:
        raise defects[0]  # by itself, and not as a group of one
    # In the order of the endpoints, and not in that of their failing.
    outcomes = {access.name: failures.get(access.name) for access in accesses}
    return _done(what, outcomes, skips_missing=skips_missing)


def _done(
    what: str, outcomes: Mapping[str, TriollamaError | None], *, skips_missing: bool
) -> tuple[str, ...]:
    """The names of those where it was done, or the error; see `do_on_each`."""
    done = [name for name, error in outcomes.items() if error is None]
    failures = {name: error for name, error in outcomes.items() if error is not None}
    missing = [name for name, each in failures.items() if isinstance(each, ModelNotFoundError)]
    if failures and (len(outcomes) == 1 or len(missing) == len(outcomes)):
        raise next(iter(failures.values()))
    if skips_missing and done:
        for name in missing:
            del failures[name]
    if failures:
        raise PartialFailureError(what, done=done, failures=failures)
    return tuple(done)
