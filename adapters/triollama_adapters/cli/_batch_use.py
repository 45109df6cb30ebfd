"""Which servers a run of ``triollama batch`` uses, and how: options that a resume remembers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import attrs
from cyclopts import Parameter
from cyclopts.validators import Number

from triollama_adapters.batch.figures.prices import Prices
from triollama_adapters.batch.work.job import Limits
from triollama_adapters.batch.work.outage import OUTAGE_S_MAX
from triollama_adapters.batch.work.windows import (
    parse_duration_s,
    parse_share,
    parse_time_window,
)
from triollama_adapters.cli._access import NOTHING_GIVEN, Access
from triollama_adapters.cli._batch_ray import OFF, ray_fleet_of
from triollama_adapters.cli._run import CONCURRENCY_MAX, SIMULATORS_MAX
from triollama_adapters.ray.fleet import WORKERS_MAX, RayFleet

__all__ = ["TRIES", "Use", "use_of"]

TRIES: Final = 5


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Use:
    """Which servers a run uses, and how. What is not given is as the last time.

    Attributes:
        endpoint: Address of an Ollama server; repeat it for a fleet. Default: OLLAMA_HOST, or this
            machine.
        access: What the servers want to see. A resume reads the same variable again, unless it is
            given other servers; headers are stored nowhere, and have to be given again.
        simulate: Start this many simulated servers instead, and stop them at the end.
        ray: Have the servers asked by workers of a Ray cluster: the address of its head, auto, or
            local for workers on this machine; off for a job that is no longer to use it.
        ray_workers: So many workers. Default: one for each machine of the cluster.
        pin: With --ray: a server that one machine asks, as NODE=URL; repeat it for more.
        concurrency: Rows asked at a time at most. Default, and 0: as many as the servers work on at
            once.
        tries: How often a row is asked before it has failed. Default: 5. Times when no server
            could be reached do not count.
        give_up_after: End the job when no server has answered for so long, such as 90s, 30m or 2h.
            Default, and off: 30m.
        only_between: Begin rows only at these times of day, in local time, such as 22:00-06:00; off
            for any time.
        use_at_most: Use this share of the servers' slots, such as 50%; off for all of them.
        tokens_per_minute: Tokens of prompts and answers together; 0 for any number.
        in_order: Write the records in the order of the input.
        max_error_rate: End the job when more than this share of the rows failed.
        fail_fast: End the job when the first row fails.
        price_input: What a million tokens of prompts cost, to be told what the job costs.
        price_output: What a million tokens of answers cost.
    """

    endpoint: Annotated[tuple[str, ...] | None, Parameter(negative_iterable=())] = None
    access: Access = NOTHING_GIVEN
    simulate: Annotated[int | None, Parameter(validator=Number(gte=0, lte=SIMULATORS_MAX))] = None
    ray: str | None = None
    ray_workers: Annotated[int | None, Parameter(validator=Number(gte=1, lte=WORKERS_MAX))] = None
    pin: Annotated[tuple[str, ...] | None, Parameter(negative_iterable=())] = None
    concurrency: Annotated[int | None, Parameter(validator=Number(gte=0, lte=CONCURRENCY_MAX))] = (
        None
    )
    tries: Annotated[int | None, Parameter(validator=Number(gte=1, lte=100))] = None
    give_up_after: str | None = None
    only_between: str | None = None
    use_at_most: str | None = None
    tokens_per_minute: Annotated[float | None, Parameter(validator=Number(gte=0))] = None
    in_order: bool | None = None
    max_error_rate: Annotated[float | None, Parameter(validator=Number(gte=0, lte=1))] = None
    fail_fast: bool | None = None
    price_input: Annotated[float | None, Parameter(validator=Number(gte=0))] = None
    price_output: Annotated[float | None, Parameter(validator=Number(gte=0))] = None

    def notes(self) -> dict[str, Any]:
        """What was given, for the next resume, without secrets.

        Servers that were given replace all others, and get no key that others had.
        """
        told = attrs.asdict(self, filter=lambda field, _: field.name != "access")
        told["api_key_env"] = self.access.api_key_env
        given = {name: value for name, value in told.items() if value is not None}
        if not given.keys().isdisjoint(("endpoint", "simulate", "pin")):
            given = {"api_key_env": None} | given
        if not given.keys().isdisjoint(("endpoint", "simulate")):
            given = {"endpoint": (), "simulate": 0} | given
        return given

    def after(self, notes: Mapping[str, Any]) -> Use:
        """The same with what was given before, where nothing is given now.

        Args:
            notes: as `notes` gave them, perhaps stored in between.
        """
        merged = use_of({**notes, **self.notes()})
        return attrs.evolve(merged, access=attrs.evolve(merged.access, header=self.access.header))

    def prices(self) -> Prices:
        """What tokens cost."""
        return Prices(input=self.price_input, output=self.price_output)

    def ray_fleet(self) -> RayFleet | None:
        """The cluster whose workers ask; None if it is this process that does.

        Raises:
            CliError: options need others.
            ChoiceError: a value means nothing.
        """
        return ray_fleet_of(self.ray, self.endpoint or (), self.pin or (), self.ray_workers)

    def limits(self, *, accepts_changes: bool = False) -> Limits:
        """How the job may use the fleet.

        Raises:
            ChoiceError: a value means nothing.
        """
        window, share, after = map(
            _unless_off, (self.only_between, self.use_at_most, self.give_up_after)
        )
        return Limits(
            concurrency=self.concurrency or None,
            in_order=bool(self.in_order),
            failures_share_max=self.max_error_rate,
            is_fail_fast=bool(self.fail_fast),
            accepts_changes=accepts_changes,
            use_share=parse_share(share) if share is not None else 1.0,
            only_between=parse_time_window(window) if window is not None else None,
            tokens_per_minute=self.tokens_per_minute or None,
            outage_s_max=parse_duration_s(after) if after is not None else OUTAGE_S_MAX,
        )


def use_of(notes: Mapping[str, Any]) -> Use:
    """What a job goes on with: what was given last, of each.

    Args:
        notes: as `Use.notes` gave them, perhaps stored in between.
    """
    notes = dict(notes)
    for name in ("endpoint", "pin"):
        if notes.get(name) is not None:
            notes[name] = tuple(notes[name])
    access = Access(api_key_env=notes.pop("api_key_env", None))
    return Use(access=access, **notes)


def _unless_off(text: str | None) -> str | None:
    """What an option says; None if it was taken off."""
    return None if text is None or text.strip().lower() == OFF else text
