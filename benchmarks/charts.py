"""The charts of `publish`: ratios as bars, growth as curves. Data in, SVG out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import attrs

from benchmarks.svg import COLOURS, LogScale, document, element, line, text

WIDTH = 900.0

_LEFT, _RIGHT = 150.0, 310.0
"""Beside the bars: names on the left, absolute figures on the right."""

_LINE, _HEAD, _TOP, _FOOT = 22.0, 34.0, 64.0, 62.0
"""Heights: of a bar with its gap, of a section's heading, of the title, of axis and legend."""


_GROWTH_LEFT, _GROWTH_EDGE, _GROWTH_BOTTOM = 60.0, WIDTH - 220.0, 380.0
"""Where the axes of the curves are; beyond the edge stand their names."""


@attrs.frozen
class Ratio:
    """One bar: how many times as good the engine is as somebody else.

    Attributes:
        name: The row.
        median: The ratio; from 1 upward the engine is ahead.
        low: The least of the repetitions.
        high: The greatest.
        bar: What it has to be at least; ``None`` where nothing is asked.
        absolute: What it is a ratio of, in words.
        is_pale: Whether it is only shown.
    """

    name: str
    median: float
    low: float
    high: float
    bar: float | None
    absolute: str
    is_pale: bool = False


@attrs.frozen
class Curve:
    """One contender's figures over the number of streams.

    Attributes:
        name: Whose.
        points: Streams, median, lowest, highest.
    """

    name: str
    points: tuple[tuple[float, float, float, float], ...]


def ratio_chart(title: str, axis: str, legend: str, sections: Mapping[str, Sequence[Ratio]]) -> str:
    """Return bars in sections, on one logarithmic axis with 1 in the middle of things.

    Args:
        title: What it shows.
        axis: What the axis counts.
        legend: What the marks mean.
        sections: Bars under their headings; at least one.
    """
    bars = [each for section in sections.values() for each in section]
    values = [1.0, *(value for each in bars for value in (each.low, each.high, each.bar or 1.0))]
    scale = LogScale(values, _LEFT, WIDTH - _RIGHT)
    bottom = _TOP + _HEAD * len(sections) + _LINE * len(bars)
    parts = [text(0, 20, title, "title"), *_ratio_axis(scale, axis, bottom)]
    y = _TOP
    for heading, section in sections.items():
        y += _HEAD
        parts.append(text(0, y - 10, heading, "head"))
        for each in section:
            parts += _ratio_bar(each, scale, y)
            y += _LINE
    parts.append(text(0, bottom + 54, legend, "grey small"))
    return document(WIDTH, bottom + _FOOT, title, parts)


def growth_chart(title: str, x_axis: str, y_axis: str, curves: Sequence[Curve]) -> str:
    """Return curves over two logarithmic axes, each with its name at its end.

    Args:
        title: What it shows.
        x_axis: What the horizontal axis counts.
        y_axis: What the vertical one counts.
        curves: At least one, with at least one point.
    """
    points = [point for curve in curves for point in curve.points]
    xs = LogScale([x for x, *_ in points] + [1.01 * points[0][0]], _GROWTH_LEFT, _GROWTH_EDGE)
    ys = LogScale([y for _, *its in points for y in its], _GROWTH_BOTTOM, _TOP)
    parts = [text(0, 20, title, "title"), text(0, 46, y_axis, "grey small")]
    parts += _growth_axes(xs, ys, sorted({x for x, *_ in points}))
    middle = (_GROWTH_LEFT + _GROWTH_EDGE) / 2
    parts.append(text(middle, _GROWTH_BOTTOM + 42, x_axis, "grey small", "middle"))
    ends = _apart([ys(curve.points[-1][1]) for curve in curves])
    for place, (curve, end) in enumerate(zip(curves, ends, strict=True)):
        parts += _curve(curve, xs, ys, f"c{place % COLOURS}")
        x, y, *_ = curve.points[-1]
        parts += _curve_end(curve.name, (xs(x), ys(y)), end, f"c{place % COLOURS}")
    return document(WIDTH, _GROWTH_BOTTOM + 52, title, parts)


def _ratio_axis(scale: LogScale, axis: str, bottom: float) -> Iterator[str]:
    yield text(scale(1.0) - 6, _TOP - 14, "behind", "grey small", "end")
    yield text(scale(1.0) + 6, _TOP - 14, "ahead", "grey small")
    for tick in scale.ticks():
        yield line(scale(tick), _TOP - 6, scale(tick), bottom, "one" if tick == 1.0 else "grid")
        yield text(scale(tick), bottom + 16, f"{tick:g}", "grey small", "middle")
    yield text((_LEFT + WIDTH - _RIGHT) / 2, bottom + 34, axis, "grey small", "middle")


def _ratio_bar(ratio: Ratio, scale: LogScale, y: float) -> Iterator[str]:
    begin, end = sorted((scale(1.0), scale(ratio.median)))
    middle, pale = y + _LINE / 2, " pale" if ratio.is_pale else ""
    colour = "c0" if ratio.median >= 1 else "c1"
    yield text(_LEFT - 10, middle + 4, ratio.name, anchor="end")
    yield element(
        "rect",
        x=begin,
        y=y + 4,
        width=max(1.0, end - begin),
        height=14,
        class_=f"{colour} bar{pale}",
    )
    low, high = scale(ratio.low), scale(ratio.high)
    yield line(low, middle, high, middle, "ink")
    yield from (line(x, middle - 3, x, middle + 3, "ink") for x in (low, high))
    if ratio.bar is not None:
        x = scale(ratio.bar)
        yield element("path", d=f"M{x - 4:.1f} {y:.1f}h8l-4 6z", class_="c7 name")
    yield text(WIDTH - _RIGHT + 56, middle + 4, f"{ratio.median:.3g}", anchor="end")
    yield text(WIDTH - _RIGHT + 76, middle + 4, ratio.absolute, "grey small")


def _growth_axes(xs: LogScale, ys: LogScale, counts: Sequence[float]) -> Iterator[str]:
    for tick in ys.ticks():
        yield line(_GROWTH_LEFT, ys(tick), _GROWTH_EDGE, ys(tick), "grid")
        yield text(_GROWTH_LEFT - 8, ys(tick) + 4, f"{tick:g}", "grey small", "end")
    for x in counts:
        yield line(xs(x), _GROWTH_BOTTOM, xs(x), _GROWTH_BOTTOM + 5, "one")
        yield text(xs(x), _GROWTH_BOTTOM + 20, f"{x:,.0f}", "grey small", "middle")


def _curve(curve: Curve, xs: LogScale, ys: LogScale, colour: str) -> Iterator[str]:
    path = " ".join(f"{xs(x):.1f},{ys(y):.1f}" for x, y, *_ in curve.points)
    yield element("polyline", points=path, class_=f"{colour} curve")
    for x, y, low, high in curve.points:
        yield line(xs(x), ys(low), xs(x), ys(high), colour)
        yield element("circle", cx=xs(x), cy=ys(y), r=3, class_=colour)


def _curve_end(name: str, last: tuple[float, float], y: float, colour: str) -> Iterator[str]:
    """A curve's name at the edge, with a leader if the curve ends before it."""
    yield text(_GROWTH_EDGE + 10, y + 4, name, f"{colour} name")
    if last[0] < _GROWTH_EDGE - 1:
        yield line(*last, _GROWTH_EDGE + 6, y, f"{colour} leader")


def _apart(heights: Sequence[float], least: float = 15.0) -> list[float]:
    """Move labels down until none stands on another."""
    moved = list(heights)
    order = sorted(range(len(moved)), key=moved.__getitem__)
    for above, below in itertools.pairwise(order):
        moved[below] = max(moved[below], moved[above] + least)
    return moved
