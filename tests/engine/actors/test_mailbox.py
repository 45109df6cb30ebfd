"""Mailboxes are bounded, and a reply is given once."""

from __future__ import annotations

import trio
from trio.testing import wait_all_tasks_blocked

from triollama.actors.mailbox import Mailbox, ReplySlot


async def test_messages_come_in_order_and_are_counted() -> None:
    """First in, first out; the statistics say how full it is."""
    box = Mailbox[int](2)
    assert box.tell_nowait(1)
    await box.tell(2)
    assert not box.tell_nowait(3)
    fill = box.statistics()
    assert (fill.waiting, fill.capacity, fill.refused) == (2, 2, 1)
    assert [await box.receive(), await box.receive()] == [1, 2]
    assert box.statistics().waiting == 0


async def test_telling_waits_for_room(nursery: trio.Nursery) -> None:
    """A full mailbox holds the teller up, and one who leaves has left nothing."""
    box = Mailbox[str](1)
    await box.tell("first")
    with trio.CancelScope() as scope:
        nursery.start_soon(_cancel_soon, scope)
        await box.tell("given up")
    nursery.start_soon(box.tell, "second")
    await wait_all_tasks_blocked()
    assert box.statistics().waiting == 1
    assert [await box.receive(), await box.receive()] == ["first", "second"]


async def _cancel_soon(scope: trio.CancelScope) -> None:
    await wait_all_tasks_blocked()
    scope.cancel()


async def test_receiving_cancelled_takes_nothing(nursery: trio.Nursery) -> None:
    """A message that comes after the receiver left waits for the next one."""
    box = Mailbox[str](1)
    with trio.CancelScope() as scope:
        nursery.start_soon(_cancel_soon, scope)
        await box.receive()
    assert box.tell_nowait("kept")
    assert await box.receive() == "kept"


async def test_a_reply_counts_once(nursery: trio.Nursery) -> None:
    """The first answer is the answer, whether it came before or after the wait."""
    slot = ReplySlot[str]()
    assert slot.take() is None
    assert not slot.is_filled
    nursery.start_soon(_fill_soon, slot)
    assert await slot.wait() == "first"
    slot.fill("second")
    assert slot.is_filled
    assert await slot.wait() == slot.take() == "first"


async def _fill_soon(slot: ReplySlot[str]) -> None:
    await wait_all_tasks_blocked()
    slot.fill("first")
