"""One request as it was seen: the times of the client and those that the server told.

All times are nanoseconds from the run's beginning on, on a monotonic clock; 0 is "never". An
arrival is stamped when the read from the socket returns, before anything is parsed.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import msgspec

__all__ = ["FAULTS", "Outcome", "Sample"]

Outcome: TypeAlias = Literal[
    "ok",
    "connect",
    "tls",
    "first_token_timeout",
    "stall",
    "total_timeout",
    "http_429",
    "queue_503",
    "http_5xx",
    "http_4xx",
    "error_in_stream",
    "truncated",
    "lost",
    "cancelled",
    "censored",
    "unsent",
    "client",
]
"""``lost``: the connection broke; ``cancelled``: the user left, as planned; ``censored``: cut off
when the drain ended; ``unsent``: due within the window, and never sent; ``client``: our fault."""

FAULTS: frozenset[str] = frozenset(get_args(Outcome)) - {"ok", "cancelled", "censored"}
"""What counts as an error."""


class Sample(msgspec.Struct, gc=False):
    """One request.

    Attributes:
        session: its session's `index`.
        turn: its place in the session, from 0.
        scenario: the session's.
        model: the session's.
        endpoint: who was asked; empty if nobody was.
        process: which process of the load tester asked.
        outcome: how it ended.
        detail: what an error said, without prompt or secret; empty for none.
        is_measured: whether it was due within the window.
        scheduled_ns: ``t_sched``.
        queued_ns: when it was handed to the engine's own pool, whose line and attempts come before
            `sent_ns`; 0 where nothing stands between the load tester and the socket.
        sent_ns: ``t_send``; through the engine's pool that of the last attempt.
        first_ns: ``t_first``.
        shown_ns: ``t_out``.
        last_ns: ``t_last``.
        done_ns: ``t_done``.
        ended_ns: when it was over for the client, whatever became of it.
        chunks: that said something.
        first_tokens: tokens in the first of them, ``n_first``.
        gap_max_ns: the longest time between two chunks.
        gaps_ns: all of these times, in order.
        prompt_tokens: ``n_p``; 0 if not told.
        output_tokens: ``n_o``; 0 if not told.
        total_ns: ``T``.
        load_ns: ``L``.
        prefill_ns: ``P``.
        decode_ns: ``D``.
        is_timed: whether the server told its times.
        is_cold: whether the model was absent from the last look at ``/api/ps``.
        continued: how often the answer broke and went on elsewhere.
        lag_ns: the largest lag of the client's event loop that overlaps it.
    """

    session: int
    turn: int = 0
    scenario: str = ""
    model: str = ""
    endpoint: str = ""
    process: int = 0
    outcome: Outcome = "ok"
    detail: str = ""
    is_measured: bool = True
    scheduled_ns: int = 0
    queued_ns: int = 0
    sent_ns: int = 0
    first_ns: int = 0
    shown_ns: int = 0
    last_ns: int = 0
    done_ns: int = 0
    ended_ns: int = 0
    chunks: int = 0
    first_tokens: int = 1
    gap_max_ns: int = 0
    gaps_ns: list[int] = []
    prompt_tokens: int = 0
    output_tokens: int = 0
    total_ns: int = 0
    load_ns: int = 0
    prefill_ns: int = 0
    decode_ns: int = 0
    is_timed: bool = False
    is_cold: bool = False
    continued: int = 0
    lag_ns: int = 0

    @property
    def begun_ns(self) -> int:
        """When the load tester had done its part: it was sent, or the engine's pool had it."""
        return self.queued_ns or self.sent_ns
