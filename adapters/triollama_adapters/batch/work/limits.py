"""How a job may use the fleet, and when it gives up; how far it is. No IO."""

from __future__ import annotations

import math
import time
from typing import Final

import attrs

from triollama_adapters.batch.work.outage import OUTAGE_S_MAX
from triollama_adapters.batch.work.terms import count, number
from triollama_adapters.batch.work.windows import TimeWindow

__all__ = ["ROWS_MAX", "Limits", "Progress"]

ROWS_MAX: Final = 512
"""Rows asked at a time where nobody says otherwise, whatever the fleet has: each holds a socket,
and half of that is what many systems give a process."""


@attrs.frozen(kw_only=True)
class Limits:
    """How a job may use the fleet, and when it gives up.

    Attributes:
        concurrency: rows asked at a time at most. As far as the job knows the endpoints it asks
            no more than they work on, and a few that wait in line. None: `ROWS_MAX`.
        window: rows on their way at most, see `job`; at least `concurrency`.
        in_order: whether outcomes are committed in the order of the input.
        failures_share_max: the job ends when more than this share of its rows failed; None: never.
        is_fail_fast: whether the first row that fails ends it.
        accepts_changes: whether rows that were answered already may have changed since.
        use_share: the share of the endpoints' slots that may be used; more than 0, at most 1.
            `concurrency` bounds that further. Where the endpoints are not followed it is the share
            of `concurrency`. One row may always run.
        only_between: when rows may be begun; those that run then go on. None: always.
        tokens_per_minute: of prompts and answers together, over some seconds; None: no limit.
        outage_s_max: how long nobody may answer before the job ends; infinite: it never does.

    Raises:
        ChoiceError: a number is out of its range.
    """

    concurrency: int | None = attrs.field(
        default=None, validator=count("rows asked at a time", is_optional=True)
    )
    window: int = attrs.field(default=4_000, validator=count("rows on their way"))
    in_order: bool = False
    failures_share_max: float | None = attrs.field(
        default=None,
        validator=number(
            "the share of rows that may fail",
            "from 0 to 1",
            lambda share: 0 <= share <= 1,
            is_optional=True,
        ),
    )
    is_fail_fast: bool = False
    accepts_changes: bool = False
    use_share: float = attrs.field(
        default=1.0,
        validator=number(
            "the share of the slots that is used",
            "more than 0 and at most 1",
            lambda share: 0 < share <= 1,
        ),
    )
    only_between: TimeWindow | None = None
    tokens_per_minute: float | None = attrs.field(
        default=None,
        validator=number(
            "tokens a minute",
            "a number more than 0",
            lambda rate: 0 < rate < math.inf,
            is_optional=True,
        ),
    )
    outage_s_max: float = attrs.field(
        default=OUTAGE_S_MAX,
        validator=number(
            "how long nobody may answer", "seconds, 0 or more", lambda seconds: seconds >= 0
        ),
    )

    @property
    def rows_max(self) -> int:
        """Rows asked at a time at most."""
        return self.concurrency or ROWS_MAX


@attrs.define
class Progress:
    """How far a job is.

    Attributes:
        begun_s: when, on the clock of `time.monotonic`.
        read: rows that came from the input.
        skipped: those that had an outcome from an earlier run.
        running: those that are asked now, or begun and waiting to be asked again.
        waiting: those of them that wait: for a server that is away, or between two tries.
        cut_off: rows that were begun and had no outcome when the job was ended.
        capacity: how many may be asked at a time, as things stand.
        answered: new answers that are committed.
        failed: new failures that are committed.
        input_tokens: of all answers that came, those that do not count included.
        output_tokens: of the same.
        kinds: how often each kind of failure came.
        hedged: rows that were asked a second time, because the first took long.
        is_read_to_end: whether no more rows will come.
        is_torn: whether the last one has no end yet, and was left out.
        down_since_s: since when no server answers for some model, on the clock of
            `time.monotonic`; None while they do.
        waits_for: why no rows are begun just now, for people; empty while they are.
    """

    begun_s: float = attrs.field(factory=time.monotonic)
    read: int = 0
    skipped: int = 0
    running: int = 0
    waiting: int = 0
    cut_off: int = 0
    capacity: int = 0
    answered: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    kinds: dict[str, int] = attrs.field(factory=dict)
    hedged: int = 0
    is_read_to_end: bool = False
    is_torn: bool = False
    down_since_s: float | None = None
    waits_for: str = ""
