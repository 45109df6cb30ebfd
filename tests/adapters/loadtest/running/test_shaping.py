"""Users of a closed loop, whose run is ended under them."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
import trio

from triollama_adapters.loadtest.plan import ClosedLoop, Plan, Target
from triollama_adapters.loadtest.running.ahead import SessionsAhead
from triollama_adapters.loadtest.running.shaping import Load
from triollama_adapters.loadtest.sessions import Session, Turn
from triollama_adapters.loadtest.workload.scenario import Scenario, Workload

MS = 1_000_000


class Clock:
    """Stands at 10 ms."""

    def now_ns(self) -> int:
        """The time."""
        return 10 * MS

    async def sleep_until(self, at_ns: int) -> None:
        """Sleep."""
        raise AssertionError(at_ns)


class CutAsking:
    """The run was cut at 10 ms, a moment after the last answer."""

    end_ns = 10 * MS

    def __init__(self, asked_max: int) -> None:
        self.asked = 0
        self._asked_max = asked_max

    @property
    def is_cut(self) -> bool:
        """Whether it was."""
        return self.asked >= self._asked_max

    async def converse(self, session: Session, scheduled_ns: int) -> int:
        """Answer at once; without a checkpoint, as when nothing is asked."""
        del session
        self.asked += 1
        assert self.asked <= self._asked_max, "a user asks although the run was cut"
        return scheduled_ns


@pytest.mark.parametrize("asked_max", [0, 1, 3])
async def test_a_user_asks_no_more_when_the_run_was_cut(asked_max: int) -> None:
    """Also if the window seems not to be over: else it would begin again and again, for ever."""
    plan = Plan(Target(("http://h:1",)), Workload((Scenario("s", "m"),)), ClosedLoop(1), 10.0)
    sessions = SessionsAhead(Session(n, None, "s", "m", (Turn("?"),)) for n in count())
    asking: Any = CutAsking(asked_max)
    clock: Any = Clock()
    load = Load(plan, 0, clock, asking, sessions, trio.Event())
    await load._be_user(5 * MS, 0)
    assert asking.asked == asked_max
