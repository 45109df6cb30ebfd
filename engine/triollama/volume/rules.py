"""The limits of a run over many texts."""

from __future__ import annotations

from typing import Any, Final, Literal

import attrs

from triollama._errors import InvalidRequestError, Problem

__all__ = ["BATCH_COUNT_MAX", "BATCH_TOKENS_MAX", "ErrorRule", "VolumeRules"]

BATCH_TOKENS_MAX: Final = 8_192
"""A second or so of a small model on a GPU: long enough that a request's own cost is nothing beside
it, short enough that a server which dies takes little with it. Ollama reads 2,048 at a time."""

BATCH_COUNT_MAX: Final = 64
"""Texts of one request, where they are short."""

REQUESTS_PER_ENDPOINT: Final = 6
"""Rather many, although Ollama gives an embedding model one slot: what is too much waits in the
engine's line, and it must be more than the pool sends to one endpoint of which it knows nothing
yet (``SLOTS_START`` = 4). With 2, all of it went to the first endpoint that had the model loaded,
and the others were idle; from 4 on, all are busy, by their speeds."""

BATCHES_PER_REQUEST: Final = 2
"""Batches of the window for each request that may be under way: what is whole can wait for one that
came before it and takes twice as long, and no server is idle for that."""

ErrorRule = Literal["raise", "give"]
"""What a text without a vector does: end the run, or stand in the place of its vector."""


def _count(_rules: object, field: attrs.Attribute[Any], value: object) -> None:
    if value is None and field.default is None:
        return
    is_count = isinstance(value, int) and not isinstance(value, bool)
    if not is_count or value < 1:  # type: ignore[operator]  # it is a number here
        found = str(value) if is_count else type(value).__name__
        raise InvalidRequestError(
            problems=[Problem(field.name, found, "a whole number of at least 1")]
        )


def _rule(_rules: object, field: attrs.Attribute[Any], value: object) -> None:
    if value not in {"raise", "give"}:
        raise InvalidRequestError(
            problems=[Problem(field.name, "another value", "one of 'raise', 'give'")]
        )


@attrs.frozen(kw_only=True)
class VolumeRules:
    """How a run over many texts is bounded.

    Attributes:
        batch_tokens_max: tokens of one request, as far as they can be told before; a text that is
            longer goes alone.
        batch_count_max: texts of one request.
        concurrency_max: requests under way at once; None for six per endpoint.
        window_batches_max: batches that are read and not yet given, those under way included; None
            for two per request that may be under way.
        linger_s: how long a batch waits for further texts that are not there yet, in seconds.
        on_error: ``raise`` or ``give``.
    """

    batch_tokens_max: int = attrs.field(default=BATCH_TOKENS_MAX, validator=_count)
    batch_count_max: int = attrs.field(default=BATCH_COUNT_MAX, validator=_count)
    concurrency_max: int | None = attrs.field(default=None, validator=_count)
    window_batches_max: int | None = attrs.field(default=None, validator=_count)
    linger_s: float = attrs.field(default=0.05)
    on_error: ErrorRule = attrs.field(default="raise", validator=_rule)

    @linger_s.validator
    def _check_linger(self, _field: object, value: object) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool) or not value >= 0:
            found = "a number below 0, or NaN" if isinstance(value, float) else type(value).__name__
            raise InvalidRequestError(
                problems=[Problem("linger_s", found, "a number of at least 0")]
            )

    def concurrency(self, endpoints: int) -> int:
        """Requests that may be under way, with so many endpoints."""
        return self.concurrency_max or max(1, REQUESTS_PER_ENDPOINT * endpoints)

    def window(self, endpoints: int) -> int:
        """Batches that may be held."""
        return self.window_batches_max or BATCHES_PER_REQUEST * self.concurrency(endpoints)
