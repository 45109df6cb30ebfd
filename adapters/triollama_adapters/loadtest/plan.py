"""What a load test is asked to do, as a value that crosses processes."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from triollama_adapters.loadtest.workload.scenario import Workload

__all__ = [
    "DURATIONS",
    "Api",
    "ClosedLoop",
    "Objective",
    "OpenLoop",
    "Phase",
    "Plan",
    "Replay",
    "Routing",
    "Shape",
    "Target",
]

Api: TypeAlias = Literal["chat", "generate", "embed", "openai"]
"""``openai`` is chat over ``/v1``; the others are Ollama's own routes."""

Routing: TypeAlias = Literal["even", "engine"]
"""Several endpoints get sessions in turn, whatever they do; or as the engine's pool chooses."""


class Phase(msgspec.Struct, frozen=True):
    """A stretch of an open loop, in which the rate goes evenly from one value to another.

    Attributes:
        duration_s: how long it is.
        from_per_s: sessions per second at its beginning.
        to_per_s: at its end; the same for a constant rate.
    """

    duration_s: float
    from_per_s: float
    to_per_s: float


class ClosedLoop(msgspec.Struct, frozen=True, tag="closed"):
    """So many users, each of whom begins the next session when the last one has ended.

    Attributes:
        concurrency: users.
        ramp_s: over how long they begin, evenly; the warm-up is at least as long.
        think_s: the pause between two sessions of a user.
    """

    concurrency: int
    ramp_s: float = 0.0
    think_s: float = 0.0


class OpenLoop(msgspec.Struct, frozen=True, tag="open"):
    """Sessions begin at times that are drawn beforehand, whatever becomes of those before.

    Attributes:
        phases: the rate over time, from the beginning of the measured window on, and as long as
            that; ramps, steps and spikes are phases. The warm-up has the rate at their beginning. A
            single phase of constant rate stands for the whole run, however long it says it is.
        arrivals: how the times between two sessions are drawn.
        burstiness: the shape of ``gamma``, as vLLM's benchmark names it: 1 is Poisson, less is
            burstier, more is steadier; the coefficient of variation is ``burstiness ** -0.5``.
    """

    phases: tuple[Phase, ...]
    arrivals: Literal["constant", "poisson", "gamma"] = "poisson"
    burstiness: float = 1.0


class Replay(msgspec.Struct, frozen=True, tag="replay"):
    """Sessions begin as a recorded trace says, and are as long as it says.

    The trace begins with the run, so that its first seconds are the warm-up, if there is one. The
    window ends with the trace, if that is sooner.

    Attributes:
        path: JSON lines with ``timestamp`` (ms), ``input_length``, ``output_length`` (tokens) and
            perhaps ``hash_ids``, the blocks of the prompt that are shared.
        speed: how many times as fast as recorded.
    """

    path: str
    speed: float = 1.0


Shape: TypeAlias = ClosedLoop | OpenLoop | Replay


class Target(msgspec.Struct, frozen=True):
    """Whom the load is for.

    Attributes:
        endpoints: addresses.
        api: which routes.
        routing: how several endpoints share the load.
        headers: sent with every request; secrets, never shown.
        connect_s: see `triollama.EngineConfig`, as the three that follow.
        first_token_s: from sending to the first token.
        stall_s: between two chunks.
        total_s: for a whole request, from its sending.
    """

    endpoints: tuple[str, ...]
    api: Api = "chat"
    routing: Routing = "even"
    headers: dict[str, str] = {}
    connect_s: float = 5.0
    first_token_s: float = 120.0
    stall_s: float = 30.0
    total_s: float = 600.0


DURATIONS = ("ttft", "ttfo", "tpot", "icl", "e2e")
"""What an objective may be about, besides errors."""


class Objective(msgspec.Struct, frozen=True):
    """A limit that has to be kept, such as ``ttft_p95<800ms``.

    For goodput each request is held against `limit`; for the whole run, the percentile is.

    Attributes:
        metric: one of `DURATIONS`, response times where there are two; or ``errors``, the share of
            requests that failed.
        share: which percentile, 0.95 for p95; None where there is none, as for ``errors``.
        limit: in seconds, or a share for ``errors``.
        text: as the user wrote it, in small letters and without blanks.
    """

    metric: str
    share: float | None
    limit: float
    text: str


class Plan(msgspec.Struct, frozen=True):
    """One run.

    Attributes:
        target: whom it is for.
        workload: what is asked.
        shape: when.
        duration_s: length of the measured window, in seconds.
        warm_up_s: before it, with the same load; not measured.
        drain_s: after it, how long what is in flight may go on before it is cut off.
        objectives: what has to be kept.
        seed: of every draw.
        processes: that make the load; each draws the whole schedule, and sends its share of it.
        keep_samples: whether every sample is kept, and not only their histograms.
    """

    target: Target
    workload: Workload
    shape: Shape
    duration_s: float
    warm_up_s: float = 0.0
    drain_s: float = 30.0
    objectives: tuple[Objective, ...] = ()
    seed: int = 0
    processes: int = 1
    keep_samples: bool = False
