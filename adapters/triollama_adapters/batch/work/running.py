"""A row that is asked. No behaviour."""

from __future__ import annotations

import attrs
import trio

from triollama_adapters.batch.work.asking import Asked
from triollama_adapters.batch.work.items import Item

__all__ = ["Running"]


@attrs.define(eq=False)
class Running:
    """A row that is asked, by one worker.

    Attributes:
        item: the row.
        began_s: when it was begun, on trio's clock.
        expected: how many tokens its answer was expected to have.
        cost: what it took out of the budget of tokens.
        is_hedged: whether it is asked a second time, or was.
        first: what its worker waits in; cancelled when the second one is faster.
        second: what the second one waits in; None if there is none.
        asked: what came of the second one, if it was faster.
    """

    item: Item
    began_s: float
    expected: float
    cost: float = 0.0
    is_hedged: bool = False
    first: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    second: trio.CancelScope | None = None
    asked: Asked | None = None
