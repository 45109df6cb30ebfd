"""File descriptors: one for each connection. Raised as far as the system lets us."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.plan import ClosedLoop, Plan

__all__ = ["check_descriptors", "sockets_max"]

OTHERS: Final = 100
"""Descriptors for all else: files, pipes, workers, the loop's own."""

UNLIMITED: Final = 1_000_000


def sockets_max() -> int:
    """How many connections this process may have, after its limit was raised to the hard one."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return UNLIMITED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = UNLIMITED if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, (UNLIMITED if soft == resource.RLIM_INFINITY else soft) - OTHERS)


def check_descriptors(plan: Plan) -> None:
    """Whether a closed loop's users can all have a connection.

    Raises:
        PlanError: not in so few processes.
    """
    if not isinstance(plan.shape, ClosedLoop):
        return
    each, most = -(-plan.shape.concurrency // plan.processes), sockets_max()
    if each > most:
        raise PlanError(
            f"{plan.shape.concurrency:,} users need {each:,} connections in each process, and this "
            f"system lets it have {most:,}; raise it (ulimit -n) or take more --processes",
            field="shape.concurrency",
        )
