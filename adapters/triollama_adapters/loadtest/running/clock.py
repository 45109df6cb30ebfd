"""The run's clock; it lives with the targets, which stamp by it."""

from triollama_adapters.loadtest.targets.clock import RunClock

__all__ = ["RunClock"]
