"""Which charts a run's results give: every ratio, and growth where it was measured."""

from __future__ import annotations

import re

from benchmarks.charts import Curve, Ratio, growth_chart, ratio_chart
from benchmarks.document import FAILED, RATE, Document, Figure, RowRead

NAMES = {
    "engine": "triollama",
    "floor": "the bare floor",
    "ollama_async": "official ollama",
    "aiohttp_uvloop": "aiohttp + uvloop + msgspec",
    "httpx_asyncio": "httpx on asyncio",
    "httpx_trio": "httpx on trio",
    "openai_async": "openai",
    "langchain_ollama": "langchain-ollama",
}
"""What people call the clients."""

ENGINE = "engine."

LEGEND = (
    "whiskers: lowest and highest repetition; triangle: the bar to reach; pale: only shown; "
    "grey: triollama's own figure and the other's"
)

GROWTH = "growth-"
"""How the names of rows begin whose figures are over the number of streams."""

_JUDGED = re.compile("-(peer|ollama|faster)$")
"""What says in a row's name by whom it is judged, which is not who looks on."""

_AT = re.compile(r" at ([\d,]+) streams$")


def pictures(results: Document) -> dict[str, tuple[str, str]]:
    """Return the charts by file name, each with its title: the SVG, and what it shows."""
    found = {}
    if sections := _sections(results):
        title = "How many times as good as others"
        axis = "times as good as the other side, within one repetition"
        found["ratios.svg"] = (ratio_chart(title, axis, LEGEND, sections), title)
    if curves := _curves(results):
        title = "What a chunk costs as streams become more"
        y_axis = f"{_growth_unit(results)}, median and spread"
        found["growth.svg"] = (growth_chart(title, "open streams", y_axis, curves), title)
    return found


def name_of(contender: str) -> str:
    """Return what people call a contender, with its task if it is not the usual one.

    Args:
        contender: As `harness.Contender` calls itself; a number of streams is left out.
    """
    client, _, task = _AT.sub("", contender).partition(".")
    name = NAMES.get(client, client.replace("_", " "))
    return f"{name}, {task.removeprefix('requests_').replace('_', ' ')}" if "_" in task else name


def full_name_of(contender: str) -> str:
    """Return the same with its number of streams, if it has one of its own."""
    match = _AT.search(contender)
    return name_of(contender) + (match[0] if match else "")


def show(value: float | None) -> str:
    """Return a figure with about three significant digits."""
    if value is None:
        return "?"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _sections(results: Document) -> dict[str, list[Ratio]]:
    """Every ratio by whom it is taken with: what rows judge, then what they only show."""
    found: dict[str, list[Ratio]] = {}
    rows = [row for row in results.rows if not row.name.startswith(GROWTH)]  # these are curves
    rows = [row for row in rows if row.verdict not in FAILED]
    judged = [row for row in rows if row.against is not None and row.median]
    for row in judged:
        if (ratio := _judged(row)) is not None:
            found.setdefault(f"beside {name_of(row.against or '')}", []).append(ratio)
    taken = {_key(row, row.against or "") for row in judged}
    for row in rows:
        for who in row.absolute:
            ratio = _shown(row, who)
            if ratio is not None and _key(row, who) not in taken:
                taken.add(_key(row, who))
                found.setdefault(f"beside {name_of(who)}", []).append(ratio)
    floor = found.pop(f"beside {NAMES['floor']}", None)  # a yardstick, nobody's choice
    return found if floor is None else {**found, f"beside {NAMES['floor']}": floor}


def _key(row: RowRead, who: str) -> tuple[str, str, float | None]:
    """Rows of one load show one and the same figure of a contender."""
    figure = row.absolute.get(who, Figure())
    return (row.measured, who, figure.median)


def _judged(row: RowRead) -> Ratio | None:
    value = row.value
    if value is None or not (value.median and value.low and value.high):
        return None
    ends = [_advantage(row, value.low), _advantage(row, value.high)]
    ours, theirs = (row.absolute.get(who, Figure()) for who in (row.measured, row.against or ""))
    return Ratio(
        name=row.name,
        median=_advantage(row, value.median),
        low=min(ends),
        high=max(ends),
        bar=_advantage(row, row.bar.limit) if row.bar is not None and row.bar.limit else None,
        absolute=_beside(ours, theirs),
        is_pale=row.bar is None,
    )


def _shown(row: RowRead, who: str) -> Ratio | None:
    """A contender that a row shows but does not judge by, as a ratio of medians."""
    ours, theirs = row.absolute.get(row.measured), row.absolute[who]
    if not row.measured.startswith(ENGINE) or who.startswith(ENGINE) or ours is None:
        return None
    if not (ours.median and theirs.median and theirs.low and theirs.high):
        return None
    ratios = [value / ours.median for value in (theirs.median, theirs.low, theirs.high)]
    if RATE in ours.unit:
        ratios = [1 / ratio for ratio in ratios]
    median, *ends = ratios
    name = _JUDGED.sub("", row.name)
    return Ratio(name, median, min(ends), max(ends), None, _beside(ours, theirs), is_pale=True)


def _advantage(row: RowRead, ratio: float) -> float:
    return ratio if row.is_more_better else 1 / ratio


def _beside(ours: Figure, theirs: Figure) -> str:
    unit = (ours.unit or theirs.unit).replace("CPU-second", "CPU-s")
    return f"{show(ours.median)} : {show(theirs.median)} {unit}"


def _curves(results: Document) -> list[Curve]:
    points: dict[str, set[tuple[float, float, float, float]]] = {}
    for row in results.rows:
        for who, figure in row.absolute.items() if row.name.startswith(GROWTH) else ():
            match = _AT.search(who)
            if match and figure.median and figure.low and figure.high:
                point = (float(match[1].replace(",", "")), figure.median, figure.low, figure.high)
                points.setdefault(name_of(who), set()).add(point)
    return [Curve(name, tuple(sorted(its))) for name, its in points.items()]


def _growth_unit(results: Document) -> str:
    rows = (row for row in results.rows if row.name.startswith(GROWTH))
    return next((figure.unit for row in rows for figure in row.absolute.values()), "")
