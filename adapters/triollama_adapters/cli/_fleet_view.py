"""A fleet at one moment, as ``triollama status`` shows it: no IO, no clock.

Brings together what the engine knows (`EngineStatistics`) and what the servers said when this
program asked them itself (`Glance`): one `EndpointView` per endpoint, in the configured order.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from triollama import EndpointProbes, EndpointStatistics, EngineStatistics

__all__ = ["EndpointView", "FleetView", "Glance", "Loaded", "health_of", "view_fleet"]


@attrs.frozen
class Loaded:
    """A model in a server's memory.

    Attributes:
        model: its name, as the server lists it.
        stays_s: for how long it stays if nothing more comes, in seconds; None if not told.
    """

    model: str
    stays_s: float | None


@attrs.frozen
class Glance:
    """What a server said when it was asked for its loaded models.

    Attributes:
        loaded: those models.
        error: why there was no answer; empty if there was one.
        denied: 401 or 403 if it was refused for lack of credentials, or because of them; else 0.
    """

    loaded: tuple[Loaded, ...] = ()
    error: str = ""
    denied: int = 0


@attrs.frozen(kw_only=True)
class EndpointView:
    """One row.

    Attributes:
        endpoint: its name.
        version: what it runs; empty if unknown.
        health: in a word or two: ``well``, ``not reached``, ``out for 28 s`` …
        reason: why it is not well, as far as that is known; else empty.
        is_reached: whether it has answered and lets us in, and the last probe did not fail.
        loaded: the models in its memory.
        slots: how many requests each model gets at once, given or learnt.
        in_flight: requests that this program has there.
        first_token_s: the predicted time to first token, in seconds; None if nothing was learnt.
        probe_s: how long the last good probe took, in seconds; None if there was none.
    """

    endpoint: str
    version: str
    health: str
    reason: str
    is_reached: bool
    loaded: tuple[Loaded, ...]
    slots: dict[str, int]
    in_flight: int
    first_token_s: float | None
    probe_s: float | None


@attrs.frozen(kw_only=True)
class FleetView:
    """The fleet.

    Attributes:
        endpoints: one entry each, in the configured order.
        reached: how many of them are reached.
        waiting: requests of this program in line.
        predicted_wait_s: how long one more would wait there, in seconds.
    """

    endpoints: tuple[EndpointView, ...]
    reached: int
    waiting: int
    predicted_wait_s: float

    def describe(self) -> str:
        """The fleet in one line."""
        reached = f"{self.reached} of {len(self.endpoints)} servers reached"
        return f"{reached}, {self.waiting:,} in line"


def view_fleet(numbers: EngineStatistics, glances: Mapping[str, Glance]) -> FleetView:
    """Bring together what is known.

    Args:
        numbers: what the engine knows.
        glances: what the servers said, by endpoint; one that was not asked yet may be missing.
    """
    probes = {each.endpoint: each for each in numbers.health.endpoints}
    views = tuple(
        _view(each, probes.get(each.name), glances.get(each.name, Glance()))
        for each in numbers.endpoints
    )
    return FleetView(
        endpoints=views,
        reached=sum(each.is_reached for each in views),
        waiting=numbers.pool.waiting,
        predicted_wait_s=numbers.pool.predicted_wait_s,
    )


def health_of(endpoint: EndpointStatistics, probes: EndpointProbes | None) -> str:
    """An endpoint's health in a word or two.

    What the engine does with it goes before what its last probe said.

    Args:
        endpoint: the pool's numbers.
        probes: the prober's; None if it is not probed.
    """
    if endpoint.is_draining:
        return "draining"
    if endpoint.state == "open":
        return f"out for {endpoint.out_s:.0f} s"
    if endpoint.state != "closed":
        return "on trial"
    if probes is not None and probes.failures_in_row:
        return "not reached" if probes.error == "ConnectError" else "no good answer"
    if probes is not None and not probes.probes:
        return "no answer yet"
    return "well" if not endpoint.failures_in_row else f"{endpoint.failures_in_row} failures"


def _view(
    endpoint: EndpointStatistics, probes: EndpointProbes | None, glance: Glance
) -> EndpointView:
    is_failing = probes is None or bool(probes.failures_in_row)
    # A proxy may forbid this one route; one that wants credentials is of no use at all.
    is_denied = glance.denied == 401 or (glance.denied == 403 and not endpoint.version)
    return EndpointView(
        endpoint=endpoint.name,
        version=endpoint.version,
        health="no access" if is_denied and not is_failing else health_of(endpoint, probes),
        # A server that lacks the route of the loaded models is not ill for that.
        reason=(glance.error or (probes.error if probes else ""))
        if is_failing or is_denied
        else "",
        is_reached=(
            probes is not None and probes.age_s is not None and not is_failing and not is_denied
        ),
        loaded=glance.loaded,
        slots=dict(endpoint.slots),
        in_flight=endpoint.in_flight,
        first_token_s=endpoint.first_token_s,
        probe_s=probes.took_s if probes is not None else None,
    )
