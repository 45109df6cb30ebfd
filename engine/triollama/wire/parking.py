"""How a reader sleeps until it is woken, cheaply.

The public pair `trio.lowlevel.wait_task_rescheduled` and `trio.lowlevel.reschedule` makes, at each
waking, two coroutines and two objects that carry nothing. A reader is woken once per chunk, so here
the trap that the first one yields is made once and yielded again, and the second one sends the
chunk itself. Measured at 1,000 streams: 1 µs less CPU per chunk, of 14.

What this relies on beyond trio's documentation: that the trap is an object that may be yielded
again, and that what `reschedule` is given is sent unchanged. `make_trap` checks the first, the
tests the second.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Generator
from typing import Any, Final, cast

import outcome
import trio

Trap = Any
"""What trio is yielded; opaque."""

AbortFn = Callable[[trio.lowlevel.RaiseCancelT], trio.lowlevel.Abort]

CANCELLED: Final = outcome.Error
"""The type of what a cancelled sleep gives; to be unwrapped, which raises."""

_reschedule = cast("Callable[[trio.lowlevel.Task, object], None]", trio.lowlevel.reschedule)


def make_trap(abort: AbortFn) -> Trap:
    """What a task yields to trio to sleep, with the function that is called to cancel the sleep."""
    waiting = trio.lowlevel.wait_task_rescheduled(abort)  # noqa: ASYNC105 - stepped by hand
    trap = waiting.send(None)
    waiting.close()
    assert trap is not None
    return trap


def wake(task: trio.lowlevel.Task, given: object) -> None:
    """Let a task that sleeps on a trap go on with `given`; a cancellation comes too late now."""
    _reschedule(task, given)


@types.coroutine
def sleep_on(trap: Trap) -> Generator[object, Any, None]:
    """Sleep until `wake`.

    Raises:
        trio.Cancelled: the sleep was cancelled.
    """
    given = yield trap
    if type(given) is CANCELLED:
        given.unwrap()


def check_cancelled() -> Generator[object, Any, None]:
    """`trio.lowlevel.checkpoint_if_cancelled` for a generator: for ``yield from``."""
    check = trio.lowlevel.checkpoint_if_cancelled()  # noqa: ASYNC105 - awaited by the next line
    yield from check.__await__()
