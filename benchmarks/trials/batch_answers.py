"""What the trials of batch jobs share: rows, an answer that came through the engine, an asker."""

from __future__ import annotations

from pathlib import Path

import attrs
import trio

from benchmarks.plan import MODEL, PROMPT
from triollama import open_engine
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.batch.rows import Ask
from triollama_adapters.batch.work.asking import Asked, Asker
from triollama_adapters.simulator import SimulatorConfig, open_fleet

URL = "http://gpu:11434"

TOKENS = 8
"""Of an answer: as few as make a text, so that it is the job that costs, and not the words."""

SERVER = SimulatorConfig(answer_tokens_min=TOKENS, answer_tokens_max=TOKENS)


def line_of(number: int) -> str:
    """One line of an input, without its end; no two are alike."""
    return f'{{"id": {number}, "prompt": "{number}: {PROMPT}"}}'


def write_input(path: Path, count: int) -> None:
    """Write an input of so many lines."""
    with path.open("w") as file:
        file.writelines(f"{line_of(number)}\n" for number in range(count))


def recipe_of(source: Path) -> Recipe:
    """What is asked of an input of such lines."""
    return Recipe(input=str(source), model=MODEL)


async def answer_once() -> Asked:
    """Ask one row of a simulated server, through a whole engine; its attempts and times are real.

    Raises:
        RuntimeError: There is no answer.
    """
    ask = Ask("chat", {"model": MODEL, "messages": [{"role": "user", "content": PROMPT}]})
    async with (
        open_fleet({URL: SERVER}) as fleet,
        open_engine(URL, transport=fleet.transport()) as engine,
    ):
        asked = await Asker(engine).ask(ask)
    if asked.answer is None:
        raise RuntimeError(f"the simulated server gave no answer: {asked.error}")
    return asked


@attrs.frozen
class Echo:
    """Answers every row at once, from memory, with the same answer.

    Attributes:
        asked: The answer.
    """

    asked: Asked

    async def ask(self, ask: Ask) -> Asked:  # noqa: ARG002 - the protocol's
        """Answer."""
        await trio.lowlevel.checkpoint()
        return self.asked
