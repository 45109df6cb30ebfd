"""Which limits a request falls under, and their gates, made when they are first needed.

Of one scope, at most one limit applies: the one with the very key, otherwise the one without a key,
of which each endpoint, model or caller has buckets of its own. So one of them can be given more, or
less, than the others.

Gates whose buckets are full are as good as new ones, so they are forgotten when there are too many,
the least recently used first.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from itertools import islice

import attrs

from triollama._config import RateLimit
from triollama._errors import ConfigError, OverloadError
from triollama.actors.limits.gate import Gate
from triollama.api import name_key

GATES_MAX = 10_000
"""Callers, or models, or endpoints, with buckets at one time: some 1 KiB each."""

TRIES_MAX = 16
"""Gates looked at to find one that can be forgotten, so that a newcomer's cost is bounded."""

RETRY_S_MAX = 60.0
"""What a newcomer is told to wait at most when there are too many: they may be forgotten sooner."""

_NAME_CHARS_MAX = 100
"""A caller's name is shown in facts and errors up to this length."""


@attrs.frozen
class LimitStatistics:
    """The limits of one scope.

    Attributes:
        scope: ``engine``, ``endpoint``, ``model`` or ``caller``.
        gates: how many of those have buckets now; what was not used for long is forgotten.
        waiting: requests in line before them.
    """

    scope: str
    gates: int
    waiting: int


class Registry:
    """The gates of one scope.

    Args:
        scope: the scope.
        limits: all limits; those of other scopes are left out.

    Raises:
        ConfigError: two limits for one model, in different spellings.
    """

    def __init__(self, scope: str, limits: Iterable[RateLimit]) -> None:
        self.scope = scope
        self._limits: dict[str, RateLimit] = {}
        for limit in limits:
            if limit.scope == scope:
                key = name_key(limit.key) if scope == "model" and limit.key else limit.key
                if key in self._limits:
                    raise ConfigError(f"there are two limits for {scope} {key}".rstrip())
                self._limits[key] = limit
        self._general = self._limits.pop("", None)
        self._gates: OrderedDict[str, Gate] = OrderedDict()  # the one used last stands last

    @property
    def is_empty(self) -> bool:
        """Whether there is no limit of this scope."""
        return not self._limits and self._general is None

    def find(self, key: str, now_s: float) -> Gate | None:
        """The gate for one endpoint, model or caller, or None if it has no limit.

        Raises:
            OverloadError: there are `GATES_MAX` of them, and none can be forgotten.
        """
        limit = self._limits.get(key, self._general)
        if limit is None:
            return None
        gate = self._gates.get(key)
        if gate is not None:
            self._gates.move_to_end(key)
            return gate
        if len(self._gates) >= GATES_MAX:
            self._forget_one(now_s)
        name = f"{self.scope} {key[:_NAME_CHARS_MAX]}".rstrip()
        gate = self._gates[key] = Gate(limit, name, now_s)
        return gate

    def statistics(self) -> LimitStatistics:
        """A snapshot."""
        waiting = sum(len(gate.line) for gate in self._gates.values())
        return LimitStatistics(self.scope, len(self._gates), waiting)

    def _forget_one(self, now_s: float) -> None:
        soonest_s = now_s + RETRY_S_MAX
        for key in list(islice(self._gates, TRIES_MAX)):
            full_s = self._gates[key].full_s(now_s)
            if full_s <= now_s:
                del self._gates[key]
                return
            soonest_s = min(soonest_s, full_s)
            self._gates.move_to_end(key)  # so that the next try looks at others
        wait_s = soonest_s - now_s
        raise OverloadError(f"{GATES_MAX} of scope {self.scope} are busy", retry_after_s=wait_s)
