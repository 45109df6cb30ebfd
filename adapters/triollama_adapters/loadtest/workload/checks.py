"""Whether a plan can be run: each of its values, before anything is sent."""

from __future__ import annotations

from triollama_adapters.loadtest.plan import Plan

__all__ = ["check_plan"]


def check_plan(plan: Plan) -> None:
    """See that a plan means something.

    Raises:
        PlanError: it does not; the message names the field, and says what it may be.
        TraceError: the trace of a replay cannot be read, or not as one.
    """
