"""How a thread waits for the loop: by what a call is ended early, and what is done about it.

Whatever ends a wait early, Ctrl-C first of all, cancels the work and waits until it has ended: its
connection is closed then, and the server has stopped. A second Ctrl-C does not wait.
"""

from __future__ import annotations

import math
import queue
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, TypeVar

from triollama import DeadlineExceededError, InvalidRequestError
from triollama_adapters.portal import Job, JobCancelledError, Portal
from triollama_adapters.portal.bell import Bell, wait_s_until

__all__ = ["END_S", "call", "fail_after", "get", "settle"]

T = TypeVar("T")

END_S: Final = 10.0
"""For work that was cancelled to end, before it is left to itself. The engine's own clean-ups are
bounded by 5 s, and need two turns of the loop."""

_limit: ContextVar[tuple[float, float] | None] = ContextVar("triollama_limit", default=None)
"""When the calls of this thread have to be done, by `time.monotonic`, and the seconds given."""


@contextmanager
def fail_after(seconds: float) -> Iterator[None]:
    """A limit for all that a ``with`` block waits for, as `trio.fail_after` is one.

    It ends calls, iterations of streams and the entering of blocks, not what else the block does.
    Blocks within each other have the strictest limit. What is a limit for the servers as well is
    ``deadline_s`` of each request.

    Args:
        seconds: from now on.

    Raises:
        DeadlineExceededError: by the call that was not done; its request is cancelled.
        InvalidRequestError: the seconds are no number, or negative.
    """
    if not isinstance(seconds, int | float) or not seconds >= 0:
        raise InvalidRequestError("fail_after needs a number of seconds, of 0 or more")
    now_s = time.monotonic()
    until_s = now_s + min(seconds, 1e9)  # more is for ever
    outer = _limit.get()
    token = _limit.set(outer if outer is not None and outer[0] < until_s else (until_s, seconds))
    try:
        yield
    finally:
        _limit.reset(token)


def call(portal: Portal, work: Callable[[], Awaitable[T]]) -> T:
    """Have something done in the loop, and wait for it.

    Raises:
        DeadlineExceededError: `fail_after`.
        EngineClosedError: the engine is closed.
        BaseException: what the work raised.
    """
    bell = Bell()
    job = Job(work, bell.ring)
    settle(portal, job, bell, lambda: job.is_done)
    return job.result()


def settle(portal: Portal, job: Job[Any], bell: Bell, is_settled: Callable[[], bool]) -> None:
    """Hand a job in, and wait for it.

    Args:
        portal: where to.
        job: rings the bell.
        bell: what this thread waits for.
        is_settled: what it waits for to become true.

    Raises:
        DeadlineExceededError: `fail_after`, and the job has ended since, without a value.
        BaseException: of a signal's handler. The job has been cancelled.
    """
    portal.check()
    limit = _limit.get()
    try:
        portal.submit(job)
        if bell.wait(is_settled, None if limit is None else limit[0]):
            return
    except BaseException:
        _give_up(portal, job, bell)
        raise
    _give_up(portal, job, bell)
    if not is_settled() or isinstance(job.error, JobCancelledError):
        raise _too_late() from None


def get(items: queue.SimpleQueue[Any]) -> Any:
    """The next one of a queue, when there is one.

    Raises:
        DeadlineExceededError: `fail_after`.
    """
    limit = _limit.get()
    until_s = None if limit is None else limit[0]
    while True:
        limit_s = wait_s_until(until_s)
        try:
            return items.get() if limit_s < 0 else items.get(timeout=limit_s)
        except queue.Empty:
            if until_s is not None and time.monotonic() >= until_s:
                raise _too_late() from None


def _give_up(portal: Portal, job: Job[Any], bell: Bell) -> None:
    if portal.soon(job.cancel):
        bell.wait(lambda: job.is_done, time.monotonic() + END_S)


def _too_late() -> DeadlineExceededError:
    limit = _limit.get()
    given_s = math.inf if limit is None else limit[1]
    return DeadlineExceededError("the call was not done", limit_s=given_s)
