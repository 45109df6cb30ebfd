"""Which columns the rows of a table have, and of which type: found by looking at all. No IO.

A column that has texts and anything else, or lists and objects, becomes text: texts as they are and
all else as JSON. Whole numbers among others become floating point ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto
from typing import Any, Final

import attrs
import msgspec

from triollama_adapters.batch.errors import ExportError
from triollama_adapters.batch.fields import listed
from triollama_adapters.batch.output.records import RECORD_KEYS, TREATMENT_KEYS

__all__ = ["EMBEDDINGS", "Column", "Columns", "Type", "text_of_value"]

EMBEDDINGS: Final = "embeddings"

COLUMNS_MAX: Final = 2_000
"""Of one table: more come of objects with free names, and no program likes to open that."""

_INT_MAX: Final = (1 << 63) - 1

_OF_ANSWERS: Final = RECORD_KEYS | TREATMENT_KEYS
"""Fields that a record may have, although none has: of answers without thinking, say."""

_encode = msgspec.json.Encoder().encode


# Kinds of values. Texts, as they are compared and put into sets for each value of each record.
_NONE: Final = "none"
_BOOL: Final = "bool"
_INT: Final = "int"
_FLOAT: Final = "float"
_TEXT: Final = "text"
_OTHER: Final = "other"
_VECTOR: Final = "vector"
_VECTORS: Final = "vectors"


class Type(Enum):
    """What a column becomes."""

    BOOL = auto()
    INT = auto()
    FLOAT = auto()
    TEXT = auto()
    VECTOR = auto()
    VECTORS = auto()


@attrs.frozen
class Column:
    """One column.

    Attributes:
        name: its key in the rows.
        type: what its values become.
    """

    name: str
    type: Type

    def value(self, row: Mapping[str, Any]) -> Any:
        """The value of a row, as the column's type has it; None if the row has none."""
        value = row.get(self.name)
        if value is None:
            return None
        match self.type:
            case Type.TEXT:
                return text_of_value(value)
            case Type.FLOAT:
                return float(value)
            case Type.VECTOR:
                return value[0] if value else None
            case _:
                return value


class Columns:
    """Looks at rows."""

    def __init__(self) -> None:
        self._kinds: dict[str, set[str]] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        """Look at one more row.

        Raises:
            ExportError: there are more columns than a table should have.
        """
        for name, value in row.items():
            kind = _kind(name, value)
            if (kinds := self._kinds.get(name)) is not None:
                kinds.add(kind)
            else:
                self._kinds[name] = {kind}
        if len(self._kinds) > COLUMNS_MAX:
            raise ExportError(
                f"the records have more than {COLUMNS_MAX:,} different fields; choose with --select"
            )

    def chosen(self, select: Sequence[str] = ()) -> list[Column]:
        """The columns: ``index`` first, then as they came, or those that are wanted.

        Args:
            select: the names that are wanted; none: all.

        Raises:
            ExportError: one is neither in any record nor what an answer may have.
        """
        unknown = [each for each in select if each not in self._kinds and each not in _OF_ANSWERS]
        if unknown and self._kinds:
            raise ExportError(
                f"--select names {unknown[0]!r}, which no record has; there are: "
                f"{listed(self._kinds)}"
            )
        names = list(dict.fromkeys(["index", *(select or self._kinds)]))
        return [Column(name, _type(self._kinds.get(name, set()))) for name in names]


def text_of_value(value: Any) -> str:
    """A value as text: a text as it is, all else as JSON."""
    return value if isinstance(value, str) else _encode(value).decode()


def _kind(name: str, value: Any) -> str:
    if isinstance(value, int) and abs(value) > _INT_MAX:
        return _OTHER
    if name == EMBEDDINGS and isinstance(value, list) and _are_vectors(value):
        return _VECTOR if len(value) <= 1 else _VECTORS
    return _KINDS.get(type(value), _OTHER)


_KINDS: Final = {
    type(None): _NONE,
    bool: _BOOL,
    int: _INT,
    float: _FLOAT,
    str: _TEXT,
}

_TYPES: Final = {
    frozenset({_BOOL}): Type.BOOL,
    frozenset({_INT}): Type.INT,
    frozenset({_FLOAT}): Type.FLOAT,
    frozenset({_INT, _FLOAT}): Type.FLOAT,
    frozenset({_VECTOR}): Type.VECTOR,
    frozenset({_VECTORS}): Type.VECTORS,
    frozenset({_VECTOR, _VECTORS}): Type.VECTORS,
}


def _type(kinds: set[str]) -> Type:
    return _TYPES.get(frozenset(kinds - {_NONE}), Type.TEXT)


def _are_vectors(value: list[Any]) -> bool:
    return all(
        isinstance(each, list) and all(type(number) in (int, float) for number in each)
        for each in value
    )
