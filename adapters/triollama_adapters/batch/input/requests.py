"""Rows into requests: plain records, Ollama's own bodies, and the choice of a format. No IO."""

from __future__ import annotations

from typing import Any, Final, Protocol

import attrs
import msgspec

from triollama_adapters.batch.fields import Fields, UnusableError, listed
from triollama_adapters.batch.input.openai_messages import decoded_image
from triollama_adapters.batch.input.openai_requests import OpenAIRequests
from triollama_adapters.batch.input.plan import (
    MODEL_FIELD,
    PROMPT_FIELDS,
    Format,
    Plan,
    format_of,
)
from triollama_adapters.batch.input.template import Template, field_template
from triollama_adapters.batch.rows import Ask, Kind

__all__ = [
    "OllamaRequests",
    "PlainRequests",
    "Requests",
    "choose_requests",
    "found_format",
    "named_model",
]

_decode = msgspec.json.Decoder().decode
_decode_text = msgspec.json.Decoder(str).decode


class Requests(Protocol):
    """Makes a request of each row of one format."""

    @property
    def format(self) -> Format:
        """The format."""

    def custom_id(self, fields: Fields) -> str | None:
        """The row's own name, if the format has any."""

    def fits(self, fields: Fields) -> bool:
        """Whether a row is of this format, if perhaps with something wrong in it."""

    def ask(self, fields: Fields) -> Ask:
        """The request of a row.

        Raises:
            UnusableError: there is none in it.
        """


@attrs.frozen
class PlainRequests:
    """Makes requests of records with any fields.

    Attributes:
        plan: what holds for all of them.
        template: what they ask.
        format: plain or CSV.
    """

    plan: Plan
    template: Template
    format: Format = Format.PLAIN
    _shared: dict[str, Any] = attrs.field(init=False, repr=False)

    @_shared.default
    def _make_shared(self) -> dict[str, Any]:
        shared = self.plan.shared(self.plan.kind)
        if self.plan.kind == "generate" and self.plan.system is not None:
            shared["system"] = self.plan.system
        return shared

    def custom_id(self, fields: Fields) -> str | None:  # noqa: ARG002 - the protocol's
        """None: they are known by their place."""
        return None

    def fits(self, fields: Fields) -> bool:
        """Whether it has what the template names; a line of CSV is never anything else."""
        return self.format is Format.CSV or all(name in fields for name in self.template.names)

    def ask(self, fields: Fields) -> Ask:
        """The request of a row.

        Raises:
            UnusableError: it lacks a field that the template names, or nobody names the model.
        """
        text = self.template.fill(fields)
        plan = self.plan
        arguments = {"model": plan.model_for(named_model(fields)), **self._shared}
        match plan.kind:
            case "chat":
                user = {"role": "user", "content": text}
                system = {"role": "system", "content": plan.system}
                arguments["messages"] = [user] if plan.system is None else [system, user]
            case "generate":
                arguments["prompt"] = text
            case "embed":
                arguments["input"] = text
        return Ask(plan.kind, arguments, fields=fields)


_OF_ALL: Final = ("options", "keep_alive", "truncate")
_OF_ANSWERS: Final = ("format", "think", "shift", "logprobs", "top_logprobs")
_TAKEN: Final[dict[Kind, tuple[str, ...]]] = {
    "chat": ("messages", "tools", *_OF_ALL, *_OF_ANSWERS),
    "generate": (
        *("prompt", "suffix", "system", "template", "context", "raw", "images"),
        *_OF_ALL,
        *_OF_ANSWERS,
    ),
    "embed": ("input", "dimensions", *_OF_ALL),
}
"""The fields of a body that become arguments. The engine checks their values, as for any caller."""


@attrs.frozen
class OllamaRequests:
    """Makes requests of Ollama's own bodies.

    Attributes:
        plan: what holds for all of them.
    """

    plan: Plan
    format = Format.OLLAMA

    def custom_id(self, fields: Fields) -> str | None:  # noqa: ARG002 - the protocol's
        """None: they are known by their place."""
        return None

    def fits(self, fields: Fields) -> bool:
        """Whether it has what any of the bodies has."""
        return not {"messages", "prompt", "input"}.isdisjoint(fields)

    def ask(self, fields: Fields) -> Ask:
        """The request of a row.

        Raises:
            UnusableError: there is none in it.
        """
        kind = _kind(fields)
        try:
            own = {name: _decode(fields[name]) for name in _TAKEN[kind] if name in fields}
            model = _decode(fields["model"]) if "model" in fields else None
        except msgspec.DecodeError as error:  # a number that is no float, say
            raise _wrong(str(error)) from None
        except RecursionError:
            raise _wrong("its JSON is too deep") from None
        arguments = {
            "model": self.plan.model_for(model),
            **self.plan.shared(kind),
            **{name: value for name, value in own.items() if value is not None},
        }
        if isinstance(own.get("options"), dict):
            arguments["options"] = {**(self.plan.options or {}), **own["options"]}
        _without_paths(arguments)
        return Ask(kind, arguments, fields=fields)


def choose_requests(wanted: Format | None, plan: Plan, first: Fields) -> Requests:
    """What makes requests of an input's rows.

    Args:
        wanted: the format; None finds it from the first record.
        plan: what holds for all rows.
        first: the first record that can be read.
    """
    wanted = wanted or found_format(plan, first)
    match wanted:
        case Format.OPENAI:
            return OpenAIRequests(plan)
        case Format.OLLAMA:
            return OllamaRequests(plan)
        case Format.PLAIN | Format.CSV:
            name = next((name for name in PROMPT_FIELDS if name in first), PROMPT_FIELDS[0])
            return PlainRequests(plan, plan.template or field_template(name), wanted)


def found_format(plan: Plan, first: Fields) -> Format:
    """The format of an input, by its first record; a template is for plain ones only."""
    return Format.PLAIN if plan.template is not None else format_of(first)


def asked(requests: Requests, fields: Fields) -> Ask:
    """The request of a row, or why there is none; a row of another format is told as that.

    Raises:
        UnusableError: there is none.
    """
    try:
        return requests.ask(fields)
    except UnusableError:
        found = format_of(fields)
        if requests.fits(fields) or found is requests.format:
            raise
        what = f"is {found.told}, and each row of this input is {requests.format.told}"
        raise UnusableError("FormatDiffers", what, fields) from None


def named_model(fields: Fields) -> str | None:
    """The model that a plain record names; None for none: no such field, no text, or a blank."""
    raw = fields.get(MODEL_FIELD)
    if raw is None:
        return None
    try:
        return _decode_text(raw).strip() or None
    except msgspec.DecodeError:  # a number, say, which names no model
        return None


def _kind(fields: Fields) -> Kind:
    if "messages" in fields:
        return "chat"
    if "prompt" in fields:
        return "generate"
    if "input" in fields:
        return "embed"
    raise _wrong(f"it has neither messages, prompt nor input; its fields are: {listed(fields)}")


def _without_paths(arguments: dict[str, Any]) -> None:
    """Give images as bytes.

    The engine takes a text for a path where there is such a file, which is for a program's author
    to say, and not for a line of data.
    """
    messages = arguments.get("messages")
    if isinstance(messages, list):
        for at, message in enumerate(messages):
            if isinstance(message, dict) and message.get("images"):
                message["images"] = _images(message["images"], f"messages[{at}].images")
    if arguments.get("images"):
        arguments["images"] = _images(arguments["images"], "images")


def _images(images: object, where: str) -> object:
    if not isinstance(images, list):
        return images
    return [
        decoded_image(image, f"{where}[{at}]") if isinstance(image, str) else image
        for at, image in enumerate(images)
    ]


def _wrong(what: str) -> UnusableError:
    return UnusableError("RequestNotUsable", f"is not usable: {what}")
