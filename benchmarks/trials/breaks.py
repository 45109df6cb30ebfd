"""Answers that break, each at a place of its own, while one server is healthy. For two trials.

Two of three servers break each answer the first time that they are asked for it, somewhere in it
and in one of several ways; the third never does. It has next to no weight, so that all answers
begin at one of the others. Which break an answer meets depends on its question alone.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import attrs

from benchmarks.trial import Finding
from benchmarks.trials.asks import Ask, missing
from triollama import EndpointConfig, EngineConfig
from triollama_adapters.cli._readers import Reader
from triollama_adapters.simulator import Fault, FaultRule, SimulatorConfig
from triollama_adapters.simulator.faults import FaultKind

BREAKING = 2
"""Servers that break answers; one more does not."""

STALL_S = 2.0
"""Ten times the time between two tokens."""

FIRST_TOKEN_S = 7.0
"""Longer than the first server loads its model; some answers break by never beginning."""

WEIGHT_OF_HEALTHY = 1e-3

CONFIG = EngineConfig(stall_s=STALL_S, first_token_s=FIRST_TOKEN_S)

AUTHOR = SimulatorConfig(
    load_s=0.5,
    prefill_tokens_per_s=1e5,
    decode_tokens_per_s=5.0,
    answer_tokens_min=10,
    answer_tokens_max=16,
)

OPEN_S = 3.0
"""How long the servers that break answers load their model, for which all streams wait: longer than
it takes to open them, so that they begin, and break, together."""

EVENTS_MAX = 9
"""A break comes after at most so many events of an answer, which has 10 at least."""

KINDS: tuple[FaultKind, ...] = (
    "reset",
    "truncated_chunk",
    "half_close",
    "garbage_line",
    "error_line",
    "stall",
)

_ROUTES: tuple[tuple[str, dict[str, bool]], ...] = (
    ("chat", {}),
    ("generate", {}),
    ("generate", {"raw": True}),
)


def draw_asks(draws: random.Random, streams: int) -> list[Ask]:
    """Draw so many questions."""
    drawn = [draws.choice(_ROUTES) for _ in range(streams)]
    return [
        Ask(f"Question {number} of many: what is left?", route, fields)
        for number, (route, fields) in enumerate(drawn, start=1)
    ]


def servers(draws: random.Random, asks: Sequence[Ask]) -> list[SimulatorConfig]:
    """Return the servers; the last one is the healthy one."""
    most = 2 * len(asks)
    plain = attrs.evolve(AUTHOR, num_parallel=most, max_queue=most)
    slow = attrs.evolve(plain, load_s=OPEN_S)
    breaking = [attrs.evolve(slow, faults=_rules(draws, asks)) for _ in range(BREAKING)]
    return [*breaking, plain]


def endpoints(urls: Sequence[str], streams: int) -> list[EndpointConfig]:
    """Return how the engine is told of them; each can take all streams."""
    most = 2 * streams
    weights = [*[1.0] * BREAKING, WEIGHT_OF_HEALTHY]
    return [
        EndpointConfig(url, max_in_flight=most, num_parallel=most, weight=weight)
        for url, weight in zip(urls, weights, strict=True)
    ]


def finding(readers: Sequence[Reader]) -> Finding:
    """Return what the readers noticed, and whether each stream was broken at all.

    The figure ``noticed`` is characters lost, characters doubled and streams failed, together.
    """
    noticed = missing(readers)
    broken = [reader for reader in readers if _breaks(reader)]
    figures = {
        **noticed,
        "noticed": noticed["lost"] + noticed["doubled"] + noticed["failed"],
        "streams": float(len(readers)),
        "breaks": float(sum(_breaks(reader) for reader in readers)),
        "inside": float(sum(_went_on(reader) for reader in readers)),
    }
    unbroken = len(readers) - len(broken)
    faults = (f"{unbroken} of {len(readers)} streams were never broken",) if unbroken else ()
    return Finding(figures, faults)


def _rules(draws: random.Random, asks: Sequence[Ask]) -> tuple[FaultRule, ...]:
    """A rule for each question that acts once."""
    return tuple(
        FaultRule(
            fault=Fault(kind=draws.choice(KINDS), after_tokens=draws.randint(0, EVENTS_MAX)),
            prompt=ask.text,
            nth=(1,),
        )
        for ask in asks
    )


def _breaks(reader: Reader) -> int:
    """How many attempts at an answer failed."""
    return sum(bool(attempt.error) for attempt in reader.stream.attempts) if reader.stream else 0


def _went_on(reader: Reader) -> bool:
    """Whether an answer went on from a part of it that had arrived."""
    attempts = reader.stream.attempts if reader.stream else ()
    return any(attempt.way != "resend" for attempt in attempts)
