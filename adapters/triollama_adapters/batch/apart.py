"""An input and an output must be apart: else a batch would eat its own answers."""

from __future__ import annotations

import os
from pathlib import Path

from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.batch.input.blocks import STANDARD
from triollama_adapters.batch.ledger.paths import Paths

__all__ = ["check_apart"]


def check_apart(name: str, output: Path) -> None:
    """Refuse an input that this batch writes: its output, a file beside that, their folder.

    Looks at the file system, so that links and other ways of writing a name are seen. Blocking.

    Args:
        name: of the input, as it is stored; what is no path passes.
        output: where the answers go.

    Raises:
        ChoiceError: they are not apart.
    """
    if name == STANDARD:
        return
    source = Path(os.path.realpath(name))
    paths = Paths(output)
    for path, what in (
        (paths.output, "output"),
        (paths.errors, "file of errors"),
        (paths.journal, "journal"),
    ):
        written = Path(os.path.realpath(path))
        if source == written or _is_same(source, written):
            raise ChoiceError(
                f"the input {name} is the {what} of this batch; choose another output with -o"
            )
        if source in written.parents and source.is_dir():
            raise ChoiceError(
                f"the {what} {path} would be in the input's folder {name}, and its own row at the "
                "next resume; choose an output elsewhere with -o"
            )


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
