"""``POST /api/embed``: the request and its answer."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from triollama._errors import InvalidRequestError

from ._fields import check_count, check_flag, keep_alive_field, model_field
from ._json import counted, encode_body
from ._problems import all_problems, refused
from ._reply import build, read_object
from .options import options_to_json, runner_options
from .usage import Usage

__all__ = ["EmbedRequest", "EmbedResponse", "decode_embed"]


def _input(value: object) -> str | tuple[str, ...] | None:
    """Check the texts to embed."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list | tuple) and all(isinstance(text, str) for text in value):
        return tuple(value)
    raise refused("input", _input_found(value), "a str or a list of str", _INPUT)


_INPUT = "input must be a str or a list of str"


def _input_found(value: object) -> str:
    """What is there instead: another type, or the first that is no text."""
    if not isinstance(value, list | tuple):
        return type(value).__name__
    at, other = next((at, each) for at, each in enumerate(value) if not isinstance(each, str))
    return f"{type(other).__name__} at {at}"


@frozen(kw_only=True)
class EmbedRequest:
    """Texts to embed, checked when made. None leaves a field to the model and the server.

    Attributes:
        model: the model's name.
        input: one text or several; None, ``""`` and ``[]`` only load the model.
        truncate: cut a text that is longer than the context (the server's default: true).
        dimensions: cut each vector to this length and normalise it again.
        keep_alive: how long the model stays loaded: seconds, a Go duration, or a timedelta.
        options: runner options.

    Raises:
        InvalidRequestError: a field has the wrong type or value; the message names the field and
            shows no content.
    """

    model: str = field(converter=model_field)
    input: str | tuple[str, ...] | None = field(default=None, converter=_input, repr=False)
    truncate: bool | None = field(default=None, validator=check_flag)
    dimensions: int | None = field(default=None, validator=check_count)
    keep_alive: float | str | None = field(default=None, converter=keep_alive_field)
    options: dict[str, Any] | None = field(default=None, converter=options_to_json)

    path = "/api/embed"

    @classmethod
    def make(cls, **fields: Any) -> EmbedRequest:
        """Make a request; if it is wrong, the error tells all that is, not only the first.

        Raises:
            InvalidRequestError: see the class.
        """
        try:
            return cls(**fields)
        except InvalidRequestError as first:
            raise all_problems(cls, fields, first) from None

    @property
    def runner_options(self) -> tuple[tuple[str, int | bool], ...]:
        """What forces a server to reload the model if it differs, as a hashable value."""
        return runner_options(self.options)

    def body(self) -> bytes:
        """Encode the request's body; what is unset is left out.

        Raises:
            InvalidRequestError: a text cannot be encoded, or the body is too large.
        """
        return encode_body(
            {
                "model": self.model,
                "input": self.input,
                "truncate": self.truncate,
                "dimensions": self.dimensions,
                "keep_alive": self.keep_alive,
                "options": self.options,
            }
        )


@frozen(kw_only=True)
class EmbedResponse:
    """The vectors, one per text, in the order of the texts.

    Attributes:
        model: the name as the request had it.
        embeddings: each of length 1 in the Euclidean sense; empty if nothing but a load was asked.
        total_duration: in nanoseconds; 0 if not told.
        load_duration: in nanoseconds; 0 if not told.
        prompt_eval_count: tokens of all texts together.
        extra: unknown fields.
    """

    model: str = ""
    embeddings: tuple[tuple[float, ...], ...] = field(default=(), repr=counted)
    total_duration: int = 0
    load_duration: int = 0
    prompt_eval_count: int = 0
    extra: dict[str, Any] = field(factory=dict)

    @property
    def usage(self) -> Usage:
        """Tokens and durations; an embedding has no output tokens, prefill or decode time."""
        return Usage(
            prompt_tokens=max(0, self.prompt_eval_count),
            total_ns=max(0, self.total_duration),
            load_ns=max(0, self.load_duration),
        )


def decode_embed(body: bytes) -> EmbedResponse:
    """Read the answer.

    Raises:
        ProtocolError: it is no JSON object, or a field has the wrong type.
    """
    what = "the answer of /api/embed"
    return build(EmbedResponse, read_object(body, what), what)
