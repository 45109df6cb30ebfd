"""``POST /api/embeddings``: the older route, for one vector. New programs use ``/api/embed``."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from ._fields import check_text, keep_alive_field, model_field
from ._json import counted, encode_body, veiled
from ._reply import build, read_object
from .options import options_to_json

__all__ = ["EmbeddingsRequest", "EmbeddingsResponse", "decode_embeddings"]


@frozen(kw_only=True)
class EmbeddingsRequest:
    """A text to embed, checked when made. None leaves a field to the model and the server.

    Attributes:
        model: the model's name.
        prompt: the text; None and ``""`` only load the model.
        keep_alive: how long the model stays loaded: seconds, a Go duration, or a timedelta.
        options: runner options.

    Raises:
        InvalidRequestError: a field has the wrong type or value; the message shows no content.
    """

    model: str = field(converter=model_field)
    prompt: str | None = field(default=None, validator=check_text, repr=veiled)
    keep_alive: float | str | None = field(default=None, converter=keep_alive_field)
    options: dict[str, Any] | None = field(default=None, converter=options_to_json)

    path = "/api/embeddings"

    def body(self) -> bytes:
        """Encode the request's body; what is unset is left out.

        Raises:
            InvalidRequestError: a text cannot be encoded, or the body is too large.
        """
        return encode_body(
            {
                "model": self.model,
                "prompt": self.prompt,
                "keep_alive": self.keep_alive,
                "options": self.options,
            }
        )


@frozen(kw_only=True)
class EmbeddingsResponse:
    """One vector.

    Attributes:
        embedding: as the runner gave it, of any length in the Euclidean sense; empty if nothing but
            a load was asked.
        extra: unknown fields.
    """

    embedding: tuple[float, ...] = field(default=(), repr=counted)
    extra: dict[str, Any] = field(factory=dict)


def decode_embeddings(body: bytes) -> EmbeddingsResponse:
    """Read the answer.

    Raises:
        ProtocolError: it is no JSON object, or a field has the wrong type.
    """
    what = "the answer of /api/embeddings"
    return build(EmbeddingsResponse, read_object(body, what), what)
