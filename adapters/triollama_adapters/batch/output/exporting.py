"""The answers of a batch as a table or a matrix, finished or not. Streamed: memory is bounded.

Tables are made in two passes, the first of which finds the columns; a matrix in one. What a job
adds meanwhile is left out. See `answers_file` for what counts as an answer, `flattening` for the
columns that come of records, and `placing` for how a reader never sees half a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any, Final

import attrs
import trio

from triollama_adapters.batch.errors import ExportError
from triollama_adapters.batch.ledger.paths import Paths
from triollama_adapters.batch.output.answers_file import AnswersFile, Tick, decode_record
from triollama_adapters.batch.output.columns_found import Columns
from triollama_adapters.batch.output.flattening import flat_record
from triollama_adapters.batch.output.placing import placed, refuse_existing
from triollama_adapters.batch.output.sorting import in_order
from triollama_adapters.batch.output.tables import arrow, write_csv, write_parquet
from triollama_adapters.batch.output.vectors_file import VectorsFile

__all__ = ["SUFFIXES", "ExportProgress", "export_answers", "index_of"]

CSV: Final = ".csv"
PARQUET: Final = ".parquet"
VECTORS: Final = ".npy"
SUFFIXES: Final = (PARQUET, CSV, VECTORS)


@attrs.define
class ExportProgress:
    """How far an export is.

    Attributes:
        rows: that are written.
        read_bytes: of the records, in all passes together.
        size_bytes: of the same; 0 until it is known.
    """

    rows: int = 0
    read_bytes: int = 0
    size_bytes: int = 0


def index_of(path: Path) -> Path:
    """The file beside a matrix that says which of its rows is whose."""
    return path.with_suffix(".index.csv")


async def export_answers(
    answers: str | PathLike[str],
    output: str | PathLike[str],
    *,
    is_sorted: bool = False,
    select: Iterable[str] = (),
    force: bool = False,
    progress: ExportProgress | None = None,
) -> ExportProgress:
    """Write the answers of a batch as ``.parquet``, ``.csv`` or ``.npy``, by the output's name.

    In a thread, which is waited for; if cancelled, it ends within a block of records, and nothing
    is left.

    Args:
        answers: the output of the batch, or its errors; may be running.
        output: where to; a matrix also gets `index_of` it.
        is_sorted: in the order of the input, rather than that of the answers; a matrix always is.
        select: the columns; none: all. ``index`` is always the first.
        force: whether it may take the place of another file.
        progress: is kept up to date; None makes one.

    Raises:
        ExportError: it cannot be done.
    """
    job = _Export(
        Path(answers), Path(output), is_sorted, tuple(select), force, progress or ExportProgress()
    )
    await trio.to_thread.run_sync(job.run, limiter=trio.CapacityLimiter(1))
    return job.progress


@attrs.frozen
class _Export:
    answers: Path
    output: Path
    is_sorted: bool
    select: tuple[str, ...]
    force: bool
    progress: ExportProgress

    def run(self) -> None:
        suffix = self.output.suffix.lower()
        if suffix not in SUFFIXES:
            raise ExportError(
                f"an export is told by its name: {', '.join(SUFFIXES)}, and not {self.output}"
            )
        self._check_apart()
        if suffix == PARQUET:
            arrow()
        file = AnswersFile.open(self.answers)
        if suffix == VECTORS:
            self._write_vectors(file)
        else:
            self._write_table(file, is_csv=suffix == CSV)

    def _write_table(self, file: AnswersFile, *, is_csv: bool) -> None:
        refuse_existing(self.output, force=self.force)
        self.progress.size_bytes = 2 * file.size_bytes
        found = Columns()
        for line in file.lines(self._tick()):
            found.add(flat_record(decode_record(line)))
        columns = found.chosen(self.select)
        with placed(self.output, force=self.force) as out:
            rows = self._rows(file, is_sorted=self.is_sorted)
            (write_csv if is_csv else write_parquet)(out, columns, rows)

    def _write_vectors(self, file: AnswersFile) -> None:
        index = index_of(self.output)
        for path in (self.output, index):
            refuse_existing(path, force=self.force)
        self.progress.size_bytes = file.size_bytes
        # The matrix gets its name last: who sees it finds its index.
        with (
            placed(self.output, force=self.force) as out,
            placed(index, force=self.force) as beside,
        ):
            vectors = VectorsFile(out, beside)
            for row, _ in self._rows(file, is_sorted=True):
                vectors.add(row)
            vectors.finish()
            if self.force:
                # An old matrix must not be seen beside the new index.
                self.output.unlink(missing_ok=True)

    def _rows(self, file: AnswersFile, *, is_sorted: bool) -> Iterator[tuple[dict[str, Any], int]]:
        """The rows, each with its bytes."""
        lines = file.lines(self._tick())
        if is_sorted:
            lines = in_order(lines, file.size_bytes, self.output.parent)
        for line in lines:
            yield flat_record(decode_record(line)), len(line)
            self.progress.rows += 1

    def _tick(self) -> Tick:
        def tick(count: int) -> None:
            self.progress.read_bytes += count
            trio.from_thread.check_cancelled()

        return tick

    def _check_apart(self) -> None:
        """Never write over what the batch itself needs."""
        paths = Paths(self.answers)
        own = (self.answers, paths.errors, paths.journal, paths.lock)
        for path in own:
            if path.exists() and self.output.exists() and path.samefile(self.output):
                raise ExportError(f"{self.output} belongs to the batch itself; take another name")
