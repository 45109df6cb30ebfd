"""One endpoint, as the pool knows it: what runs there, what it has, and how it has been.

Pure state with small questions; the decisions over several endpoints are in `choice` and `core`.
Bounds: `MODELS_MAX` models are remembered, the one that was not used for longest is forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Hashable

import attrs

from triollama._config import EndpointConfig
from triollama.actors.pool.breaker import Breaker, State
from triollama.actors.pool.estimate import Estimate
from triollama.actors.pool.messages import LoadedModel, Outcome
from triollama.actors.pool.slots import Slots

MISSING_S = 30.0
"""For how long a 404 for a model is believed; somebody may pull it meanwhile."""

MODELS_MAX = 1_000
"""Models remembered per endpoint: more than any server has in use."""

DOUBT_S = 10.0
"""For how long after a failure an endpoint is used only where no other has room: as long as its
penalty takes to fade (`estimate.PENALTY_S`)."""


@attrs.define
class ModelState:
    """One model on one endpoint.

    Attributes:
        slots: how many requests to have there at once.
        estimate: how soon the first token comes.
        runner: the runner options of the last request; None if it was loaded by somebody else.
        is_loaded: whether it is in memory, as far as is known.
        missing_until_s: until then it is believed not to be there.
        last_granted: the number of the last lease on it.
    """

    slots: Slots
    estimate: Estimate = attrs.field(factory=Estimate)
    runner: Hashable | None = None
    is_loaded: bool = False
    missing_until_s: float = 0.0
    last_granted: int = 0


@attrs.define(eq=False)
class Endpoint:
    """See the module.

    Attributes:
        config: how it is configured.
        breaker: whether it is in service.
        models: by normalised name.
        available: the models that it has; None if unknown.
        version: what it runs; empty if unknown.
        in_flight: leases that run.
        granted: leases given so far.
        last_granted: the number of the last one.
        outcomes: how many leases ended how.
        is_draining: whether it gets nothing new.
        is_leaving: whether it is to be forgotten when nothing runs there.
        quiet_until_s: until then it gets nothing new: it asked for that, or a rate limit did.
        doubtful_until_s: until then it is used only where no other has room.
        is_standing: whether the last news of it was good.
        is_unreachable: whether the last failure was that there was no connection.
        is_restored: whether a probe, and no answer since, has made the last news good.
        is_belied: whether it has failed a request then: probes say nothing about it.
        added_s: when it joined a fleet that was at work: its share grows from then on.
    """

    config: EndpointConfig
    breaker: Breaker = attrs.field(factory=Breaker)
    models: dict[str, ModelState] = attrs.field(factory=dict)
    available: frozenset[str] | None = None
    version: str = ""
    in_flight: int = 0
    granted: int = 0
    last_granted: int = 0
    outcomes: dict[str, int] = attrs.field(factory=dict)
    is_draining: bool = False
    is_leaving: bool = False
    quiet_until_s: float = 0.0
    doubtful_until_s: float = 0.0
    is_standing: bool = True
    is_unreachable: bool = False
    is_restored: bool = False
    is_belied: bool = False
    added_s: float = -math.inf

    @property
    def name(self) -> str:
        """As configured."""
        return self.config.name

    @property
    def is_in_service(self) -> bool:
        """Whether its breaker lets ordinary requests through."""
        return self.breaker.state is State.CLOSED

    def model(self, key: str) -> ModelState:
        """What is known of a model there; made when it is first asked for."""
        state = self.models.get(key)
        if state is None:
            if len(self.models) >= MODELS_MAX:
                self._forget_one()
            slots = Slots(self.config.max_in_flight, self.config.num_parallel)
            state = self.models[key] = ModelState(slots)
            state.estimate.begin_slow_start(self.added_s)
        return state

    def lacks(self, key: str, now_s: float) -> bool:
        """Whether it is believed not to have a model."""
        if not key:
            return False
        if self.available is not None and key not in self.available:
            return True
        state = self.models.get(key)
        return state is not None and state.missing_until_s > now_s

    def has_room(self, key: str, now_s: float) -> bool:
        """Whether one more request for a model may be sent now."""
        if self.in_flight >= self.config.max_in_flight or self.quiet_until_s > now_s:
            return False
        state = self.models.get(key)
        return state is None or state.slots.has_room

    def is_sure(self, key: str) -> bool:
        """Whether one more request for a model would find a free slot, as far as is known."""
        state = self.models.get(key)
        return state is None or state.slots.is_sure

    def preference(self, key: str, runner: Hashable, now_s: float) -> int:
        """How gladly it is used for a model, beside its load: the lowest goes first.

        0 the model is loaded as it is wanted, 1 it is not loaded, 2 it would have to be loaded
        anew; 3 more while it is in doubt.
        """
        state = self.models.get(key)
        if state is None or not state.is_loaded:
            best = 1
        else:
            best = 0 if state.runner is None or state.runner == runner else 2
        return best + (3 if self.doubtful_until_s > now_s else 0)

    def reconfigure(self, config: EndpointConfig) -> None:
        """Take another configuration; what runs there is not touched."""
        self.config = config
        self.is_draining = False
        for state in self.models.values():
            state.slots.bound(config.max_in_flight, config.num_parallel)

    def see_models(
        self, loaded: tuple[LoadedModel, ...] | None, available: frozenset[str] | None
    ) -> None:
        """A probe saw these; None is unknown."""
        if available is not None:
            self.available = available
            for key in available & self.models.keys():
                self.models[key].missing_until_s = 0.0
        if loaded is None:
            return
        keys = {each.model_key for each in loaded}
        for key in keys:
            state = self.model(key)
            state.runner = state.runner if state.is_loaded else None
            state.is_loaded = True
        for key, state in self.models.items():
            # What was just sent may be about to load it.
            if key not in keys and not state.slots.in_flight:
                state.is_loaded = False

    def count(self, outcome: Outcome) -> None:
        """A lease has ended."""
        self.in_flight -= 1
        assert self.in_flight >= 0
        self.outcomes[outcome.value] = self.outcomes.get(outcome.value, 0) + 1

    def good_news(self) -> None:
        """It answered a request, or has begun to."""
        self.is_standing, self.is_unreachable = True, False
        self.is_restored = self.is_belied = False
        self.doubtful_until_s = 0.0

    def good_probe(self) -> None:
        """It answered a probe: it can be reached, which does not prove that it answers well.

        Once that is enough for one that could not be reached. If it fails then, it is not.
        """
        if self.is_unreachable and not self.is_belied:
            self.good_news()
            self.is_restored = True

    def bad_news(self, now_s: float, *, is_unreachable: bool, is_request: bool = True) -> None:
        """It failed a request, or could not be reached, by a probe or for a request."""
        self.is_standing, self.is_unreachable = False, is_unreachable
        self.is_belied = self.is_belied or (is_request and self.is_restored)
        self.doubtful_until_s = now_s + DOUBT_S

    def _forget_one(self) -> None:
        idle = {key: each for key, each in self.models.items() if not each.slots.in_flight}
        if idle:
            del self.models[min(idle, key=lambda key: idle[key].last_granted)]
