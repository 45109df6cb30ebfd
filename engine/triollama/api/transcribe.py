"""``POST /v1/audio/transcriptions``: the fields of the form, and its answer."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

from triollama._errors import InvalidRequestError, ProtocolError, TruncatedError

from ._fields import check_text, model_field
from ._json import veiled
from ._problems import all_problems, refused
from ._reply import build, read_object

__all__ = ["TranscribeRequest", "Transcription", "decode_transcript", "decode_transcription"]

_WHAT = "the answer of /v1/audio/transcriptions"
_FORMATS = ("json", "text")


def _response_format(value: object) -> str:
    if isinstance(value, str) and value in _FORMATS:
        return value
    # Ollama answers "verbose_json", "srt" and "vtt" with the same as "json": no times, no words.
    found = "another text" if isinstance(value, str) else type(value).__name__
    raise refused("response_format", found, "'json' or 'text'")


@frozen(kw_only=True)
class TranscribeRequest:
    """A recording to be written down, checked when made; the recording itself is apart.

    Attributes:
        model: the model's name.
        language: what is spoken, such as ``en``; None leaves it to the model.
        prompt: words before it, which help with names and terms.
        response_format: in what form the server answers, ``json`` or ``text``.

    Raises:
        InvalidRequestError: a field has the wrong type or value.
    """

    model: str = field(converter=model_field)
    language: str | None = field(default=None, validator=check_text)
    prompt: str | None = field(default=None, validator=check_text, repr=veiled)
    response_format: str = field(default="json", converter=_response_format)

    path = "/v1/audio/transcriptions"

    @classmethod
    def make(cls, **fields: Any) -> TranscribeRequest:
        """Make a request; if it is wrong, the error tells all that is.

        Raises:
            InvalidRequestError: see the class.
        """
        try:
            return cls(**fields)
        except InvalidRequestError as first:
            raise all_problems(cls, fields, first) from None

    def form(self) -> list[tuple[str, bytes]]:
        """The fields of the form, without those that are unset.

        Raises:
            InvalidRequestError: a text holds half of a surrogate pair.
        """
        given = {
            "model": self.model,
            "language": self.language,
            "prompt": self.prompt,
            "response_format": self.response_format,
        }
        return [(name, _encoded(name, text)) for name, text in given.items() if text is not None]


def _encoded(name: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise refused(name, "a lone surrogate", "text that UTF-8 can carry") from None


@frozen(kw_only=True)
class Transcription:
    """What was said.

    Attributes:
        text: all of it.
        extra: unknown fields.
    """

    text: str = field(default="", repr=veiled)
    extra: dict[str, Any] = field(factory=dict)


def decode_transcription(body: bytes) -> Transcription:
    """Read an answer in JSON.

    Raises:
        TruncatedError: it is empty: so the server ends when it fails after the first word.
        ProtocolError: it is no JSON object with a text.
    """
    _check_not_empty(body)
    fields = read_object(body, _WHAT)
    if "text" not in fields:
        raise ProtocolError(f"{_WHAT} has no text")
    return build(Transcription, fields, _WHAT)


def decode_transcript(body: bytes) -> Transcription:
    """Read an answer in plain text; see `decode_transcription`."""
    _check_not_empty(body)
    try:
        return Transcription(text=body.decode())
    except UnicodeDecodeError as error:
        raise ProtocolError(f"{_WHAT} is not UTF-8 (byte {error.start})") from None


def _check_not_empty(body: bytes) -> None:
    if not body:
        raise TruncatedError("the answer is empty: the server failed while it transcribed")
