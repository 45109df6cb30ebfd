"""Outcomes into lines of output: flat records, or OpenAI's. No IO.

Each line has ``index``, the row's number, whatever its format: by it an output tells which rows it
holds when its journal is lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import attrs
import msgspec

from triollama import ChatResponse, EmbedResponse, GenerateResponse, StreamBrokenError
from triollama_adapters.batch.fields import OWN_KEYS, encode_record, renamed
from triollama_adapters.batch.output.outcomes import Way, error_fields, text_fields, way_fields
from triollama_adapters.batch.rows import Answer, Row, RowError

__all__ = [
    "RECORD_KEYS",
    "Answer",
    "FlatRecords",
    "Partial",
    "Records",
    "calls_of",
    "kind_of",
    "partial_of",
]

RECORD_KEYS: Final = OWN_KEYS | {"embeddings", "tool_calls", "logprobs"}
"""The keys that a flat record may have besides the input's."""

_encode = msgspec.json.Encoder().encode


@attrs.frozen
class Partial:
    """What had arrived of an answer that broke.

    Attributes:
        content: its text.
        thinking: what the model thought; None if it did not.
    """

    content: str
    thinking: str | None = None

    def as_fields(self) -> dict[str, str]:
        """What goes into the error's record."""
        thinking = {"thinking": self.thinking} if self.thinking else {}
        return {"content": self.content, **thinking}


class Records(Protocol):
    """Writes the one line of each row, its line end included."""

    def answer(self, row: Row, answer: Answer, way: Way | None = None) -> bytes:
        """The line of a complete answer.

        Args:
            row: what was asked.
            answer: what came.
            way: how; None where nobody knows.
        """

    def error(
        self,
        row: Row,
        error: RowError | Exception,
        way: Way | None = None,
        partial: Partial | None = None,
    ) -> bytes:
        """The line of a row that failed for good.

        Args:
            row: what was asked.
            error: why there is no answer.
            way: what was tried; None if nothing was.
            partial: what had arrived; None takes what a `StreamBrokenError` holds.
        """


@attrs.frozen
class FlatRecords:
    """Flat records: the input's fields, and the answer's beside them.

    Attributes:
        select: the fields that are written, in this order, null where a row has none; ``index`` is
            always the first, and ``error`` always in an error's. None writes all.
    """

    select: tuple[str, ...] | None = None

    def answer(self, row: Row, answer: Answer, way: Way | None = None) -> bytes:
        """The line of a complete answer; see `Records`."""
        own = _embedded(answer) if isinstance(answer, EmbedResponse) else _told(answer)
        return self._encode(row, own | _way(way, with_endpoint=True))

    def error(
        self,
        row: Row,
        error: RowError | Exception,
        way: Way | None = None,
        partial: Partial | None = None,
    ) -> bytes:
        """The line of a row that failed for good; what had arrived is ``error.partial``."""
        kind, message = kind_of(error)
        partial = partial or partial_of(error)
        more = None if partial is None else {"partial": partial.as_fields()}
        return self._encode(row, error_fields(kind, message, more) | _way(way))

    def _encode(self, row: Row, own: Mapping[str, Any]) -> bytes:
        if self.select is None:
            return encode_record(row.number, row.fields, own, RECORD_KEYS)
        every = {**renamed(row.fields, RECORD_KEYS), **own}
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
    if isinstance(error, StreamBrokenError) and (error.content or error.thinking):
        return Partial(error.content, error.thinking)
    return None


def calls_of(answer: ChatResponse | GenerateResponse) -> list[dict[str, Any]]:
    """The tool calls of an answer, as Ollama has them."""
    return [
        {
            **({"id": call.id} if call.id else {}),
            "function": {"name": call.function.name, "arguments": call.function.arguments},
        }
        for call in answer.tool_calls
    ]


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
