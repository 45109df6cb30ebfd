"""When nobody answers for a model, what becomes of its rows: the decisions. No IO, no clock.

Owns: which models nobody answers for, since when, and when the next row may find out whether that
is over. A failure counts as an outage only if no answer for the same model has come since the row
was asked: while others are answered it is the row that has bad luck. Whoever fails then loses no
try; all wait, but for one row that is asked every `PROBE_S`. Any answer ends it, also one that says
no: somebody is there.

The job is given up when there is an outage and nobody has answered anything for `give_up_s`.
"""

from __future__ import annotations

from typing import Final

import attrs

from triollama import (
    ConnectError,
    ConnectionLostError,
    FleetUnavailableError,
    ServerBusyError,
    StreamBrokenError,
    TriollamaError,
)

__all__ = ["OUTAGE_S_MAX", "PROBE_S", "Outages", "is_out_of_reach"]

PROBE_S: Final = 5.0
"""Between two rows that find out whether somebody answers again; as often as the engine probes."""

OUTAGE_S_MAX: Final = 1_800.0
"""How long a job waits for an answer: a server that is updated or moved is back by then."""

_OUT_OF_REACH = (ConnectError, ConnectionLostError, ServerBusyError)


def is_out_of_reach(error: TriollamaError) -> bool:
    """Whether a failure says only that nobody could be reached, or took the request.

    So it is not the row's fault, unless it is the row that makes servers die; see `blame`.
    """
    if isinstance(error, StreamBrokenError) and isinstance(error.__cause__, TriollamaError):
        error = error.__cause__
    if isinstance(error, FleetUnavailableError):
        return all(isinstance(each, _OUT_OF_REACH) for each in error.causes)
    return isinstance(error, _OUT_OF_REACH)


@attrs.define
class _Outage:
    """One model that nobody answers for."""

    since_s: float
    probe_due_s: float


@attrs.define
class Outages:
    """The outages of one job; see the module. All times are seconds on the caller's clock.

    Args:
        give_up_s: how long nobody may answer before the job is given up.
        began_s: when the job began.
    """

    give_up_s: float
    began_s: float
    _down: dict[str, _Outage] = attrs.field(factory=dict, init=False)
    _answered_s: dict[str, float] = attrs.field(factory=dict, init=False)

    @property
    def since_s(self) -> float | None:
        """Since when nobody answers for some model; None if there is no outage."""
        return min((each.since_s for each in self._down.values()), default=None)

    def is_down(self, model: str) -> bool:
        """Whether nobody answers for it."""
        return model in self._down

    def answered(self, model: str, now_s: float) -> bool:
        """Somebody has answered; whether that ends an outage."""
        self._answered_s[model] = now_s
        return self._down.pop(model, None) is not None

    def missed(self, model: str, asked_s: float, now_s: float) -> bool:
        """Nobody could be reached for a row; whether that is an outage.

        Args:
            model: the one that was asked.
            asked_s: when the row was asked.
            now_s: the time.
        """
        down = self._down.get(model)
        if down is None and self._answered_s.get(model, -1.0) < asked_s:
            down = self._down[model] = _Outage(asked_s, 0.0)
        if down is not None:
            down.probe_due_s = now_s + PROBE_S  # this one has just found out
        return down is not None

    def probe_due_s(self, model: str) -> float:
        """When the next row may find out whether somebody answers again."""
        return self._down[model].probe_due_s

    def take_probe(self, model: str, now_s: float) -> bool:
        """Whether a row that waits is to find it out now; the next one is due later."""
        down = self._down[model]
        if now_s < down.probe_due_s:
            return False
        down.probe_due_s = now_s + PROBE_S
        return True

    def give_up_due_s(self) -> float:
        """When the job is to be given up, if nobody answers before; only during an outage."""
        assert self.since_s is not None
        last_s = max(self._answered_s.values(), default=self.began_s)
        return max(self.since_s, last_s) + self.give_up_s
