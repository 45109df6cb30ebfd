"""What `discover` is to look for, and what it asks of an endpoint."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import attrs

from triollama_adapters.loadtest.plan import Target
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.sessions import Session

__all__ = ["Look", "OpenProbe", "Probe"]


class Probe(Protocol):
    """One endpoint, as `discover` needs it. `probe.open_probe` makes it."""

    async def ask(self, session: Session) -> Sample:
        """Ask the session's one turn; every failure is an outcome of the sample."""

    async def unload(self, model: str) -> bool:
        """Let a model go; whether the endpoint did."""


OpenProbe = Callable[[Target, str], AbstractAsyncContextManager[Probe]]
"""Opens a probe of one endpoint of a target, by its address."""


@attrs.frozen(kw_only=True)
class Look:
    """What to look for.

    Attributes:
        slots: whether to find ``num_parallel``, by bursts.
        cold: whether to unload the model, to find how long a load takes.
        reloads: whether to change options, to find what loads the model anew.
        speeds: whether to measure prefill and decode.
        burst_max: requests sent at once at most.
        answer_tokens: length of the answers.
        seed: of the prompts.
    """

    slots: bool = True
    cold: bool = True
    reloads: bool = True
    speeds: bool = True
    burst_max: int = 256
    answer_tokens: int = 32
    seed: int = 0
