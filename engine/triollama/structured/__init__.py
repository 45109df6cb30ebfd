"""Structured output: answers that are objects of a class, or JSON that a schema allows.

It knows the engine only as something that answers (`asking.Ask`) and streams (`Stream`).

Downwards: ``stream`` and ``asking`` → ``forms``; ``stream`` → ``reader`` → ``shapes``.
"""

from .asking import RETRIES_MAX, Reply, ask_for
from .errors import StructuredOutputError, StructuredTruncatedError
from .forms import Form, FormatOf, JsonSchema, form_of
from .reader import DEPTH_MAX, LENGTH_MAX, JsonReader, MalformedError
from .shapes import ANY, Shape, shape_of
from .stream import Partial, StructuredStream, open_structured

__all__ = [
    "ANY",
    "DEPTH_MAX",
    "LENGTH_MAX",
    "RETRIES_MAX",
    "Form",
    "FormatOf",
    "JsonReader",
    "JsonSchema",
    "MalformedError",
    "Partial",
    "Reply",
    "Shape",
    "StructuredOutputError",
    "StructuredStream",
    "StructuredTruncatedError",
    "ask_for",
    "form_of",
    "open_structured",
    "shape_of",
]
