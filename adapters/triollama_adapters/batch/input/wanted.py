"""What is read of an input, and how. No IO."""

from __future__ import annotations

import attrs

from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.batch.input.filters import Filter
from triollama_adapters.batch.input.plan import Format, Plan

__all__ = ["Wanted"]


def _check_delimiter(_: object, __: object, value: str | None) -> None:
    if value is not None and (len(value) != 1 or value in '"\r\n'):
        raise ChoiceError(f"a delimiter is one character, such as ; or a tab, not {value!r}")


@attrs.frozen(kw_only=True)
class Wanted:
    """What is read, and how.

    Attributes:
        name: a path, or ``-`` for standard input; of a program's own rows what they are called.
        plan: what is asked of all rows.
        filter: which rows are asked.
        format: what the rows are; None: CSV by the file's name, the others by the first record.
        delimiter: what stands between the cells of CSV; None: a tab for ``.tsv``, else a comma.
        selected: fields of the input that are written out.
    """

    name: str
    plan: Plan
    filter: Filter = attrs.field(factory=Filter)
    format: Format | None = None
    delimiter: str | None = attrs.field(default=None, validator=_check_delimiter)
    selected: tuple[str, ...] = ()
