"""What a job asks, in plain values: what is stored beside an output so that a resume needs no more.

A job that is resumed with another recipe would mix two kinds of answers in one output, so the
ledger compares them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.batch.input.filters import Filter, parse_condition, parse_shard
from triollama_adapters.batch.input.plan import Format, Plan
from triollama_adapters.batch.input.template import field_template, parse_template
from triollama_adapters.batch.input.wanted import Wanted
from triollama_adapters.batch.output.columns import chosen_columns, column_keys
from triollama_adapters.batch.output.openai_records import OpenAIRecords
from triollama_adapters.batch.output.records import (
    RECORD_KEYS,
    TREATMENT_KEYS,
    FlatRecords,
    Records,
)
from triollama_adapters.batch.rows import Kind
from triollama_adapters.batch.work.checking import RETRIES
from triollama_adapters.batch.work.functions import load_function, name_of
from triollama_adapters.batch.work.keys import key_of_choice
from triollama_adapters.batch.work.treatment import Treatment
from triollama_adapters.batch.work.voting import check_seats

__all__ = ["Recipe"]

_RENAMED = ("input_", "answer_")
"""How fields begin that got another name because theirs is one of ours."""


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
        answer_format: ``json``, or a JSON schema that answers follow.
        columns: keys of answers that become fields of flat records; ``*``: all of the schema's.
        check: a function that takes or rejects each answer, or its name ``MODULE:FUNCTION``.
        check_retries: how often an answer is asked for again, when the check says so.
        vote: so many answers to each row at most, of which the majority counts.
        vote_key: what an answer votes for; a name, see `keys`, or a function as for `check`.

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
    answer_format: str | Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    columns: tuple[str, ...] = attrs.field(default=(), converter=_texts)
    check: str | Callable[..., Any] | None = None
    check_retries: int = RETRIES
    vote: int = 1
    vote_key: str | Callable[..., Any] | None = None

    def settings(self) -> dict[str, Any]:
        """What is stored: all that is not as it is by default."""
        return {
            each.name: _stored(value)
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
            answer_format=self.answer_format,
        )
        chosen = Filter(
            shard=parse_shard(self.shard) if self.shard is not None else (0, 1),
            sample=self.sample,
            conditions=tuple(map(parse_condition, self.where)),
            limit=self.limit,
        )
        format_ = Format(self.format) if self.format is not None else None
        return Wanted(
            name=self.input,
            plan=plan,
            filter=chosen,
            format=format_,
            delimiter=self.delimiter,
            selected=self._selected(),
        )

    def records(self, found: Format | None) -> Records:
        """What writes the outcomes.

        Args:
            found: what the rows of the input are; None if it has none.
        """
        if found is Format.OPENAI and not (self.select or self.columns):
            return OpenAIRecords()
        return FlatRecords(self.select or None, self._own_keys())

    def _own_keys(self) -> frozenset[str]:
        """The fields of a flat record that are ours."""
        columns = chosen_columns(self.columns, self.answer_format)
        own = RECORD_KEYS | column_keys(columns, RECORD_KEYS | TREATMENT_KEYS)
        own |= {"check"} if self.check is not None else set()
        return own | ({"vote"} if self.vote > 1 else set())

    def _selected(self) -> tuple[str, ...]:
        """The fields to write that must come from the input."""
        own = self._own_keys() if self.select else ()
        names = [name for name in self.select if name not in own]
        return tuple(name for name in names if not name.startswith(_RENAMED))

    def treatment(self) -> Treatment:
        """What is done with each answer before it counts; the functions are imported.

        Raises:
            ChoiceError: there is no such function, or what is wanted cannot be.
        """
        if self.kind == "embed" and (self.columns or self.vote > 1 or self.answer_format):
            raise ChoiceError("an embedding has no text: no --columns, --vote or --answer-format")
        if self.vote_key is not None and self.vote == 1:
            raise ChoiceError("--vote-key says how answers vote; give --vote as well")
        if self.check_retries < 0:
            raise ChoiceError(f"--check-retries takes 0 or more, not {self.check_retries}")
        check_seats(self.vote, self.options.get("temperature"))
        return Treatment(
            columns=chosen_columns(self.columns, self.answer_format),
            check=load_function(self.check, "--check") if self.check is not None else None,
            check_retries=self.check_retries,
            seats=self.vote,
            key_of=key_of_choice(self.vote_key) if self.vote > 1 else None,
        )


def _stored(value: Any) -> Any:
    """A value of a setting as JSON has it; a function by its name."""
    if isinstance(value, tuple):
        return list(value)
    return name_of(value) if callable(value) else value
