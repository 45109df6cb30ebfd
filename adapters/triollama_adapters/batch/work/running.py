"""A row that is asked. No behaviour."""

from __future__ import annotations

import attrs
import trio

from triollama_adapters.batch.work.asking import Asked
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
