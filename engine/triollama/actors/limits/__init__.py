"""The rate limiter: how much may be sent to whom, on whose behalf."""

from triollama.actors.limits.actor import Limiter
from triollama.actors.limits.core import LimiterStatistics, Reservation
from triollama.actors.limits.guess import tokens_guess
from triollama.actors.limits.registry import LimitStatistics

__all__ = ["LimitStatistics", "Limiter", "LimiterStatistics", "Reservation", "tokens_guess"]
