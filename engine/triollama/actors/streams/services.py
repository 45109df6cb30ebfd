"""What all workers use."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

import attrs

from triollama._config import EngineConfig
from triollama.actors.facts import FactHub
from triollama.actors.limits import Limiter
from triollama.actors.pool import Pool
from triollama.actors.streams.attempt import EndpointAccess
from triollama.actors.streams.messages import Ended
from triollama.actors.streams.retry import RetryGate


@attrs.frozen
class Services:
    """What all workers use.

    Attributes:
        pool: gives leases.
        access: by endpoint name.
        config: clocks and limits.
        facts: is told what happens.
        limiter: how much may be sent.
        retries: when another attempt may be made.
        list_models: the models that exist, for the error that says so.
        on_ended: told each request's outcome, once.
        ask_soon: lets an endpoint be probed, since something was seen that may explain.
        numbers: gives each request its number.
    """

    pool: Pool
    access: Mapping[str, EndpointAccess]
    config: EngineConfig
    facts: FactHub
    limiter: Limiter
    retries: RetryGate
    list_models: Callable[[], Awaitable[Sequence[str]]]
    on_ended: Callable[[Ended], None]
    ask_soon: Callable[[str], None]
    numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1))
