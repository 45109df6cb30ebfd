"""Virtual time for trials in memory: hours pass in seconds, and a seed decides what is drawn."""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar
from unittest import mock

import trio
from trio.testing import MockClock

T = TypeVar("T")

WALL_S = 1_785_600_000.0
"""The date at zero of the virtual clock: that of the simulators."""


def run_virtual(work: Callable[[], Awaitable[T]], seed: int) -> T:
    """Run an asynchronous function on a clock that jumps to whatever is due next.

    The engine stamps requests with `time.perf_counter_ns`; here that tells virtual time too, so
    that what it learns from its stamps is of the same time as all else.
    """
    clock = MockClock(autojump_threshold=0)

    def virtual_ns() -> int:
        return round(clock.current_time() * 1e9)

    def virtual_wall_s() -> float:
        return WALL_S + clock.current_time()

    random.seed(seed)
    with (
        mock.patch.object(time, "perf_counter_ns", virtual_ns),
        mock.patch.object(time, "time", virtual_wall_s),
    ):
        return trio.run(work, clock=clock)
