"""A row that is asked, perhaps twice at the same time: the answer that comes first counts."""

from __future__ import annotations

from contextlib import suppress

import attrs
import trio

from triollama_adapters.batch.errors import RowLeftError
from triollama_adapters.batch.work.asking import Asked, Asks
from triollama_adapters.batch.work.items import Item

__all__ = ["Running", "Second"]


@attrs.define(eq=False)
class Second:
    """The second asking of a row.

    Attributes:
        scope: what it waits in.
        is_ended: whether nothing comes of it any more.
        asked: what came of it, if that is an answer.
    """

    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    is_ended: trio.Event = attrs.field(factory=trio.Event)
    asked: Asked | None = None


@attrs.define(eq=False)
class Running:
    """A row that is asked, by one worker.

    Attributes:
        item: the row.
        began_s: when it was begun, on trio's clock.
        expected: how many tokens its answer was expected to have.
        cost: what it took out of the budget of tokens.
        first: what its worker waits in; cancelled when the second asking is faster.
        second: the second asking; None if there was none.
    """

    item: Item
    began_s: float
    expected: float
    cost: float = 0.0
    first: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    second: Second | None = None

    async def ask(self, asks: Asks) -> Asked | None:
        """Ask it, to its outcome; None if the job stops before.

        Raises:
            BatchError: what `asks` raises.
        """
        asked, ask = None, self.item.row.ask
        assert ask is not None
        with self.first:
            with suppress(RowLeftError):
                asked = await asks.ask(ask)
            if self.second is not None and (asked is None or asked.answer is None):
                await self.second.is_ended.wait()
        if self.second is not None and (asked is None or asked.answer is None):
            asked = self.second.asked or asked
        return asked

    async def ask_again(self, asks: Asks) -> None:
        """Ask it a second time, while `ask` waits; who calls tells `Second.is_ended`.

        Raises:
            BatchError: what `asks` raises.
        """
        ask, second = self.item.row.ask, self.second
        assert ask is not None
        assert second is not None
        with suppress(RowLeftError), second.scope:
            asked = await asks.ask(ask)
            if asked.answer is not None:
                second.asked = asked
                self.first.cancel()
