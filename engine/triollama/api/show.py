"""``POST /api/show``: all that a server tells about one model."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import field, frozen

from ._fields import check_flag, check_text, model_field
from ._json import counted, encode_body, veiled
from ._reply import build, build_each, read_object
from .messages import Message
from .models import ModelDetails, details_of
from .options import options_to_json
from .times import parse_time

__all__ = ["ShowRequest", "ShowResponse", "Tensor", "decode_show"]


@frozen(kw_only=True)
class ShowRequest:
    """Which model to tell about.

    Attributes:
        model: the model's name.
        verbose: give the vocabulary and other arrays in full; several megabytes.
        system: shown in place of the model's system prompt.
        options: shown in the model file.

    Raises:
        InvalidRequestError: a field has the wrong type or value.
    """

    model: str = field(converter=model_field)
    verbose: bool | None = field(default=None, validator=check_flag)
    system: str | None = field(default=None, validator=check_text, repr=veiled)
    options: dict[str, Any] | None = field(default=None, converter=options_to_json)

    path = "/api/show"

    def body(self) -> bytes:
        """Encode the request's body; what is unset is left out.

        Raises:
            InvalidRequestError: a text cannot be encoded, or the body is too large.
        """
        return encode_body(
            {
                "model": self.model,
                "verbose": self.verbose,
                "system": self.system,
                "options": self.options,
            }
        )


@frozen(kw_only=True)
class Tensor:
    """One tensor of a model's file.

    Attributes:
        name: its name.
        type: such as ``Q4_K``.
        shape: its dimensions.
        extra: unknown fields.
    """

    name: str = ""
    type: str = ""
    shape: tuple[int, ...] = ()
    extra: dict[str, Any] = field(factory=dict)


@frozen(kw_only=True)
class ShowResponse:
    """All that a server tells about one model. What it does not tell is None or empty.

    Attributes:
        license: all licences.
        modelfile: the recipe that would make the model again.
        parameters: one line per value, in no fixed order.
        template: Go's syntax, or Jinja's where the model's own is used.
        system: the system prompt.
        renderer: the built-in renderer of prompts.
        parser: the built-in parser of answers.
        details: what kind of model it is.
        messages: the conversation that the model begins with.
        remote_model: the model behind a stub.
        remote_host: where it runs.
        model_info: the metadata of the model's file; its arrays are None unless ``verbose``.
        projector_info: the same for its vision projector.
        tensors: what its file holds.
        capabilities: what it can do, in no fixed order; empty before 0.6.4.
        modified_at: RFC 3339 with the server's offset.
        requires: the oldest server that can run it.
        extra: unknown fields.
    """

    license: str | None = field(default=None, repr=veiled)
    modelfile: str | None = field(default=None, repr=veiled)
    parameters: str | None = field(default=None, repr=veiled)
    template: str | None = field(default=None, repr=veiled)
    system: str | None = field(default=None, repr=veiled)
    renderer: str | None = None
    parser: str | None = None
    details: ModelDetails = field(factory=ModelDetails)
    messages: tuple[Message, ...] = field(default=(), repr=counted)
    remote_model: str | None = None
    remote_host: str | None = None
    model_info: dict[str, Any] = field(factory=dict, repr=counted)
    projector_info: dict[str, Any] | None = field(default=None, repr=False)
    tensors: tuple[Tensor, ...] = field(default=(), repr=counted)
    capabilities: tuple[str, ...] = ()
    modified_at: str = ""
    requires: str | None = None
    extra: dict[str, Any] = field(factory=dict, repr=counted)

    @property
    def context_length(self) -> int | None:
        """Tokens of context that the model was trained for; None if not told."""
        architecture = self.model_info.get("general.architecture")
        length = self.model_info.get(f"{architecture}.context_length")
        return length if isinstance(length, int) and not isinstance(length, bool) else None

    @property
    def modified_time(self) -> datetime | None:
        """`modified_at` as an aware datetime; None if it is no time."""
        return parse_time(self.modified_at)


def decode_show(body: bytes) -> ShowResponse:
    """Read the answer.

    Raises:
        ProtocolError: it is no JSON object, or a field has the wrong type.
    """
    what = "the answer of /api/show"
    fields = read_object(body, what)
    return build(ShowResponse, fields, what, details=details_of, tensors=build_each(Tensor))
