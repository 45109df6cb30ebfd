"""What the endpoint pool is told, and what its core wants done.

Requests are in the imperative, facts in the past tense, effects are what the core asks the shell to
do.
"""

from __future__ import annotations

import enum

import attrs

from triollama._errors import TriollamaError


class Outcome(enum.Enum):
    """How the use of a lease ended, as far as the endpoint is concerned."""

    DONE = "done"
    """The answer is whole."""
    REJECTED = "rejected"
    """4xx: the endpoint is well, the request is not."""
    MODEL_MISSING = "model missing"
    """404: it does not have the model."""
    BUSY = "busy"
    """Push-back: 429, or the 503 of a full load queue."""
    FAILED = "failed"
    """The endpoint or the way to it failed."""
    UNUSED = "unused"
    """Nothing was learnt: cancelled, or the connection had been closed while it was idle."""


@attrs.frozen
class Lease:
    """The right to send one request to an endpoint; it ends with `Released`.

    Attributes:
        number: unique within the pool.
        endpoint: the endpoint's name.
        model: the model it was given for; empty where no model is involved.
    """

    number: int
    endpoint: str
    model: str


# ---- messages


@attrs.frozen
class Acquire:
    """Ask for a lease.

    Attributes:
        ticket: names the request in the effects that answer it.
        model: normalised name; empty where any endpoint will do.
        deadline_s: when waiting is pointless, on the pool's clock.
        asked_s: when this was asked, on the same clock.
        excluded: endpoints that this request has already tried.
        only: the one endpoint that may be used, or empty.
        priority: higher goes first; equal ones in the order in which they came.
    """

    ticket: int
    model: str
    deadline_s: float
    asked_s: float
    excluded: frozenset[str] = frozenset()
    only: str = ""
    priority: int = 0


@attrs.frozen
class Abandon:
    """The one who asked does not wait any longer."""

    ticket: int


@attrs.frozen
class Released:
    """A lease is over."""

    lease: Lease
    outcome: Outcome


@attrs.frozen
class TimePassed:
    """Nothing happened but that the next due time came."""


PoolMessage = Acquire | Abandon | Released | TimePassed


# ---- effects


@attrs.frozen
class Granted:
    """Give the lease to the one who holds the ticket."""

    ticket: int
    lease: Lease


@attrs.frozen
class Refused:
    """Tell the holder of the ticket why there is no lease.

    `error` is None where every endpoint was tried already: the holder knows those failures better.
    """

    ticket: int
    error: TriollamaError | None


PoolEffect = Granted | Refused
