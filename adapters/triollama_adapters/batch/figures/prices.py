"""What a job's tokens cost. No IO."""

from __future__ import annotations

from typing import Final

import attrs

__all__ = ["FREE", "Prices"]


@attrs.frozen(kw_only=True)
class Prices:
    """What tokens cost, per million; None: that kind is free, or nobody asks.

    Attributes:
        input: of prompts.
        output: of answers.
    """

    input: float | None = None
    output: float | None = None

    def cost(self, input_tokens: int, output_tokens: int) -> float | None:
        """Of so many tokens; None without any price."""
        if self.input is None and self.output is None:
            return None
        spent = input_tokens * (self.input or 0.0) + output_tokens * (self.output or 0.0)
        return spent / 1e6


FREE: Final = Prices()
"""Nobody asks."""
