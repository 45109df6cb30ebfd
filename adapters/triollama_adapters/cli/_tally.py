"""The numbers of a run: what has been done, how fast, and how long the rest will take.

`Tally` owns the counters; it takes facts and the time, and gives frozen snapshots. What is left is
estimated from the bytes of the input, because a streamed input does not say how many lines it has.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

import attrs

from triollama_adapters.histogram import Histogram

__all__ = ["Answered", "Snapshot", "Summary", "Tally"]

WINDOW_SAMPLES: Final = 32
"""Snapshots that a rate looks back over: about 3 s on a terminal, a minute of plain lines."""

ROUNDS_MIN: Final = 2
"""Rounds of answers before the time left is estimated, one for each request that is answered at
once: the first holds the load of the model, and of what is half done nothing counts yet."""

NS: Final = 1_000_000_000


@attrs.frozen
class Answered:
    """The figures of one complete answer.

    Attributes:
        endpoint: the name of the endpoint that answered.
        chunks: how many chunks it came in.
        prompt_tokens: tokens read, as the server counted them.
        tokens: tokens written, as the server counted them.
        first_token_ns: from sending the request to the first chunk; None if unknown.
    """

    endpoint: str
    chunks: int
    prompt_tokens: int
    tokens: int
    first_token_ns: int | None


@attrs.frozen
class Snapshot:
    """What a progress display shows.

    Attributes:
        done: records finished, errors included.
        errors: records that are errors.
        in_flight: requests that run now.
        records_per_s: over the last seconds.
        chunks_per_s: over the last seconds, unfinished answers included.
        share: how much of the input is done, of its bytes, within [0, 1]; None if their number is
            unknown.
        left_s: how long the rest will take, in seconds; None as long as nobody can tell.
        elapsed_s: since the start, in seconds.
    """

    done: int
    errors: int
    in_flight: int
    records_per_s: float
    chunks_per_s: float
    share: float | None
    left_s: float | None
    elapsed_s: float


@attrs.frozen
class Summary:
    """The result of a whole run, as ``--json`` prints it.

    Attributes:
        records: records written.
        complete: records with an answer.
        errors: records with an error.
        unreachable: those of them for which no server was reached.
        stopped: requests that an interrupt stopped; they have no record.
        error_types: how often each kind of error occurred.
        first_error: what the first of them said; None without one.
        wall_s: duration in seconds.
        chunks: chunks received in complete answers.
        chunks_per_s: the same per second of wall time.
        prompt_tokens: tokens read in complete answers.
        tokens: tokens written in complete answers.
        first_token_ms_p50: median time to the first token, in ms; None without an answer.
        first_token_ms_p99: its 99th percentile.
        endpoints: complete answers per endpoint.
    """

    records: int
    complete: int
    errors: int
    unreachable: int
    stopped: int
    error_types: dict[str, int]
    first_error: str | None
    wall_s: float
    chunks: int
    chunks_per_s: float
    prompt_tokens: int
    tokens: int
    first_token_ms_p50: float | None
    first_token_ms_p99: float | None
    endpoints: dict[str, int]


class Tally:
    """Counts one run.

    Args:
        now_ns: when it starts.
        input_bytes: the size of the input; None if unknown.
    """

    def __init__(self, now_ns: int, input_bytes: int | None = None) -> None:
        self._started_ns = self._ended_ns = now_ns
        self._input_bytes = input_bytes
        self._bytes_done = 0
        self._at_once = 1
        self._chunks = self._prompt_tokens = self._tokens = 0
        self._first_token = Histogram()
        self._endpoints: Counter[str] = Counter()
        self._error_types: Counter[str] = Counter()
        self._first_error: str | None = None
        self._samples: deque[tuple[int, int, int]] = deque([(now_ns, 0, 0)], maxlen=WINDOW_SAMPLES)
        self.in_flight = 0
        self.complete = 0
        self.errors = 0
        self.unreachable = 0
        self.stopped = 0

    @property
    def done(self) -> int:
        """Records finished, errors included."""
        return self.complete + self.errors

    def restart(self, now_ns: int) -> None:
        """Move the start to now: the servers are ready."""
        self._started_ns = self._ended_ns = now_ns
        self._samples[0] = (now_ns, 0, 0)

    def end(self, now_ns: int) -> None:
        """Set the end to now: nothing runs any more."""
        self._ended_ns = now_ns

    def begin(self) -> None:
        """Count a request that starts."""
        self.in_flight += 1

    def stop(self) -> None:
        """Count a request that was interrupted."""
        self.in_flight -= 1
        self.stopped += 1

    def answer(self, figures: Answered, input_bytes: int) -> None:
        """Count a request that was answered, from an input line of that many bytes."""
        self.in_flight -= 1
        self.complete += 1
        self._bytes_done += input_bytes
        self._chunks += figures.chunks
        self._prompt_tokens += figures.prompt_tokens
        self._tokens += figures.tokens
        self._endpoints[figures.endpoint] += 1
        if figures.first_token_ns is not None:
            self._first_token.record(figures.first_token_ns)

    def fail(
        self, kind: str, message: str, input_bytes: int, *, is_unreachable: bool = False
    ) -> None:
        """Count a request that failed, from an input line of that many bytes."""
        self.in_flight -= 1
        self.unreachable += is_unreachable
        self.refuse(kind, message, input_bytes)

    def refuse(self, kind: str, message: str, input_bytes: int) -> None:
        """Count a line that was never asked; a blank one is skipped with `skip`."""
        if self._first_error is None:
            self._first_error = message
        self.errors += 1
        self._bytes_done += input_bytes
        self._error_types[kind] += 1

    def skip(self, input_bytes: int) -> None:
        """Count the bytes of a blank line."""
        self._bytes_done += input_bytes

    def snapshot(self, now_ns: int, running_chunks: int, answering: int = 0) -> Snapshot:
        """The numbers now. Rates are over the last `WINDOW_SAMPLES` snapshots.

        Args:
            now_ns: the time on the clock of the start.
            running_chunks: chunks received so far by requests that still run.
            answering: how many of those have received any; the others wait.
        """
        self._at_once = max(self._at_once, answering)
        chunks = self._chunks + running_chunks
        then_ns, done_then, chunks_then = self._samples[0]
        self._samples.append((now_ns, self.done, chunks))
        span_s = max(now_ns - then_ns, 1) / NS
        elapsed_s = (now_ns - self._started_ns) / NS
        share = min(1.0, self._bytes_done / self._input_bytes) if self._input_bytes else None
        return Snapshot(
            done=self.done,
            errors=self.errors,
            in_flight=self.in_flight,
            records_per_s=(self.done - done_then) / span_s,
            chunks_per_s=max(0, chunks - chunks_then) / span_s,
            share=share,
            left_s=self._left_s(elapsed_s, share),
            elapsed_s=elapsed_s,
        )

    def _left_s(self, elapsed_s: float, share: float | None) -> float | None:
        """The rest takes as long per byte as what is done, once that is enough to go by."""
        if not share or self.done < ROUNDS_MIN * self._at_once:
            return None
        return elapsed_s * (1 - share) / share

    def summary(self) -> Summary:
        """The result, once it has ended."""
        wall_s = max(self._ended_ns - self._started_ns, 1) / NS
        return Summary(
            records=self.done,
            complete=self.complete,
            errors=self.errors,
            unreachable=self.unreachable,
            stopped=self.stopped,
            error_types=dict(self._error_types.most_common()),
            first_error=self._first_error,
            wall_s=round(wall_s, 3),
            chunks=self._chunks,
            chunks_per_s=round(self._chunks / wall_s, 1),
            prompt_tokens=self._prompt_tokens,
            tokens=self._tokens,
            first_token_ms_p50=_ms(self._first_token.percentile(0.5)),
            first_token_ms_p99=_ms(self._first_token.percentile(0.99)),
            endpoints=dict(sorted(self._endpoints.items())),
        )


def _ms(ns: int | None) -> float | None:
    return None if ns is None else round(ns / 1e6, 3)
