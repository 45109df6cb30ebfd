"""Forms: what is sent as ``format``, and how an answer is read as an object.

A form is made of a class (attrs, dataclass, msgspec.Struct, TypedDict, or a type of these, such as
``list[City]``) or of a `JsonSchema`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import attrs
import msgspec

from triollama._errors import InvalidRequestError, MissingExtraError, Problem
from triollama._schema import SchemaError, grammar_schema, plain_reason, schema_of
from triollama.structured.errors import StructuredOutputError, StructuredTruncatedError

if TYPE_CHECKING:
    import jsonschema_rs

__all__ = ["Form", "FormatOf", "JsonSchema", "form_of"]

T = TypeVar("T")

REASON_CHARACTERS_MAX: Final = 500
"""Of what is wrong, for the model."""

PROBLEMS_MAX: Final = 5
"""Violations of a JSON schema that are told at once."""

_FENCED = re.compile(r"\s*```\w*\n(.*?)\n?```\s*\Z", re.DOTALL)


class FormatOf(Generic[T]):
    """Something other than a class that says how an answer becomes a ``T``."""

    __slots__ = ()


@attrs.frozen
class JsonSchema(FormatOf[Any]):
    """A JSON schema as the ``format`` of a chat: the answer is checked, and given as plain JSON.

    It needs the extra ``schema``. A plain mapping as ``format`` is sent as it is, and nothing is
    checked.

    Attributes:
        schema: the schema. References to other documents are not followed.
    """

    schema: Mapping[str, Any] = attrs.field(repr=False)

    @schema.validator
    def _check(self, _field: object, value: object) -> None:
        if not isinstance(value, Mapping):
            raise InvalidRequestError(
                f"JsonSchema takes a mapping, not {type(value).__name__}; give a class as it is"
            )


@attrs.frozen
class Form(Generic[T]):
    """How one kind of object is asked for and read.

    Attributes:
        name: of the class, for messages.
        schema: what is sent as ``format``.
        kind: the type, for partial objects; Any where it is a JSON schema.
    """

    name: str
    schema: dict[str, Any]
    kind: Any
    _decode: Callable[[str], T]

    def read(self, text: str, done_reason: str | None = "stop", attempts: int = 1) -> T:
        """An answer as an object. A fence of Markdown around it is taken off.

        Args:
            text: the whole answer.
            done_reason: why it ended, as the server says.
            attempts: which attempt this is, from 1.

        Raises:
            StructuredTruncatedError: it was cut before it was whole.
            StructuredOutputError: it is not JSON, or does not fit.
        """
        fenced = _FENCED.match(text)
        try:
            return self._decode(fenced[1] if fenced else text)
        except msgspec.ValidationError as error:
            message = f"the answer does not fit {self.name}: {plain_reason(str(error))}"
            reason = str(error)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            if done_reason == "length":
                raise StructuredTruncatedError(
                    "the answer was cut before it was whole: num_predict or num_ctx is too small",
                    text=text,
                    attempts=attempts,
                ) from None
            message = "the answer is not JSON" if text.strip() else "the answer is empty"
            reason = f"it is not valid JSON: {error}"
        reason = reason[:REASON_CHARACTERS_MAX]
        raise StructuredOutputError(message, reason=reason, text=text, attempts=attempts)


def form_of(format: Any) -> Form[Any]:  # noqa: A002 - the field's name in Ollama's API
    """The form of a class or a `JsonSchema`.

    Raises:
        SchemaError: it cannot be said as a schema, or the schema is not valid.
        MissingExtraError: a `JsonSchema` without the extra ``schema``.
    """
    if isinstance(format, JsonSchema):
        return _schema_form(format)
    try:
        return _class_form(format)
    except TypeError as error:
        if isinstance(error, SchemaError) or "unhashable" not in str(error):
            raise
        return _class_form.__wrapped__(format)


@lru_cache(maxsize=128)
def _class_form(kind: Any) -> Form[Any]:
    name = getattr(kind, "__name__", None) or str(kind)
    if not _is_type(kind):
        allowed = '"json", a mapping (a JSON schema), a JsonSchema or a class'
        raise InvalidRequestError(problems=[Problem("format", type(kind).__name__, allowed)])
    schema = grammar_schema(schema_of(kind, f"format: {name}"), f"format: {name}")
    return Form(name, schema, kind, msgspec.json.Decoder(kind).decode)


def _is_type(kind: Any) -> bool:
    """Whether it is a class or something like ``list[City]``."""
    return isinstance(kind, type) or hasattr(kind, "__origin__") or hasattr(kind, "__args__")


def _schema_form(form: JsonSchema) -> Form[Any]:
    try:
        import jsonschema_rs  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise MissingExtraError("schema", "JsonSchema") from error
    schema = dict(form.schema)
    try:
        validator = jsonschema_rs.validator_for(schema, offline=True, mask="a value")
    except (jsonschema_rs.ValidationError, ValueError, TypeError) as error:
        told = str(error).split("\n", 1)[0]
        raise SchemaError(f"JsonSchema: the schema is not valid: {told}") from None
    try:
        sent = grammar_schema(schema, "JsonSchema")
    except SchemaError:
        sent = schema  # references of other kinds; the server may know them
    name = str(schema.get("title") or "the schema")
    return Form(name, sent, Any, _Checked(validator).decode)


@attrs.frozen
class _Checked:
    """Decodes JSON and checks it."""

    validator: jsonschema_rs.Validator

    def decode(self, text: str) -> Any:
        """Plain JSON that the schema allows."""
        value = msgspec.json.decode(text)
        problems = []
        for error in self.validator.iter_errors(value):
            place = "".join(
                f"[{e}]" if isinstance(e, int) else f".{e}" for e in error.instance_path
            )
            problems.append(f"{error.message} - at `${place}`")
            if len(problems) == PROBLEMS_MAX:
                break
        if problems:
            raise msgspec.ValidationError("; ".join(problems))
        return value
