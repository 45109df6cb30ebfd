"""Whether a batch can be where somebody wants it. Looks at the file system: blocking."""

from __future__ import annotations

import stat
from pathlib import Path

from triollama_adapters.batch.errors import ChoiceError

__all__ = ["check_folder", "check_kind"]


def check_kind(output: Path) -> None:
    """See that an output is a file, or nothing yet.

    Args:
        output: where the answers are, or are to go.

    Raises:
        ChoiceError: it is a folder, a device or a pipe: those cannot be cut back after a crash.
    """
    try:
        mode = output.stat().st_mode
    except OSError:
        return  # nothing is there, or who opens it says why it cannot be seen
    if stat.S_ISDIR(mode):
        raise ChoiceError(
            f"the output {output} is a folder; give a file, such as {output / 'answers.jsonl'}"
        )
    if not stat.S_ISREG(mode):
        raise ChoiceError(
            f"the output {output} is a device or a pipe, which cannot be cut back after a crash; "
            "choose a file"
        )


def check_folder(output: Path) -> None:
    """See that there is a folder for an output.

    Args:
        output: where the answers are to go.

    Raises:
        ChoiceError: there is none.
    """
    if not output.parent.is_dir():
        raise ChoiceError(
            f"there is no folder {output.parent} for the output {output.name}; make it, or choose "
            "another output with -o"
        )
