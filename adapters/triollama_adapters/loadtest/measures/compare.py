"""Two results -> what differs, and whether it is more than noise."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from triollama_adapters.loadtest.result import Interval, Result

__all__ = ["Difference", "Verdict", "compare"]

Verdict: TypeAlias = Literal["better", "worse", "same", "undetermined"]
"""``same``: the interval of the change is within 1 %; ``undetermined``: the change may be noise."""


class Difference(msgspec.Struct, frozen=True):
    """One figure of two runs.

    Attributes:
        figure: its name: ``ttft_p95``, ``e2e_mean``, ``output_tokens``, ``attainment``, ``errors``.
        unit: ``s``, ``/s`` or ``share``.
        before: of the first run.
        after: of the second.
        change: ``after / before - 1`` with its 95 % interval; for a share ``after - before``.
        verdict: see `Verdict`.
        why: in words.
    """

    figure: str
    unit: Literal["s", "/s", "share"]
    before: float
    after: float
    change: Interval
    verdict: Verdict
    why: str


def compare(a: Result, b: Result, *, seed: int = 0) -> tuple[Difference, ...]:
    """What changed from one run to another, figure by figure.

    Args:
        a: the run before.
        b: the run after.
        seed: of the bootstrap.
    """
    raise NotImplementedError
