"""What a row of the input is, what is asked for it, and what may come. No IO, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from triollama import ChatResponse, EmbedResponse, GenerateResponse
from triollama_adapters.batch.fields import Fields

__all__ = ["Answer", "Ask", "Encoding", "Kind", "Row", "RowError"]

Answer = ChatResponse | GenerateResponse | EmbedResponse

Kind = Literal["chat", "generate", "embed"]
"""Which method of the engine a row calls."""

Encoding = Literal["float", "base64"]
"""How the vectors of embeddings are written."""


@attrs.frozen(slots=True)
class Ask:
    """What is sent for a row.

    Attributes:
        kind: which of the engine's methods.
        arguments: its keyword arguments, ``model`` included.
        custom_id: the row's own name, in OpenAI's batch format; None elsewhere.
        encoding: how vectors are written.
        ignored: fields of the body that Ollama has no use for, as they change the answer on OpenAI.
        fields: the row's own, undecoded; for who judges the answer.
    """

    kind: Kind
    arguments: Mapping[str, Any] = attrs.field(repr=False)
    custom_id: str | None = None
    encoding: Encoding = "float"
    ignored: tuple[str, ...] = ()
    fields: Fields = attrs.field(repr=False, factory=dict, eq=False)

    @property
    def model(self) -> str:
        """The model that is asked."""
        model: str = self.arguments["model"]
        return model


@attrs.frozen(slots=True)
class RowError:
    """Why a row cannot be asked, or its answer does not count.

    Attributes:
        kind: ``LineTooLong``, ``LineNotUtf8``, ``LineNotJson``, ``LineNotAnObject``,
            ``LineTorn`` (the last one, cut off: a later reading may find it whole),
            ``CsvNotUsable``, ``RowNotUsable`` (of a program), ``FileNotReadable`` (in a folder),
            ``PromptMissing``, ``ModelMissing``, ``CustomIdMissing``,
            ``FormatDiffers`` or ``RequestNotUsable``. Of an answer: ``AnswerRejected``,
            ``CheckFailed``, ``AnswerNotJson``, ``AnswerNotAnObject``, ``VoteKeyMissing`` or
            ``VoteKeyFailed``.
        message: what is wrong, with the row's place; never the row's text. Of an answer: what the
            user's own function says.
    """

    kind: str
    message: str


@attrs.frozen(slots=True)
class Row:
    """One record of the input.

    Attributes:
        number: its place in the input, from 0. Of JSON lines each counts, blank ones included; of
            CSV each record counts, the header and blank lines do not.
        digest: 16 bytes, the same for the same content.
        place: where it stands, for messages, such as ``line 12``.
        size_bytes: what it takes in the input, unpacked.
        ask: what is sent; None if it cannot be asked.
        error: why not; None if it can.
        fields: its fields, undecoded.
        custom_id: its own name, in OpenAI's batch format, also where it cannot be asked.
    """

    number: int
    digest: bytes
    place: str
    size_bytes: int
    ask: Ask | None
    error: RowError | None
    fields: Fields = attrs.field(repr=False, factory=dict)
    custom_id: str | None = None
