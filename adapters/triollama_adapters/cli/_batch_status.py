"""``triollama batch status``: a job's figures from outside, once or again and again."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any, Final

import msgspec
import trio

from triollama_adapters.batch.figures.onlook import look_on
from triollama_adapters.batch.figures.snapshot import Snapshot
from triollama_adapters.batch.ledger.settings import shown
from triollama_adapters.batch.ledger.state import BatchState, read_state
from triollama_adapters.cli._batch_sights import open_sight
from triollama_adapters.cli._batch_summary import make_summary
from triollama_adapters.cli._batch_words import title_of
from triollama_adapters.cli._failures import EXIT_INTERRUPTED, EXIT_OK
from triollama_adapters.cli._interrupt import run_until_stopped

__all__ = ["show_status"]

LOOK_EVERY_S: Final = 2.0
"""As often as a run stores its figures."""


async def show_status(output: Path, *, is_watched: bool, is_json: bool) -> int:
    """Show how far a job is; the exit code.

    Args:
        output: where its answers are.
        is_watched: again and again, until nobody runs the job any more, or somebody stops this.
        is_json: one JSON object a line, rather than for people.

    Raises:
        BatchError: as of `read_state`.
    """
    if not is_watched:
        _print(output, *await _look(output), is_json=is_json)
        return EXIT_OK

    async def watch() -> None:
        await (_watch_json(output) if is_json else _watch(output))

    return EXIT_INTERRUPTED if await run_until_stopped(watch) else EXIT_OK


async def _look(output: Path) -> tuple[BatchState, Snapshot]:
    state = await read_state(output)
    return state, look_on(state, time.time())


async def _watch(output: Path) -> None:
    """The picture of the run; when nobody runs it any more, what it came to."""
    state, shot = await _look(output)
    title = title_of((state.settings or {}).get("input", ""), output)
    with open_sight(title, sys.stdout) as sight:
        while shot.state == "running":
            sight.show(shot)
            await trio.sleep(max(sight.every_s, LOOK_EVERY_S))
            state, shot = await _look(output)
    _print(output, state, shot, is_json=False)


async def _watch_json(output: Path) -> None:
    while True:
        state, shot = await _look(output)
        _print(output, state, shot, is_json=True)
        if shot.state != "running":
            return
        await trio.sleep(LOOK_EVERY_S)


def _print(output: Path, state: BatchState, shot: Snapshot, *, is_json: bool) -> None:
    if is_json:
        sys.stdout.write(msgspec.json.encode(_told(output, state, shot)).decode() + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in make_summary(shot, output)))
    sys.stdout.flush()


def _told(output: Path, state: BatchState, shot: Snapshot) -> dict[str, Any]:
    """What a program gets: the figures, and what the journal says of the job."""
    about = {
        "pid": state.pid,
        "started_s": state.started_s,
        "updated_s": state.updated_s,
        "input_rows": state.input_rows,
        "errors": state.errors,
        "settings": shown(state.settings) if state.settings is not None else None,
        "notes": state.notes,
    }
    return {"output": str(output), **msgspec.to_builtins(shot), **about}
