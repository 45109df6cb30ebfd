"""`cause`: does to the servers what faults ask for, at their moments, through a `Striker`.

Owns what is done to a server until it is undone: whoever ends it early has it undone at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import trio

from triollama_adapters.loadtest.result import Event
from triollama_adapters.loadtest.running.faults import (
    Act,
    Fault,
    Step,
    StrikeError,
    Striker,
    steps,
    undoing,
)

__all__ = ["cause"]

UNDO_S: Final = 10.0
"""How long the end of a run may take to undo what is still done to a server."""


async def cause(
    faults: Iterable[Fault],
    striker: Striker,
    *,
    now_s: Callable[[], float],
    note: Callable[[Event], None],
) -> None:
    """Do what faults ask for, each step at its moment; what fails is noted, and ends nothing.

    A step that takes long, such as a command on another machine, delays no step of another
    endpoint. If cancelled between a step and the one that undoes it, the latter is done at once,
    for `UNDO_S` at most, so that no server stays stalled because a run was ended.

    Args:
        faults: with the names of the plan's endpoints, see `resolve`.
        striker: does it.
        now_s: the run's time, in seconds from its beginning on.
        note: is given an event for each step, at the time when it began.
    """
    by_endpoint: dict[str, list[Step]] = {}
    for step in steps(faults):
        by_endpoint.setdefault(step.endpoint, []).append(step)
    async with trio.open_nursery() as nursery:
        for todo in by_endpoint.values():
            nursery.start_soon(_do_all, todo, striker, now_s, note)


async def _do_all(
    todo: Sequence[Step],
    striker: Striker,
    now_s: Callable[[], float],
    note: Callable[[Event], None],
) -> None:
    """Do the steps of one endpoint."""
    done = 0
    try:
        for step in todo:
            await trio.sleep(max(0.0, step.at_s - now_s()))
            done += 1
            note(await _do(step, striker, now_s))
    except trio.Cancelled:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + UNDO_S):
            for step in undoing(todo, done):
                note(await _do(step, striker, now_s))
        raise


async def _do(step: Step, striker: Striker, now_s: Callable[[], float]) -> Event:
    at_s = now_s()
    share = f" to {step.share:.3g} of its speed" if step.act == "slow" else ""
    what = f"{_TOLD[step.act]}{share}"
    try:
        told = await striker.strike(step)
    except StrikeError as error:
        return Event(at_s, "fault_failed", step.endpoint, f"could not be {what}: {error}")
    return Event(at_s, step.act, step.endpoint, f"{what}: {told}" if told else what)


_TOLD: Final[Mapping[Act, str]] = {
    "kill": "killed",
    "restart": "restarted",
    "stall": "stalled",
    "go_on": "let go on",
    "slow": "slowed",
    "restore": "brought back to its speed",
}
