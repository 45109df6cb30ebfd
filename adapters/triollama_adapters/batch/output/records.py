"""Outcomes into lines of output: flat records, or OpenAI's. No IO.

Each line has ``index``, the row's number, whatever its format: by it an output tells which rows it
holds when its journal is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import attrs
import msgspec

from triollama import (
    ChatResponse,
    EmbedResponse,
    GenerateResponse,
    StreamBrokenError,
    ToolCall,
    Usage,
)
from triollama_adapters.batch.fields import OWN_KEYS, encode_record, renamed
from triollama_adapters.batch.output.outcomes import Way, error_fields, text_fields, way_fields
from triollama_adapters.batch.rows import Answer, Row, RowError

__all__ = [
    "RECORD_KEYS",
    "TREATMENT_KEYS",
    "UNSPENT",
    "FlatRecords",
    "Partial",
    "Records",
    "calls_of",
    "kind_of",
    "partial_from",
    "partial_of",
]

RECORD_KEYS: Final = OWN_KEYS | {"embeddings", "tool_calls", "logprobs"}
"""The keys that a flat record may have besides the input's."""

TREATMENT_KEYS: Final = frozenset({"check", "vote"})
"""The keys that it may have besides, where there is a check or a vote."""

Fields = Mapping[str, Any]

NOTHING: Final[Fields] = {}

UNSPENT: Final = Usage()

_encode = msgspec.json.Encoder().encode


@attrs.frozen
class Partial:
    """What had arrived of an answer that broke, or all of one that does not count.

    Attributes:
        content: its text.
        thinking: what the model thought; None if it did not.
        tool_calls: as Ollama has them.
    """

    content: str
    thinking: str | None = None
    tool_calls: Sequence[Mapping[str, Any]] = ()

    def as_fields(self) -> dict[str, Any]:
        """What goes into the error's record."""
        fields: dict[str, Any] = {"content": self.content}
        if self.thinking:
            fields["thinking"] = self.thinking
        if self.tool_calls:
            fields["tool_calls"] = self.tool_calls
        return fields


class Records(Protocol):
    """Writes the one line of each row, its line end included."""

    def answer(
        self, row: Row, answer: Answer, way: Way | None = None, more: Fields = NOTHING
    ) -> bytes:
        """The line of a complete answer.

        Args:
            row: what was asked.
            answer: what came.
            way: how; None where nobody knows.
            more: fields of ours besides.
        """

    def error(
        self,
        row: Row,
        error: RowError | Exception,
        way: Way | None = None,
        partial: Partial | None = None,
        more: Fields = NOTHING,
        *,
        spent: Usage = UNSPENT,
    ) -> bytes:
        """The line of a row that failed for good.

        Args:
            row: what was asked.
            error: why there is no answer.
            way: what was tried; None if nothing was.
            partial: what had arrived; None takes what a `StreamBrokenError` holds.
            more: fields of ours besides.
            spent: the usage of answers that came and do not count; told if there were any.
        """


@attrs.frozen
class FlatRecords:
    """Flat records: the input's fields, and the answer's beside them.

    Attributes:
        select: the fields that are written, in this order, null where a row has none; ``index`` is
            always the first, and ``error`` always in an error's. None writes all.
        own_keys: every key that may be ours; a field of the input that has one is renamed.
    """

    select: tuple[str, ...] | None = None
    own_keys: frozenset[str] = RECORD_KEYS

    def answer(
        self, row: Row, answer: Answer, way: Way | None = None, more: Fields = NOTHING
    ) -> bytes:
        """The line of a complete answer; see `Records`."""
        own = _embedded(answer) if isinstance(answer, EmbedResponse) else _told(answer)
        return self._encode(row, {**own, **more, **_way(way, with_endpoint=True)})

    def error(
        self,
        row: Row,
        error: RowError | Exception,
        way: Way | None = None,
        partial: Partial | None = None,
        more: Fields = NOTHING,
        *,
        spent: Usage = UNSPENT,
    ) -> bytes:
        """The line of a row that failed for good; what had arrived is ``error.partial``."""
        kind, message = kind_of(error)
        partial = partial or partial_of(error)
        had = None if partial is None else {"partial": partial.as_fields()}
        cost = {} if spent == UNSPENT else {"usage": attrs.asdict(spent)}
        return self._encode(row, {**error_fields(kind, message, had), **more, **cost, **_way(way)})

    def _encode(self, row: Row, own: Mapping[str, Any]) -> bytes:
        if self.select is None:
            return encode_record(row.number, row.fields, own, self.own_keys)
        every = {**renamed(row.fields, self.own_keys), **own}
        chosen = {"index": row.number} | {
            name: every.get(name) for name in self.select if name != "index"
        }
        if "error" in own:
            chosen["error"] = own["error"]
        return _encode(chosen) + b"\n"


def kind_of(error: RowError | Exception) -> tuple[str, str]:
    """The name of a failure, and what happened."""
    if isinstance(error, RowError):
        return error.kind, error.message
    return type(error).__name__, str(error)


def partial_of(error: RowError | Exception) -> Partial | None:
    """What had arrived of an answer, where its error tells it."""
    if isinstance(error, StreamBrokenError):
        calls = [_call(each) for each in error.tool_calls if isinstance(each, ToolCall)]
        if error.content or error.thinking or calls:
            return Partial(error.content, error.thinking, calls)
    return None


def partial_from(answer: Answer) -> Partial | None:
    """An answer that does not count; None of an embedding."""
    if isinstance(answer, EmbedResponse):
        return None
    return Partial(answer.content, answer.thinking, calls_of(answer))


def calls_of(answer: ChatResponse | GenerateResponse) -> list[dict[str, Any]]:
    """The tool calls of an answer, as Ollama has them."""
    return [_call(call) for call in answer.tool_calls]


def _call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.function.name, "arguments": call.function.arguments}
    return {"id": call.id, "function": function} if call.id else {"function": function}


def _told(answer: ChatResponse | GenerateResponse) -> dict[str, Any]:
    own = text_fields(answer)
    if answer.tool_calls:
        own["tool_calls"] = calls_of(answer)
    if answer.logprobs:
        own["logprobs"] = answer.logprobs
    return own


def _embedded(answer: EmbedResponse) -> dict[str, Any]:
    return {"embeddings": answer.embeddings, "usage": attrs.asdict(answer.usage)}


def _way(way: Way | None, *, with_endpoint: bool = False) -> dict[str, Any]:
    if way is None:
        return {}
    return ({"endpoint": way.endpoint} if with_endpoint else {}) | way_fields(way)
