"""What the limiter's tests share: a clock that runs from event to event, and the window's rule."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterable

import attrs
import pytest

from triollama._config import RateLimit
from triollama.actors.limits.core import LimiterCore, Reservation

Windows = Callable[[Iterable[tuple[float, float]], float, float], None]


@attrs.define
class Run:
    """A core whose waiting reservations are looked at exactly when they are due.

    Attributes:
        core: the core.
        now_s: the time.
        granted: reservations in the order in which they were granted.
    """

    core: LimiterCore
    now_s: float = 0.0
    granted: list[Reservation] = attrs.field(factory=list)
    _agenda: list[tuple[float, int, Reservation]] = attrs.field(factory=list)
    _numbers: itertools.count[int] = attrs.field(factory=itertools.count)

    @classmethod
    def of(cls, *limits: RateLimit) -> Run:
        """A run with these limits."""
        return cls(LimiterCore(limits))

    def reserve(
        self, tokens: int = 0, *, model: str = "m", caller: str = "", deadline_s: float = math.inf
    ) -> Reservation:
        """Ask now."""
        made = self.core.reserve(model, caller, tokens, self.now_s, deadline_s)
        self._note([made])
        return made

    def settle(self, reservation: Reservation, real_tokens: int | None) -> None:
        """Settle now."""
        self._note(self.core.settle(reservation, real_tokens, self.now_s))

    def cancel(self, reservation: Reservation) -> None:
        """Cancel now."""
        self._note(self.core.cancel(reservation, self.now_s))

    def pass_until(self, until_s: float) -> None:
        """Let the time pass, and those who are due look."""
        while self._agenda and self._agenda[0][0] <= until_s:
            due_s, _, reservation = heapq.heappop(self._agenda)
            is_waiting = reservation.granted_s is None and not reservation.is_over
            if is_waiting and reservation.due_s == due_s:
                self.now_s = max(self.now_s, due_s)
                changed = self.core.look(reservation, self.now_s)
                assert reservation in changed  # or it would be due for ever
                self._note(changed)
        self.now_s = max(self.now_s, until_s)

    def pass_until_idle(self) -> None:
        """Let the time pass until nobody waits."""
        while self._agenda:
            self.pass_until(self._agenda[0][0])
        assert self.core.statistics().waiting == 0

    def check_sums(self) -> None:
        """Every reservation that was asked for is in one place."""
        now = self.core.statistics()
        assert now.asked == now.granted + now.waiting + now.refused + now.cancelled
        assert now.granted == len(self.granted)

    def _note(self, changed: Iterable[Reservation]) -> None:
        for each in changed:
            if each.granted_s is not None:
                self.granted.append(each)
            elif each.due_s < math.inf and not each.is_over:
                heapq.heappush(self._agenda, (each.due_s, next(self._numbers), each))


@pytest.fixture(scope="session")
def run_of() -> Callable[..., Run]:
    """Make a run of a core with these limits."""
    return Run.of


@pytest.fixture(scope="session")
def check_windows() -> Windows:
    """Check that no window, however long, saw more than its rate and one burst."""

    def check(uses: Iterable[tuple[float, float]], per_s: float, burst: float) -> None:
        ordered = sorted(uses)
        for first in range(len(ordered)):
            used = 0.0
            for at_s, amount in ordered[first:]:
                used += amount
                allowed = per_s * (at_s - ordered[first][0]) + burst
                assert used <= allowed * (1 + 1e-9) + 1e-6, (ordered[first][0], at_s, used, allowed)

    return check
