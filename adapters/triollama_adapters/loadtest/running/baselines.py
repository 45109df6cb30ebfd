"""What `preflight` found, as a tally takes it."""

from __future__ import annotations

from triollama_adapters.loadtest.measures.baseline import Baseline
from triollama_adapters.loadtest.targets.facts import Facts

__all__ = ["baselines"]


def baselines(facts: Facts) -> dict[str, Baseline]:
    """For `measures.Tally`: what each model needs when it is alone.

    Args:
        facts: of the run's target.
    """
    return {
        model: Baseline(
            overhead_ns=found.overhead_ns, rtt_ns=found.rtt_ns or 0, load_ns=found.load_ns
        )
        for model, found in facts.models.items()
    }
