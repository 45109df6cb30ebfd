"""A job made of its parts: whoever runs one, a command or a program, makes it here."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from triollama_adapters.batch.input.source import RowSource
from triollama_adapters.batch.ledger.ledger import Entry
from triollama_adapters.batch.output.records import Records, kind_of, partial_from
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.batch.rows import Row
from triollama_adapters.batch.work.asking import Asked, Asks
from triollama_adapters.batch.work.changes import AllThere, Remembers
from triollama_adapters.batch.work.gate import Gate
from triollama_adapters.batch.work.job import Deliver, Job, Ledger, Limits
from triollama_adapters.batch.work.servers import Servers

__all__ = ["Follows", "RememberingLedger", "entry_of", "make_job"]


class RememberingLedger(Remembers, Ledger, Protocol):
    """A ledger that knows which rows an input must have."""


@runtime_checkable
class Follows(Asks, Protocol):
    """Asks rows of servers that a job can follow, as an `Asker` does.

    Attributes:
        gate: where rows wait.
        servers: who answers them.
    """

    gate: Gate
    servers: Servers

    def watch(self) -> None:
        """To be called now and then; see `Asker.watch`."""


def make_job(
    source: RowSource,
    ledger: RememberingLedger,
    asker: Asks,
    recipe: Recipe,
    limits: Limits,
    *,
    deliver: Deliver | None = None,
) -> Job:
    """A job that is ready to run.

    Args:
        source: its input.
        ledger: keeps its outcomes; the input must have all rows that it has one of, unless
            `Limits.accepts_changes`.
        asker: asks its rows; if it also tells of its servers, the job follows them.
        recipe: what is asked and written.
        limits: how it may use the fleet.
        deliver: see `Job`.

    Raises:
        ChoiceError: a function that the recipe names is not there.
    """
    shape = _Shape(source, recipe)
    rows = source if limits.accepts_changes else AllThere(source, ledger.rows_end)
    treated = recipe.treatment().around(asker)
    if not isinstance(asker, Follows):
        return Job(rows, ledger, treated, shape, limits, deliver=deliver)
    gate, servers, watch = asker.gate, asker.servers, asker.watch
    return Job(
        rows,
        ledger,
        treated,
        shape,
        limits,
        deliver=deliver,
        gate=gate,
        servers=servers,
        watch=watch,
    )


class _Shape:
    """Makes entries; their format is known from the first record that can be read."""

    def __init__(self, source: RowSource, recipe: Recipe) -> None:
        self._source = source
        self._recipe = recipe
        self._records: Records | None = None

    def __call__(self, row: Row, asked: Asked | None) -> Entry:
        if self._records is not None:
            return entry_of(self._records, row, asked)
        requests = self._source.requests
        records = self._recipe.records(requests.format if requests is not None else None)
        if requests is not None:
            self._records = records
        return entry_of(records, row, asked)


def entry_of(records: Records, row: Row, asked: Asked | None) -> Entry:
    """The one outcome of a row.

    Args:
        records: writes its line.
        row: the row.
        asked: what came of it; None if it could not be asked.
    """
    if asked is None:
        assert row.error is not None
        return Entry(row.number, row.digest, records.error(row, row.error), row.error.kind)
    if asked.answer is not None:
        line = records.answer(row, asked.answer, asked.way, asked.more)
        spent = asked.answer.usage
        return Entry(row.number, row.digest, line, None, spent.prompt_tokens, spent.output_tokens)
    error = asked.error
    assert error is not None
    had = asked.refused or asked.broken
    partial = partial_from(had) if had is not None else None
    spent, kind = asked.spent, kind_of(error)[0]
    line = records.error(row, error, asked.way, partial, asked.more, spent=spent)
    return Entry(row.number, row.digest, line, kind, spent.prompt_tokens, spent.output_tokens)
