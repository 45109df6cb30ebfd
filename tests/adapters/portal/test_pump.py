"""What reads ahead of a reader: how far, and in which order."""

from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from triollama import StreamRestartedError
from triollama_adapters.portal import END, Pump
from triollama_adapters.portal.pump import AHEAD_LOW, AHEAD_MAX, Failure


class Numbers:
    """Counts up; some of its steps raise."""

    def __init__(self, errors: dict[int, Exception], end: int) -> None:
        self.at = 0
        self._errors = errors
        self._end = end

    def __aiter__(self) -> AsyncIterator[int]:
        return self

    async def __anext__(self) -> int:
        await trio.lowlevel.checkpoint()
        if self.at == self._end:
            raise StopAsyncIteration
        self.at += 1
        if self.at in self._errors:
            raise self._errors[self.at]
        return self.at


async def test_it_stops_ahead_and_goes_on() -> None:
    """It reads `AHEAD_MAX` items, and more when the reader has come down to `AHEAD_LOW`."""
    items: deque[Any] = deque()
    numbers = Numbers({}, 10_000)
    pump = Pump(numbers, items.append, items.__len__)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(pump.run)
        await wait_all_tasks_blocked()
        assert (len(items), pump.is_full, pump.has_room) == (AHEAD_MAX, True, False)
        for _ in range(AHEAD_MAX - AHEAD_LOW):
            assert not pump.has_room
            items.popleft()
        assert pump.has_room
        pump.go_on()
        await wait_all_tasks_blocked()
        assert len(items) == AHEAD_MAX
        nursery.cancel_scope.cancel()
    assert [*items][-1] == numbers.at  # none was lost


async def test_a_new_beginning_goes_on_and_an_error_does_not() -> None:
    """Items, a new beginning among them, and what ended it stand in their order."""
    given: list[Any] = []
    errors = {2: StreamRestartedError("anew"), 4: ValueError("over")}
    await Pump(Numbers(errors, 9), given.append, lambda: 0).run()
    assert [each for each in given if not isinstance(each, Failure)] == [1, 3]
    anew, over = given[1], given[3]
    assert (anew.is_last, over.is_last) == (False, True)
    for _ in range(2):
        with pytest.raises(ValueError, match="over") as caught:
            over.throw()
        assert len(caught.traceback) <= 4
    given.clear()
    await Pump(Numbers({}, 1), given.append, lambda: 0).run()
    assert given == [1, END]
