"""Objectives: how they are written, and what holding to them means."""

from __future__ import annotations

from triollama_adapters.loadtest.plan import Objective

__all__ = ["parse_objective"]


def parse_objective(text: str) -> Objective:
    """Read ``ttft_p95<800ms``, ``tpot_p95<40ms``, ``e2e_p99<=2s`` or ``errors<1%``.

    Raises:
        ObjectiveError: it cannot be understood; the message shows the grammar.
    """
    raise NotImplementedError
