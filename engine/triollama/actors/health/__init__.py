"""The health prober: asks every endpoint, now and then, how it is and what it has."""

from triollama.actors.health.actor import EndpointProbes, Prober, ProberStatistics

__all__ = ["EndpointProbes", "Prober", "ProberStatistics"]
