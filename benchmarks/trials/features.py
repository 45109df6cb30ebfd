"""What does each feature cost? CPU per chunk and per request, from the bare wire upwards."""

from __future__ import annotations

from itertools import pairwise

from benchmarks.figures import Bar
from benchmarks.plan import Plan
from benchmarks.trial import Finding, Trial, TrialRow
from benchmarks.trials.layers import layers
from benchmarks.trials.turns import Turns, take_turns

CHUNKS = Plan(streams=200, settle_s=0.04, window_s=0.1)
REQUESTS = Plan(in_flight=100, settle_s=0.0, window_s=0.1)

ROUNDS = {"chunk": 6, "request": 5}

BASES = {"chunk": "reader", "request": "wire"}
"""What the engine is measured against: for chunks, a wire whose reader is woken as barely as can
be; of a whole answer the reader is woken once by the wire as well."""

NAMES = tuple(layers())


def _stack(each: str) -> tuple[tuple[str, str], ...]:
    """The names of the figures of a stack, with their unit."""
    names = [name for name in NAMES if each == "chunk" or name != "reader"]
    shown = [names[0], *(f"+ {name}" for name in names[1:]), "together"]
    return tuple((f"{each}: {name}", f"µs CPU per {each}") for name in shown)


TRIAL = Trial(
    name="features",
    rows=(
        TrialRow(
            "features-chunk",
            f"{CHUNKS.streams} streams: all that the engine adds to the wire and a bare reader",
            "chunk: above the wire",
            "µs CPU per chunk",
            Bar(1.5),
            _stack("chunk"),
            kind="stack",
        ),
        TrialRow(
            "features-request",
            f"one-line answers, {REQUESTS.in_flight} in flight: all that it adds to the wire",
            "request: above the wire",
            "µs CPU per request",
            None,
            _stack("request"),
            kind="stack",
        ),
    ),
    repetitions_max=3,
    run_s=10.0,
    is_alone=False,
)


def run(_seed: int) -> Finding:
    """Measure all layers in turn: first with streams, then with short requests."""
    chunks, requests = layers(), layers()
    del requests["reader"]
    ways = {name: each.chunks for name, each in chunks.items()}
    figures, faults = _figures("chunk", take_turns(ways, CHUNKS, ROUNDS["chunk"]))
    ways = {name: each.requests for name, each in requests.items()}
    more, more_faults = _figures("request", take_turns(ways, REQUESTS, ROUNDS["request"]))
    faults += more_faults
    for each in (chunks, requests):
        faults += [f"{name}: {fault}" for name, layer in each.items() for fault in layer.faults()]
    return Finding(figures | more, tuple(faults))


def _figures(each: str, turns: dict[str, Turns]) -> tuple[dict[str, float], list[str]]:
    """The stack: the lowest layer, what each one adds, all together."""
    bottom, top = next(iter(turns)), next(reversed(turns))
    found = {bottom: turns[bottom].cpu_us}
    found |= {f"+ {above}": turns[above].beyond(turns[below]) for below, above in pairwise(turns)}
    found["together"] = turns[top].cpu_us
    found["above the wire"] = turns[top].beyond(turns[BASES[each]])
    faults = [fault for name, its in turns.items() for fault in its.faults(name)]
    return {f"{each}: {name}": value for name, value in found.items()}, faults
