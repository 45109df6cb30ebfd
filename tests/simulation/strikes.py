"""What goes wrong, and what changes, while a scenario runs.

Owns the menu: every fault of the simulator that an engine can meet, the death and return of
servers, the clock that jumps, endpoints that come and go. Several are in force at once, on several
servers, and end in another order than they began.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import attrs

from triollama_adapters.simulator import Fault, FaultRule

STRIKES_MIN, STRIKES_MAX = 3, 14
RULES_MAX = 3
"""Rules in force at one server at a time."""
AFTER_S_MAX = 2.5
"""From a request to what strikes its answer; an answer takes up to 5 s."""
DOWN_S_MAX = 6.0
JUMPS_S = (0.5, 2.5, 5.0, 14.0)
"""How far the clock jumps: within and beyond the clocks of the engine, `FIRST_TOKEN_S` included."""

JUMPS_MAX = 2
"""Of one scenario: together they are shorter than the `RETRY_WAIT_S` of the engine, after which a
request may be given up."""


@attrs.frozen(kw_only=True)
class Strike:
    """One thing that happens to the fleet.

    Attributes:
        at_s: when, in seconds from the beginning.
        kind: ``faults`` (these rules are in force from now on), ``kill`` (until ``until_s``),
            ``restart``, ``jump`` (of the clock, by ``seconds``), ``add``, ``drain`` or ``remove``
            (of an endpoint).
        url: which server; empty for a jump.
        rules: of ``faults``.
        seconds: of ``kill`` (how long) and ``jump`` (how far).
    """

    at_s: float
    kind: str
    url: str = ""
    rules: tuple[FaultRule, ...] = ()
    seconds: float = 0.0


def draw_strikes(
    rng: random.Random,
    members: Sequence[str],
    reserves: Sequence[str],
    moments_s: Sequence[float],
    *,
    spared: str,
    horizon_s: float,
    line_bytes_max: int,
) -> tuple[Strike, ...]:
    """Draw all that happens in one scenario.

    Args:
        rng: where from.
        members: servers that are in the engine from the beginning.
        reserves: servers that are not.
        moments_s: when requests are made; most strikes come soon after one, while answers run.
        spared: nothing happens to this one.
        horizon_s: until when.
        line_bytes_max: what an engine takes at most as one line.
    """
    targets = [url for url in members if url != spared]
    strikes = [Strike(at_s=rng.uniform(0, horizon_s), kind="add", url=url) for url in reserves]
    for number in range(rng.randint(STRIKES_MIN, STRIKES_MAX)):
        at_s = min(rng.choice(moments_s) + rng.uniform(-0.5, AFTER_S_MAX), horizon_s)
        if number < JUMPS_MAX and rng.random() < 0.2:
            strikes.append(Strike(at_s=at_s, kind="jump", seconds=rng.choice(JUMPS_S)))
        elif targets:
            strikes.append(_strike(rng, at_s, rng.choice(targets), line_bytes_max))
    if len(targets) > 1:  # one at least stays, so that there is a fleet
        strikes += _changes(rng, targets[1:], horizon_s)
    return tuple(sorted(strikes, key=lambda strike: strike.at_s))


def _strike(rng: random.Random, at_s: float, url: str, line_bytes_max: int) -> Strike:
    kind = rng.choices(["faults", "kill", "restart"], [6, 2, 1])[0]
    if kind != "faults":
        return Strike(at_s=at_s, kind=kind, url=url, seconds=rng.uniform(0, DOWN_S_MAX))
    count = rng.randint(0, RULES_MAX)  # none: what was in force ends
    rules = tuple(_rule(rng, line_bytes_max) for _ in range(count))
    return Strike(at_s=at_s, kind=kind, url=url, rules=rules)


def _changes(rng: random.Random, urls: Sequence[str], horizon_s: float) -> list[Strike]:
    """Now and then an endpoint is drained or removed, and sometimes comes back."""
    if rng.random() < 0.6:
        return []
    url, at_s = rng.choice(urls), rng.uniform(0, horizon_s / 2)
    changes = [Strike(at_s=at_s, kind=rng.choice(["drain", "remove"]), url=url)]
    if rng.random() < 0.5:
        changes.append(Strike(at_s=at_s + rng.uniform(0, horizon_s / 2), kind="add", url=url))
    return changes


def _rule(rng: random.Random, line_bytes_max: int) -> FaultRule:
    how: dict[str, Any] = rng.choice(
        [
            {"probability": 0.3},
            {"probability": 0.7},
            {},
            {"times": 1},
            {"every": 2},
            {"nth": (2, 3)},
        ]
    )
    if rng.random() < 0.1:
        how = how | {"routes": ()}  # probes and lists of models, too
    return FaultRule(fault=_fault(rng, line_bytes_max), **how)


def _fault(rng: random.Random, line_bytes_max: int) -> Fault:
    after = rng.choice([0, 1, 2, 3, 5, 8, 13])
    menu: list[dict[str, Any]] = [
        {"kind": "refuse", "seconds": rng.uniform(0, 4)},
        {"kind": "reset", "after_bytes": rng.choice([0, 10, 100, 300, 700, 1_500, 3_000])},
        {"kind": "reset", "after_tokens": after},
        {"kind": "stall", "seconds": rng.choice([0.5, 8.0]), "after_tokens": after},
        {"kind": "stall", "after_tokens": after},
        {"kind": "half_close", "after_tokens": after},
        {"kind": "drip", "bytes_per_s": rng.choice([200.0, 2_000.0])},
        {"kind": "wrong_length", "count": rng.choice([5, -5])},
        {"kind": "truncated_chunk", "after_tokens": after},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 502, "text": "<html>"},
        {
            "kind": "status",
            "status": 503,
            "text": "server busy, please try again",
            "retry_after": rng.choice([None, "0", "1", "-1", "soon", "20"]),
        },
        {"kind": "status", "status": 429, "retry_after": rng.choice([None, "2"])},
        {"kind": "garbage_line", "after_tokens": after},
        {"kind": "error_line", "after_tokens": after},
        {"kind": "double_done"},
        {"kind": "missing_done"},
        {"kind": "after_done"},
        {"kind": "gzip"},
        {"kind": "redirect"},
        {"kind": "header_bomb"},
        {"kind": "informational", "count": 3},
        {"kind": "huge_line", "count": line_bytes_max + 99, "after_tokens": after},
        {"kind": "restart"},
    ]
    return Fault(**rng.choice(menu))
