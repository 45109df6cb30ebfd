"""The words of prompts: always the same, from a file, made; and those of a recorded trace."""

from __future__ import annotations

import random
from functools import lru_cache
from typing import Final, Protocol, assert_never

from triollama_adapters.loadtest.arrivals.draws import seeded
from triollama_adapters.loadtest.arrivals.trace import BLOCK_TOKENS, TraceRow
from triollama_adapters.loadtest.workload.files import read_pictures, read_prompts
from triollama_adapters.loadtest.workload.lengths import TokenLengths, draw_length
from triollama_adapters.loadtest.workload.scenario import Prompts, Scenario
from triollama_adapters.loadtest.workload.text import finish, make_part

__all__ = ["BlockWriter", "PromptWriter", "make_prompt_writer"]

BLOCKS_KEPT: Final = 4_096
"""Blocks of a trace that are not made anew for each prompt: 2 KB each, 8 MB in all."""

BEGINNINGS_KEPT: Final = 64
"""The same for the beginnings of groups, which may be long: 100,000 tokens are 400 KB."""


class PromptWriter(Protocol):
    """Writes the prompts of one scenario.

    Attributes:
        images: files of pictures that go with each of them, base64.
    """

    images: tuple[str, ...]

    def write(self, number: int, draw: random.Random, *, is_first: bool) -> str:
        """One prompt.

        Args:
            number: its place among all of the scenario, were all sessions of this scenario.
            draw: the session's source of chance.
            is_first: whether it is the first of its session.
        """
        ...


def make_prompt_writer(scenario: Scenario, seed: int, lengths: TokenLengths) -> PromptWriter:
    """Make what writes the prompts of a scenario.

    Raises:
        PlanError: a file of prompts or pictures cannot be read, or not as one.
    """
    prompts = scenario.prompts
    images = read_pictures(prompts.images)
    match prompts.kind:
        case "fixed":
            return _Listed((prompts.text,), images)
        case "file":
            return _Listed(read_prompts(prompts.path, prompts.field), images)
        case "synthetic":
            return _Synthetic(prompts, (seed, "shared", scenario.name), lengths, images)
        case _:
            assert_never(prompts.kind)


class _Listed:
    def __init__(self, texts: tuple[str, ...], images: tuple[str, ...]) -> None:
        self._texts = texts
        self.images = images

    def write(self, number: int, draw: random.Random, *, is_first: bool) -> str:
        del draw, is_first
        return self._texts[number % len(self._texts)]


class _Synthetic:
    def __init__(
        self,
        prompts: Prompts,
        seeds: tuple[object, ...],
        lengths: TokenLengths,
        images: tuple[str, ...],
    ) -> None:
        self._prompts = prompts
        self._lengths = lengths
        self.images = images
        words = lengths.block_words(prompts.shared_tokens) if prompts.shared_tokens else 0
        self._beginning = lru_cache(BEGINNINGS_KEPT)(
            lambda group: make_part(words, seeded(*seeds, group))
        )

    def write(self, number: int, draw: random.Random, *, is_first: bool) -> str:
        del number
        prompts = self._prompts
        words = self._lengths.words(draw_length(prompts.tokens, prompts.spread, draw))
        if not (is_first and prompts.shared_tokens):
            # What the later turns of a conversation share is all that was said before them.
            return finish(make_part(words, draw))
        beginning = self._beginning(draw.randrange(prompts.groups))
        # Cut between words, before the last one: no two prompts are quite the same.
        shared = beginning[: 4 * (words - 1)]
        return finish(shared + make_part(words - len(shared) // 4, draw))


class BlockWriter:
    """Writes the prompts of a trace: equal ids of blocks are equal text, all else is not.

    What the template adds (`TokenLengths.overhead_tokens`) is taken from a prompt's end.
    """

    def __init__(self, seed: int, lengths: TokenLengths) -> None:
        self._lengths = lengths
        words = lengths.block_words(BLOCK_TOKENS)
        self._block = lru_cache(BLOCKS_KEPT)(
            lambda block: make_part(words, seeded(seed, "block", block))
        )

    def write(self, row: TraceRow, draw: random.Random) -> str:
        """The prompt of a recorded request.

        Args:
            row: the request.
            draw: for what belongs to no block.
        """
        words = self._lengths.words(row.input_tokens)
        shared = "".join(map(self._block, row.blocks))[: 4 * words]
        return finish(shared + make_part(words - len(shared) // 4, draw))
