"""Work that tells of its progress: pull, push and create, as steps one behind the other.

Owns the events of such work and their times: a step's status when it begins, what it has completed
about every 60 ms while it lasts, and the error or the success at the end (``ollama-api.md`` §0.1,
§2.8 to §2.10). What the steps are, and what they do to the store, is for the generators in
`pulling` and `creating`.
"""

from __future__ import annotations

from collections.abc import Generator
from math import inf
from typing import TYPE_CHECKING, Any

from attrs import frozen

from .agenda import Timer
from .encoding import encode_json
from .errors import ApiError
from .faults import Fault, StepName
from .layers import Layer
from .response import JSON_PLAIN
from .transfers import Progress, Transfer, Transfers

if TYPE_CHECKING:
    from .core import Simulator
    from .exchange import Exchange

__all__ = ["Step", "Steps", "Work"]

_TICK_S = 0.06
"""Seconds between two events of a step that lasts, as Ollama has them."""


@frozen(kw_only=True)
class Step:
    """One step of such work.

    Attributes:
        name: what it is, for the rules of faults.
        status: what its events say.
        seconds: how long it lasts, if nothing is transferred.
        digest: what its events tell of; empty for none.
        total: bytes that it has to do; 0 for a step without a measure.
        is_done: whether they are done already, so that one event says so.
        layer: a layer to transfer; None for other steps.
        transfers: with which others it is shared.
    """

    name: StepName
    status: str
    seconds: float = 0.0
    digest: str = ""
    total: int = 0
    is_done: bool = False
    layer: Layer | None = None
    transfers: Transfers | None = None

    def event(self, completed: int) -> dict[str, Any]:
        """The event that tells how far it is."""
        optional = (("digest", self.digest), ("total", self.total), ("completed", completed))
        return {"status": self.status} | {name: value for name, value in optional if value}


Steps = Generator[Step, None, None]
"""What such a generator does between its steps happens when their time has come; an `ApiError` out
of it ends the work."""


class Work:
    """One request for such work, from its first step to its end.

    Args:
        simulator: the server.
        exchange: the request and its response.
        steps: what it consists of; that it succeeded is told here.
        is_stream: whether each event is sent, or the last alone.
    """

    def __init__(
        self, simulator: Simulator, exchange: Exchange, steps: Steps, *, is_stream: bool
    ) -> None:
        self._simulator = simulator
        self._exchange = exchange
        self._steps = steps
        self._is_stream = is_stream
        self._fault = _StepFault(exchange.fault)
        self._step = Step(name="tell", status="")
        self._progress = Progress(0, 1, 0.0)
        self._transfer: Transfer | None = None
        self._timer: Timer | None = None
        self._blocks = 0
        self._is_over = False

    def start(self, now: float) -> None:
        """Begin with the first step."""
        self._go_on(now)

    def block(self) -> None:
        """The client does not read: say nothing more for now. A transfer goes on."""
        self._blocks += 1

    def unblock(self, now: float) -> None:
        """The client reads again."""
        self._blocks -= 1
        if not self._blocks and not self._is_over:
            self._wake_at(now)

    def leave(self, now: float) -> None:
        """The request is over, one way or another: stop, and keep what was transferred."""
        if not self._is_over:
            self._is_over = True
            self._wake_at(inf)
            self._part(now)
            self._steps.close()

    # ---- from step to step

    def _go_on(self, now: float) -> None:
        """Begin the next step, and those behind it, until one takes its time."""
        while not self._is_over:
            try:
                step = next(self._steps, None)
            except ApiError as error:
                self._fail(error.status, error.message, now)
                return
            if step is None:
                self._succeed(now)
                return
            self._begin(step, now)
            if self._is_over or not self._is_at_end(now):
                return
            self._part(now)

    def _begin(self, step: Step, now: float) -> None:
        """Begin a step; a transfer says nothing before its first tick, as in Ollama."""
        self._step = step
        if step.transfers is not None and step.layer is not None:
            self._progress = self._transfer = step.transfers.join(step.layer, now)
        elif step.total and not step.is_done:
            self._progress = Progress(step.total, step.total / max(step.seconds, 1e-9), now)
        else:
            self._progress = Progress(1, 1 / max(step.seconds, 1e-9), now)
        self._fault.enter(step, self._progress)
        if self._transfer is None:
            self._say(step.event(step.total if step.is_done else 0), now)
        if not self._is_over:
            self._look(now)

    def _look(self, now: float) -> None:
        """Sleep until the next event, or until the step is at its end."""
        due = min(self._progress.due, self._progress.when(self._fault.fails_at))
        self._wake_at(max(now, min(due, now + _TICK_S)))

    def _wake_at(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if due < inf:
            agenda = self._simulator.agenda
            self._timer = agenda.call_at(due, self._fire, owner=self._exchange)

    def _fire(self, now: float) -> None:
        """Say how far the step is, or go on to the next."""
        self._timer = None
        if self._blocks or self._is_over:
            return  # `unblock` looks again
        step, progress = self._step, self._progress
        if now >= progress.when(self._fault.fails_at):
            self._fail(500, self._fault.text, now)
        elif self._is_at_end(now):
            if step.total and not step.is_done and self._transfer is None:
                self._say(step.event(step.total), now)
            self._part(now)
            self._go_on(now)
        else:
            if step.total and not step.is_done:
                self._say(step.event(progress.completed(now)), now)
            if not self._is_over:
                self._look(now)

    def _is_at_end(self, now: float) -> bool:
        return now >= self._progress.due and now < self._progress.when(self._fault.fails_at)

    def _part(self, now: float) -> None:
        """Wait for the step's transfer no more."""
        transfer, self._transfer = self._transfer, None
        if transfer is not None and self._step.transfers is not None:
            self._step.transfers.leave(transfer, now)

    # ---- what is said

    def _say(self, event: dict[str, Any], now: float) -> None:
        if self._is_stream and not self._is_over:
            self._exchange.response.events([encode_json(event) + b"\n"], now)

    def _succeed(self, now: float) -> None:
        body = encode_json({"status": "success"})
        if self._is_stream:
            self._exchange.response.close(body + b"\n", now)
        else:
            self._exchange.response.reply(200, JSON_PLAIN, body, now)

    def _fail(self, status: int, message: str, now: float) -> None:
        """End with an error: a line if anything was said before, else a status."""
        response = self._exchange.response
        body = encode_json({"error": message})
        self._part(now)
        if not self._is_stream:
            response.reply(status, JSON_PLAIN, body, now)
        elif response.started:
            response.close(body + b"\n", now)
        else:
            response.error(status, message, now, in_stream=True)


class _StepFault:
    """What a rule does to one of the steps.

    Attributes:
        fails_at: how much of the step under way is done when it fails; infinity if it does not.
        text: the error.

    Args:
        fault: of the request; None, or one of another kind, does nothing.
    """

    def __init__(self, fault: Fault | None) -> None:
        is_mine = fault is not None and fault.kind in {"step_stall", "step_error"}
        self._fault = fault if is_mine else None
        self._left = fault.after_steps if fault is not None else 0
        self.fails_at = inf
        self.text = (fault and fault.text) or "simulated failure of a step"

    def enter(self, step: Step, progress: Progress) -> None:
        """A step begins: strike it if it is the one."""
        fault, self.fails_at = self._fault, inf
        if fault is None or (fault.step is not None and fault.step != step.name):
            return
        if self._left:
            self._left -= 1
            return
        self._fault = None
        at = fault.after_bytes or 0
        if fault.kind == "step_error":
            self.fails_at = at
        else:
            progress.pause(at, inf if fault.seconds is None else fault.seconds)
