"""What means nothing is told before anything is begun; the same of a run and of a dry run."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from triollama_adapters.batch.errors import ChoiceError, LedgerError
from triollama_adapters.batch.ledger.paths import Paths
from triollama_adapters.batch.ledger.place import check_folder, check_kind
from triollama_adapters.cli._batch_ray import check_simulated
from triollama_adapters.cli._batch_use import Use
from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._sink import STANDARD

__all__ = ["check_known", "check_output", "check_use"]

_TABLES: Final = frozenset({".csv", ".tsv", ".parquet", ".pq", ".npy"})
_PACKED: Final = frozenset({".gz", ".zst", ".zstd", ".bz2", ".xz", ".zip"})
_ADDRESS: Final = re.compile(r"(auto|local|off|[^:/\s]+:\d{1,5}|\[[0-9a-fA-F:.]+\]:\d{1,5})")


def check_output(output: Path) -> None:
    """See that the answers of a batch can go there. Looks at the file system: blocking.

    Raises:
        CliError: its name promises another format, or it is standard output.
        ChoiceError: it can be no file.
        LedgerError: its folder cannot be written.
    """
    if str(output).startswith("-") and str(output) != STANDARD:
        raise CliError(f"-o takes a file, not {str(output)!r}; is an option missing its value?")
    if str(output) == STANDARD:
        raise CliError(
            "a batch needs a file, as it goes on with it after a crash; give -o answers.jsonl, or "
            "write to standard output with: triollama run"
        )
    suffix = output.suffix.lower()
    if suffix in _PACKED:
        plain = output.with_suffix("")
        raise CliError(
            f"the output {output} would not be packed: JSON lines are written; give -o {plain}, "
            "and pack it when the job is complete"
        )
    if suffix in _TABLES:
        lines = output.with_suffix(".jsonl")
        raise CliError(
            f"the output {output} would hold JSON lines; give -o {lines}, then: "
            f"triollama batch export {lines} -o {output}"
        )
    check_kind(Paths(output).output)
    check_folder(output)
    if not os.access(output.parent, os.W_OK | os.X_OK):
        raise LedgerError(
            f"cannot write {output}: its folder {output.parent.absolute()} cannot be written to; "
            "choose another output with -o"
        )


def check_known(output: Path) -> None:
    """See that a name is not that of a job's file of errors. Looks at the file system: blocking.

    Raises:
        CliError: it is.
    """
    stem = output.stem.removesuffix(".errors")
    if not stem or stem == output.stem or Paths(output).journal.exists():
        return
    answers = output.with_name(stem + output.suffix)
    if Paths(answers).journal.exists():
        raise CliError(f"{output} is the file of errors of {answers}; give that name")


def check_use(use: Use, *, is_new: bool) -> None:
    """See that options of one command go together.

    Args:
        use: as they were given.
        is_new: whether they are all that there are; a job that goes on has those of before, too.

    Raises:
        CliError: they need others, or exclude each other; a key is not there.
        ChoiceError: a value means nothing.
    """
    if is_new:
        use.ray_fleet()
    use.limits()
    use.access.credentials()
    if use.simulate and use.endpoint:
        raise CliError("--simulate starts servers of its own; leave out it or --endpoint")
    if use.ray is not None and not _ADDRESS.fullmatch(use.ray):
        raise ChoiceError(
            f"--ray takes local, auto, off or the address of a cluster's head, such as "
            f"10.0.0.1:6379, not {use.ray!r}"
        )
    if use.simulate:
        check_simulated(use.ray)
