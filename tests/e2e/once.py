"""Faults that strike each stream once, whichever server it is sent to first.

A table of faults that several simulated servers share in place of their own: the request that first
brings a question meets a fault, drawn from the seed and the question; what follows it meets none.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable

from triollama_adapters.simulator import Fault
from triollama_adapters.simulator.faults import FaultTable, RequestFacts

__all__ = ["KINDS", "OnceEach"]

_QUESTION = re.compile(r"Question (\d+):")

KINDS: dict[str, Callable[[int, int], Fault]] = {
    "reset at a byte": lambda _, byte: Fault(kind="reset", after_bytes=byte),
    "reset": lambda token, _: Fault(kind="reset", after_tokens=token),
    "half close": lambda token, _: Fault(kind="half_close", after_tokens=token),
    "cut chunk": lambda token, _: Fault(kind="truncated_chunk", after_tokens=token),
    "error line": lambda token, _: Fault(kind="error_line", after_tokens=token),
    "garbage": lambda token, _: Fault(kind="garbage_line", after_tokens=token),
    # Behind the head: before it, the clock of the first token would run, which is a long one.
    "stall": lambda token, _: Fault(kind="stall", after_tokens=token + 1),
    "no last line": lambda _, __: Fault(kind="missing_done"),
    "500": lambda _, __: Fault(kind="status", status=500),
}
"""Each kind of fault, given after how many tokens or bytes it strikes."""


class OnceEach(FaultTable):
    """A fault for each question, once.

    Args:
        seed: of the draws.
        tokens: fewer than the shortest answer has.
        bytes_: fewer than the shortest answer has.

    Attributes:
        struck: questions by the kind of their fault.
    """

    def __init__(self, seed: int, *, tokens: int, bytes_: int) -> None:
        super().__init__((), seed)
        self.struck: Counter[str] = Counter()
        self._seed_of_draws = seed
        self._tokens, self._bytes = tokens, bytes_
        self._met: set[int] = set()

    def __len__(self) -> int:
        return 1  # a simulator asks an empty table nothing

    def pick(self, facts: RequestFacts) -> Fault | None:
        """The fault of a question that was not asked before."""
        found = _QUESTION.search(facts.text)
        if found is None or int(found[1]) in self._met:
            return None
        number = int(found[1])
        self._met.add(number)
        draw = random.Random(f"{self._seed_of_draws} {number}")
        kind = draw.choice(list(KINDS))
        self.struck[kind] += 1
        return KINDS[kind](draw.randrange(self._tokens), draw.randrange(self._bytes))
