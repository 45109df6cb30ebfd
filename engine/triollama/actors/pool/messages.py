"""What the endpoint pool is told, and what its core wants done.

Requests are in the imperative, facts in the past tense, effects are what the core asks the shell to
do; facts of `_facts` are effects too: the shell publishes them.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Hashable

import attrs

from triollama._config import EndpointConfig
from triollama._errors import TriollamaError
from triollama._facts import Fact
from triollama._frozen import frozen_for_checker


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
    """The endpoint was reached, and failed."""
    UNREACHABLE = "unreachable"
    """There was no connection, or it was cut."""
    UNUSED = "unused"
    """Nothing was learnt: cancelled, or the connection had been closed while it was idle."""


@frozen_for_checker
class Lease:
    """The right to send one request to an endpoint; it ends with `Released`.

    Attributes:
        number: unique within the pool.
        endpoint: the endpoint's name.
        model: the model it was given for; empty where no model is involved.
        is_trial: whether it finds out if the endpoint works again.
        slot: the request's number among those for this model there.
        granted_s: when it was given, on the pool's clock.
        is_learning: whether the pool wants to know how long it waited for a slot.
        answer_by_s: when the whole answer is wanted, on the same clock.
    """

    number: int
    endpoint: str
    model: str
    is_trial: bool = False
    slot: int = 0
    granted_s: float = 0.0
    is_learning: bool = False
    answer_by_s: float = math.inf


@attrs.frozen
class Place:
    """A place in line.

    Attributes:
        ahead: requests that are to be served before this one, as things stand.
        wait_s: how long that will take, in seconds; 0 if unknown.
    """

    ahead: int
    wait_s: float


@attrs.frozen
class LoadedModel:
    """A model that an endpoint has in memory.

    Attributes:
        model_key: its normalised name.
        context_length: tokens of context per slot; 0 if not told.
    """

    model_key: str
    context_length: int = 0


# ---- messages


@frozen_for_checker
class Acquire:
    """Ask for a lease.

    Attributes:
        ticket: names the request in the effects that answer it.
        model: normalised name; empty where any endpoint will do.
        deadline_s: when waiting is pointless, on the pool's clock.
        asked_s: when this was asked, on the same clock.
        draw: a random number in [0, 1), for the choice.
        excluded: endpoints that lack the model, as this request has found out.
        tried: endpoints that failed this request; used only if there is no other.
        only: the one endpoint that may be used, or empty.
        priority: higher goes first; equal ones in turn.
        runner: the runner options; a server loads the model anew for other ones.
        caller: on whose behalf.
        tags: what the endpoint must have.
        body_bytes: size of the request, which is kept while it waits.
        has_begun: whether it was sent before: then it waits in front, and is never refused a place.
        answer_by_s: when the whole answer is wanted, on the pool's clock.
    """

    ticket: int
    model: str
    deadline_s: float
    asked_s: float
    draw: float = 0.0
    excluded: frozenset[str] = frozenset()
    tried: frozenset[str] = frozenset()
    only: str = ""
    priority: int = 0
    runner: Hashable = ()
    caller: str = ""
    tags: frozenset[str] = frozenset()
    body_bytes: int = 0
    has_begun: bool = False
    answer_by_s: float = math.inf


@attrs.frozen
class Abandon:
    """The one who asked does not wait any longer."""

    ticket: int


@frozen_for_checker
class FirstToken:
    """The first token of a lease's answer came.

    Attributes:
        lease: the lease.
        first_token_s: how long after the sending, in seconds.
    """

    lease: Lease
    first_token_s: float


@frozen_for_checker
class Released:
    """A lease is over.

    Attributes:
        lease: the lease.
        outcome: how it ended.
        draw: a random number in [0, 1), for the time out of service.
        slot_wait_s: how long the server let it wait for a slot, in seconds; None if unknown.
        service_s: how long it then worked on it; None if unknown.
        retry_after_s: what a server that is busy asked for, in seconds; None if nothing.
        took_s: how long after the sending it ended, in seconds: the time to the first token of an
            answer that came in one piece.
    """

    lease: Lease
    outcome: Outcome
    draw: float = 0.0
    slot_wait_s: float | None = None
    service_s: float | None = None
    retry_after_s: float | None = None
    took_s: float = 0.0


@attrs.frozen
class ProbeAnswered:
    """A probe got its answers.

    Attributes:
        endpoint: the endpoint's name.
        version: as it tells it; empty if it does not.
        loaded: the models in memory; None if not known.
        available: keys of the models on disk; None if not known.
    """

    endpoint: str
    version: str = ""
    loaded: tuple[LoadedModel, ...] | None = None
    available: frozenset[str] | None = None


@attrs.frozen
class ProbeUnanswered:
    """A probe got no good answer.

    Attributes:
        endpoint: the endpoint's name.
        failures: in a row, this one included.
        is_down: whether that is enough to take it out of service.
        draw: a random number in [0, 1), for the time out of service.
    """

    endpoint: str
    failures: int
    is_down: bool
    draw: float = 0.0


@attrs.frozen
class Add:
    """Let an endpoint take part."""

    endpoint: EndpointConfig


@attrs.frozen
class Update:
    """Replace an endpoint's configuration, and put it back in service if it was being drained."""

    endpoint: EndpointConfig


@attrs.frozen
class Drain:
    """Send an endpoint nothing new.

    Attributes:
        endpoint: its name.
        removes: whether it is to be forgotten when nothing runs there any more.
    """

    endpoint: str
    removes: bool = False


@attrs.frozen
class Hold:
    """Send an endpoint nothing new before a certain time: a rate limit says so."""

    endpoint: str
    until_s: float


@attrs.frozen
class TimePassed:
    """Nothing happened but that the next due time came."""


PoolMessage = (
    Acquire
    | Abandon
    | FirstToken
    | Released
    | ProbeAnswered
    | ProbeUnanswered
    | Add
    | Update
    | Drain
    | Hold
    | TimePassed
)


# ---- effects


@frozen_for_checker
class Granted:
    """Give the lease to the one who holds the ticket."""

    ticket: int
    lease: Lease


@attrs.frozen
class Refused:
    """Tell the holder of the ticket why there is no lease.

    `error` is None where no endpoint is left to try: the holder knows those failures better.
    """

    ticket: int
    error: TriollamaError | None


PoolEffect = Granted | Refused | Fact
