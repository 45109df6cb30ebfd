"""The supervisor: starts the actors in order, restarts what crashes, stops them in reverse.

Owns: the one nursery of an engine. Children are data (`Child`). A child that crashes is started
again, up to `RestartRule.restarts_max` times within `RestartRule.window_s`; one more, and the
supervisor fails upward with `EngineFaultError`, which ends the engine loudly. Siblings are left
alone: an actor's state lives in its object, and its task can be started on it again.

When stopping, each child is cancelled after the one that was started later has ended.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import attrs
import trio

from triollama._errors import EngineFaultError

_log = logging.getLogger("triollama")


OnRestart = Callable[[str, Exception, int], None]


class Run(Protocol):
    """A child's task; it calls ``task_status.started()`` when it is ready."""

    def __call__(self, *, task_status: trio.TaskStatus[None]) -> Awaitable[None]:
        """Run until cancelled."""


@attrs.frozen
class RestartRule:
    """How often a child may crash.

    Attributes:
        restarts_max: restarts allowed within the window.
        window_s: its length in seconds.

    The numbers are twice as lenient as those of OTP's examples (5 in 10 s), since an actor's crash
    loses nothing here.
    """

    restarts_max: int = 10
    window_s: float = 10.0


class RestartLog:
    """Decides whether a child that crashed is started again.

    Args:
        rule: how often it may crash.
    """

    def __init__(self, rule: RestartRule) -> None:
        self._rule = rule
        self._times: deque[float] = deque()
        self.restarts = 0

    def may_restart(self, now_s: float) -> bool:
        """Note a crash at `now_s`; False when it is one too many."""
        while self._times and self._times[0] <= now_s - self._rule.window_s:
            self._times.popleft()
        if len(self._times) >= self._rule.restarts_max:
            return False
        self._times.append(now_s)
        self.restarts += 1
        return True


@attrs.frozen
class Child:
    """A child of the supervisor.

    Attributes:
        name: for logs and statistics.
        run: the task; it may be called again after a crash.
        rule: how often it may crash.
        grace_s: how long it may take to stop; longer is logged as an error, and the next one is
            stopped.
    """

    name: str
    run: Run
    rule: RestartRule = RestartRule()
    grace_s: float = 5.0


def _sole_error(error: Exception) -> Exception:
    """What an actor crashed with: that of its nursery if there was but one, else all together.

    A nursery raises a group even of one, and that of an actor says nothing about the crash.
    """
    while isinstance(error, ExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


class _Running:
    """One child's task: its restarts, its cancel scope, its end."""

    def __init__(self, child: Child, on_restart: OnRestart) -> None:
        self.child = child
        self._on_restart = on_restart
        self.log = RestartLog(child.rule)
        self.scope = trio.CancelScope()
        self.ended = trio.Event()

    # The child calls started(); the linter does not see that far.
    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:  # noqa: ASYNC128
        try:
            with self.scope:
                await self._run_until_stopped(_Readiness(task_status))
        finally:
            self.ended.set()

    async def _run_until_stopped(self, readiness: _Readiness) -> None:
        name = self.child.name
        while True:
            try:
                await self.child.run(task_status=readiness)
            except Exception as error:
                if not self.log.may_restart(trio.current_time()):
                    message = f"the actor {name!r} crashed {self.log.restarts + 1} times; giving up"
                    raise EngineFaultError(message) from error
                _log.exception("actor crashed, starting it again", extra={"actor": name})
                self._on_restart(name, _sole_error(error), self.log.restarts)
            else:
                if not self.scope.cancel_called:
                    raise EngineFaultError(f"the actor {name!r} ended although nobody stopped it")


class _Readiness:
    """Passes on that a child is ready, the first time; later nobody waits to hear it."""

    def __init__(self, task_status: trio.TaskStatus[None]) -> None:
        self._task_status = task_status

    def started(self, value: None = None) -> None:
        task_status, self._task_status = self._task_status, trio.TASK_STATUS_IGNORED
        task_status.started(value)


class Supervisor:
    """Runs children until stopped.

    Args:
        children: in the order in which they are started; each may use those before it.
        on_restart: told the name of a child that crashed, its error, and how often it did.
    """

    def __init__(self, children: Sequence[Child], on_restart: OnRestart = lambda *_: None) -> None:
        self._running = [_Running(child, on_restart) for child in children]

    async def start(self, nursery: trio.Nursery) -> None:
        """Start the children in `nursery`, each when the one before it is ready.

        Raises:
            EngineFaultError: through the nursery, when a child crashes too often.
        """
        for running in self._running:
            await nursery.start(running.run)

    async def stop(self) -> None:
        """Stop the children in reverse order; each has ended before the next is stopped."""
        for running in reversed(self._running):
            running.scope.cancel()
            with trio.move_on_after(running.child.grace_s) as scope:
                await running.ended.wait()
            if scope.cancelled_caught:
                told = {"actor": running.child.name, "grace_s": running.child.grace_s}
                _log.error("actor does not stop, stopping those before it", extra=told)

    def restarts(self) -> dict[str, int]:
        """How often each child was started again."""
        return {running.child.name: running.log.restarts for running in self._running}
