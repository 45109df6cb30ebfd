"""What is simulated, as frozen data, and what it is drawn from: `draw` makes it of one seed.

Owns the size of a scenario: small enough that a thousand of them pass in minutes, because a rare
order of events is found by many small runs sooner than by one long one. The same seed gives the
same scenario in every process: nothing here depends on a hash, a clock or a global draw.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import attrs
from tests.simulation.asks import WAITS_S, Ask, draw_ask
from tests.simulation.strikes import Strike, draw_strikes

from triollama import EngineConfig
from triollama._config import ProbeConfig, RateLimit
from triollama_adapters.simulator import DEFAULT_MODELS, ModelConfig, SimulatorConfig

SERVERS_MAX, RESERVES_MAX = 6, 2
ASKS_MIN, ASKS_MAX = 6, 30
"""Requests of one scenario."""

HORIZON_S = 20.0
"""Requests are made, and faults come and go, within this virtual time."""

WORK_S_MAX = 25.0
"""What the first server alone would need for all requests: well below what is left for them after
the faults have ended."""

FIRST_TOKEN_S = 12.0
"""Longer than a healthy server's own line: one answer of 5 s for each slot, and a load of 1 s."""

STALL_S = 3.0
"""Longer than any gap between two tokens of a healthy server here, which is below 0.1 s."""

RETRY_WAIT_S = 30.0
"""Longer than any server is down, or the clock jumps, here: nothing need be given up for that."""

LINE_MAX_SHORT = 4
"""A line that is full in some scenarios; then, and only then, requests may be refused."""

LINE_BYTES_MAX = 32 * 1024
"""One line of an answer; the fault of a huge line is just beyond it."""


@attrs.frozen(kw_only=True)
class ServerPlan:
    """One simulated server, and how the engine is told of it.

    Attributes:
        url: its address.
        config: what it is.
        max_in_flight: see `EndpointConfig`.
        num_parallel: what the engine is told of its slots; None lets it find out.
        weight: see `EndpointConfig`.
        is_reserve: it joins the fleet while the engine runs.
    """

    url: str
    config: SimulatorConfig
    max_in_flight: int
    num_parallel: int | None = None
    weight: float = 1.0
    is_reserve: bool = False


@attrs.frozen(kw_only=True)
class Scenario:
    """One run.

    Attributes:
        seed: what it was drawn from.
        servers: the fleet.
        config: of the engine.
        asks: the requests, in the order of their times.
        strikes: what goes wrong, and what changes, in the order of their times.
        split_seed: bodies come in pieces of random length drawn from it; None leaves them whole.
        spared: the address of a server that nothing happens to, or empty if there is none: while
            it is there, no request that can go on elsewhere may fail.
    """

    seed: int
    servers: tuple[ServerPlan, ...]
    config: EngineConfig
    asks: tuple[Ask, ...]
    strikes: tuple[Strike, ...]
    split_seed: int | None
    spared: str

    @property
    def may_overload(self) -> bool:
        """Whether the line can be full."""
        return self.config.line_max < len(self.asks)

    def has_fault(self, kind: str) -> bool:
        """Whether a kind of fault may act."""
        rules = [rule for strike in self.strikes for rule in strike.rules]
        return any(rule.fault.kind == kind for rule in rules)


def draw(seed: int) -> Scenario:
    """Make the scenario of a seed."""
    rng = random.Random(seed)
    servers = _servers(rng)
    # One server alone is not spared: what becomes of requests then is the other half of the rules.
    spared = servers[0].url if rng.random() < 0.7 else ""
    asks = _asks(rng, servers[0].config)
    return Scenario(
        seed=seed,
        servers=servers,
        config=_config(rng, len(asks), len(servers)),
        asks=asks,
        strikes=draw_strikes(
            rng,
            [server.url for server in servers if not server.is_reserve],
            [server.url for server in servers if server.is_reserve],
            [ask.at_s for ask in asks],
            spared=spared,
            horizon_s=HORIZON_S,
            line_bytes_max=LINE_BYTES_MAX,
        ),
        split_seed=seed if rng.random() < 0.2 else None,
        spared=spared,
    )


def _servers(rng: random.Random) -> tuple[ServerPlan, ...]:
    """The fleet. What the answers depend on is common to all, so that all would say the same."""
    count = rng.randint(1, SERVERS_MAX)
    reserves = rng.choice([0, 0, 1, RESERVES_MAX])
    author: dict[str, Any] = {
        "seed": rng.randrange(2**32),
        "answer_tokens_min": rng.choice([1, 3]),
        "answer_tokens_max": rng.choice([6, 20, 40]),
        "think_tokens_min": 2,
        "think_tokens_max": 8,
    }
    return tuple(
        _server(rng, number, author, is_reserve=number >= count)
        for number in range(count + reserves)
    )


def _server(
    rng: random.Random, number: int, author: dict[str, Any], *, is_reserve: bool
) -> ServerPlan:
    slots = rng.choice([1, 2, 4, 8])
    config = SimulatorConfig(
        **author,
        models=_models(rng, is_whole=number == 0),
        num_parallel=slots,
        load_s=rng.choice([0.0, 0.2, 1.0]),
        prefill_tokens_per_s=rng.choice([200.0, 5_000.0]),
        decode_tokens_per_s=rng.choice([10.0, 25.0, 80.0]),
        jitter=rng.choice([0.0, 0.5]),
        keep_alive_s=rng.choice([300.0, 2.0]),
    )
    return ServerPlan(
        url=f"http://s{number}:11434",
        config=config,
        # Few enough that the last in a server's own line gets its first token in time.
        max_in_flight=slots + rng.choice([0, 1, slots]),
        num_parallel=slots if rng.random() < 0.2 else None,
        weight=rng.choice([1.0, 1.0, 3.0]),
        is_reserve=is_reserve,
    )


def _models(rng: random.Random, *, is_whole: bool) -> tuple[ModelConfig, ...]:
    """All models, or on some servers one less; the first server has all."""
    if is_whole or rng.random() < 0.75:
        return DEFAULT_MODELS
    missing = rng.choice(DEFAULT_MODELS).key
    return tuple(model for model in DEFAULT_MODELS if model.key != missing)


def _asks(rng: random.Random, config: SimulatorConfig) -> tuple[Ask, ...]:
    """As many requests as one server could answer, should it be the last."""
    answer_s = config.answer_tokens_max / config.decode_tokens_per_s + 0.2
    count = min(rng.randint(ASKS_MIN, ASKS_MAX), int(WORK_S_MAX * config.num_parallel / answer_s))
    herd_s = rng.choice(WAITS_S) if rng.random() < 0.15 else None
    return tuple(
        draw_ask(rng, number, at_s, herd_s=herd_s)
        for number, at_s in enumerate(_times(rng, count), start=1)
    )


def _times(rng: random.Random, count: int) -> Sequence[float]:
    """When requests are made: spread out, in a few bursts, or all at the beginning."""
    match rng.choice(["spread", "bursts", "crowd"]):
        case "spread":
            times = [rng.uniform(0, HORIZON_S) for _ in range(count)]
        case "bursts":
            bursts = [rng.uniform(0, HORIZON_S) for _ in range(rng.randint(1, 4))]
            times = [rng.choice(bursts) for _ in range(count)]
        case _:
            times = [rng.uniform(0, 2.0) for _ in range(count)]
    return sorted(times)


def _config(rng: random.Random, asks: int, servers: int) -> EngineConfig:
    # Each bad endpoint may fail a request before the good one is found, and a clock that jumps the
    # good one too: the default of 4 is enough for a fleet of 3.
    attempts_max = 4 if servers <= 3 else 2 * (SERVERS_MAX + RESERVES_MAX)
    return EngineConfig(
        connect_s=2.0,
        first_token_s=FIRST_TOKEN_S,
        stall_s=STALL_S,
        linger_s=rng.choice([0.1, 0.5]),
        # A reader who reads slowly makes this small buffer stop the reading of the socket.
        buffer_bytes_high=rng.choice([512, 256 * 1024]),
        line_bytes_max=LINE_BYTES_MAX,
        line_max=LINE_MAX_SHORT if rng.random() < 0.1 else asks + 1,
        attempts_max=attempts_max,
        retry_wait_s=RETRY_WAIT_S,
        probe=ProbeConfig(enabled=rng.random() < 0.8, interval_s=rng.choice([1.0, 5.0])),
        limits=_limits(rng),
    )


def _limits(rng: random.Random) -> tuple[RateLimit, ...]:
    """Now and then a rate limit that delays requests, though not for long."""
    if rng.random() < 0.8:
        return ()
    scope = rng.choice(["engine", "endpoint", "model", "caller"])
    return (RateLimit(scope, requests_per_s=rng.choice([2.0, 20.0]), burst_s=1.0),)
