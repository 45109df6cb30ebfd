"""Tables: what the standard library makes of them, block by block, and what is told of bad ones."""

import csv
import io
import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from triollama_adapters.batch.errors import InputError
from triollama_adapters.batch.fields import UnusableError
from triollama_adapters.batch.input.csv_records import RECORDS_AT_ONCE, CsvRecord, CsvRecords
from triollama_adapters.batch.input.lines import LINE_BYTES_MAX


class Pieces:
    """Gives bytes in pieces of one size, and counts them."""

    def __init__(self, data: bytes, size: int) -> None:
        self.pieces = [data[at : at + size] for at in range(0, len(data), size)]
        self.given = 0

    def read(self) -> bytes:
        """The next piece."""
        self.given += 1
        return self.pieces[self.given - 1] if self.given <= len(self.pieces) else b""


def read(data: bytes, size: int = 10**6, **terms: Any) -> list[CsvRecord]:
    """All records of a table."""
    reader = CsvRecords(Pieces(data, size), "t.csv", **terms)
    records: list[CsvRecord] = []
    while (some := reader.read()) is not None:
        records += some
    return records


def values(record: CsvRecord) -> Any:
    """The fields of a record, or the kind of what is wrong."""
    told = None
    try:
        return {name: json.loads(bytes(raw)) for name, raw in record.fields().items()}
    except UnusableError as error:
        told = error
    assert "sesame" not in told.what
    return told.kind


def test_a_record_may_have_several_lines() -> None:
    """Its place is the first of them; blank lines do not count, the sizes are those of the file."""
    data = b'\xef\xbb\xbfid, text\r\n1,"a ""b"",\nc"\r\n\r\n2,d\n'
    first, second = read(data)
    assert values(first) == {"id": "1", "text": 'a "b",\nc'}
    assert values(second) == {"id": "2", "text": "d"}
    assert [(each.number, each.place) for each in (first, second)] == [(0, "line 2"), (1, "line 5")]
    assert (first.size_bytes, second.size_bytes) == (16, 4)


cells = st.text(st.sampled_from('a",\n\r;é\u2028 '), max_size=5)


@given(st.lists(st.lists(cells, min_size=2, max_size=2), max_size=8), st.integers(1, 9))
def test_any_table_comes_back(rows: list[list[str]], size: int) -> None:
    """Whatever the cells hold and wherever blocks end."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerows([["x", "y"], *rows])
    data = text.getvalue().encode()
    assert [list(values(each).values()) for each in read(data, size)] == rows
    assert [each.digest() for each in read(data, size)] == [each.digest() for each in read(data)]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"sesame", "CsvNotUsable"),
        (b"sesame,sesame,sesame", "CsvNotUsable"),
        (b'1,"sesame" x', "CsvNotUsable"),
        (b"1,sesame\xff", "LineNotUtf8"),
        (b"1," + b"x" * (LINE_BYTES_MAX + 1), "LineTooLong"),
        (b"1,a\rb", "CsvNotUsable"),
    ],
)
def test_a_bad_record_is_told_and_the_next_one_read(line: bytes, kind: str) -> None:
    """It has its number and its digest, and never its text."""
    records = read(b"id,text\n" + line + b"\n2,b\n")
    assert values(records[0]) == kind
    assert len(records[0].digest()) == 16
    assert values(records[-1]) == {"id": "2", "text": "b"}
    assert [each.number for each in records] == list(range(len(records)))


def test_a_quote_that_is_not_closed_ends_one_record() -> None:
    """And is no prompt with the rest of the file in it."""
    assert values(read(b'id,text\n1,"sesame\n2,b\n')[-1]) == "CsvNotUsable"


def test_a_digest_is_of_the_fields() -> None:
    """The same table with other quotes and line ends has the same."""
    [one], [other] = read(b'a,b\nx,"y"\n'), read(b'"a","b"\r\n"x",y\r\n')
    assert one.digest() == other.digest()
    assert one.digest() != read(b"a,b\nx,z\n")[0].digest()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\n\n", "no header"),
        (b'"a\n', "no header"),
        (b"a,a\n1,2\n", "twice: a"),
        (b"a,b\xff\n1,2\n", "not UTF-8"),
    ],
)
def test_a_bad_header_ends_the_job(data: bytes, words: str) -> None:
    """Nothing could be asked without it."""
    with pytest.raises(InputError, match=words):
        read(data)


def test_another_delimiter() -> None:
    """Tabs and semicolons are common."""
    [record] = read(b"a;b\n1,5;x\n", delimiter=";")
    assert values(record) == {"a": "1,5", "b": "x"}


def test_it_waits_for_no_more_than_it_needs() -> None:
    """Of a pipe, what is there is given before the next block is read."""
    pieces = Pieces(b"a\n1\n2\n3\n4\n", 4)
    reader = CsvRecords(pieces, "t.csv")
    assert [each.cells for each in reader.read() or ()] == [["1"]]
    assert pieces.given == 1
    assert [each.cells for each in reader.read() or ()] == [["2"], ["3"]]
    assert pieces.given == 2


def test_many_small_records_come_in_parts() -> None:
    """So that they do not pile up."""
    reader = CsvRecords(Pieces(b"a\n" + b"1\n" * 3000, 10**6), "t.csv")
    assert len(reader.read() or ()) == RECORDS_AT_ONCE


@pytest.mark.parametrize("last", ["2", '2,"open', '2,"open\nand on', "2,x"])
def test_a_last_record_that_is_cut_off_is_told_apart(last: str) -> None:
    """Its writer may not be done; what has all its cells is asked, also without a line end."""
    for size in (1, 7, 10**6):
        *_, record = read(b"id,text,more\n1,sesame,a\n" + last.encode(), size)
        assert values(record) == "LineTorn"
    whole = read(b"id,text\n1,a\n2,x")
    assert [values(record) for record in whole] == [
        {"id": "1", "text": "a"},
        {"id": "2", "text": "x"},
    ]


def test_a_short_record_with_a_line_end_is_only_bad() -> None:
    """It will not become whole."""
    assert [values(record) for record in read(b"id,text\n1\n2,b\n")] == [
        "CsvNotUsable",
        {"id": "2", "text": "b"},
    ]


def test_a_header_that_is_cut_off_is_no_header() -> None:
    """Nobody knows which columns there are."""
    with pytest.raises(InputError, match="no line end behind its header; is it still"):
        read(b"id,te")


def test_the_digest_is_of_cells_and_header() -> None:
    """So that a batch goes on, and a renamed column is another input."""
    one, two, bad = read(b"id,text\n1,a\n1,a\n3\n")
    [other] = read(b"id,body\n1,a\n")
    [joined] = read(b"id,text\n'1','a'\n")
    assert one.digest() == two.digest()
    assert len({each.digest() for each in (one, bad, other, joined)}) == 4
