"""A batch job's figures as a picture for a terminal that is drawn again and again. No IO.

It fits into the width and height that it is given: lanes, then errors, give way first, and a line
says what has no room.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from triollama_adapters.batch.figures.snapshot import Lane, Lately, Snapshot
from triollama_adapters.cli._batch_words import (
    describe_cost,
    describe_left,
    describe_rows,
    rate,
    share_done,
)
from triollama_adapters.words import clock, plain

__all__ = ["make_picture"]

ERRORS_SHOWN: Final = 3

BAR_COLUMNS_MAX: Final = 60

SLOTS_UNKNOWN: Final = 512
"""From here on slots are no server's, but all that are allowed: of embeddings nothing is learnt."""

HEALTH_COLUMNS: Final = 14
"""Of a health on a narrow screen."""

WIDTH_MAX: Final = 110
"""A line that is longer is hard to read across."""


def make_picture(shot: Snapshot, title: str, width: int, height: int) -> RenderableType:
    """Draw the figures.

    Args:
        shot: the figures.
        title: what the job is called.
        width: columns that there are.
        height: lines that there are.
    """
    width = min(width, WIDTH_MAX)
    head = _head(shot, title, width)
    room = height - len(head) - 1  # the last line of a terminal stays empty
    errors = _errors(shot.lately, width, max(0, min(ERRORS_SHOWN, room - 3)))
    lanes = _lanes(shot.lanes, width, room - len(errors) - bool(errors) - 1)
    parts: list[RenderableType] = [*head[: max(1, height - 1)]]
    if lanes:
        parts += ["", *lanes]
    if errors:
        parts += ["", *errors]
    return Group(*parts)


def _head(shot: Snapshot, title: str, width: int) -> list[RenderableType]:
    """What is shown however small the screen is."""
    lines: list[RenderableType] = [
        _spread(Text(plain(title), "bold"), Text(_since(shot), "dim"), width)
    ]
    bar, left = _bar(shot, width), describe_left(shot.left_s)
    counts = Text(describe_rows(shot))
    counts.append(f"   {shot.running:,} running")
    if shot.held:
        counts.append(f"   {shot.held:,} held back", "yellow")
    counts.append(f"   {shot.failed:,} failed", "red" if shot.failed else "")
    if shot.left is not None:
        counts.append(f"   {shot.left:,} left")
    texts = [counts, Text(_rates(shot))]
    if shot.waiting:
        texts.append(Text(f"waiting: {plain(shot.waiting)}", "yellow"))
    elif left:
        texts.append(Text(left))
    for each in texts:
        each.truncate(width, overflow="ellipsis")
    lines += [*([bar] if bar else []), *texts]
    return lines


def _since(shot: Snapshot) -> str:
    cost = describe_cost(shot)
    state = "" if shot.state == "running" else f"{shot.state}  "
    return f"{state}{f'cost {cost}  ' if cost else ''}{clock(shot.ran_s)}"


def _rates(shot: Snapshot) -> str:
    if shot.rows_per_s is None:
        return f"{shot.output_tokens:,} token{'' if shot.output_tokens == 1 else 's'}"
    return (
        f"{rate(shot.rows_per_s)} rows/s (overall {rate(shot.rows_per_s_overall)})"
        f"   {rate(shot.tokens_per_s)} tokens/s (overall {rate(shot.tokens_per_s_overall)})"
    )


def _bar(shot: Snapshot, width: int) -> RenderableType | None:
    share = share_done(shot)
    if share is None:
        return None
    percent = f" {share:.0%}" if share < 0.995 or not shot.left else " 99%"
    row = Table.grid()
    columns = max(1, min(BAR_COLUMNS_MAX, width - 6))
    row.add_row(ProgressBar(total=1.0, completed=share, width=columns), Text(percent))
    return row


def _spread(left: Text, right: Text, width: int) -> Text:
    """One line with something at its beginning and at its end."""
    room = width - len(right) - 2
    left.truncate(max(1, room), overflow="ellipsis")
    return Text.assemble(left, " " * max(1, width - len(left) - len(right)), right, no_wrap=True)


def _errors(lately: Sequence[Lately], width: int, room: int) -> list[RenderableType]:
    """The last errors, one line each, the newest last."""
    shown: list[RenderableType] = []
    for each in lately[-room:] if room > 0 else ():
        at = time.strftime("%H:%M:%S", time.localtime(each.at_s))
        times = f" x{each.rows:,}" if each.rows > 1 else ""
        kind = (plain(each.kind) + times, "red")
        line = Text.assemble((f"{at}  ", "dim"), kind, f"  {plain(each.message)}")
        line.truncate(width, overflow="ellipsis")
        shown.append(line)
    return shown


def _lanes(lanes: Sequence[Lane], width: int, room: int) -> list[RenderableType]:
    """The endpoints as a table, with a line for those that have no room."""
    rows = room - 1  # its head
    if not lanes or rows < 1:
        return []
    shown = lanes if len(lanes) <= rows else lanes[: max(1, rows - 1)]
    told = [name for name, from_columns in _COLUMNS_FROM.items() if width >= from_columns]
    beside = sum(_COLUMNS_WIDE[name] for name in told) + HEALTH_COLUMNS + 2
    name_columns = max(12, width - beside)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("endpoint", no_wrap=True, max_width=name_columns, overflow="ellipsis")
    for name in told:
        table.add_column(name, justify="right", no_wrap=True)
    health_columns = None if len(told) == len(_COLUMNS) else HEALTH_COLUMNS
    table.add_column("health", no_wrap=True, max_width=health_columns, overflow="ellipsis")
    for each in shown:
        table.add_row(
            Text(plain(each.endpoint)),
            *(_COLUMNS[name](each) for name in told),
            Text(plain(each.health), "green" if each.health == "well" else "red"),
        )
    more = len(lanes) - len(shown)
    if not more or rows < 2:
        return [table]
    return [table, Text(f"and {more:,} endpoints more", "dim")]


def _busy(lane: Lane) -> Text:
    of = "" if lane.slots is None or lane.slots >= SLOTS_UNKNOWN else f" of {lane.slots:,}"
    return Text(f"{lane.in_flight:,}{of}")


_COLUMNS: Final[dict[str, Callable[[Lane], Text]]] = {
    "in flight": _busy,
    "rows": lambda each: Text(f"{each.rows:,}"),
    "tokens/s": lambda each: Text(rate(each.tokens_per_s)),
}

_COLUMNS_WIDE: Final = {"in flight": 12, "rows": 9, "tokens/s": 15}
"""How many columns of a screen each needs, with what is between them."""

_COLUMNS_FROM: Final = {"in flight": 52, "rows": 40, "tokens/s": 64}
"""Columns of the screen from which on each has room beside a name and a health."""
