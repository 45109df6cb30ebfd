"""What the engine tells those who watch it: one typed fact for everything that happens.

A fact is in the past tense, small, frozen, and holds no prompt and no text of an answer: names,
counts, times and the kinds of errors only. `Engine.subscribe` gives them in the order in which they
happened; a subscriber that is slow loses facts, and is told how many.

`at_s` is trio's clock (`trio.current_time`), as for everything that the actors decide.
"""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Fact:
    """Something that happened.

    Attributes:
        at_s: when, on trio's clock.
    """

    at_s: float


# ---- endpoints


@attrs.frozen(kw_only=True)
class EndpointFact(Fact):
    """Something that happened to one endpoint.

    Attributes:
        endpoint: its name.
    """

    endpoint: str


@attrs.frozen(kw_only=True)
class EndpointAdded(EndpointFact):
    """It belongs to the fleet now."""


@attrs.frozen(kw_only=True)
class EndpointUpdated(EndpointFact):
    """Its configuration was replaced; streams that ran there go on."""


@attrs.frozen(kw_only=True)
class EndpointDraining(EndpointFact):
    """It gets no new request; those that run there end.

    Attributes:
        in_flight: how many those are.
    """

    in_flight: int


@attrs.frozen(kw_only=True)
class EndpointRemoved(EndpointFact):
    """It does not belong to the fleet any more, and nothing runs there."""


@attrs.frozen(kw_only=True)
class EndpointEjected(EndpointFact):
    """It is out of service for a while: too many failures in a row.

    Attributes:
        failures: how many.
        out_s: for how long, in seconds.
        times: how often it was ejected without a recovery in between, this time included.
    """

    failures: int
    out_s: float
    times: int


@attrs.frozen(kw_only=True)
class EndpointOnTrial(EndpointFact):
    """A few requests may find out whether it works again."""


@attrs.frozen(kw_only=True)
class EndpointRecovered(EndpointFact):
    """It is back in service."""


@attrs.frozen(kw_only=True)
class EndpointPushedBack(EndpointFact):
    """It asked for less: 429, or the 503 of its queue.

    Attributes:
        wait_s: for how long it gets nothing new, in seconds; 0 if it did not say.
    """

    wait_s: float


@attrs.frozen(kw_only=True)
class SlotsLearnt(EndpointFact):
    """What is known of how many requests it works on at once has changed.

    Attributes:
        model: normalised name.
        slots: how many, from now on.
    """

    model: str
    slots: int


@attrs.frozen(kw_only=True)
class PanicBegan(Fact):
    """Fewer than half of the endpoints are in service, so all of them are used.

    Attributes:
        in_service: how many are.
        endpoints: of how many.
    """

    in_service: int
    endpoints: int


@attrs.frozen(kw_only=True)
class PanicEnded(Fact):
    """At least half of the endpoints are in service again."""


# ---- probes


@attrs.frozen(kw_only=True)
class ProbeFailed(EndpointFact):
    """A probe got no good answer.

    Attributes:
        error: the kind of error, such as ``ConnectError``.
        failures: probes that failed in a row, this one included.
    """

    error: str
    failures: int


@attrs.frozen(kw_only=True)
class ProbeRecovered(EndpointFact):
    """A probe got a good answer, after some that did not."""


@attrs.frozen(kw_only=True)
class EndpointRestarted(EndpointFact):
    """All models that it had loaded are gone at once, or its version changed: it was restarted.

    Attributes:
        version: what it runs now; empty if unknown.
    """

    version: str


@attrs.frozen(kw_only=True)
class VersionChanged(EndpointFact):
    """It runs another version.

    Attributes:
        before: the version it ran; empty if unknown.
        after: the version it runs.
    """

    before: str
    after: str


@attrs.frozen(kw_only=True)
class ModelsChanged(EndpointFact):
    """The models that it has, or has loaded, have changed.

    Attributes:
        available: how many it has.
        loaded: how many are loaded.
    """

    available: int
    loaded: int


# ---- requests


@attrs.frozen(kw_only=True)
class StreamFact(Fact):
    """Something that happened to one request.

    Attributes:
        stream: its number, unique within the engine, from 1.
        model: the model's name as the caller wrote it.
    """

    stream: int
    model: str


@attrs.frozen(kw_only=True)
class StreamStarted(StreamFact):
    """It got a lease and was sent.

    Attributes:
        endpoint: where to.
        waited_s: how long it had waited for that, in seconds.
    """

    endpoint: str
    waited_s: float


@attrs.frozen(kw_only=True)
class AttemptFailed(StreamFact):
    """An attempt ended without the whole answer; what becomes of the request follows.

    Attributes:
        endpoint: where it was made.
        error: the kind of error, such as ``StallError``.
        characters: how much of the answer had arrived.
    """

    endpoint: str
    error: str
    characters: int


@attrs.frozen(kw_only=True)
class StreamResent(StreamFact):
    """It was sent again from the beginning, and now has the first chunk of its answer.

    Attributes:
        endpoint: where it runs now.
    """

    endpoint: str


@attrs.frozen(kw_only=True)
class StreamContinued(StreamFact):
    """Its answer goes on from where it broke.

    Attributes:
        endpoint: where it goes on.
        way: ``chat``, ``raw``, ``rendered``, ``replay`` or ``restart``.
        characters: how much had arrived before.
        gap_s: from the failure to the first new chunk, in seconds.
    """

    endpoint: str
    way: str
    characters: int
    gap_s: float


@attrs.frozen(kw_only=True)
class StreamEnded(StreamFact):
    """It has its one outcome.

    Attributes:
        endpoint: the last one used; empty if none was.
        outcome: ``done``, ``failed`` or ``cancelled``.
        error: the kind of error; empty if there was none.
        attempts: how many were made.
        output_tokens: tokens of the answer, if it is whole.
        took_s: from the request to its end, in seconds.
    """

    endpoint: str
    outcome: str
    error: str
    attempts: int
    output_tokens: int
    took_s: float


@attrs.frozen(kw_only=True)
class RequestRefused(Fact):
    """A request was told no before it was sent.

    Attributes:
        model: normalised name.
        reason: the kind of error, such as ``OverloadError``.
    """

    model: str
    reason: str


@attrs.frozen(kw_only=True)
class RequestDelayed(Fact):
    """A rate limit made a request wait.

    Attributes:
        scope: which limit, such as ``model llama3.2``.
        wait_s: for how long, in seconds.
    """

    scope: str
    wait_s: float


# ---- the engine


@attrs.frozen(kw_only=True)
class ActorRestarted(Fact):
    """An actor crashed and was started again.

    Attributes:
        actor: its name.
        error: the kind of error.
        restarts: how often that has happened.
    """

    actor: str
    error: str
    restarts: int
