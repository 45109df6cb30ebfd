"""Makes the picture of a batch job's live view, docs/figures/batch-live.svg, from a real job.

Run with ``python -m benchmarks.batch_picture``, or ``make picture``. Three simulated servers
answer the examples' questions; one is killed on the way, and two rows cannot be asked. The picture
is what a terminal of 80 columns shows when `SHARE` of the rows are done. It takes half a minute.
"""

from __future__ import annotations

import io
import os
import re
import signal
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import attrs
import trio
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI

from triollama import EndpointConfig, open_engine
from triollama_adapters.batch.figures.prices import Prices
from triollama_adapters.batch.figures.snapshot import Lately, Snapshot
from triollama_adapters.batch.input.source import open_rows
from triollama_adapters.batch.ledger.ledger import open_ledger
from triollama_adapters.batch.making import make_job
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.batch.work.asking import Asker
from triollama_adapters.batch.work.job import Job, Limits
from triollama_adapters.cli._batch_picture import make_picture
from triollama_adapters.cli._batch_watch import Watched
from triollama_adapters.cli._batch_words import title_of
from triollama_adapters.simulator import SimulatorConfig
from triollama_adapters.simulator.process import open_simulator_processes

ROOT: Final = Path(__file__).parent.parent
PICTURE: Final = ROOT / "docs/figures/batch-live.svg"
QUESTIONS: Final = ROOT / "examples/questions.jsonl"

MODEL: Final = "llama3.2"
CONFIG: Final = SimulatorConfig(load_s=0.1, decode_tokens_per_s=150.0)

COLUMNS: Final = 80
LINES: Final = 24

KILL_SHARE: Final = 0.35
SHARE: Final = 0.6


@attrs.define
class Camera:
    """Takes the last picture before it is stopped; a sight, as the command has others."""

    job: Job | None = None
    pid: int = 0
    shot: Snapshot | None = None
    every_s: float = 0.25

    def show(self, shot: Snapshot) -> None:
        """Kill the server, and later end the job, when it is time."""
        assert self.job is not None
        share = shot.done / shot.rows if shot.rows else 0.0
        if share >= KILL_SHARE and self.pid:
            os.kill(self.pid, signal.SIGKILL)
            self.pid = 0
        if share < SHARE:
            self.shot = shot
        else:
            self.job.stop()

    def finish(self, shot: Snapshot) -> None:
        """The picture is of a job that is half done."""

    def tell(self, errors: Sequence[Lately], shot_s: float) -> None:
        """They are in the picture."""


async def run_job(folder: Path) -> Snapshot:
    """Run the job; its figures when `SHARE` of it was done."""
    source = folder / "questions.jsonl"
    questions = QUESTIONS.read_text().splitlines()
    questions[90:90] = ['{"question": "What is cut o', '{"text": "Where is the question?"}']
    source.write_text("\n".join(questions) + "\n")
    recipe = Recipe(input=str(source), model=MODEL)
    camera = Camera()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        servers = await enter(open_simulator_processes(3, CONFIG))
        camera.pid = servers[1].pid
        endpoints = [
            EndpointConfig(each.url, name=f"gpu-{number}:11434")
            for number, each in enumerate(servers, 1)
        ]
        engine = await enter(open_engine(*endpoints))
        rows = await enter(open_rows(recipe.wanted()))
        ledger = await enter(
            open_ledger(folder / "answers.jsonl", recipe.settings(), is_resumed=False)
        )
        watched = Watched(ledger, rows, engine, MODEL, None, Prices(input=0.05, output=0.4), camera)
        camera.job = make_job(
            rows, ledger, Asker(engine), recipe, Limits(), deliver=watched.deliver
        )
        await watched.run(camera.job)
    assert camera.shot is not None
    return camera.shot


def draw(shot: Snapshot) -> str:
    """The picture as SVG, which asks for nothing from elsewhere."""
    console = Console(
        file=io.StringIO(), record=True, width=COLUMNS, force_terminal=True, highlight=False
    )
    title = title_of(QUESTIONS.name, Path("answers.jsonl"))
    console.print(make_picture(shot, title, COLUMNS, LINES))
    svg = console.export_svg(title="triollama batch", theme=DIMMED_MONOKAI, unique_id="batch")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def main() -> None:
    """Make the picture."""
    with tempfile.TemporaryDirectory() as folder:
        shot = trio.run(run_job, Path(folder))
    PICTURE.write_text(draw(shot))


if __name__ == "__main__":
    main()
