"""The output: checked before any work, whole lines, nothing destroyed by accident."""

import os
from pathlib import Path

import pytest

from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._sink import open_sink


async def test_records_are_in_the_file_when_write_returns(tmp_path: Path) -> None:
    """Nothing waits in this process for a later flush."""
    path = tmp_path / "out"
    sink = open_sink(str(path), overwrite=False)
    await sink.write([b"one\n", b"two\n"])
    assert path.read_bytes() == b"one\ntwo\n"
    await sink.write([b"three\n"])
    assert path.read_bytes() == b"one\ntwo\nthree\n"
    sink.close()
    sink.close()


def test_a_run_that_wrote_nothing_leaves_no_file(tmp_path: Path) -> None:
    """After a mistake in another argument, the same command is not refused for the output."""
    path = tmp_path / "out"
    open_sink(str(path), overwrite=False).close()
    assert not path.exists()


def test_an_existing_file_is_refused(tmp_path: Path) -> None:
    """Hours of answers are not lost to an arrow key."""
    path = tmp_path / "out"
    path.write_text("old")
    with pytest.raises(CliError, match=r"exists.*--overwrite"):
        open_sink(str(path), overwrite=False)
    assert path.read_text() == "old"


async def test_overwriting_begins_with_the_first_record(tmp_path: Path) -> None:
    """Until there is a record the old ones stay, and then none of them is left."""
    path = tmp_path / "out"
    path.write_text("old old old")
    open_sink(str(path), overwrite=True).close()
    assert path.read_text() == "old old old"
    sink = open_sink(str(path), overwrite=True)
    await sink.write([b"new\n"])
    sink.close()
    assert path.read_text() == "new\n"


def test_the_input_is_not_overwritten(tmp_path: Path) -> None:
    """Even with --overwrite, even under another name."""
    path, link = tmp_path / "in", tmp_path / "link"
    path.write_text("input")
    link.symlink_to(path)
    with pytest.raises(CliError, match="also the input"):
        open_sink(str(link), overwrite=True, source=path)
    assert path.read_text() == "input"


def test_a_path_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A directory, and a folder that does not exist."""
    with pytest.raises(CliError, match="directory"):
        open_sink(str(tmp_path), overwrite=True)
    with pytest.raises(CliError, match="No such file"):
        open_sink(str(tmp_path / "none" / "out"), overwrite=False)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_told(tmp_path: Path) -> None:
    """The system's own words."""
    tmp_path.chmod(0o500)
    with pytest.raises(CliError, match="Permission denied"):
        open_sink(str(tmp_path / "out"), overwrite=False)


async def test_devices_are_written_without_asking() -> None:
    """/dev/null exists and is not a file to lose."""
    sink = open_sink("/dev/null", overwrite=False)
    await sink.write([b"x\n"])
    sink.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
async def test_a_full_disk_is_told() -> None:
    """The write fails with the name and the reason."""
    sink = open_sink("/dev/full", overwrite=False)
    with pytest.raises(CliError, match="cannot write /dev/full: No space left"):
        await sink.write([b"x\n"])
    sink.close()


async def test_a_reader_that_left_is_told(tmp_path: Path) -> None:
    """``| head`` ends the program with one line, not a traceback."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    sink = open_sink(str(path), overwrite=False)
    os.close(reader)
    with pytest.raises(CliError, match="reader has left"):
        await sink.write([b"x\n"])
    sink.close()
