"""A fake of what embeds, that tests can steer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import trio

from triollama import EmbedResponse, EmbedRun, VolumeRules
from triollama.volume.batches import TokenGuess
from triollama.volume.working import Work


def vector(text: str) -> tuple[float, ...]:
    """The vector of a text: one that tells it apart."""
    return (float(len(text)), float(sum(map(ord, text))))


@attrs.define
class Fake:
    """Embeds after a time, and notes what it was asked.

    Attributes:
        took_s: how long a request takes, by its texts.
        errors: what is raised for a request that has such a text.
        asked: the texts of each request, in the order in which they began.
        running: requests under way.
        running_max: the most at once.
    """

    took_s: Callable[[Sequence[str]], float] = lambda _texts: 1.0
    errors: dict[str, Exception] = attrs.field(factory=dict)
    asked: list[list[str]] = attrs.field(factory=list)
    running: int = 0
    running_max: int = 0

    async def __call__(self, texts: Sequence[str]) -> EmbedResponse:
        """One vector for each text."""
        self.asked.append(list(texts))
        self.running += 1
        self.running_max = max(self.running_max, self.running)
        try:
            await trio.sleep(self.took_s(texts))
        finally:
            self.running -= 1
        for text in texts:
            if text in self.errors:
                raise self.errors[text]
        return EmbedResponse(
            embeddings=tuple(map(vector, texts)),
            prompt_eval_count=sum(len(text) for text in texts) // 4,
        )

    def run(self, texts: Any, *, endpoints: int = 2, **rules: Any) -> EmbedRun[Any]:
        """A run of many texts over this."""
        work = Work(self, lambda: endpoints, texts, VolumeRules(**rules), TokenGuess())
        return EmbedRun(work)
