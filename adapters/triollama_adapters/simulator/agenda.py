"""The due times of everything that happens later: tokens, loads, expiries, ends of stalls.

Owns one heap. Nothing here knows the clock: the caller says what time it is, and by how much it may
sleep. A task that has nothing left to do says so when it fires; the heap is never searched.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from typing import Any, Protocol

__all__ = ["Agenda", "Task", "Timer"]


class Task(Protocol):
    """Something that is due at a time, perhaps again and again.

    Attributes:
        owner: whose work it is, for the news of a defect; None is nobody's in particular.
    """

    owner: Any

    def fire(self, now: float) -> float | None:
        """Do what is due at ``now`` and return when to be called next; None for never."""


class Timer:
    """A task that calls a function once, unless it is cancelled before.

    Args:
        action: called with the time when the timer fires.
        owner: see `Task`.
    """

    __slots__ = ("_action", "owner")

    def __init__(self, action: Callable[[float], None], owner: Any = None) -> None:
        self._action: Callable[[float], None] | None = action
        self.owner = owner

    def fire(self, now: float) -> None:
        """Call the function, if it was not cancelled."""
        action, self._action = self._action, None
        if action is not None:
            action(now)

    def cancel(self) -> None:
        """Never call the function; it does no harm to cancel twice or too late."""
        self._action = None


class Agenda:
    """A heap of tasks by due time; tasks due at the same time fire in the order they were added.

    Args:
        on_defect: called with its owner when a task fails; the others fire all the same. None lets
            the exception through.
    """

    __slots__ = ("_heap", "_number", "_on_defect")

    def __init__(self, on_defect: Callable[[Any, Exception], None] | None = None) -> None:
        self._heap: list[tuple[float, int, Task]] = []
        self._number = 0
        self._on_defect = on_defect

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def next_due(self) -> float:
        """When the next task is due, on the caller's clock; infinity if there is none."""
        return self._heap[0][0] if self._heap else inf

    def add(self, due: float, task: Task) -> None:
        """Have a task fire at ``due``."""
        self._number += 1
        heappush(self._heap, (due, self._number, task))

    def call_at(self, due: float, action: Callable[[float], None], *, owner: Any = None) -> Timer:
        """Have a function called at ``due``; the timer returned can be cancelled."""
        timer = Timer(action, owner)
        self.add(due, timer)
        return timer

    def run(self, now: float, *, tasks_max: int) -> None:
        """Fire what is due at ``now`` or was due before, up to ``tasks_max`` of it."""
        heap = self._heap
        while heap and heap[0][0] <= now and tasks_max > 0:
            tasks_max -= 1
            task = heappop(heap)[2]
            try:
                again = task.fire(now)
            except Exception as error:
                if self._on_defect is None:
                    raise
                self._on_defect(task.owner, error)
                continue
            if again is not None:
                self._number += 1
                heappush(heap, (again, self._number, task))
