"""Whatever a line holds, it becomes a row: nothing that stands in an input ends a job."""

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given

from triollama_adapters.batch.input.blocks import Blocks
from triollama_adapters.batch.input.feeds import BlocksFeed
from triollama_adapters.batch.input.filters import Filter, parse_condition
from triollama_adapters.batch.input.json_lines import JsonRecord
from triollama_adapters.batch.input.lines import Line
from triollama_adapters.batch.input.plan import Format, Plan
from triollama_adapters.batch.input.source import RowSource, Wanted
from triollama_adapters.batch.input.template import parse_template
from triollama_adapters.batch.output.openai_records import OpenAIRecords
from triollama_adapters.batch.output.records import FlatRecords
from triollama_adapters.batch.rows import Row

SECRET = "sesame"
SAY = {"role": "user", "content": SECRET, "images": ["QUJD"]}
LINES = [
    {"prompt": SECRET, "n": 1},
    {"custom_id": SECRET, "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m"}},
    {"custom_id": "a", "url": "/v1/chat/completions", "body": {"model": "m", "messages": [SAY]}},
    {"custom_id": "a", "url": "/v1/embeddings", "body": {"model": "m", "input": [SECRET]}},
    {"model": "m", "messages": [SAY], "options": {"stop": [SECRET]}},
    {"model": "m", "prompt": SECRET, "images": ["QUJD"]},
]
ODD = ["\\ud800", "\\u0000", "1e999", "-0", "null", "[]", "{}", "true", '""', "\\x", "\x00", "é"]


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """A line of some format, whole or with a piece of it replaced."""
    text = json.dumps(draw(st.sampled_from(LINES)))
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 9)))
    piece = draw(st.one_of(st.sampled_from(ODD), st.text(max_size=3)))
    return (text[:start] + piece + text[end:]).encode("utf-8", "surrogatepass")


def row_of(content: bytes, wanted: Format | None, **terms: Any) -> Row | None:
    """The row that a line becomes."""
    plan = Plan(model="m", **terms)
    chosen = Filter(conditions=(parse_condition("none!=x"), parse_condition("prompt!=x")))
    settings = Wanted(name="-", plan=plan, format=wanted, filter=chosen)
    source = RowSource(BlocksFeed(Blocks(0, "none", None, None), settings), settings)
    record = JsonRecord(Line(0, content, len(content) + 1))
    source._choose(record)
    return source._row(record, record.digest())


@given(lines(), st.sampled_from([None, Format.PLAIN, Format.OPENAI, Format.OLLAMA]))
@example(b'{"prompt": "\\ud800"}', None)
@example(b'{"prompt": "\\q"}', None)
@example(b'{"custom_id": "\\ud800", "body": {}}', None)
@example(b'{"custom_id": "a", "url": "\\ud800", "body": {}}', None)
@example(b'{"custom_id": "a", "url": "/v1/embeddings", "body": {"input": "\\ud800"}}', None)
@example(b'{"model": "m", "prompt": "\\ud800"}', None)
@example(b'{"model": "m", "prompt": "\\udc00x", "images": ["\\ud800"]}', None)
@example(b'{"model": 1e999, "prompt": 1e999}', None)
@example(b'{"model": "m", "messages": {"a": 1}, "images": 7}', None)
@example(b'{"prompt": 1' + b"0" * 5000 + b"}", None)
@example(b'{"model": "m", "prompt": 1' + b"0" * 5000 + b"}", None)
@example(b'{"prompt": ' + b"[" * 900 + b"]" * 900 + b"}", None)
@example(b'{"model": "m", "prompt": ' + b"[" * 900 + b"]" * 900 + b"}", None)
def test_any_line_becomes_a_row(content: bytes, wanted: Format | None) -> None:
    """It is asked or told, with a record in either form, and its text is in no message."""
    row = row_of(content, wanted)
    if row is None:
        return
    assert (row.ask is None) is (row.error is not None)
    if row.error is None:
        return
    assert SECRET not in row.error.message
    for records in (FlatRecords(), OpenAIRecords(), FlatRecords(("prompt", "n"))):
        # Numbers are carried digit by digit, also those that Python refuses to read.
        assert json.loads(records.error(row, row.error), parse_int=str)["index"] == "0"


@pytest.mark.parametrize("text", ["{prompt} {n}", "{n}"])
@given(lines())
def test_any_line_fills_a_template_or_is_told(text: str, content: bytes) -> None:
    """The same with a prompt of one's own."""
    row = row_of(content, None, template=parse_template(text))
    assert row is None or (row.ask is None) is (row.error is not None)
