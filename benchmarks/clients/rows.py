"""What the clients share that answer a file: the file, on a disk, and what was written."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.plan import PROMPT, Plan

DISKS = (Path("/var/tmp"), Path(tempfile.gettempdir()))
"""Where files go. The first lies on a disk on most systems, where waiting for it takes time; what
the system takes for temporary files may be memory."""

ROWS_PER_S_MAX = 10_000
"""More than any client answers: none comes to the end of its file within its window."""

STARTED_MIN = 400
"""Rows that are written before the window may begin: then all that is in flight is."""


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder on a disk, gone at the end."""
    disk = next(each for each in DISKS if each.is_dir())
    with tempfile.TemporaryDirectory(prefix="triollama-bench-", dir=disk) as folder:
        yield Path(folder)


def write_prompts(path: Path, count: int) -> None:
    """Write an input of so many rows, no two alike."""
    with path.open("w") as file:
        file.writelines(f'{{"id": {n}, "prompt": "{n}: {PROMPT}"}}\n' for n in range(count))


def rows_for(plan: Plan) -> int:
    """How many rows are more than any client answers."""
    return int(ROWS_PER_S_MAX * (plan.settle_s + plan.window_s))
