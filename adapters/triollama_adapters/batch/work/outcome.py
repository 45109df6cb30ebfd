"""What came of a row, as it is handed from its worker to the writer, and to whoever wants it.

It holds neither the row's text nor the request: with the order of the input kept, thousands of
outcomes may wait for an earlier row's.
"""

from __future__ import annotations

import attrs

from triollama import EmbedResponse, Timing
from triollama_adapters.batch.ledger.ledger import Entry
from triollama_adapters.batch.output.records import kind_of
from triollama_adapters.batch.rows import Answer, Row
from triollama_adapters.batch.work.asking import Asked

__all__ = ["Outcome", "outcome_of"]


@attrs.frozen
class Outcome:
    """What came of a row.

    Attributes:
        number: the row's place in the input, from 0.
        custom_id: its own name, in OpenAI's batch format; None elsewhere.
        entry: what is kept of it.
        answer: its answer; None if there is none.
        error: why there is none, as a sentence without the row's text; None for an answer. Its
            kind is that of the entry.
        endpoint: who answered, or was asked last; empty if nobody knows.
        timing: when what happened in the last stream; None where there was none.
    """

    number: int
    custom_id: str | None
    entry: Entry
    answer: Answer | None = attrs.field(default=None, repr=False)
    error: str | None = None
    endpoint: str = ""
    timing: Timing | None = None

    @property
    def size_bytes(self) -> int:
        """What it takes in memory, about: the record, and the answer as it came."""
        answer, record = self.answer, len(self.entry.record)
        if answer is None:
            return record
        if isinstance(answer, EmbedResponse):
            return 2 * record
        return record + 2 * len(answer.content + (answer.thinking or ""))


def outcome_of(row: Row, asked: Asked | None, entry: Entry) -> Outcome:
    """The outcome of a row.

    Args:
        row: the row.
        asked: what came of it; None if it could not be asked.
        entry: what is kept of it.
    """
    if asked is None:
        why = row.error.message if row.error is not None else None
        return Outcome(row.number, row.custom_id, entry, error=why)
    stream = asked.stream
    return Outcome(
        row.number,
        row.custom_id,
        entry,
        asked.answer,
        kind_of(asked.error)[1] if asked.error is not None else None,
        stream.endpoint if stream is not None else "",
        stream.timing if stream is not None else None,
    )
