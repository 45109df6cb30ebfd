"""SVG by small pure functions: elements, scales, and a document that suits light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

STYLE = """
text { font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
.head { font-weight: 600 }
.grey { fill: #6e7781 }
.small { font-size: 11px }
.grid { stroke: #d8dee4 }
.one { stroke: #6e7781 }
.ink { stroke: #24292f; fill: none }
.c0 { fill: #0969da; stroke: #0969da } .c1 { fill: #bc4c00; stroke: #bc4c00 }
.c2 { fill: #1a7f37; stroke: #1a7f37 } .c3 { fill: #8250df; stroke: #8250df }
.c4 { fill: #bf3989; stroke: #bf3989 } .c5 { fill: #9a6700; stroke: #9a6700 }
.c6 { fill: #1b7c83; stroke: #1b7c83 } .c7 { fill: #57606a; stroke: #57606a }
.bar { stroke: none } .pale { opacity: 0.4 } .curve { fill: none; stroke-width: 2 }
.name { stroke: none } .leader { stroke-dasharray: 2 4; opacity: 0.6 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .grey { fill: #8d96a0 } .grid { stroke: #30363d } .one { stroke: #8d96a0 }
.ink { stroke: #e6edf3 }
.c0 { fill: #4493f8; stroke: #4493f8 } .c1 { fill: #f0883e; stroke: #f0883e }
.c2 { fill: #3fb950; stroke: #3fb950 } .c3 { fill: #ab7df8; stroke: #ab7df8 }
.c4 { fill: #db61a2; stroke: #db61a2 } .c5 { fill: #d29922; stroke: #d29922 }
.c6 { fill: #39c5cf; stroke: #39c5cf } .c7 { fill: #9198a1; stroke: #9198a1 }
.bar, .name { stroke: none } .curve { fill: none }
}
"""
"""The background is the page's. Classes ``c0`` to ``c7`` are the colours of series."""

COLOURS = 8


def element(name: str, text: str = "", **attributes: object) -> str:
    """Return one element; underscores in names of attributes stand for hyphens.

    Args:
        name: Its tag.
        text: What stands in it; escaped.
        attributes: ``class_`` is ``class``; numbers are cut to a tenth of a pixel.
    """
    given = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
    shown = "".join(f" {key}={quoteattr(_short(value))}" for key, value in given.items())
    return f"<{name}{shown}>{escape(text)}</{name}>" if text else f"<{name}{shown}/>"


def text(x: float, y: float, words: str, class_: str = "", anchor: str = "start") -> str:
    """Return a line of text; ``anchor`` is ``start``, ``middle`` or ``end``."""
    return element("text", words, x=x, y=y, class_=class_, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    """Return a straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def document(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """Return a whole file.

    Args:
        width: In pixels.
        height: In pixels.
        title: For those who cannot see it, too.
        parts: The elements.
    """
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    style = f"<style>{STYLE}</style>"
    return "\n".join([head, element("title", title), style, *parts, "</svg>"]) + "\n"


class LogScale:
    """Maps figures to pixels so that equal ratios have equal lengths.

    Args:
        values: What must be within it; all more than 0.
        begin: The pixel of its low end.
        end: The pixel of its high end, which may be the smaller one.
    """

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        self.low, self.high = _round_down(min(values)), _round_up(max(values))
        self._begin, self._end = begin, end

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return self._begin + part * (self._end - self._begin)

    def ticks(self) -> list[float]:
        """Return round numbers within it: 1, 2 and 5 of each power of ten, or 1 alone if many."""
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        steps = (1, 2, 5) if last - first <= 3 else (1,)
        ticks = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        return [tick for tick in ticks if self.low <= tick * 1.001 and tick <= self.high * 1.001]


def _round_down(value: float) -> float:
    return max(step for step in _steps_around(value) if step <= value * 1.001)


def _round_up(value: float) -> float:
    return min(step for step in _steps_around(value) if step >= value / 1.001)


def _steps_around(value: float) -> list[float]:
    power = math.floor(math.log10(value))
    return [step * 10.0**each for each in range(power - 1, power + 2) for step in (1, 2, 5)]


def _short(value: object) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)
