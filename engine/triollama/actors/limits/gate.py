"""One limit for one endpoint, model or caller: its two buckets, and the line before them.

Who waits here, waits in order of arrival. Only the first in line matters to time: `Gate.ready_s`
says when it may pass.
"""

from __future__ import annotations

import math
from collections import OrderedDict

import attrs

from triollama._config import RateLimit
from triollama._errors import InvalidRequestError
from triollama.actors.limits.meter import Meter


@attrs.define(eq=False)
class Reservation:
    """What a request takes from the limits that it falls under.

    Made by `LimiterCore.reserve`, and ended by `settle` or `cancel`.

    Attributes:
        gates: the limits it has to pass, in this order.
        tokens: what was reserved of each.
        asked_s: when.
        wait_s: how long it was to wait, as things stood then, in seconds.
        held_up_by: the limit that made it wait, such as ``model llama3.2:latest``; or empty.
        passed: how many of the gates have let it pass; what it has of those is held for it.
        due_s: when to look whether it may go on, if it is the first in its line.
        granted_s: when it took its share of all gates and may be sent; None while it waits.
        endpoints: the endpoints' gates from which it took the same as well, and when.
        is_over: whether it was settled or cancelled.
    """

    gates: tuple[Gate, ...]
    tokens: int
    asked_s: float
    wait_s: float = 0.0
    held_up_by: str = ""
    passed: int = 0
    due_s: float = math.inf
    granted_s: float | None = None
    endpoints: list[tuple[Gate, float]] = attrs.field(factory=list)
    is_over: bool = False


class Gate:
    """The buckets of one limit.

    Args:
        limit: the limit.
        name: the limit and whom it is for, for facts and errors.
        now_s: the time.
    """

    __slots__ = ("_line_tokens", "_requests", "_tokens", "line", "name")

    def __init__(self, limit: RateLimit, name: str, now_s: float) -> None:
        self.name = name
        # Ordered: whoever is first is found and taken out without a walk along the line.
        self.line: OrderedDict[Reservation, None] = OrderedDict()
        self._line_tokens = 0
        self._requests: Meter | None = None
        self._tokens: Meter | None = None
        if limit.requests_per_s is not None:
            # One request must fit, or none would ever pass.
            capacity = max(limit.requests_per_s * limit.burst_s, 1.0)
            self._requests = Meter(limit.requests_per_s, capacity, now_s)
        if limit.tokens_per_min is not None:
            per_s = limit.tokens_per_min / 60
            self._tokens = Meter(per_s, per_s * limit.tokens_burst_s, now_s)

    def check(self, tokens: int) -> None:
        """Refuse what would never pass.

        Raises:
            InvalidRequestError: more tokens than the bucket can ever hold.
        """
        meter = self._tokens
        if meter is not None and tokens > meter.capacity:
            asked = str(tokens) if tokens < meter.capacity * 1e6 else "far more"
            raise InvalidRequestError(
                f"the limit of {meter.per_s * 60:g} tokens a minute for {self.name} lets at most "
                f"{int(meter.capacity)} through at once (its tokens_burst_s), and this request may "
                f"need {asked}"
            )

    def ready_s(self, tokens: int, now_s: float) -> float:
        """From when on one request of so many tokens may pass; infinite if others must go first."""
        ready_s = now_s if self._requests is None else self._requests.ready_s(1, now_s)
        if self._tokens is not None:
            tokens_s = self._tokens.ready_s(tokens, now_s)
            return tokens_s if tokens_s > ready_s else ready_s
        return ready_s

    def wait_s(self, tokens: int, now_s: float) -> float:
        """How long a request waits that comes after the whole line, if nobody gives anything back.

        Args:
            tokens: how many it wants, beyond those of the line.
            now_s: the time.
        """
        wait_s = 0.0
        if self._requests is not None:
            wait_s = self._requests.wait_s(len(self.line) + 1, now_s)
        if self._tokens is not None:
            wait_s = max(wait_s, self._tokens.wait_s(self._line_tokens + tokens, now_s))
        return wait_s

    def full_s(self, now_s: float) -> float:
        """From when on it is as if it were new; infinite while somebody waits or has not gone."""
        if self.line:
            return math.inf
        meters = [meter for meter in (self._requests, self._tokens) if meter is not None]
        return max(meter.full_s(now_s) for meter in meters)

    def join(self, reservation: Reservation) -> None:
        """Stand in line."""
        self.line[reservation] = None
        self._line_tokens += reservation.tokens

    def leave(self, reservation: Reservation) -> None:
        """Leave the line."""
        del self.line[reservation]
        self._line_tokens -= reservation.tokens

    def hold(self, tokens: int) -> None:
        """Keep one request and so many tokens, which are there, for somebody."""
        if self._requests is not None:
            self._requests.hold(1)
        if self._tokens is not None:
            self._tokens.hold(tokens)

    def let_go(self, tokens: int) -> None:
        """The end of `hold`."""
        if self._requests is not None:
            self._requests.let_go(1)
        if self._tokens is not None:
            self._tokens.let_go(tokens)

    def take(self, tokens: int, at_s: float) -> None:
        """Take one request and so many tokens, which are there at that time."""
        if self._requests is not None:
            self._requests.take(1, at_s)
        if self._tokens is not None:
            self._tokens.take(tokens, at_s)

    def settle(self, reserved: int, real: int, since_s: float, now_s: float) -> None:
        """Put the real tokens in the place of those that were taken at `since_s`."""
        if self._tokens is None:
            return
        if real > reserved:
            self._tokens.charge(real - reserved, now_s)
        elif real < reserved:
            self._tokens.give_back(reserved - real, since_s, now_s)

    def give_back(self, tokens: int, since_s: float, now_s: float) -> None:
        """Put back a request and its tokens, taken at `since_s` and never used."""
        if self._requests is not None:
            self._requests.give_back(1, since_s, now_s)
        self.settle(tokens, 0, since_s, now_s)
