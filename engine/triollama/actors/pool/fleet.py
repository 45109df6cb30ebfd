"""The fleet: who belongs to it, and who of it is in service. Pure.

Owns: the endpoints, and whether there is panic. What needs more than one endpoint is decided here:
at most half of them are taken out of service, never the last one, and while fewer than half are in
service all are used ("panic"). Every method that changes something returns the facts of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from triollama import _facts as fact
from triollama._config import EndpointConfig
from triollama.actors.pool.breaker import State
from triollama.actors.pool.endpoint import Endpoint
from triollama.actors.pool.messages import (
    Add,
    Drain,
    Hold,
    Lease,
    Outcome,
    ProbeAnswered,
    ProbeUnanswered,
    Released,
    Update,
)

Facts = list[fact.Fact]


class Fleet:
    """See the module.

    Args:
        endpoints: those it begins with.

    Attributes:
        is_panic: whether too few are in service to be choosy.
    """

    def __init__(self, endpoints: Iterable[EndpointConfig]) -> None:
        self.is_panic = False
        self._endpoints = {each.name: Endpoint(each) for each in endpoints}

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._endpoints.values())

    def get(self, name: str) -> Endpoint | None:
        """An endpoint by its name, or None."""
        return self._endpoints.get(name)

    # ---- news of one

    def look(self, endpoint: Endpoint, now_s: float) -> Facts:
        """Let time pass: it goes on trial when its time out of service is over."""
        if endpoint.breaker.look(now_s) is not State.HALF_OPEN:
            return []
        return [fact.EndpointOnTrial(at_s=now_s, endpoint=endpoint.name)]

    def answered(self, endpoint: Endpoint, lease: Lease, now_s: float) -> Facts:
        """It answered a request."""
        endpoint.good_news()
        after = endpoint.breaker.on_success(now_s, is_trial=lease.is_trial)
        if after is not State.CLOSED:
            return []
        for state in endpoint.models.values():
            state.estimate.begin_slow_start(now_s)
        told = fact.EndpointRecovered(at_s=now_s, endpoint=endpoint.name)
        return [told, *self._watch_panic(now_s)]

    def failed(self, endpoint: Endpoint, released: Released, now_s: float) -> Facts:
        """It failed a request, or could not be reached."""
        is_unreachable = released.outcome is Outcome.UNREACHABLE
        endpoint.bad_news(now_s, is_unreachable=is_unreachable)
        after = endpoint.breaker.on_failure(
            now_s,
            released.draw,
            may_eject=self._may_eject(endpoint),
            is_unreachable=is_unreachable,
            is_trial=released.lease.is_trial,
        )
        return self._ejected(endpoint, now_s) if after is State.OPEN else []

    def probed(self, message: ProbeAnswered | ProbeUnanswered, now_s: float) -> Facts:
        """A probe has ended."""
        endpoint = self._endpoints.get(message.endpoint)
        if endpoint is None:
            return []
        if isinstance(message, ProbeUnanswered):
            return self._missed(endpoint, message, now_s)
        endpoint.version = message.version
        endpoint.see_models(message.loaded, message.available)
        endpoint.good_probe()
        if endpoint.breaker.on_probe_up(now_s) is State.HALF_OPEN:
            return [fact.EndpointOnTrial(at_s=now_s, endpoint=endpoint.name)]
        return []

    def _missed(self, endpoint: Endpoint, message: ProbeUnanswered, now_s: float) -> Facts:
        endpoint.bad_news(now_s, is_unreachable=True, is_request=False)
        if not message.is_down:
            return []
        may = self._may_eject(endpoint)
        after = endpoint.breaker.on_probe_down(now_s, message.draw, may_eject=may)
        return self._ejected(endpoint, now_s) if after is State.OPEN else []

    # ---- who belongs to it

    def manage(self, message: Add | Update | Drain | Hold, now_s: float) -> Facts:
        """Change who belongs to it, or what is known of one."""
        told: Facts = []
        match message:
            case Add(config):
                endpoint = self._endpoints[config.name] = Endpoint(config, added_s=now_s)
                told.append(fact.EndpointAdded(at_s=now_s, endpoint=endpoint.name))
            case Update(config):
                self._endpoints[config.name].reconfigure(config)
                told.append(fact.EndpointUpdated(at_s=now_s, endpoint=config.name))
            case Drain(name, removes):
                told += self._drain(self._endpoints[name], now_s, removes=removes)
            case Hold(name, until_s):
                endpoint = self._endpoints[name]
                endpoint.quiet_until_s = max(endpoint.quiet_until_s, until_s)
        return [*told, *self._watch_panic(now_s)]

    def let_go(self, endpoint: Endpoint, now_s: float) -> Facts:
        """Forget an endpoint that is to leave, once nothing runs there."""
        if not endpoint.is_leaving or endpoint.in_flight:
            return []
        del self._endpoints[endpoint.name]
        return [fact.EndpointRemoved(at_s=now_s, endpoint=endpoint.name)]

    def _drain(self, endpoint: Endpoint, now_s: float, *, removes: bool) -> Facts:
        endpoint.is_draining = True
        endpoint.is_leaving = endpoint.is_leaving or removes
        told = fact.EndpointDraining(
            at_s=now_s, endpoint=endpoint.name, in_flight=endpoint.in_flight
        )
        return [told, *self.let_go(endpoint, now_s)]

    # ---- who is in service

    def _may_eject(self, endpoint: Endpoint) -> bool:
        fleet = [each for each in self if not each.is_draining]
        out = sum(not each.is_in_service for each in fleet if each is not endpoint)
        return out + 1 <= len(fleet) // 2

    def _ejected(self, endpoint: Endpoint, now_s: float) -> Facts:
        breaker = endpoint.breaker
        told = fact.EndpointEjected(
            at_s=now_s,
            endpoint=endpoint.name,
            failures=breaker.failures_in_row,
            out_s=breaker.out_s,
            times=breaker.times_ejected,
        )
        return [told, *self._watch_panic(now_s)]

    def _watch_panic(self, now_s: float) -> Facts:
        fleet = [each for each in self if not each.is_draining]
        in_service = sum(each.is_in_service for each in fleet)
        before, self.is_panic = self.is_panic, 2 * in_service < len(fleet)
        if before is self.is_panic:
            return []
        if self.is_panic:
            return [fact.PanicBegan(at_s=now_s, in_service=in_service, endpoints=len(fleet))]
        return [fact.PanicEnded(at_s=now_s)]
