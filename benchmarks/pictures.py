"""Which charts a run's results give: every ratio, and growth where it was measured."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.charts import Curve, Ratio, growth_chart, ratio_chart
from benchmarks.document import FAILED, Document, Figure, RowRead
from benchmarks.figures import digits
from benchmarks.result import Client

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

ENGINE = "engine"

LEGEND = (
    "whiskers: lowest and highest repetition; triangle: the bar to reach; pale: only shown; "
    "grey: triollama's own figure and the other's"
)


def pictures(results: Document) -> dict[str, tuple[str, str]]:
    """Return the charts by file name, each with its title: the SVG, and what it shows."""
    found = {}
    if sections := _sections(results):
        title = "How many times as good as others"
        axis = "times as good as the other side, within one repetition"
        found["ratios.svg"] = (ratio_chart(title, axis, LEGEND, sections), title)
    figures = [each for row in results.rows if row.kind == "curve" for each in _own(row).values()]
    if curves := _curves(figures):
        title = "What a chunk costs as streams become more"
        y_axis = f"{figures[0].unit}, median and spread"
        found["growth.svg"] = (growth_chart(title, "open streams", y_axis, curves), title)
    return found


def name_of(client: Client) -> str:
    """Return what people call a client, with its task if it is not the usual one."""
    name, task = NAMES.get(client.name, client.name.replace("_", " ")), client.task
    return f"{name}, {task.removeprefix('requests_').replace('_', ' ')}" if "_" in task else name


def full_name_of(client: Client) -> str:
    """Return the same with its number of streams, if it has one of its own."""
    return name_of(client) + (f" at {client.streams:,} streams" if client.streams else "")


def _own(row: RowRead) -> dict[Client, Figure]:
    """What stands beside a row, by whose figure it is."""
    figures = row.absolute.values()
    return {figure.client: figure for figure in figures if figure.client is not None}


def _sections(results: Document) -> dict[str, list[Ratio]]:
    """Every ratio by whom it is taken with: what rows judge, then what they only show."""
    found: dict[str, list[Ratio]] = {}
    rows = [row for row in results.rows if row.kind != "curve" and row.verdict not in FAILED]
    taken = set()
    for row in rows:
        theirs = row.absolute.get(row.against or "", Figure())
        if theirs.client is not None and row.median:
            taken.add(_key(row, theirs))
            if (ratio := _judged(row, theirs)) is not None:
                found.setdefault(f"beside {name_of(theirs.client)}", []).append(ratio)
    for row in rows:
        for who, theirs in _own(row).items():
            ratio = _shown(row, who, theirs)
            if ratio is not None and _key(row, theirs) not in taken:
                taken.add(_key(row, theirs))
                found.setdefault(f"beside {name_of(who)}", []).append(ratio)
    floor = found.pop(f"beside {NAMES['floor']}", None)  # a yardstick, nobody's choice
    return found if floor is None else {**found, f"beside {NAMES['floor']}": floor}


def _key(row: RowRead, figure: Figure) -> tuple[str, str, float | None]:
    """Rows of one load show one and the same figure of a contender."""
    return (row.measured, full_name_of(figure.client) if figure.client else "", figure.median)


def _judged(row: RowRead, theirs: Figure) -> Ratio | None:
    value = row.value
    if value is None or not (value.median and value.low and value.high):
        return None
    ends = [_advantage(row, value.low), _advantage(row, value.high)]
    return Ratio(
        name=row.name,
        median=_advantage(row, value.median),
        low=min(ends),
        high=max(ends),
        bar=_advantage(row, row.bar.limit) if row.bar is not None and row.bar.limit else None,
        absolute=_beside(row.absolute.get(row.measured, Figure()), theirs),
        is_pale=row.bar is None,
    )


def _shown(row: RowRead, who: Client, theirs: Figure) -> Ratio | None:
    """A contender that a row shows but does not judge by, as a ratio of medians."""
    ours = row.absolute.get(row.measured, Figure())
    if ours.client is None or ours.client.name != ENGINE or who.name == ENGINE:
        return None
    if not (ours.median and theirs.median and theirs.low and theirs.high):
        return None
    ratios = [value / ours.median for value in (theirs.median, theirs.low, theirs.high)]
    if ours.is_more_better:
        ratios = [1 / ratio for ratio in ratios]
    median, *ends = ratios
    return Ratio(row.load, median, min(ends), max(ends), None, _beside(ours, theirs), is_pale=True)


def _advantage(row: RowRead, ratio: float) -> float:
    return ratio if row.is_more_better else 1 / ratio


def _beside(ours: Figure, theirs: Figure) -> str:
    unit = (ours.unit or theirs.unit).replace("CPU-second", "CPU-s")
    return f"{digits(ours.median)} : {digits(theirs.median)} {unit}"


def _curves(figures: Iterable[Figure]) -> list[Curve]:
    points: dict[str, set[tuple[float, float, float, float]]] = {}
    for each in figures:
        who = each.client
        if who and who.streams and each.median and each.low and each.high:
            point = (float(who.streams), each.median, each.low, each.high)
            points.setdefault(name_of(who), set()).add(point)
    return [Curve(name, tuple(sorted(its))) for name, its in points.items()]
