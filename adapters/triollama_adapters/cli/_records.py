"""One input line into one task. No IO.

How a record is written and what its fields are is shared with the batch jobs: `batch.fields`.
"""

from __future__ import annotations

import attrs

from triollama_adapters.batch.fields import (
    OWN_KEYS,
    Fields,
    UnusableError,
    encode_record,
    fields_of,
    text_of,
    without_mark,
)
from triollama_adapters.batch.input.lines import Line

__all__ = ["OWN_KEYS", "BadLine", "Task", "encode_record", "parse_line"]


@attrs.frozen
class Task:
    """A line that can be asked.

    Attributes:
        index: the line's place in the input, from 0.
        size_bytes: what the line takes in the input.
        fields: all fields of the line, undecoded.
        prompt: the text to ask.
    """

    index: int
    size_bytes: int
    fields: Fields
    prompt: str


@attrs.frozen
class BadLine:
    """A line that cannot be asked, and why. It becomes an error record.

    Attributes:
        index: the line's place in the input, from 0.
        size_bytes: what the line takes in the input.
        type: ``LineTooLong``, ``LineNotUtf8``, ``LineNotJson``, ``LineNotAnObject`` or
            ``PromptMissing``.
        message: what is wrong, with the line's number from 1; never the line's text.
        fields: the fields, where the line had any.
    """

    index: int
    size_bytes: int
    type: str
    message: str
    fields: Fields = attrs.field(factory=dict)


def parse_line(line: Line, prompt_field: str) -> Task | BadLine | None:
    """Make a task of a line; None for a blank line.

    Args:
        line: the line as the splitter gave it.
        prompt_field: the field that holds the text to ask.
    """
    content = line.content
    if line.index == 0 and content is not None:
        content = without_mark(content)
    if content is not None and not content.strip():
        return None
    try:
        fields = fields_of(content, line.size_bytes)
        return Task(line.index, line.size_bytes, fields, text_of(fields, prompt_field))
    except UnusableError as error:
        message = f"line {line.index + 1} {error.what}"
        return BadLine(line.index, line.size_bytes, error.kind, message, error.fields)
