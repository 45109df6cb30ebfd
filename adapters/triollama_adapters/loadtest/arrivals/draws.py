"""Points of a process with rate 1: constant, Poisson, gamma. Lazy, a few numbers of memory.

The two random ones are drawn **given their number**, which is the expected one: a Poisson process
of which 12,000 sessions are expected has 110 more or less by chance, 0.9 %, and a run would not
offer the rate that its user wrote. Given its number, a Poisson process is that many independent
uniform points; the index of dispersion in windows of ``w`` out of ``T`` is ``1 - w/T`` instead of
1. (vLLM's benchmark scales its delays to the same end.)

Both are the same construction: ``n`` points cut a circle into ``n`` gaps whose shares are Dirichlet
with parameter ``burstiness``; the circle is opened at a place that is uniform, hence in a gap that
is drawn in proportion to its length. So the rate is the same everywhere, from the first second on.
The gaps are drawn one after the other by breaking a stick: of what is left after some gaps, the
next takes a share that is Beta(burstiness, burstiness times the number of gaps that follow).
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

__all__ = ["constant", "gamma", "poisson", "seeded"]


def seeded(*parts: object) -> random.Random:
    """A source of chance, the same for the same parts in every process and release of Python.

    The parts' text is hashed in full (SHA-512), so that neighbouring seeds have nothing in common.
    """
    return random.Random("/".join(map(str, parts)))  # noqa: S311  # a load test keeps no secret


def constant(length: float) -> Iterator[float]:
    """Points at 0, 1, 2, … below `length`."""
    # A rate times a time may miss a whole number by its last bits.
    for point in range(math.ceil(length - 1e-9 * max(1.0, length))):
        yield float(point)


def poisson(length: float, draw: random.Random) -> Iterator[float]:
    """Points of a Poisson process in ``[0, length)``, as many as are expected, sorted."""
    left = length
    uniform = draw.random
    for after in range(round(length), 0, -1):
        # The least of `after` uniforms: what remains is a uniform to the power of 1/after.
        left *= (1.0 - uniform()) ** (1.0 / after)
        yield length - left


def gamma(length: float, burstiness: float, draw: random.Random) -> Iterator[float]:
    """Points in ``[0, length)`` whose gaps are gamma with shape `burstiness`, sorted.

    The gaps' coefficient of variation is ``burstiness ** -0.5``; 1 is `poisson`.
    """
    count = round(length)
    if count == 0:
        return
    share = draw.betavariate
    opened = length * (share(burstiness + 1.0, burstiness * (count - 1)) if count > 1 else 1.0)
    before = opened * draw.random()
    left = length - opened
    yield before
    for after in range(count - 2, 0, -1):
        left *= 1.0 - share(burstiness, burstiness * after)
        yield length - opened - left + before
    if count > 1:
        yield length - opened + before
