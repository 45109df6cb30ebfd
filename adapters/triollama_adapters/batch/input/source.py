"""An input is opened: whatever it is, its rows come out of one `RowSource`."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final

import trio

from triollama_adapters.batch.errors import ChoiceError, InputError
from triollama_adapters.batch.input.blocks import STANDARD, Blocks, open_blocks
from triollama_adapters.batch.input.feeds import REFUSED, BlocksFeed, ThreadFeed
from triollama_adapters.batch.input.folder import FolderRecords
from triollama_adapters.batch.input.items import Items, open_items
from triollama_adapters.batch.input.plan import Format
from triollama_adapters.batch.input.row_source import ROWS_AT_ONCE, PassesOver, RowSource
from triollama_adapters.batch.input.wanted import Wanted

__all__ = [
    "OF_A_PROGRAM",
    "ROWS_AT_ONCE",
    "Item",
    "PassesOver",
    "RowSource",
    "Source",
    "Wanted",
    "name_of",
    "open_rows",
    "open_source",
]

Item = str | Mapping[str, Any]
"""A row of a program: a prompt, or its fields."""

Source = (
    str
    | PathLike[str]
    | Iterable[Item]
    | AsyncIterable[Item]
    | Callable[[], Iterable[Item] | AsyncIterable[Item]]
)
"""What a batch can be made of: a path, rows, or a function that gives rows."""

OF_A_PROGRAM: Final = "(rows of a program)"
"""The name of rows that no file has, the same each time."""


def name_of(source: Source) -> str:
    """The name of an input, the same from any folder and each time: what a batch is known by.

    Raises:
        ChoiceError: it is none.
    """
    if isinstance(source, str | PathLike):
        name = fspath(source)
        return name if name == STANDARD else str(Path(name).absolute())
    if isinstance(source, Mapping | bytes | bytearray):
        raise ChoiceError(f"a {type(source).__name__} is no input; give a path, or a list of rows")
    if not (isinstance(source, Iterable | AsyncIterable) or callable(source)):
        raise ChoiceError(f"a {type(source).__name__} is no input; give a path, or rows")
    return OF_A_PROGRAM


@asynccontextmanager
async def open_source(source: Source, wanted: Wanted) -> AsyncIterator[RowSource]:
    """Open whatever a batch can be made of.

    A row is a prompt, or a mapping with the fields that a line of a file would have: any fields,
    those of OpenAI's batch lines, or a body of Ollama's. Values are written as JSON: times as ISO
    8601, bytes as base64, decimals as numbers with their digits, NaN and infinities as null. A
    row's number is its place, and its digest is made of its JSON with the keys sorted; so who
    gives the same rows again goes on where a batch was. A prompt is the field ``prompt``.

    Iterables are taken to block: they are iterated in one thread, the same for all of their rows,
    in which also a function is called that gives one. Asynchronous ones are iterated by one task.
    Up to `items.ITEMS_AHEAD_MAX` rows are taken before they are needed. Rows are encoded as they
    come, so they may be changed afterwards. At the end a thread that waits in `next` is left
    behind after `items.CLOSE_S`, and iterators that have a ``close`` are closed.

    Args:
        source: a path as for `open_rows`; rows; or a function without arguments that gives rows.
        wanted: what is read, and how; its name is `name_of` the source.

    Raises:
        InputError: as `open_rows`.
        ChoiceError: it is no input, or the format of a file is wanted of it.
    """
    if isinstance(source, str | PathLike):
        async with open_rows(wanted) as rows:
            yield rows
        return
    name_of(source)
    if wanted.format is Format.CSV:
        raise ChoiceError("the rows of a program are no CSV; leave out the format")
    items: Items = source
    async with open_items(items, OF_A_PROGRAM, wanted.format) as feed:
        yield RowSource(feed, wanted)


@asynccontextmanager
async def open_rows(wanted: Wanted) -> AsyncIterator[RowSource]:
    """Open an input by its name, or say why that is not possible, before any work is done.

    It is a file, a pipe, standard input or a folder, each of whose files is a row then.

    Args:
        wanted: what is read, and how.

    Raises:
        InputError: it is missing, empty, not readable, of a foreign kind, or packed or made in a
            way for which a package is missing.
        ChoiceError: it is a folder, and the format of a file is wanted of it.
    """
    if wanted.name == OF_A_PROGRAM:
        raise InputError("the rows of this batch came from a program; run that again to go on")
    # A FIFO blocks in open() until its other end comes: never in the loop's thread.
    opened = await trio.to_thread.run_sync(_open, wanted, abandon_on_cancel=True)
    if isinstance(opened, FolderRecords):
        yield RowSource(ThreadFeed(opened.name, Format.PLAIN, opened), wanted)
        return
    try:
        feed = BlocksFeed(opened, wanted)
        if feed.size_bytes is not None:
            await trio.to_thread.run_sync(feed.prepare)
        yield RowSource(feed, wanted)
    finally:
        opened.close()


def _open(wanted: Wanted) -> Blocks | FolderRecords:
    name = wanted.name
    if name == STANDARD or not _is_folder(name):
        return open_blocks(name, REFUSED)
    if wanted.format not in (None, Format.PLAIN):
        raise ChoiceError(f"the input {name} is a folder, whose files are plain rows; no --format")
    return FolderRecords(Path(name), name)


def _is_folder(name: str) -> bool:
    try:
        return stat.S_ISDIR(Path(name).stat().st_mode)
    except OSError:
        return False
