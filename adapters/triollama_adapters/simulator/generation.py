"""One answer being written: a token when it is due, until its end.

Owns the pace of one stream. It is the hot path: the agenda calls it, it writes all tokens that are
due as events in one go, and says when the next is due. A client that does not read blocks it; then
time passes and no token is made, as in Ollama, whose flush blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attrs import evolve, frozen

from .agenda import Agenda
from .encoding import Stamps
from .lines import Lines
from .response import Response
from .translated import Translated
from .vocabulary import VOCABULARY, Kind, Piece, piece

__all__ = ["Generation", "Pace", "until_stop"]

_BURST_TOKENS_MAX = 64
"""Tokens of one stream in one go: a stream that is behind must not keep the others waiting."""
_BEHIND_S_MAX = 0.25
"""How much a stream that is late makes up for: a server that was overloaded becomes an ordinary one
again, rather than one that writes the tokens of a minute at once."""


@frozen
class Pace:
    """How fast one answer is written.

    Attributes:
        prefill_s: seconds until the prompt is read.
        gap_s: mean seconds per token.
        jitter: how far a gap strays, as a share.
    """

    prefill_s: float
    gap_s: float
    jitter: float


class Generation:
    """The tokens of one answer.

    Args:
        pieces: the tokens.
        pace: how fast.
        tokens_max: how many at most.
        lines: writes the events.
        response: where they go; None collects the answer for one object at the end.
        stamps: formats the time.
        logprobs: alternatives to give with each token; None gives no logprobs.
        owner: see `agenda.Task`.
        on_end: called with the reason and the time after the last token.
    """

    __slots__ = (
        "_agenda",
        "_due",
        "_jitter",
        "_lines",
        "_logprobs",
        "_on_end",
        "_pace",
        "_pieces",
        "_response",
        "_scheduled",
        "_stamps",
        "_tokens_max",
        "blocks",
        "eval_from",
        "logprobs",
        "over",
        "owner",
        "said",
        "tokens",
    )

    def __init__(
        self,
        pieces: Iterator[Piece],
        pace: Pace,
        *,
        tokens_max: int,
        lines: Lines,
        response: Response | Translated | None,
        stamps: Stamps,
        logprobs: int | None,
        owner: Any,
        on_end: Callable[[str, float], None],
    ) -> None:
        self._pieces = pieces
        self._pace = pace
        self._tokens_max = tokens_max
        self._lines = lines
        self._response = response
        self._stamps = stamps
        self._logprobs = logprobs
        self.owner = owner
        self._on_end = on_end
        self._scheduled = False
        self.blocks = 0
        self.over = False
        self.tokens = 0
        self.said: list[Piece] = []
        self.logprobs: list[dict[str, Any]] = []

    def start(self, agenda: Agenda, now: float) -> None:
        """Begin to read the prompt."""
        self._agenda = agenda
        self.eval_from = now + self._pace.prefill_s
        self._due = self.eval_from + self._pace.gap_s
        self._schedule(self._due)

    def quicken(self, factor: float) -> None:
        """Write so many times as fast, from the token after the next on."""
        self._pace = evolve(self._pace, gap_s=self._pace.gap_s / factor)

    def block(self) -> None:
        """Write no more for now: the client does not read."""
        self.blocks += 1

    def unblock(self, now: float) -> None:
        """Go on, if nothing else blocks; the time in between is lost, not caught up."""
        self.blocks -= 1
        if not self.blocks and not self._scheduled and not self.over:
            self._due = max(self._due, now)
            self._schedule(self._due)

    def _schedule(self, due: float) -> None:
        self._scheduled = True
        self._agenda.add(due, self)

    def fire(self, now: float) -> float | None:
        """Write what is due."""
        if self.over or self.blocks:
            self._scheduled = False
            return None
        reason = self._write_due(now)
        if reason and not self.over:  # a fault may have ended it while it was written
            self.over = True
            self._on_end(reason, now)
        if self.over or self.blocks:
            self._scheduled = False
            return None
        return self._due

    def _write_due(self, now: float) -> str:
        """Write the tokens that are due; return why the answer is at its end, or nothing."""
        pieces, due, reason = self._pieces, max(self._due, now - _BEHIND_S_MAX), ""
        gap_s, swing_s = self._pace.gap_s, self._pace.gap_s * self._pace.jitter
        batch: list[Piece] = []
        while due <= now and len(batch) < _BURST_TOKENS_MAX:
            if self.tokens >= self._tokens_max:
                reason = "length"
                break
            entry = next(pieces, None)
            if entry is None:
                reason = "stop"
                break
            self.tokens += 1
            batch.append(entry)
            due += gap_s + swing_s * entry.sway
        if self.tokens >= self._tokens_max and not reason:
            reason = "length"
        self._due = due
        self._say(batch, now)
        return reason

    def _say(self, batch: list[Piece], now: float) -> None:
        """Send tokens as events, or keep them for the end."""
        response, lines = self._response, self._lines
        if response is None or self._logprobs is not None:
            self._say_slowly(batch, now)
            return
        head, stamp, around = lines.head, self._stamps.created_at(now), lines.around
        events = []
        for _text, encoded, kind, _sway in batch:
            if kind != Kind.MARK:
                before, behind = around[kind]
                events.append(head + stamp + before + encoded + behind)
        if events:
            response.events(events, now)

    def _say_slowly(self, batch: list[Piece], now: float) -> None:
        """As `_say`, with logprobs, or without a stream."""
        self.said += batch
        for entry in batch:
            entries: list[dict[str, Any]] = []
            if self._logprobs is not None:
                entries = [logprob_entry(entry, self._logprobs)]
                self.logprobs += entries
            if self._response is not None:
                stamp = self._stamps.created_at(now)
                line = self._lines.event(entry.kind, entry.encoded, stamp, entries)
                self._response.events([line], now)


def logprob_entry(entry: Piece, alternatives: int) -> dict[str, Any]:
    """Give one token's logprob, with so many alternatives, the token itself first."""
    best = _logprob(entry.text, -round(0.01 + abs(entry.sway) / 4, 4))
    if alternatives:
        others = (VOCABULARY[(len(entry.text) * 17 + n) % 256] for n in range(1, alternatives))
        ranked = [_logprob(other.text, -1.0 - n / 4) for n, other in enumerate(others)]
        best["top_logprobs"] = [dict(best), *ranked]
    return best


def _logprob(text: str, value: float) -> dict[str, Any]:
    entry: dict[str, Any] = {"token": text, "logprob": value}
    if text:
        entry["bytes"] = list(text.encode())
    return entry


def until_stop(pieces: Iterator[Piece], stops: Sequence[str]) -> Iterator[Piece]:
    """Yield tokens until their text holds a stop text, which is left out.

    What may be the beginning of a stop text is held back; each token still counts as one, so one
    whose text is held back is yielded without it.
    """
    held = ""
    kind = Kind.CONTENT
    for entry in pieces:
        if entry.kind != Kind.CONTENT:
            yield entry
            continue
        text = held + entry.text
        found = min((at for stop in stops if (at := text.find(stop)) >= 0), default=-1)
        if found >= 0:
            yield piece(text[:found], kind if found else Kind.MARK)
            return
        keep = max(_overlap(text, stop) for stop in stops)
        held = text[len(text) - keep :]
        shown = text[: len(text) - keep]
        if shown == entry.text:
            yield entry
        else:
            yield piece(shown, kind if shown else Kind.MARK, entry.sway)
    if held:
        yield piece(held)


def _overlap(text: str, stop: str) -> int:
    """How much of the end of a text may be the beginning of a stop text."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
