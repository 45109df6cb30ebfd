"""Which row is asked next: the decision. No IO, no clock, no randomness.

Owns the rows that were read and not begun, which are those of the job's window at most. While the
input goes on they are asked in its order, but for two things that save servers work: rows that
begin alike follow each other (`GROUP_MAX` at a time), and a model whose turn it is not waits; whose
turn it is, `capacity` decides. Once the input has been read to its end, the row whose answer is
expected to be the longest comes first: a long one that is begun last would keep the job from its
end while all other slots are idle.

No row is overtaken by more than `overtaken_max` later ones; then it is the next.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Final

from triollama_adapters.batch.work.items import Item

__all__ = ["GROUP_MAX", "OVERTAKEN_MAX", "Schedule"]

GROUP_MAX: Final = 256
"""Rows that begin alike and follow each other, while others wait."""

OVERTAKEN_MAX: Final = 4_000
"""As many rows as a window has. Models are then swapped once in as many rows."""

SORTED_SHARE: Final = 8
"""Expectations are looked at again when an eighth of the rows that were left is begun."""


class _Queue:
    """The rows of one model."""

    def __init__(self) -> None:
        self._groups: dict[int, deque[Item]] = {}
        self._given = 0  # of the first group
        self._heap: list[tuple[float, int, Item]] | None = None
        self.count = 0

    def add(self, item: Item) -> None:
        self.count += 1
        self._groups.setdefault(item.prefix, deque()).append(item)

    def sort(self, expected: Callable[[Item], float]) -> None:
        """From now on the longest comes first."""
        items = [item for group in self._groups.values() for item in group]
        items += [item for _, _, item in self._heap or ()]
        self._groups.clear()
        self._heap = [(-expected(item), item.turn, item) for item in items if not item.is_taken]
        heapq.heapify(self._heap)

    def rank(self) -> tuple[float, int]:
        """What it is compared with other models by: the least goes first."""
        item = self._head()
        return (self._heap[0][0] if self._heap else 0.0), item.turn

    def pop(self) -> Item:
        item = self._head()
        if self._heap is not None:
            heapq.heappop(self._heap)
            return item
        prefix, group = next(iter(self._groups.items()))
        group.popleft()
        self._given += 1
        if not group or self._given >= GROUP_MAX:
            self._rotate(prefix, group)
        return item

    def _head(self) -> Item:
        """The next one; there is one."""
        assert self.count
        if self._heap is not None:
            while self._heap[0][2].is_taken:
                heapq.heappop(self._heap)
            return self._heap[0][2]
        while True:
            prefix, group = next(iter(self._groups.items()))
            while group and group[0].is_taken:
                group.popleft()
            if group:
                return group[0]
            self._rotate(prefix, group)

    def _rotate(self, prefix: int, group: deque[Item]) -> None:
        del self._groups[prefix]
        self._given = 0
        if group:
            self._groups[prefix] = group


class Schedule:
    """See the module.

    Args:
        expected: how many tokens a row's answer is expected to have.
        overtaken_max: see the module.
    """

    def __init__(
        self, expected: Callable[[Item], float], *, overtaken_max: int = OVERTAKEN_MAX
    ) -> None:
        self._expected = expected
        self._overtaken_max = overtaken_max
        self._queues: dict[str, _Queue] = {}
        self._by_age: OrderedDict[int, Item] = OrderedDict()  # those that wait, and no others
        self._added = 0
        self._taken = 0
        self._is_closed = False
        self._sort_at = 0

    def __len__(self) -> int:
        return self._added - self._taken

    @property
    def is_closed(self) -> bool:
        """Whether no more rows come."""
        return self._is_closed

    @property
    def waiting(self) -> Mapping[str, int]:
        """How many rows wait for each model; only those that have some."""
        return {model: queue.count for model, queue in self._queues.items()}

    @property
    def starving(self) -> str | None:
        """The model of a row that was overtaken too often; None if there is none."""
        oldest = self._oldest()
        return oldest.model if oldest is not None and self._is_starved(oldest) else None

    def add(self, item: Item) -> None:
        """One more row."""
        assert not self._is_closed
        item.turn = self._added
        self._added += 1
        self._by_age[item.turn] = item
        queue = self._queues.get(item.model)
        if queue is None:
            queue = self._queues[item.model] = _Queue()
        queue.add(item)

    def close(self) -> None:
        """The input has been read to its end."""
        self._is_closed = True

    def take(self, may: Callable[[str], bool]) -> Item | None:
        """The next row; None if there is none that may be begun now.

        Args:
            may: whether a row of a model may be begun.
        """
        if self._is_closed and len(self) and self._taken >= self._sort_at:
            self._sort()
        oldest = self._oldest()
        if oldest is None:
            return None
        if self._is_starved(oldest) and may(oldest.model):
            return self._note(oldest)
        ready = [queue for model, queue in self._queues.items() if may(model)]
        if not ready:
            return None
        queue = ready[0] if len(ready) == 1 else min(ready, key=_Queue.rank)
        return self._note(queue.pop())

    # ---- inside

    def _sort(self) -> None:
        for queue in self._queues.values():
            queue.sort(self._expected)
        self._sort_at = self._taken + max(1, len(self) // SORTED_SHARE)

    def _note(self, item: Item) -> Item:
        item.is_taken = True
        del self._by_age[item.turn]
        self._taken += 1
        queue = self._queues[item.model]
        queue.count -= 1
        if not queue.count:
            del self._queues[item.model]
        return item

    def _oldest(self) -> Item | None:
        return next(iter(self._by_age.values()), None)

    def _is_starved(self, item: Item) -> bool:
        return self._taken - item.turn >= self._overtaken_max
