"""One session, from its index: what its user asks, and how they behave."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate

from triollama_adapters.loadtest.arrivals.draws import seeded
from triollama_adapters.loadtest.arrivals.trace import TraceRow
from triollama_adapters.loadtest.sessions import Session, Turn
from triollama_adapters.loadtest.workload.lengths import TokenLengths, draw_length
from triollama_adapters.loadtest.workload.prompts import (
    BlockWriter,
    make_prompt_writer,
)
from triollama_adapters.loadtest.workload.scenario import Scenario, Workload

__all__ = ["Writer"]


class Writer:
    """Writes sessions, each from the seed and its index alone.

    Args:
        workload: a sound one.
        seed: of every draw.
        lengths: what a token is, for all models or for each by its name; four characters for a
            model that is missing.

    Raises:
        PlanError: a file of prompts or pictures cannot be read, or not as one.
    """

    def __init__(
        self, workload: Workload, seed: int, lengths: TokenLengths | Mapping[str, TokenLengths]
    ) -> None:
        self._seed = seed
        self._scenarios = [
            _ScenarioWriter(scenario, seed, _of_model(scenario.model, lengths))
            for scenario in workload.scenarios
        ]
        self._shares = list(accumulate(scenario.weight for scenario in workload.scenarios))

    def write(self, index: int, at_ns: int | None = None) -> Session:
        """The session with this index.

        Args:
            index: among all sessions of the run.
            at_ns: when its first turn is due; None in a closed loop.
        """
        draw = seeded(self._seed, "session", index)
        return self._choose(draw).write(index, at_ns, draw)

    def replay(self, index: int, row: TraceRow) -> Session:
        """The session with this index, of one turn, as long as a recorded request and its answer.

        All else is drawn as ever: model, options, pictures, whether its user leaves.
        """
        draw = seeded(self._seed, "session", index)
        return self._choose(draw).replay(index, row, draw)

    def _choose(self, draw: random.Random) -> _ScenarioWriter:
        # A scenario of weight 0 has no room of its own here, hence is never chosen.
        place = bisect_right(self._shares, draw.random() * self._shares[-1])
        return self._scenarios[min(place, len(self._scenarios) - 1)]


def _of_model(model: str, lengths: TokenLengths | Mapping[str, TokenLengths]) -> TokenLengths:
    return lengths if isinstance(lengths, TokenLengths) else lengths.get(model, TokenLengths())


class _ScenarioWriter:
    def __init__(self, scenario: Scenario, seed: int, lengths: TokenLengths) -> None:
        self._scenario = scenario
        self._prompts = make_prompt_writer(scenario, seed, lengths)
        self._blocks = BlockWriter(seed, lengths)

    def write(self, index: int, at_ns: int | None, draw: random.Random) -> Session:
        turns = tuple(self._turn(index, turn, draw) for turn in range(self._scenario.turns))
        return self._session(index, at_ns, turns)

    def replay(self, index: int, row: TraceRow, draw: random.Random) -> Session:
        turn = Turn(
            self._blocks.write(row, draw),
            num_predict=row.output_tokens,
            cancel_s=self._cancel_s(draw),
            images=self._prompts.images,
        )
        return self._session(index, row.at_ns, (turn,))

    def _turn(self, index: int, turn: int, draw: random.Random) -> Turn:
        asked = self._scenario
        pauses = turn > 0 and asked.think_s > 0.0
        return Turn(
            self._prompts.write(index * asked.turns + turn, draw, is_first=turn == 0),
            think_s=draw.expovariate(1.0 / asked.think_s) if pauses else 0.0,
            num_predict=self._answer_tokens(draw),
            cancel_s=self._cancel_s(draw),
            images=self._prompts.images,
        )

    def _answer_tokens(self, draw: random.Random) -> int | None:
        answers = self._scenario.answers
        return None if answers.tokens is None else draw_length(answers.tokens, answers.spread, draw)

    def _cancel_s(self, draw: random.Random) -> float | None:
        if self._scenario.cancels <= 0.0 or draw.random() >= self._scenario.cancels:
            return None
        return draw.uniform(0.0, self._scenario.cancel_s)

    def _session(self, index: int, at_ns: int | None, turns: tuple[Turn, ...]) -> Session:
        asked = self._scenario
        return Session(
            index,
            at_ns,
            asked.name,
            asked.model,
            turns,
            system=asked.system,
            tools=asked.tools,
            format=asked.format,
            options=asked.options,
            think=asked.think,
        )
