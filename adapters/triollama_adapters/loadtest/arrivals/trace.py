"""Recorded traces of real services: JSON lines in the manner of Mooncake's. Blocking, lazy.

A line is ``{"timestamp": 3000, "input_length": 6758, "output_length": 500, "hash_ids": [0, 14]}``:
milliseconds, tokens, and an id for each block of 512 tokens of the prompt, the last of which may be
shorter; equal ids are equal text (github.com/kvcache-ai/Mooncake, FAST25-release/traces). Other
fields are left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import msgspec

from triollama_adapters.loadtest.errors import TraceError

__all__ = ["BLOCK_TOKENS", "TraceFound", "TraceRow", "read_trace", "survey_trace"]

BLOCK_TOKENS: Final = 512
"""Tokens of the prompt per hash id, as in Mooncake's traces."""

TOKENS_MAX: Final = 10_000_000
"""Of one prompt or answer: no model has such a context yet, and 40 MB of text are one's memory."""

_MS_NS: Final = 1_000_000
_TIME_MS_MAX: Final = 1e14  # three thousand years: times since 1970 are read, nonsense is not
_SAY: Final = (
    'a line is {"timestamp": <ms>, "input_length": <tokens>, "output_length": <tokens>}, '
    'and may have "hash_ids": [<id>, …]'
)


@attrs.frozen
class TraceRow:
    """One recorded request.

    Attributes:
        at_ns: when, from the first row on, at the speed asked for.
        input_tokens: length of the prompt.
        output_tokens: length of the answer.
        blocks: ids of the prompt's blocks of `BLOCK_TOKENS`; empty if none were recorded.
    """

    at_ns: int
    input_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()


@attrs.frozen
class TraceFound:
    """What a whole trace holds.

    Attributes:
        rows: requests.
        length_s: from the first until just behind the last, at the speed asked for: the shortest
            run that holds all of them.
        input_tokens: of all prompts.
        output_tokens: of all answers.
    """

    rows: int
    length_s: float
    input_tokens: int
    output_tokens: int


class _Line(msgspec.Struct, gc=False):
    timestamp: float
    input_length: int
    output_length: int
    hash_ids: list[int] | None = None


def read_trace(path: str, *, speed: float = 1.0) -> Iterator[TraceRow]:
    """Read a trace, a line at a time; empty lines are left out.

    Args:
        path: the file.
        speed: how many times as fast as recorded.

    Yields:
        Its rows; the first is at 0.

    Raises:
        TraceError: it cannot be opened, is empty, a line is none, or is earlier than the one
            before; with the line's number.
    """
    decoder = msgspec.json.Decoder(_Line)
    first_ms: float | None = None
    last_ms = 0.0
    for number, text in _lines(path):
        line = _decode(decoder, text, path, number)
        if first_ms is None:
            first_ms = last_ms = line.timestamp
        if line.timestamp < last_ms:
            raise _wrong(path, number, f"timestamp {line.timestamp:.15g} is earlier than the line "
                         f"before, {last_ms:.15g}; sort the trace by time")  # fmt: skip
        last_ms = line.timestamp
        at_ns = round((last_ms - first_ms) * _MS_NS / speed)
        yield TraceRow(at_ns, line.input_length, line.output_length, tuple(line.hash_ids or ()))
    if first_ms is None:
        raise TraceError(f"the trace {path} is empty: {_SAY}", path=path)


def survey_trace(path: str, *, speed: float = 1.0) -> TraceFound:
    """Read a trace to its end, so that a fault is known before anything is sent.

    Raises:
        TraceError: as `read_trace`.
    """
    rows = last_ns = input_tokens = output_tokens = 0
    for row in read_trace(path, speed=speed):
        rows += 1
        last_ns = row.at_ns
        input_tokens += row.input_tokens
        output_tokens += row.output_tokens
    return TraceFound(rows, last_ns / 1e9 + 0.001 / speed, input_tokens, output_tokens)


def _lines(path: str) -> Iterator[tuple[int, bytes]]:
    try:
        with Path(path).open("rb") as file:
            for number, text in enumerate(file, 1):
                if stripped := text.strip():
                    yield number, stripped
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise TraceError(f"the trace {path} cannot be read: {reason}", path=path) from error


def _decode(decoder: msgspec.json.Decoder[_Line], text: bytes, path: str, number: int) -> _Line:
    try:
        line = decoder.decode(text)
    except msgspec.ValidationError as error:
        raise _wrong(path, number, f"{error}; {_SAY}") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _wrong(path, number, f"is not JSON; {_SAY}") from error
    if fault := _fault(line):
        raise _wrong(path, number, fault)
    return line


def _fault(line: _Line) -> str:
    if not 0.0 <= line.timestamp <= _TIME_MS_MAX:
        return f"timestamp {line.timestamp:.15g} is not a number of milliseconds from 0 on"
    for name, tokens in (("input", line.input_length), ("output", line.output_length)):
        if not 1 <= tokens <= TOKENS_MAX:
            return f"{name}_length {tokens} is not a number of tokens from 1 to {TOKENS_MAX}"
    blocks, most = len(line.hash_ids or ()), -(-line.input_length // BLOCK_TOKENS)
    if blocks > most:
        return (
            f"{blocks} hash_ids of {BLOCK_TOKENS} tokens each are more than an input_length of "
            f"{line.input_length}"
        )
    return ""


def _wrong(path: str, number: int, what: str) -> TraceError:
    return TraceError(f"the trace {path}, line {number}: {what}", path=path, line=number)
