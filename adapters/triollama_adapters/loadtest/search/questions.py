"""What `discover` asks: short sessions of one turn, each with a beginning of its own. Pure."""

from __future__ import annotations

import random
from typing import Any, Final

from triollama_adapters.loadtest.sessions import Session, Turn

__all__ = ["LONG_WORDS", "SHORT_WORDS", "Questions"]

SHORT_WORDS: Final = 8
"""Words of a prompt whose reading should take next to no time."""

LONG_WORDS: Final = 400
"""Words of a prompt whose reading is measured: well below the smallest context that servers use by
default, 2,048 tokens, and long enough for the time to be that of tokens."""

_WORDS: Final = (
    "amber", "bridge", "candle", "desert", "engine", "forest", "garden", "harbour", "island",
    "jungle", "kettle", "ladder", "meadow", "needle", "orange", "pepper", "quarry", "ribbon",
    "silver", "timber", "umbrella", "valley", "window", "yellow", "zipper", "basket", "copper",
    "dragon", "feather", "glacier",
)  # fmt: skip


class Questions:
    """Makes sessions, none with the beginning of another, so that no cache knows it.

    Args:
        model: whom they are for.
        seed: of the words.
    """

    def __init__(self, model: str, seed: int) -> None:
        self._model = model
        self._draw = random.Random(f"discover/{seed}")  # noqa: S311 - words, no secrets
        self._made = 0

    def make(
        self, *, words: int = SHORT_WORDS, tokens: int = 8, options: dict[str, Any] | None = None
    ) -> Session:
        """One more question.

        Args:
            words: length of its prompt.
            tokens: of the answer at most.
            options: see `Session`.
        """
        drawn = [self._draw.choice(_WORDS) for _ in range(words)]
        prompt = f"{self._draw.getrandbits(64):x} {' '.join(drawn)}. Count from 1 to 1000."
        self._made += 1
        return Session(
            index=self._made - 1,
            at_ns=None,
            scenario="discover",
            model=self._model,
            turns=(Turn(prompt, num_predict=tokens),),
            options=options or {},
        )
