"""One transfer on one endpoint: sent, watched, and begun again when it breaks or stalls.

Servers keep what they have of a layer and go on there, so that nothing but time is lost.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
import trio

from triollama._config import EngineConfig
from triollama._errors import (
    ConnectionLostError,
    StallError,
    TriollamaError,
)
from triollama.actors.streams import Call
from triollama.actors.streams.attempt import EndpointAccess
from triollama.actors.streams.core import STALE_MAX
from triollama.api.transfer import ProgressLine
from triollama.transfers.core import RestartRule, Track
from triollama.transfers.errors import TransferFailedError
from triollama.transfers.events import EndpointTransfer, TransferEvent, TransferKind
from triollama.transfers.inflow import ProgressInflow

__all__ = ["Carrier", "StallClock"]


class StallClock:
    """A scope that is cancelled when nothing new came for too long.

    Args:
        stall_s: how long that is, where a server tells of its progress all the time.
        track: knows where the transfer is.
    """

    def __init__(self, stall_s: float, track: Track) -> None:
        self.scope = trio.CancelScope()
        self._stall_s = stall_s
        self._track = track
        self.moved()

    def moved(self) -> None:
        """Something new came."""
        self.quiet_s = self._track.quiet_s(self._stall_s)
        self.scope.deadline = trio.current_time() + self.quiet_s

    def check(self, endpoint: str) -> None:
        """After the scope was left: raise if it was this clock that ended it.

        Raises:
            StallError: it was.
        """
        if self.scope.cancelled_caught:
            raise StallError("stall_s", self.quiet_s, endpoint=endpoint)


@attrs.define
class Carrier:
    """Carries one transfer on one endpoint to its end.

    Attributes:
        access: how the endpoint is reached.
        config: the limits.
        kind: pull, push or create.
        model: the model's name.
        stall_s: see `StallClock`.
        rule: when it is begun again.
        tell: is told each event.
        track: how far it has come.
        was_reached: whether the server has said anything yet.
    """

    access: EndpointAccess
    config: EngineConfig
    kind: TransferKind
    model: str
    stall_s: float
    rule: RestartRule
    tell: Callable[[TransferEvent], None]
    track: Track = attrs.field(init=False)
    was_reached: bool = attrs.field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        began_s = trio.current_time()
        self.track = Track(self.kind, self.model, self.access.name, began_s)

    async def carry(self, call: Call) -> EndpointTransfer:
        """Do what a call asks for. If cancelled, the connection is closed.

        Raises:
            TransferFailedError: the server says that it has failed.
            TriollamaError: it broke, and was begun again as often as it may be.
        """
        while True:
            try:
                await self._attempt(call)
            except TriollamaError as error:
                await self.wait_restart(error)
            else:
                return self.track.result(trio.current_time())

    async def wait_restart(self, error: TriollamaError) -> None:
        """Wait until it may be begun again.

        Raises:
            TriollamaError: the error, if it may not.
        """
        wait_s = self.rule.wait_for(error, self.track, was_reached=self.was_reached)
        if wait_s is None:
            raise error
        self.tell(self.track.restart(error))
        await trio.sleep(wait_s)

    async def _attempt(self, call: Call) -> None:
        clock = StallClock(self.stall_s, self.track)

        def on_line(line: ProgressLine) -> None:
            self.was_reached = True
            if line.error:
                raise self._failed(line.error)
            event = self.track.take(line, trio.current_time())
            if event is not None:
                clock.moved()
                self.tell(event)

        with clock.scope:
            await self._send(call, on_line)
        clock.check(self.access.name)

    async def _send(self, call: Call, on_line: Callable[[ProgressLine], None]) -> None:
        """Send it; a kept connection that was closed while idle is no failure."""
        stale = 0
        while True:
            try:
                await self.access.attempt(call, ProgressInflow(on_line, self.config))
            except ConnectionLostError as error:
                stale += 1
                if not error.stale or stale > STALE_MAX:
                    raise
            else:
                return

    def _failed(self, reason: str) -> TransferFailedError:
        return TransferFailedError(
            reason,
            kind=self.kind,
            model=self.model,
            phase=self.track.phase,
            endpoint=self.access.name,
        )
