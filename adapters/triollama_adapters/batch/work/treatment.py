"""What becomes of each answer before it counts: columns, a check, a vote, in this order.

Each stands around the one before: an answer that is not the JSON that it must be is not checked,
and one that the check rejects has no vote.
"""

from __future__ import annotations

from typing import Final

import attrs

from triollama import EmbedResponse
from triollama_adapters.batch.output.columns import column_fields
from triollama_adapters.batch.output.records import RECORD_KEYS, TREATMENT_KEYS
from triollama_adapters.batch.rows import Ask, RowError
from triollama_adapters.batch.work.asking import Asked, Asks
from triollama_adapters.batch.work.checking import RETRIES, Checked
from triollama_adapters.batch.work.functions import Function
from triollama_adapters.batch.work.keys import KeyOf
from triollama_adapters.batch.work.narrow import Narrow
from triollama_adapters.batch.work.voting import Voted

__all__ = ["Structured", "Treatment"]

_OWN_KEYS: Final = RECORD_KEYS | TREATMENT_KEYS


@attrs.frozen
class Structured:
    """Asks rows, and makes columns of answers that are JSON objects; see `columns`.

    Attributes:
        asks: who is asked.
        columns: the keys that are wanted.
    """

    asks: Asks
    columns: tuple[str, ...]

    async def ask(self, ask: Ask) -> Asked:
        """Ask one row; an answer that is no JSON object is an error. Embeddings have no columns."""
        asked = await self.asks.ask(ask)
        answer = asked.answer
        if answer is None or isinstance(answer, EmbedResponse):
            return asked
        found = column_fields(answer.content, self.columns, _OWN_KEYS)
        if isinstance(found, RowError):
            return attrs.evolve(asked, answer=None, error=found, refused=answer)
        return attrs.evolve(asked, more={**asked.more, **found})


@attrs.frozen(kw_only=True)
class Treatment:
    """What is done with the answers of one job.

    Attributes:
        columns: the keys of answers that become fields; none: none do.
        check: what takes or rejects an answer; None takes all.
        check_retries: how often an answer is asked for again.
        seats: how many answers a row gets at most; 1: there is no vote.
        key_of: what an answer votes for; only with several.
    """

    columns: tuple[str, ...] = ()
    check: Function | None = None
    check_retries: int = RETRIES
    seats: int = 1
    key_of: KeyOf | None = None

    def around(self, asks: Asks) -> Asks:
        """Who asks rows, and does all that.

        Args:
            asks: who asks them once.
        """
        narrow = Narrow(asks)
        if self.seats > 1:
            asks = narrow
        if self.columns:
            asks = Structured(asks, self.columns)
        if self.check is not None:
            asks = Checked(asks, self.check, self.check_retries)
        if self.seats > 1:
            assert self.key_of is not None
            asks = Voted(asks, self.seats, self.key_of, narrow)
        return asks
