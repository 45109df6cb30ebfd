"""What was counted -> what was found."""

from __future__ import annotations

from collections.abc import Sequence

from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.result import Environment, Event, HostLook, LoadedLook, Result

__all__ = ["conclude"]


def conclude(
    plan: Plan,
    tally: Tally,
    *,
    environment: Environment,
    name: str = "",
    began_at: str = "",
    is_stopped: bool = False,
    floor: float | None = None,
    loaded: Sequence[LoadedLook] = (),
    host: Sequence[HostLook] = (),
    events: Sequence[Event] = (),
) -> Result:
    """The result of a run.

    Args:
        plan: what was asked for.
        tally: of all its processes.
        environment: where it ran.
        name: what a comparison calls it.
        began_at: wall clock, ISO 8601 with zone.
        is_stopped: whether the user ended it early, see `Tally.end_window`.
        floor: requests per second of this client against a server that does nothing.
        loaded: looks at ``/api/ps``.
        host: looks at this machine.
        events: what happened.
    """
    raise NotImplementedError
