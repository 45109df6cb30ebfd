"""When sessions begin: drawn beforehand from the seed, in absolute times. Pure, but for the traces.

Who may import whom: `words` (grammars), `rates` (the integrated rate and its inverse), `trace`
(files), `dispersion` (what a schedule turned out to be) and `closed` import none of the others;
`draws` (constant, Poisson, gamma) builds on `rates`, and `schedule` on all.
"""

from __future__ import annotations

from .closed import starts_ns
from .dispersion import Arrived, look_at
from .schedule import expected_sessions, fit_window, schedule, times
from .trace import BLOCK_TOKENS, TraceFound, TraceRow, read_trace, survey_trace
from .words import parse_counts, parse_duration, parse_phases, parse_rate, parse_rates

__all__ = [
    "BLOCK_TOKENS",
    "Arrived",
    "TraceFound",
    "TraceRow",
    "expected_sessions",
    "fit_window",
    "look_at",
    "parse_counts",
    "parse_duration",
    "parse_phases",
    "parse_rate",
    "parse_rates",
    "read_trace",
    "schedule",
    "starts_ns",
    "survey_trace",
    "times",
]
