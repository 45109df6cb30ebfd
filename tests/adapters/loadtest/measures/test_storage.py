"""Results as files."""

import csv
import io
from pathlib import Path

import msgspec
import pytest
from tests.adapters.loadtest.measures.made import answered, failed, plan_of, result_of

from triollama_adapters.loadtest.errors import ReportError
from triollama_adapters.loadtest.measures.storage import (
    decode_result,
    encode_result,
    figures_csv,
    load_result,
    save_result,
    write_figures,
)
from triollama_adapters.loadtest.result import SCHEMA, Result


def some_result() -> Result:
    """One with everything in it."""
    samples = [answered(index, index, index + 50, [5, 6]) for index in range(20)]
    samples += [answered(9, 10, 20, scenario="read", endpoint="two:2")]
    samples += [failed("lost", 5, 9, sent=6, detail="reset")]
    return result_of(plan_of("ttft_p50<1s", "errors<50%"), samples, name="one, with a comma")


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Whole, and again over what is there."""
    result, path = some_result(), tmp_path / "a.json"
    save_result(result, path)
    save_result(result, path)
    assert load_result(path) == result
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]
    assert encode_result(result).endswith(b"}\n")


def test_no_secret_is_written() -> None:
    """Headers hold them."""
    assert b"secret" not in encode_result(some_result())


DEEP = b'{"schema": 1, "x": ' + b"[" * 200_000
BAD = (b"", b"nonsense", b"[1]", b"{}", b'{"schema": "x"}', b"\xff\xfe", DEEP)


@pytest.mark.parametrize("data", BAD)
def test_what_is_no_result_is_told(data: bytes) -> None:
    """With its name."""
    with pytest.raises(ReportError, match=r"a\.json is no result of a load test"):
        decode_result(data, name="a.json")


@pytest.mark.parametrize(("schema", "which"), [(SCHEMA + 1, "a newer"), (SCHEMA - 1, "an older")])
def test_another_version_is_told(schema: int, which: str) -> None:
    """With both numbers; what else is in it does not matter."""
    with pytest.raises(ReportError, match=f"{which} triollama, with schema {schema}; this one"):
        decode_result(msgspec.json.encode({"schema": schema, "anything": None}))


def test_a_damaged_result_is_told() -> None:
    """It is one, but a field has gone or has another type."""
    fields = msgspec.json.decode(encode_result(some_result()))
    del fields["counts"]
    with pytest.raises(ReportError, match=r"damaged one: .*counts"):
        decode_result(msgspec.json.encode(fields))


def test_a_file_that_cannot_be_read_or_written_is_told(tmp_path: Path) -> None:
    """With its path and the system's words."""
    with pytest.raises(ReportError, match=r"none\.json cannot be read: No such file"):
        load_result(tmp_path / "none.json")
    with pytest.raises(ReportError, match="cannot be written: No such file"):
        save_result(some_result(), tmp_path / "none" / "a.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ReportError, match="folder cannot be written"):
        write_figures(some_result(), tmp_path / "folder")
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_figures_are_a_table(tmp_path: Path) -> None:
    """One to a line; a percentile that is withheld has no value."""
    result = some_result()
    write_figures(result, tmp_path / "a.csv")
    text = (tmp_path / "a.csv").read_text()
    assert text == figures_csv(result)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert all(None not in row and len(row) == 7 for row in rows)
    found = {(row["scope"], row["figure"]): row for row in rows}
    assert float(found["run", "ttft_p50"]["value"]) == pytest.approx(0.050, rel=0.01)
    assert found["run", "ttft_p99"]["value"] == ""
    assert found["run", "error lost"]["value"] == "1"
    assert found["run", "ttft_p50<1s met"]["unit"] == "s"
    assert found["run", "window"]["name"] == "one, with a comma"
    assert {row["name"] for row in rows if row["scope"] == "endpoint"} == {"one:1", "two:2"}
    assert {row["name"] for row in rows if row["scope"] == "scenario"} == {"talk", "read"}
    assert ("run", "ledger until_first") in found
