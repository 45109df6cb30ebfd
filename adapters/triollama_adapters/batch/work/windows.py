"""Times of day, durations and shares as users write them, and when rows may be begun. No IO."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

import attrs

from triollama_adapters.batch.errors import ChoiceError

__all__ = ["TimeWindow", "parse_duration_s", "parse_share", "parse_time_window"]

_FORM = re.compile(r"\s*(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})\s*")
_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|m|min|h)\s*")
_UNIT_S = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3_600.0}
_SHARE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*%\s*")


@attrs.frozen
class TimeWindow:
    """A part of each day, perhaps over midnight, on the clock on the wall.

    Attributes:
        opens: when it begins.
        closes: when it ends; not the same.
    """

    opens: time
    closes: time

    def is_open(self, now: datetime) -> bool:
        """Whether rows may be begun.

        Args:
            now: local time.
        """
        at = now.time()
        if self.opens < self.closes:
            return self.opens <= at < self.closes
        return at >= self.opens or at < self.closes

    def opens_next(self, now: datetime) -> datetime:
        """When it opens, the next time after now."""
        opens = now.replace(hour=self.opens.hour, minute=self.opens.minute, second=0, microsecond=0)
        return opens if opens > now else opens + timedelta(days=1)

    def why_not(self, now: datetime) -> str:
        """Why no rows are begun, for people; empty while they are."""
        if self.is_open(now):
            return ""
        return f"nothing is begun before {self.opens_next(now):%H:%M}"


def parse_time_window(text: str) -> TimeWindow:
    """A window such as ``22:00-06:00``.

    Raises:
        ChoiceError: it is none.
    """
    found = _FORM.fullmatch(text)
    if found is not None:
        hours = [int(each) for each in found.groups()]
        if max(hours[0], hours[2]) <= 23 and max(hours[1], hours[3]) <= 59:
            opens, closes = time(hours[0], hours[1]), time(hours[2], hours[3])
            if opens != closes:
                return TimeWindow(opens, closes)
    raise ChoiceError(f"--only-between takes two times of day, such as 22:00-06:00, not {text!r}")


def parse_duration_s(text: str) -> float:
    """A duration such as ``30m``, in seconds.

    Raises:
        ChoiceError: it is none, or no time at all.
    """
    found = _DURATION.fullmatch(text)
    seconds = float(found[1]) * _UNIT_S[found[2]] if found is not None else 0.0
    if seconds <= 0.0:
        raise ChoiceError(f"--give-up-after takes a time such as 90s, 30m or 2h, not {text!r}")
    return seconds


def parse_share(text: str) -> float:
    """A share such as ``50%``, as a number more than 0 and at most 1.

    Raises:
        ChoiceError: it is none.
    """
    found = _SHARE.fullmatch(text)
    share = float(found[1]) / 100.0 if found is not None else 0.0
    if not 0.0 < share <= 1.0:
        raise ChoiceError(f"--use-at-most takes a share such as 50%, not {text!r}")
    return share
