"""What lines of progress mean: phases, rates, and whether anything still moves. No IO, no clock.

`Track` follows one transfer on one endpoint. Servers repeat a line many times a second while a
layer stands still; so what counts as progress is a line that says something new.
"""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from triollama._errors import (
    ConnectError,
    ConnectionLostError,
    StallError,
    TriollamaError,
    TruncatedError,
)
from triollama.api.transfer import SUCCESS, ProgressLine
from triollama.transfers.events import EndpointTransfer, Phase, TransferEvent, TransferKind

__all__ = ["RateMeter", "RestartRule", "Track", "phase_of"]

RATE_WINDOW_S: Final = 5.0
"""Long enough that a number can be read, short enough that it is true now."""

RATE_SPAN_S_MIN: Final = 0.2
"""Over less, one burst of a socket's buffer would be the rate."""

RATE_STEP_S: Final = 0.05
"""Of several lines within it only the latest is kept."""

RATE_POINTS_MAX: Final = 128
"""A window holds some 100 of them."""

SILENT_FACTOR: Final = 10
"""How much longer than elsewhere a server may be silent where it tells nothing while it works: it
reads a whole model to verify it, some 10 minutes for 100 GB from a hard disk. Not in a create: its
limit is for such work in the first place."""

DIGESTS_MAX: Final = 10_000
"""Layers that are remembered of one transfer; a model of safetensors has hundreds."""

_PHASES: Final[tuple[tuple[str, Phase], ...]] = (
    (SUCCESS, "done"),
    ("pulling manifest", "manifest"),
    ("retrieving manifest", "manifest"),
    ("couldn't retrieve manifest", "manifest"),
    ("pushing manifest", "write"),
    ("writing manifest", "write"),
    ("pulling ", "transfer"),
    ("pushing ", "transfer"),
    ("verifying sha256", "verify"),
    ("removing ", "clean"),
    ("using existing layer", "layer"),
    ("creating new layer", "layer"),
    ("using autodetected", "layer"),
    ("parsing ", "convert"),
    ("converting ", "convert"),
    ("validating ", "convert"),
    ("quantizing ", "convert"),
    ("verifying conversion", "convert"),
    ("updating GGUF", "convert"),
)
"""How statuses begin; the first that fits counts."""

_TELLING: Final = frozenset({"manifest", "transfer"})
"""Phases in which a healthy server says something new all the time."""


def phase_of(status: str) -> Phase:
    """What a server's status means."""
    for beginning, phase in _PHASES:
        if status.startswith(beginning):
            return phase
    return "other"


class RateMeter:
    """Bytes per second over the last few seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=RATE_POINTS_MAX)

    def note(self, moved_bytes: int, now_s: float) -> float | None:
        """So much has moved by now; the rate, or None if it cannot be told yet."""
        seen = self._seen
        if len(seen) > 1 and now_s - seen[-2][0] < RATE_STEP_S:
            seen.pop()
        seen.append((now_s, moved_bytes))
        while len(seen) > 2 and seen[1][0] <= now_s - RATE_WINDOW_S:
            seen.popleft()
        began_s, began_bytes = seen[0]
        if now_s - began_s < RATE_SPAN_S_MIN:
            return None
        return max(0.0, (moved_bytes - began_bytes) / (now_s - began_s))


@attrs.define
class _Layer:
    """Bytes of one layer: there when it was first told, and at most."""

    first: int
    most: int


class Track:
    """One transfer on one endpoint, as far as it has come.

    Args:
        kind: pull, push or create.
        model: the model's name.
        endpoint: the endpoint's.
        began_s: the time.

    Attributes:
        restarts: how often it was begun again.
        phase: what is being done.
        is_done: whether the server said that all is.
    """

    def __init__(self, kind: TransferKind, model: str, endpoint: str, began_s: float) -> None:
        self.restarts = 0
        self.phase: Phase = "manifest"
        self.is_done = False
        self._kind = kind
        self._model = model
        self._endpoint = endpoint
        self._began_s = began_s
        self._layers: dict[tuple[Phase, str], _Layer] = {}
        self._meters: dict[Phase, RateMeter] = {}
        self._last: ProgressLine | None = None
        self._gained = 0

    def take(self, line: ProgressLine, now_s: float) -> TransferEvent | None:
        """A line came; what is to be told of it, or None if it says nothing new."""
        if line == self._last:
            return None
        self._last = line
        self.phase = phase_of(line.status)
        self.is_done = self.phase == "done"
        rate = self._count(line, now_s) if line.total is not None else None
        return self._event(
            line.status, self.phase, line.digest, line.total, line.completed, rate=rate
        )

    def uploading(self, digest: str, total: int, completed: int, now_s: float) -> TransferEvent:
        """So much of a local file has been sent."""
        self.phase = "upload"
        rate = self._count(ProgressLine("", digest, total, completed), now_s)
        status = f"uploading {digest.removeprefix('sha256:')[:12]}"
        return self._event(status, "upload", digest, total, completed, rate=rate)

    def hashing(self, total: int, completed: int) -> TransferEvent:
        """So much of a local file has been read."""
        return self._event("reading a file", "hash", "", total, completed)

    def restart(self, error: TriollamaError) -> TransferEvent:
        """It is begun again, because of this."""
        self.restarts += 1
        self._last = None
        self._meters.clear()
        self.phase = "manifest"
        return self._event(f"restarting: {error}", "restart", "", None, 0)

    def quiet_s(self, stall_s: float) -> float:
        """How long nothing new may come now, in seconds.

        Args:
            stall_s: where a server tells of its progress all the time.
        """
        is_telling = self._kind == "create" or self.phase in _TELLING
        return stall_s if is_telling else stall_s * SILENT_FACTOR

    def has_gained(self) -> bool:
        """Whether more bytes are there than ever before, since this was last asked."""
        most = sum(layer.most for layer in self._layers.values())
        has, self._gained = most > self._gained, max(most, self._gained)
        return has

    def result(self, now_s: float) -> EndpointTransfer:
        """How it went."""
        return EndpointTransfer(
            endpoint=self._endpoint,
            moved_bytes=self._moved("transfer") + self._moved("upload"),
            restarts=self.restarts,
            took_s=now_s - self._began_s,
            digests=tuple(dict.fromkeys(digest for _, digest in self._layers if digest)),
        )

    def _count(self, line: ProgressLine, now_s: float) -> float | None:
        key = self.phase, line.digest
        layer = self._layers.get(key)
        if layer is None:
            if len(self._layers) >= DIGESTS_MAX:
                return None
            layer = self._layers[key] = _Layer(line.completed, line.completed)
        layer.most = max(layer.most, line.completed)
        meter = self._meters.setdefault(self.phase, RateMeter())
        return meter.note(self._moved(self.phase), now_s)

    def _moved(self, of: Phase) -> int:
        layers = [layer for (phase, _), layer in self._layers.items() if phase == of]
        return sum(layer.most - layer.first for layer in layers)

    def _event(
        self,
        status: str,
        phase: Phase,
        digest: str,
        total: int | None,
        completed: int,
        *,
        rate: float | None = None,
    ) -> TransferEvent:
        return TransferEvent(
            endpoint=self._endpoint,
            model=self._model,
            kind=self._kind,
            status=status,
            phase=phase,
            digest=digest,
            total=total,
            completed=completed,
            rate_bytes_per_s=rate,
            attempt=self.restarts + 1,
        )


@attrs.define
class RestartRule:
    """Whether a transfer that broke is begun again, and when.

    Attributes:
        restarts_max: in a row that bring nothing new; one that brings bytes begins the count again.
        wait_s: before the first of such a row; each further one waits twice as long, up to
            `wait_s_max`.
        wait_s_max: see there.
    """

    restarts_max: int = 5
    wait_s: float = 0.5
    wait_s_max: float = 30.0
    _in_row: int = attrs.field(default=0, init=False)

    def wait_for(self, error: TriollamaError, track: Track, *, was_reached: bool) -> float | None:
        """How long to wait before it is begun again; None if it is not.

        Args:
            error: why it broke.
            track: how far it had come.
            was_reached: whether the server has said anything since the beginning.
        """
        if track.has_gained():
            self._in_row = 0
        # One that cannot be reached in the first place is not waited for.
        is_passing = isinstance(error, StallError | ConnectionLostError | TruncatedError) or (
            isinstance(error, ConnectError) and was_reached
        )
        if not is_passing or self._in_row >= self.restarts_max:
            return None
        self._in_row += 1
        wait_s: float = self.wait_s * 2.0 ** (self._in_row - 1)
        return min(wait_s, self.wait_s_max)
