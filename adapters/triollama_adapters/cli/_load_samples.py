"""Where ``--samples`` keeps every request: JSON lines, or Parquet made from them at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from triollama_adapters.cli._failures import CliError
from triollama_adapters.loadtest.measures.samples_file import open_samples, to_parquet
from triollama_adapters.loadtest.running.progress import SampleSink

__all__ = ["check_samples", "keeping"]

PARQUET: Final = ".parquet"


def check_samples(path: Path | None) -> None:
    """See before the run that samples can be kept in this form.

    Raises:
        CliError: its suffix says no form, or the form needs an extra.
    """
    if path is None:
        return
    if path.suffix not in (PARQUET, ".jsonl"):
        raise CliError(f"--samples {path} must end with .jsonl or {PARQUET}")
    if path.suffix == PARQUET and find_spec("pyarrow") is None:
        raise CliError("--samples as Parquet needs pyarrow: pip install 'triollama[parquet]'")


@contextmanager
def keeping(path: Path | None) -> Iterator[SampleSink | None]:
    """A sink for the samples of a run; nothing if none are wanted. Blocking at its end.

    Parquet costs too much while the load runs, so that JSON lines are written beside it first.

    Args:
        path: where they are to be; a file that is there is replaced.

    Raises:
        ReportError: they cannot be written.
    """
    if path is None:
        yield None
        return
    if path.suffix != PARQUET:
        with open_samples(path) as writer:
            yield writer
        return
    beside = path.with_name(f".{path.name}.jsonl")
    try:
        with open_samples(beside) as writer:
            yield writer
        to_parquet(beside, path)
    finally:
        with suppress(OSError):
            beside.unlink()
