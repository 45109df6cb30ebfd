"""A report on the disk."""

import os
import stat
from pathlib import Path

import pytest

from triollama_adapters.loadtest.errors import ReportError
from triollama_adapters.loadtest.report.write import check_report_path, write_report


def test_it_is_written_whole(tmp_path: Path) -> None:
    """Nothing else is left beside it, and it can be read as any file of this user."""
    path = tmp_path / "report.html"
    write_report(path, "é\n")
    assert path.read_bytes() == "é\n".encode()
    assert list(tmp_path.iterdir()) == [path]
    mask = os.umask(0o022)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    """Unless it is forced."""
    path = tmp_path / "report.html"
    path.write_text("mine")
    with pytest.raises(ReportError, match=r"report\.html exists: .*--force"):
        write_report(path, "new")
    assert path.read_text() == "mine"
    write_report(path, "new", force=True)
    assert path.read_text() == "new"


def test_where_it_cannot_be_is_said_before_the_run(tmp_path: Path) -> None:
    """A folder, or no folder."""
    with pytest.raises(ReportError, match="is a folder"):
        check_report_path(tmp_path, force=True)
    with pytest.raises(ReportError, match="is not a folder: make it"):
        check_report_path(tmp_path / "none" / "report.html")
    check_report_path(tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_takes_no_file_is_said_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has every permission could not make one there either, as on a disk that is read only."""

    def refuse(path: Path) -> None:
        raise OSError(30, "Read-only file system", str(path))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(ReportError, match=r"report\.html cannot be written: Read-only file system"):
        check_report_path(tmp_path / "report.html")


def test_a_full_disk_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no part of the new one."""
    path = tmp_path / "report.html"
    path.write_text("old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ReportError, match="cannot be written: No space left on device"):
        write_report(path, "new", force=True)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
