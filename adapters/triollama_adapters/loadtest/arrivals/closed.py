"""When the users of a closed loop begin."""

from __future__ import annotations

from typing import Final

from triollama_adapters.loadtest.plan import ClosedLoop

__all__ = ["starts_ns"]

_NS: Final = 1_000_000_000


def starts_ns(shape: ClosedLoop, *, process: int = 0, processes: int = 1) -> list[int]:
    """When each user of one process begins, evenly over the ramp.

    User ``u`` of all begins at ``ramp_s * u / concurrency``, and belongs to process
    ``u % processes``, so that every process takes part in the ramp from its beginning on.

    Args:
        shape: the closed loop.
        process: which one, from 0.
        processes: how many there are.

    Returns:
        Nanoseconds from the run's beginning on, sorted; one for each user of this process.
    """
    step_ns = shape.ramp_s * _NS / shape.concurrency
    return [int(step_ns * user) for user in range(process, shape.concurrency, processes)]
