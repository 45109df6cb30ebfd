"""Every sample as a file."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.adapters.loadtest.measures.made import answered, failed

from triollama_adapters.loadtest.errors import ReportError
from triollama_adapters.loadtest.measures import samples_file
from triollama_adapters.loadtest.measures.samples_file import (
    open_samples,
    read_samples,
    to_parquet,
)
from triollama_adapters.loadtest.sample import Sample

SOME = (
    answered(0, 1, 50, [5, 6], is_timed=True, total_ns=9),
    failed("lost", 5, 9, sent=6, detail="reset by the peer, “so”"),
    failed("unsent", 5, 9),
)


def written(path: Path, samples: Sequence[Sample]) -> Path:
    """A file of them."""
    with open_samples(path) as writer:
        for each in samples:
            writer.add(each)
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_samples_are_read_as_they_were_written(tmp_path: Path, name: str) -> None:
    """In their order, with nothing lost."""
    assert tuple(read_samples(written(tmp_path / name, SOME))) == SOME


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_no_samples_are_a_file_too(tmp_path: Path, name: str) -> None:
    """A run that was ended at once."""
    assert tuple(read_samples(written(tmp_path / name, ()))) == ()


def test_lines_become_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In groups, so that memory stays flat."""
    monkeypatch.setattr(samples_file, "GROUP_ROWS", 2)
    to_parquet(written(tmp_path / "a.jsonl", SOME * 3), tmp_path / "a.parquet")
    assert tuple(read_samples(tmp_path / "a.parquet")) == SOME * 3


def test_lines_reach_the_file_while_it_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What dies leaves what was written; nothing is held back beyond the buffer."""
    monkeypatch.setattr(samples_file, "BUFFER_BYTES", 1)
    with open_samples(tmp_path / "a.jsonl") as writer:
        writer.add(SOME[0])
        assert list(read_samples(tmp_path / "a.jsonl")) == [SOME[0]]


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_what_ends_a_run_leaves_the_samples_so_far(tmp_path: Path, name: str) -> None:
    """And comes out as what it was, also if it is an error of the system."""

    def broken() -> None:
        with open_samples(tmp_path / name) as writer:
            writer.add(SOME[0])
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        broken()
    assert list(read_samples(tmp_path / name)) == [SOME[0]]


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
def test_a_full_disk_is_told(tmp_path: Path, name: str) -> None:
    """With the system's words."""
    path = tmp_path / name
    path.symlink_to("/dev/full")
    with pytest.raises(ReportError, match=r"cannot be written: .*No space left"):
        written(path, SOME)


def test_a_line_that_is_no_sample_is_told(tmp_path: Path) -> None:
    """With its number."""
    path = written(tmp_path / "a.jsonl", SOME)
    before = path.read_bytes()
    for line in (b'{"session": "x"}\n', b'{"x": ' + b"[" * 200_000):
        path.write_bytes(before + line)
        with pytest.raises(ReportError, match=r"a\.jsonl, line 4: no sample"):
            list(read_samples(path))


def test_parquet_of_something_else_is_told(tmp_path: Path) -> None:
    """Whether it is no Parquet, or another table."""
    (tmp_path / "a.parquet").write_bytes(b"nonsense")
    with pytest.raises(ReportError, match=r"a\.parquet holds no samples"):
        list(read_samples(tmp_path / "a.parquet"))


@pytest.mark.parametrize("name", ["a.jsonl", "a.parquet"])
def test_where_nothing_can_be_written_or_read_is_told(tmp_path: Path, name: str) -> None:
    """With the path."""
    with (
        pytest.raises(ReportError, match="cannot be written"),
        open_samples(tmp_path / "no" / name),
    ):
        pass
    with pytest.raises(ReportError, match="cannot be read"):
        list(read_samples(tmp_path / name))


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it, and the way without it."""

    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(samples_file, "import_module", missing)
    with (
        pytest.raises(
            ReportError, match=r"pip install 'triollama\[parquet\]', or write to \.jsonl"
        ),
        open_samples(tmp_path / "a.parquet"),
    ):
        pass
    assert not list(tmp_path.iterdir())
