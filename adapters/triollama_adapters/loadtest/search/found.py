"""What a search found, as values that a report shows and a file keeps.

Rates are sessions per second, or for a replayed trace the speed, as `Capacity.unit` says.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias

import msgspec

from triollama_adapters.loadtest.measures.compare import Difference
from triollama_adapters.loadtest.result import Interval, Met, Result

__all__ = [
    "AbFound",
    "Capacity",
    "CapacityState",
    "Discovered",
    "EndpointDiscovered",
    "Knee",
    "Pair",
    "PoliciesFound",
    "ReloadFound",
    "SlotsFound",
    "Speeds",
    "Step",
    "Sweep",
    "SweepKind",
    "Unit",
]

Unit: TypeAlias = Literal["sessions/s", "times the recorded speed"]

CapacityState: TypeAlias = Literal["found", "undetermined", "above", "below"]
"""``found``: the bracket is as narrow as was asked for; ``above``: the highest rate that was
allowed met all objectives; ``below``: the lowest missed one."""

SweepKind: TypeAlias = Literal["concurrency", "rate"]


class Step(msgspec.Struct, frozen=True):
    """One run of a search for the capacity.

    Attributes:
        rate: that was offered.
        duration_s: of its window, as planned; it may have been stopped before.
        met: whether all objectives were.
        is_saturated: whether requests came faster than the server could ever answer them.
        is_valid: whether the load tester itself kept up; if not, the step tells nothing.
        why: the verdict in words.
        result: the run.
    """

    rate: float
    duration_s: float
    met: Met
    is_saturated: bool
    is_valid: bool
    why: str
    result: Result


class Capacity(msgspec.Struct, frozen=True):
    """The highest rate at which all objectives are met.

    Attributes:
        state: how sure that is.
        rate: the highest rate that met them; None if none did.
        low: lower end of the bracket, the same as `rate`.
        high: upper end, the lowest rate that missed one; None if none did.
        unit: of the rates.
        tolerance: how wide the bracket may be, as a share of `low`.
        objectives: what had to be met, as the user wrote it, and what was added.
        rule: how steps were judged and chosen, in words.
        why: the answer in words.
        steps: all runs, in the order in which they were made.
    """

    state: CapacityState
    rate: float | None
    low: float | None
    high: float | None
    unit: Unit
    tolerance: float
    objectives: tuple[str, ...]
    rule: str
    why: str
    steps: tuple[Step, ...]

    @property
    def estimate(self) -> float | None:
        """The middle of the bracket, where the capacity most likely is; None without both ends.

        `rate` is what was shown to work, and so a little below.
        """
        return None if self.low is None or self.high is None else math.sqrt(self.low * self.high)

    @property
    def best(self) -> Step | None:
        """The last step at `rate` that met all objectives; None if none did."""
        met = (step for step in reversed(self.steps) if step.met == "met")
        return next((step for step in met if step.rate == self.rate), None)


class Knee(msgspec.Struct, frozen=True):
    """Where more load buys little more throughput and costs much more time.

    Attributes:
        index: which point of the curve; the first is 0.
        value: its concurrency or rate.
        rule: how it was chosen, with the source.
        is_at_end: whether it is the last point, so that the true knee may lie beyond.
    """

    index: int
    value: float
    rule: str
    is_at_end: bool


class Sweep(msgspec.Struct, frozen=True):
    """The curve of latency over throughput.

    Attributes:
        kind: what was changed from run to run.
        values: concurrencies or rates, ascending; those that were run.
        throughput: answers completed per second, for each.
        latency_s: mean response E2E, for each; None where nothing was answered.
        saturated: for each, whether more came than could be answered; never in a closed loop.
        results: the runs, for each.
        knee: None if there are less than three points.
        stopped: why not all values that were asked for were run; empty if they were.
    """

    kind: SweepKind
    values: tuple[float, ...]
    throughput: tuple[float, ...]
    latency_s: tuple[float | None, ...]
    saturated: tuple[bool, ...]
    results: tuple[Result, ...]
    knee: Knee | None
    stopped: str = ""


class SlotsFound(msgspec.Struct, frozen=True):
    """How many requests a model of an endpoint works on at once.

    Attributes:
        slots: ``num_parallel``; at least that many if not `is_exact`; None if nothing was answered.
        is_exact: whether some requests of the burst had to wait, so that there are no more slots.
        burst: requests sent at once, of the last burst.
        by_residual: requests whose residual says that they did not wait; None without timings.
        by_streams: requests whose answer began before the first one ended.
        note: what a reader has to know; empty for nothing.
    """

    slots: int | None
    is_exact: bool
    burst: int
    by_residual: int | None
    by_streams: int
    note: str = ""


class ReloadFound(msgspec.Struct, frozen=True):
    """What a change of one option does to a loaded model.

    Attributes:
        option: its name.
        values: the two values that followed one another.
        reloads: whether the model was loaded anew; None if that request failed.
        load_s: what the request with the second value spent on loading.
    """

    option: str
    values: tuple[float | bool, float | bool]
    reloads: bool | None
    load_s: float | None


class Speeds(msgspec.Struct, frozen=True):
    """How fast one request is read and answered, with nothing else going on.

    Attributes:
        prefill_tokens_per_s: median; None if it cannot be told.
        decode_tokens_per_s: the same.
        prompt_tokens: median length of the prompts.
        output_tokens: median length of the answers.
        requests: how many were measured.
    """

    prefill_tokens_per_s: float | None
    decode_tokens_per_s: float | None
    prompt_tokens: int
    output_tokens: int
    requests: int


class EndpointDiscovered(msgspec.Struct, frozen=True):
    """What one endpoint is.

    Attributes:
        endpoint: its address.
        model: which was asked.
        is_timed: whether it tells its times; without them all figures are the client's.
        overhead_s: ``R0``, with how it varied; None if not timed.
        transport_s: time between client and server, beyond what the server tells; None the same.
        warm_load_s: load time that a loaded model tells; None the same.
        cold_load_s: load time after the model was unloaded; None if not tried or it failed.
        cold_ttft_s: TTFT of the same request.
        warm_ttft_s: TTFT of a short prompt with the model loaded, median.
        slots: ``num_parallel``.
        reloads: options, and whether a change of them loads the model anew.
        uncached: speeds where the prompt is new.
        cached: speeds where the same prompt was just asked; None if not tried.
        has_prefix_cache: whether a known beginning is read faster; None if it cannot be told.
        busy_decode_tokens_per_s: of one request, while all slots were busy; None if not measured.
        notes: what went wrong or has to be known.
    """

    endpoint: str
    model: str
    is_timed: bool = False
    overhead_s: Interval | None = None
    transport_s: float | None = None
    warm_load_s: float | None = None
    cold_load_s: float | None = None
    cold_ttft_s: float | None = None
    warm_ttft_s: float | None = None
    slots: SlotsFound | None = None
    reloads: tuple[ReloadFound, ...] = ()
    uncached: Speeds | None = None
    cached: Speeds | None = None
    has_prefix_cache: bool | None = None
    busy_decode_tokens_per_s: float | None = None
    notes: tuple[str, ...] = ()


class Discovered(msgspec.Struct, frozen=True):
    """What the endpoints of a target are, one after the other."""

    endpoints: tuple[EndpointDiscovered, ...]


class Pair(msgspec.Struct, frozen=True):
    """Two windows that followed one another, one of each side, with the same load.

    Attributes:
        index: its place, from 0.
        is_a_first: which side came first.
        seed: of the load of both.
        a: what side A did: name of a figure to its value, as in `AbFound.wins`.
        b: the same of side B.
    """

    index: int
    is_a_first: bool
    seed: int
    a: dict[str, float | None]
    b: dict[str, float | None]


class AbFound(msgspec.Struct, frozen=True):
    """Two targets compared in one run, in short windows that alternate.

    Attributes:
        a: all windows of A together.
        b: all windows of B together.
        pairs: the windows, in order.
        wins: for each figure in how many pairs A and B were better; ties count for nobody.
        is_stopped: whether it ended before all pairs were run.
        differences: from A to B, by the pairs, see `measures.pairs`.
    """

    a: Result
    b: Result
    pairs: tuple[Pair, ...]
    wins: dict[str, tuple[int, int]]
    is_stopped: bool = False
    differences: tuple[Difference, ...] = ()


class PoliciesFound(msgspec.Struct, frozen=True):
    """Ways to share the same load between endpoints, one after the other.

    Attributes:
        names: of the ways, in the order of `results`.
        results: one run each, with the same schedule.
    """

    names: tuple[str, ...]
    results: tuple[Result, ...]
