"""Where the lines come from: a file, a pipe or standard input, read in blocks by a thread.

The reading is shared with the batch jobs: `batch.blocks`. What is compressed is not unpacked here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import trio

from triollama_adapters.batch.errors import InputError
from triollama_adapters.batch.input.blocks import (
    BLOCK_BYTES,
    FOREIGN,
    GZIP,
    ZSTD,
    Blocks,
    open_blocks,
)
from triollama_adapters.batch.input.lines import Line, LineSplitter
from triollama_adapters.cli._failures import CliError

__all__ = ["BLOCK_BYTES", "REFUSED", "Source", "open_source"]

REFUSED: Final = {
    **FOREIGN,
    GZIP: "is compressed with gzip; unpack it: zcat FILE | triollama run -",
    ZSTD: "is compressed with zstd; unpack it: zstdcat FILE | triollama run -",
}
"""How files begin that are taken for JSON lines by mistake, and what to do."""


class Source:
    """An open input. Made by `open_source`.

    Args:
        blocks: its bytes.
    """

    def __init__(self, blocks: Blocks) -> None:
        self._blocks = blocks
        self._splitter = LineSplitter()
        self._is_ended = False

    @property
    def path(self) -> Path | None:
        """Its path; None for standard input."""
        return self._blocks.path

    @property
    def size_bytes(self) -> int | None:
        """How long it is; None if that cannot be known."""
        return self._blocks.size_bytes

    async def read_lines(self) -> list[Line] | None:
        """Give the lines that the next block completes, perhaps none; None at the end.

        Cancellation leaves at once, even while a pipe has nothing to give.

        Raises:
            CliError: the input cannot be read, is not a text in UTF-8, or is empty.
        """
        if self._is_ended:
            return None
        try:
            block = await trio.to_thread.run_sync(self._blocks.read, abandon_on_cancel=True)
        except InputError as error:
            raise CliError(str(error)) from error
        self._is_ended = not block
        return self._splitter.feed(block) if block else self._splitter.close()

    def close(self) -> None:
        """Close the file. Harmless when repeated."""
        self._blocks.close()


def open_source(name: str) -> Source:
    """Open the input, or say why that is not possible.

    Args:
        name: a path, or ``-`` for standard input.

    Raises:
        CliError: it is missing, a directory, empty, not readable, or plainly not a text in UTF-8.
    """
    try:
        return Source(open_blocks(name, REFUSED))
    except InputError as error:
        raise CliError(str(error)) from error
