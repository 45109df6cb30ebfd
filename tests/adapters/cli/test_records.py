"""Lines into tasks, outcomes into records."""

import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from triollama_adapters.batch.input.lines import Line
from triollama_adapters.cli._records import OWN_KEYS, BadLine, Task, encode_record, parse_line

SECRET = "sesame"


def parse(content: bytes | str, index: int = 5) -> Task | BadLine | None:
    """Parse a line of that content."""
    data = content.encode() if isinstance(content, str) else content
    return parse_line(Line(index, data, len(data) + 1), "prompt")


def test_a_line_becomes_a_task() -> None:
    """The prompt is decoded, the other fields are carried."""
    task = parse('{"id": 7, "prompt": "Why \\u00e9?"}')
    assert isinstance(task, Task)
    assert (task.index, task.prompt, bytes(task.fields["id"])) == (5, "Why é?", b"7")


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b'{"prompt": "sesame \xff"}', "LineNotUtf8", "byte 20"),
        ('{"prompt": "sesame"', "LineNotJson", "not JSON"),
        ('{"prompt": "sesame",}', "LineNotJson", "trailing comma"),
        ('{"prompt": "sesame"} {}', "LineNotJson", "trailing"),
        ('"sesame"', "LineNotAnObject", "not an object"),
        ("[1]", "LineNotAnObject", "not an object"),
        ('{"question": "sesame", "id": 1}', "PromptMissing", "question, id"),
        ("{}", "PromptMissing", "none"),
        ('{"prompt": ["sesame"]}', "PromptMissing", "not a string"),
        ('{"prompt": null}', "PromptMissing", "not a string"),
        ('{"prompt": "x", "deep": ' + "[" * 5000 + "]" * 5000 + "}", "LineNotJson", "deep"),
    ],
)
def test_a_bad_line_is_named(content: bytes | str, kind: str, words: str) -> None:
    """Each kind of bad line has its own type, its line number from 1, and never its text."""
    bad = parse(content)
    assert isinstance(bad, BadLine)
    assert bad.type == kind
    assert bad.message.startswith("line 6 ")
    assert words in bad.message
    assert SECRET not in bad.message


def test_a_long_line_is_named() -> None:
    """A line over the limit says how long it is."""
    bad = parse_line(Line(0, None, 5_000_000), "prompt")
    assert isinstance(bad, BadLine)
    assert bad.type == "LineTooLong"
    assert "5,000,000 bytes" in bad.message


def test_many_long_names_are_cut() -> None:
    """A line of a thousand long names gives a message of one line on a screen or two."""
    bad = parse(json.dumps({f"{i}" + "n" * 100: 0 for i in range(1000)}))
    assert isinstance(bad, BadLine)
    assert "and 988 more" in bad.message
    assert len(bad.message) < 700


@pytest.mark.parametrize("content", [b"", b"   ", b"\r", b"\t \r"])
def test_a_blank_line_is_nothing(content: bytes) -> None:
    """Blank lines are skipped, those of Windows included."""
    assert parse(content) is None


def test_a_byte_order_mark_is_taken_off_the_first_line_only() -> None:
    """A BOM begins many files of Windows; elsewhere it is an error."""
    line = b'\xef\xbb\xbf{"prompt": "x"}'
    assert isinstance(parse(line, index=0), Task)
    assert isinstance(parse(line, index=1), BadLine)


def test_fields_pass_through_digit_by_digit() -> None:
    """Numbers that no float holds come out as they went in."""
    task = parse('{"prompt":"x","big":123456789012345678901234567890,"exact":0.10,"huge":1e999}')
    assert isinstance(task, Task)
    record = encode_record(0, task.fields, {"content": "y"})
    assert b'"big":123456789012345678901234567890,"exact":0.10,"huge":1e999' in record


names = st.one_of(
    st.sampled_from(sorted(OWN_KEYS)),
    st.sampled_from(sorted(OWN_KEYS)).map("input_{}".format),
    st.text(max_size=3),
)


@given(
    st.dictionaries(names, st.integers(0, 9)),
    st.dictionaries(st.sampled_from(sorted(OWN_KEYS - {"index"})), st.just("ours")),
)
def test_no_field_is_lost_and_ours_win(theirs: dict[str, int], ours: dict[str, Any]) -> None:
    """Whatever the input's keys are: all of its values are there, and our keys hold our values."""
    line = json.dumps({**theirs, "prompt": "x"}).encode()
    task = parse(line)
    assert isinstance(task, Task)
    data = encode_record(3, task.fields, ours)
    assert data.endswith(b"\n")
    assert data.count(b"\n") == 1
    pairs = json.loads(data, object_pairs_hook=list)
    record = dict(pairs)
    assert len(record) == len(pairs) == len(theirs | {"prompt": "x"}) + len(ours) + 1
    assert record.pop("index") == 3
    for key in ours:
        assert record.pop(key) == "ours"
    assert sorted(map(str, record.values())) == sorted(map(str, {**theirs, "prompt": "x"}.values()))


def test_colliding_keys_are_renamed() -> None:
    """The output of a run can be the input of another."""
    task = parse('{"index": 9, "content": "old", "prompt": "x"}')
    assert isinstance(task, Task)
    assert json.loads(encode_record(0, task.fields, {"content": "new"})) == {
        "index": 0,
        "input_index": 9,
        "input_content": "old",
        "prompt": "x",
        "content": "new",
    }
