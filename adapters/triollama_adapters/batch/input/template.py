"""Prompt templates: ``Summarise: {text}``. No IO.

The syntax is that of `str.format` as far as it names fields; conversions and format specifications
are refused, because a row's value is text, and attribute access would reach into this program.
"""

from __future__ import annotations

import string

import attrs
import msgspec

from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.batch.fields import Fields, UnusableError, listed

__all__ = ["Template", "field_template", "parse_template", "shown"]

_decode_text = msgspec.json.Decoder(str).decode
_QUOTE = ord('"')


@attrs.frozen
class Template:
    """A prompt with places for a row's fields. Made by `parse_template`.

    Attributes:
        parts: literal text and the name of the field behind it, None behind the last.
    """

    parts: tuple[tuple[str, str | None], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The fields that it names, each once."""
        return tuple(dict.fromkeys(name for _, name in self.parts if name is not None))

    def fill(self, fields: Fields) -> str:
        """The prompt for one row.

        Raises:
            UnusableError: the row lacks a field, or has null in it.
        """
        texts = []
        for literal, name in self.parts:
            texts.append(literal)
            if name is not None:
                texts.append(_value(fields, name))
        return "".join(texts)


def parse_template(text: str) -> Template:
    """Read a template; ``{{`` and ``}}`` stand for braces.

    Raises:
        ChoiceError: it names no field, or has more in its braces than a name.
    """
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        raise ChoiceError(f"the template is not usable: {error}; a brace is {{{{ or }}}}") from None
    for _, name, specification, conversion in pieces:
        if name is not None and (not name or specification or conversion):
            raise ChoiceError(
                f"the template has {{{name}…}} with more or less in it than a field's name; "
                "write {text}, and {{ or }} for a brace"
            )
    template = Template(tuple((literal, name) for literal, name, _, _ in pieces))
    if not template.names:
        raise ChoiceError("the template names no field, so that all rows ask the same; as {text}")
    return template


def field_template(name: str) -> Template:
    """The template that is one field and nothing else."""
    return Template((("", name),))


def shown(raw: msgspec.Raw) -> str:
    """A field as text: a string's characters, and anything else as the JSON that it was.

    Raises:
        UnusableError: it is a string with an escape that means nothing.
    """
    data = memoryview(raw)
    if data[0] != _QUOTE:
        return bytes(data).decode()
    try:
        return _decode_text(raw)
    except msgspec.DecodeError as error:
        raise UnusableError("LineNotJson", f"has a text that is not JSON: {error}") from None


def _value(fields: Fields, name: str) -> str:
    raw = fields.get(name)
    if raw is None:
        what = f"has no field {name!r}; its fields are: {listed(fields)}"
        raise UnusableError("PromptMissing", what, fields)
    text = shown(raw)
    if text == "null" and memoryview(raw)[0] != _QUOTE:
        raise UnusableError("PromptMissing", f"has null in its field {name!r}", fields)
    return text
