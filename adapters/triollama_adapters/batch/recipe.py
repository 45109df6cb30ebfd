"""What a job asks, in plain values: what is stored beside an output so that a resume needs no more.

A job that is resumed with another recipe would mix two kinds of answers in one output, so the
ledger compares them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.batch.input.filters import Filter, parse_condition, parse_shard
from triollama_adapters.batch.input.plan import Format, Plan
from triollama_adapters.batch.input.source import Wanted
from triollama_adapters.batch.input.template import field_template, parse_template
from triollama_adapters.batch.ledger.ledger import Entry
from triollama_adapters.batch.output.openai_records import OpenAIRecords
from triollama_adapters.batch.output.records import FlatRecords, Records
from triollama_adapters.batch.rows import Kind, Row
from triollama_adapters.batch.work.asking import Asked

__all__ = ["Recipe", "entry_of"]


def _texts(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class Recipe:
    """What is read, asked and written.

    Attributes:
        input: the input's path, or ``-``.
        format: a name of `Format`; None: found out.
        delimiter: between the cells of CSV; None: by the file's name.
        prompt: a template such as ``Summarise: {text}``; None for `field`.
        field: the field that is asked; None: the first of the usual ones.
        system: the system message of plain records.
        kind: which method of the engine plain records call.
        model: for rows that name none.
        models: other names for the models that rows name.
        options: Ollama's options.
        think: whether the model is to think.
        where: conditions such as ``lang=en``.
        limit: so many rows at most.
        sample: the share of rows.
        shard: such as ``3/8``.
        select: the fields of flat records that are written; none: all.

    Raises:
        ChoiceError: from its methods, if a value means nothing.
    """

    input: str
    format: str | None = None
    delimiter: str | None = None
    prompt: str | None = attrs.field(default=None, repr=False)
    field: str | None = None
    system: str | None = attrs.field(default=None, repr=False)
    kind: Kind = "chat"
    model: str | None = None
    models: Mapping[str, str] = attrs.field(factory=dict)
    options: Mapping[str, Any] = attrs.field(factory=dict)
    think: bool | None = None
    where: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    limit: int | None = None
    sample: float = 1.0
    shard: str | None = None
    select: tuple[str, ...] = attrs.field(default=(), converter=_texts)

    def settings(self) -> dict[str, Any]:
        """What is stored: all that is not as it is by default."""
        return {
            each.name: list(value) if isinstance(value, tuple) else value
            for each in attrs.fields(Recipe)
            if (value := getattr(self, each.name)) not in (None, (), {}) and value != each.default
        }

    def wanted(self) -> Wanted:
        """What is read, and how."""
        if self.prompt is not None and self.field is not None:
            raise ChoiceError("--prompt and --field exclude each other; give one of them")
        template = None
        if self.prompt is not None:
            template = parse_template(self.prompt)
        elif self.field is not None:
            template = field_template(self.field)
        plan = Plan(
            model=self.model,
            models=self.models,
            template=template,
            system=self.system,
            kind=self.kind,
            options=self.options or None,
            think=self.think,
        )
        chosen = Filter(
            shard=parse_shard(self.shard) if self.shard is not None else (0, 1),
            sample=self.sample,
            conditions=tuple(map(parse_condition, self.where)),
            limit=self.limit,
        )
        format_ = Format(self.format) if self.format is not None else None
        return Wanted(
            name=self.input, plan=plan, filter=chosen, format=format_, delimiter=self.delimiter
        )

    def records(self, found: Format | None) -> Records:
        """What writes the outcomes.

        Args:
            found: what the rows of the input are; None if it has none.
        """
        if found is Format.OPENAI and not self.select:
            return OpenAIRecords()
        return FlatRecords(self.select or None)


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
        line = records.answer(row, asked.answer, asked.stream)
        usage = asked.answer.usage
        tokens = getattr(usage, "output_tokens", 0)
        return Entry(row.number, row.digest, line, None, usage.prompt_tokens, tokens)
    error = asked.error
    assert error is not None
    line = records.error(row, error, asked.stream)
    return Entry(row.number, row.digest, line, type(error).__name__)
