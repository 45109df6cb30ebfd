"""The input: files and pipes, and what is given by mistake."""

import os
import threading
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from triollama_adapters.batch.input.blocks import Blocks
from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._source import BLOCK_BYTES, REFUSED, Source, open_source


async def read_all(source: Source) -> list[bytes | None]:
    """All lines of an input."""
    contents: list[bytes | None] = []
    while (lines := await source.read_lines()) is not None:
        contents += [line.content for line in lines]
    source.close()
    return contents


async def test_a_file_is_read_line_by_line(tmp_path: Path) -> None:
    """More than one block, and a last line without its end."""
    lines = [b"x" * (i % 200) + b"." for i in range(5_000)]
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"\n".join(lines))
    assert path.stat().st_size > BLOCK_BYTES
    source = open_source(str(path))
    assert source.size_bytes == path.stat().st_size
    assert await read_all(source) == lines


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        ("{}".encode("utf-16"), "UTF-16.*iconv"),
        (b"\xfe\xff\0{\0}", "UTF-16.*iconv"),
        (b"\x1f\x8b\x08\0", "gzip.*zcat"),
        (b"\x28\xb5\x2f\xfd\0", "zstd"),
        (b"PK\x03\x04", "zip"),
    ],
)
def test_what_is_not_json_lines_is_told_before_any_work(
    tmp_path: Path, content: bytes, words: str
) -> None:
    """The message names the file and what to do."""
    path = tmp_path / "in.jsonl"
    path.write_bytes(content)
    with pytest.raises(CliError, match=f"in.jsonl.*{words}"):
        open_source(str(path))


def test_a_missing_file_and_a_directory_are_told_apart(tmp_path: Path) -> None:
    """Neither leaves a descriptor open: the next one opened has the same number."""
    next_fd = os.dup(0)
    os.close(next_fd)
    with pytest.raises(CliError, match="No such file"):
        open_source(str(tmp_path / "none"))
    with pytest.raises(CliError, match="is a directory"):
        open_source(str(tmp_path))
    assert os.dup(0) == next_fd
    os.close(next_fd)


async def test_a_pipe_is_read_as_it_comes(tmp_path: Path) -> None:
    """A FIFO has no size; what it is, is seen at its first block."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"one\ntwo",))
    writer.start()
    source = open_source(str(path))
    assert source.size_bytes is None
    assert await read_all(source) == [b"one", b"two"]
    writer.join()


@pytest.mark.parametrize(("content", "words"), [(b"", "empty"), (b"\x1f\x8b\x08", "gzip")])
async def test_a_pipe_with_the_wrong_content_is_told(
    tmp_path: Path, content: bytes, words: str
) -> None:
    """An empty pipe and a compressed one are refused at the first block."""
    read_fd, write_fd = os.pipe()
    os.write(write_fd, content)
    os.close(write_fd)
    source = Source(Blocks(read_fd, "pipe", None, None, REFUSED))
    with pytest.raises(CliError, match=words):
        await source.read_lines()
    source.close()


async def test_waiting_for_a_pipe_can_be_cancelled() -> None:
    """Ctrl-C does not wait for the next line of a pipe."""
    read_fd, write_fd = os.pipe()
    source = Source(Blocks(read_fd, "pipe", None, None, REFUSED))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(source.read_lines)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    os.close(write_fd)
    source.close()
