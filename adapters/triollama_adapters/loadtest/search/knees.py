"""The knee of a curve of latency over throughput, by a rule that has a name. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from triollama_adapters.loadtest.search.found import Knee

__all__ = ["POINTS_MIN", "kneedle", "power_knee"]

POINTS_MIN = 3
"""A curve with fewer points has no bend."""

POWER = (
    "maximal power: throughput / mean response time (Kleinrock, Power and deterministic rules of "
    "thumb for probabilistic problems in computer communications, ICC 1979)"
)

KNEEDLE = (
    "Kneedle: the point farthest above the line between the curve's ends "
    "(Satopaa et al., Finding a 'Kneedle' in a haystack, ICDCS workshops 2011)"
)


def power_knee(
    values: Sequence[float], throughput: Sequence[float], latency_s: Sequence[float | None]
) -> Knee | None:
    """The point where throughput / response time is greatest: the first of equals.

    Up to there a percent more load buys more throughput than it costs time; beyond, it costs more
    than it buys. In an M/M/1 queue that is half of its capacity, in a closed loop of servers
    without any variation it is as many users as there are servers.

    Args:
        values: concurrencies or rates, ascending.
        throughput: completed per second, for each.
        latency_s: mean response time, for each; None where nothing was answered.

    Returns:
        None if fewer than `POINTS_MIN` points have a latency.
    """
    power = {
        index: done / taken_s
        for index, (done, taken_s) in enumerate(zip(throughput, latency_s, strict=True))
        if taken_s
    }
    if len(power) < POINTS_MIN:
        return None
    return _knee(max(power, key=lambda index: (power[index], -index)), values, POWER)


def kneedle(
    values: Sequence[float], throughput: Sequence[float], latency_s: Sequence[float | None]
) -> Knee | None:
    """The point of the curve of throughput over latency that is farthest from a straight line.

    Both axes are scaled to 0 to 1, as the paper does; the curve is not smoothed, as it has few
    points. It depends on how far the curve was followed, so `power_knee` comes first.

    Args:
        values: as in `power_knee`.
        throughput: as in `power_knee`.
        latency_s: as in `power_knee`.

    Returns:
        None as in `power_knee`, or if the curve has no bend of this kind.
    """
    points = [
        (taken_s, done, index)
        for index, (done, taken_s) in enumerate(zip(throughput, latency_s, strict=True))
        if taken_s
    ]
    if len(points) < POINTS_MIN:
        return None
    low_s, high_s = min(point[0] for point in points), max(point[0] for point in points)
    low, high = min(point[1] for point in points), max(point[1] for point in points)
    if high_s == low_s or high == low:
        return None
    far, index = max(
        ((done - low) / (high - low) - (taken_s - low_s) / (high_s - low_s), -index)
        for taken_s, done, index in points
    )
    return _knee(-index, values, KNEEDLE) if far > 0 else None


def _knee(index: int, values: Sequence[float], rule: str) -> Knee:
    return Knee(index, values[index], rule, is_at_end=index == len(values) - 1)
