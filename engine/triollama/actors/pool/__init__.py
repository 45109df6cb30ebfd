"""The endpoint pool: which endpoint takes which request, and who waits."""

from triollama.actors.pool.actor import Pool
from triollama.actors.pool.messages import Acquire, Lease, Outcome, Place
from triollama.actors.pool.statistics import EndpointStatistics, PoolStatistics

__all__ = [
    "Acquire",
    "EndpointStatistics",
    "Lease",
    "Outcome",
    "Place",
    "Pool",
    "PoolStatistics",
]
