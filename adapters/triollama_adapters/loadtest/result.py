"""What a run found: everything that a report shows and a comparison needs, without the samples.

Written and read as JSON; `SCHEMA` is raised when a field changes its meaning or goes. Times are in
seconds unless a name says otherwise.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from triollama_adapters.loadtest.plan import Plan

__all__ = [
    "CLIENT_TERMS",
    "METRICS",
    "RESPONSES",
    "SCHEMA",
    "TERMS",
    "Attained",
    "ClientState",
    "Counts",
    "Distribution",
    "EndpointFound",
    "Environment",
    "Event",
    "Heat",
    "HostLook",
    "Interval",
    "Judged",
    "LedgerFound",
    "LoadedLook",
    "Met",
    "Moment",
    "Rates",
    "Result",
    "Validity",
]

SCHEMA = 1

METRICS = (
    "ttft",
    "ttft_service",
    "ttfo",
    "tpot",
    "server_tpot",
    "icl",
    "icl_max",
    "e2e",
    "e2e_service",
    "start_delay",
)
"""Names of the distributions. Without ``_service``, TTFT and E2E are response times: from when the
request was due, not from when it was sent."""

RESPONSES = {"ttfo": "ttfo_response"}
"""Of a metric that is a service time, the distribution of its response times, which a result has
besides: objectives are about these."""

TERMS = (
    "start_delay",
    "engine_line",
    "transport",
    "load",
    "slot_wait",
    "overhead",
    "prefill",
    "decode",
)
"""Of the ledger, in the order of a request's life; their sum is the response E2E. A ledger has
``engine_line`` where the engine's own pool chose the endpoint, and only there."""

CLIENT_TERMS = ("start_delay", "engine_line", "until_first", "after_first")
"""Of the ledger where no server told its times, as on ``/v1``; the same."""

Validity: TypeAlias = Literal["VALID", "DEGRADED", "INVALID"]

Met: TypeAlias = Literal["met", "missed", "undetermined"]
"""``undetermined``: the interval of the figure holds the limit, or there were too few requests."""


class Interval(msgspec.Struct, frozen=True):
    """A figure with its 95 % interval.

    Attributes:
        value: the figure.
        low: the lower end; None where it has none.
        high: the upper end; the same.
    """

    value: float
    low: float | None = None
    high: float | None = None


class Distribution(msgspec.Struct, frozen=True):
    """How a duration was spread over the requests of the window.

    Attributes:
        count: values.
        mean_s: their mean.
        least_s: the least.
        most_s: the greatest.
        percentiles: by name, ``p50`` to ``p99.9``; None where it is withheld, for want of values.
        buckets: of its histogram: lower edge in nanoseconds, number of values; exact to 1/128.
    """

    count: int
    mean_s: float
    least_s: float
    most_s: float
    percentiles: dict[str, Interval | None]
    buckets: tuple[tuple[int, int], ...]


class Counts(msgspec.Struct, frozen=True):
    """Requests that were due within the window, by what became of them.

    Attributes:
        scheduled: all of them.
        sent: those that were sent.
        ok: answered in full.
        cancelled: whose user left, as planned.
        censored: cut off at the end of the drain.
        errors: all others by class, see `sample.Outcome`.
        details: for each class some of what was said, and how often.
        before: requests of the warm-up, whatever became of them.
        chunks: chunks of all of them.
        paused: answers with a pause of more than a second between two chunks.
        continued: answers that broke and went on elsewhere.
    """

    scheduled: int = 0
    sent: int = 0
    ok: int = 0
    cancelled: int = 0
    censored: int = 0
    errors: dict[str, int] = {}
    details: dict[str, dict[str, int]] = {}
    before: int = 0
    chunks: int = 0
    paused: int = 0
    continued: int = 0


class Rates(msgspec.Struct, frozen=True):
    """Per second of the window.

    Attributes:
        offered: requests that were due.
        sent: requests that were sent.
        completed: answers that ended well within it.
        output_tokens: tokens received within it.
        prompt_tokens: of the requests completed within it.
        uncached_prompt_tokens: those that the server had to read, as far as that can be told.
        goodput: due within it, answered in full, and all objectives met.
    """

    offered: float = 0.0
    sent: float = 0.0
    completed: float = 0.0
    output_tokens: float = 0.0
    prompt_tokens: float = 0.0
    uncached_prompt_tokens: float = 0.0
    goodput: float = 0.0


class Judged(msgspec.Struct, frozen=True):
    """One objective, and what was measured.

    Attributes:
        objective: as the user wrote it.
        value: the percentile, in seconds, or the share; None if there is nothing to measure.
        met: the verdict.
        why: in words.
    """

    objective: str
    value: Interval | None
    met: Met
    why: str


class Attained(msgspec.Struct, frozen=True):
    """Requests that met all objectives.

    Attributes:
        good: how many.
        share: of all that were due, with its Wilson interval.
        judged: each objective for the whole run.
    """

    good: int
    share: Interval
    judged: tuple[Judged, ...] = ()


class LedgerFound(msgspec.Struct, frozen=True):
    """Where the time of the answered requests went.

    Attributes:
        count: requests with a ledger.
        mean_s: the mean of each of `TERMS`; of `CLIENT_TERMS` where no server told its times.
        p95_s: the 95th percentile of each; empty if there are too few requests for one.
        overhead_s: ``R0``, what a request takes the server beyond its own terms.
        is_calibrated: whether that was measured at a concurrency of one.
        is_trusted: whether the second estimate of the wait for a slot agreed.
        disagreeing: share of the requests where it did not.
        cold: how many waited for a load of the model.
        reloads: how many of these, though it was loaded.
        note: what a reader has to know; empty for nothing.
    """

    count: int
    mean_s: dict[str, float]
    p95_s: dict[str, float]
    overhead_s: float
    is_calibrated: bool
    is_trusted: bool
    disagreeing: float
    cold: int
    reloads: int
    note: str = ""


class Moment(msgspec.Struct, frozen=True):
    """A stretch of the run, as long as `Result.moment_s`; the warm-up and the drain are shown too.

    Attributes:
        at_s: its beginning, from the run's on; the window begins at `Plan.warm_up_s`.
        offered: requests due.
        sent: requests sent.
        completed: answers that ended well.
        errors: that failed.
        in_flight: requests under way at its end.
        output_tokens: tokens received.
        ttft_p50_s: of the requests due within it; None where there are none. So the others.
        ttft_p95_s: the same.
        icl_p50_s: of chunks received within it.
        icl_p99_s: the same.
        e2e_p50_s: of the requests due within it.
        e2e_p95_s: the same.
        start_delay_max_s: the greatest.
    """

    at_s: float
    offered: int = 0
    sent: int = 0
    completed: int = 0
    errors: int = 0
    in_flight: int = 0
    output_tokens: int = 0
    ttft_p50_s: float | None = None
    ttft_p95_s: float | None = None
    icl_p50_s: float | None = None
    icl_p99_s: float | None = None
    e2e_p50_s: float | None = None
    e2e_p95_s: float | None = None
    start_delay_max_s: float = 0.0


class Heat(msgspec.Struct, frozen=True):
    """How many requests had which TTFT, over time.

    Attributes:
        edges_s: the lower edges of the rows.
        columns: for each moment the counts of the rows that are not 0, by row.
    """

    edges_s: tuple[float, ...]
    columns: tuple[dict[int, int], ...]


class EndpointFound(msgspec.Struct, frozen=True):
    """What one endpoint did."""

    name: str
    counts: Counts
    rates: Rates
    metrics: dict[str, Distribution]
    ledger: LedgerFound | None = None


class ClientState(msgspec.Struct, frozen=True):
    """Whether the load tester itself was the bottleneck.

    Attributes:
        validity: the verdict.
        reasons: why it is not VALID; empty if it is.
        start_delay_p99_s: how late requests were sent, or handed to the engine's own pool; of fewer
            than 100 it is the greatest.
        busiest: the largest share of a core that a process used over 5 s.
        timing_error_s: how wrong a time may be, from the lags of the event loops: p99.
        floor: what this client does against a server that does nothing, requests per second; None
            if it was not measured.
        cpu_s_per_request: CPU time per request.
    """

    validity: Validity
    reasons: tuple[str, ...] = ()
    start_delay_p99_s: float = 0.0
    busiest: float = 0.0
    timing_error_s: float = 0.0
    floor: float | None = None
    cpu_s_per_request: float = 0.0


class LoadedLook(msgspec.Struct, frozen=True):
    """What ``/api/ps`` told of one model at one moment."""

    at_s: float
    endpoint: str
    model: str
    vram_bytes: int
    expires_s: float | None = None


class HostLook(msgspec.Struct, frozen=True):
    """This machine at one moment; None where it cannot be read."""

    at_s: float
    cpu: float
    memory_bytes: int
    gpu: float | None = None
    gpu_memory_bytes: int | None = None


class Event(msgspec.Struct, frozen=True):
    """Something that happened: a fault that was caused, a cold start, a swap, a reload."""

    at_s: float
    kind: str
    endpoint: str
    text: str


class Environment(msgspec.Struct, frozen=True):
    """Where it ran."""

    triollama: str
    python: str
    system: str
    cpus: int
    servers: dict[str, str] = {}
    command: str = ""


class Result(msgspec.Struct, frozen=True):
    """A run.

    Attributes:
        schema: `SCHEMA`.
        name: what a comparison and a page call it.
        plan: what was asked for; its headers are left out.
        began_at: wall clock, ISO 8601 with zone.
        window_s: the real length of the window.
        is_stopped: whether the user ended it early.
        counts: of requests.
        rates: per second.
        metrics: a distribution for each of `METRICS` that there is.
        attained: objectives; None without any.
        ledger: None where no request was answered.
        client: the load tester itself.
        endpoints: each of them.
        scenarios: the same, by scenario, where there are several.
        moment_s: how long a moment is.
        moments: over time.
        heat: over time.
        loaded: looks at ``/api/ps``.
        host: looks at this machine.
        events: what happened.
        environment: where it ran.
    """

    schema: int
    name: str
    plan: Plan
    began_at: str
    window_s: float
    is_stopped: bool
    counts: Counts
    rates: Rates
    metrics: dict[str, Distribution]
    attained: Attained | None
    ledger: LedgerFound | None
    client: ClientState
    endpoints: tuple[EndpointFound, ...]
    scenarios: tuple[EndpointFound, ...]
    moment_s: float
    moments: tuple[Moment, ...]
    heat: Heat
    loaded: tuple[LoadedLook, ...]
    host: tuple[HostLook, ...]
    events: tuple[Event, ...]
    environment: Environment
