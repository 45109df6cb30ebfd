"""The options of ``triollama load`` as a plan. Reads the files that they name; asks nobody."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._load_asked import Asked
from triollama_adapters.cli._load_client import Client
from triollama_adapters.cli._load_when import Timed, Window
from triollama_adapters.cli._load_whom import Whom
from triollama_adapters.loadtest.arrivals.trace import survey_trace
from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.measures.objectives import parse_objective
from triollama_adapters.loadtest.plan import Plan, Replay
from triollama_adapters.loadtest.workload.checks import check_plan
from triollama_adapters.loadtest.workload.scenario import Workload

__all__ = ["NO_MODEL", "make_plan", "with_servers"]

NO_MODEL: Final = "?"
"""Stands for the model until the servers were asked which they have."""

TO_COME: Final = "http://127.0.0.1"
"""Stands for servers that are not started yet."""

_OPTIONS: Final[Mapping[str, str]] = {
    "duration_s": "--duration",
    "warm_up_s": "--warm-up",
    "drain_s": "--drain",
    "processes": "--processes",
    "shape.concurrency": "--concurrency",
    "shape.ramp_s": "--ramp",
    "shape.phases": "the rate",
    "workload.scenarios.turns": "--turns",
    "workload.scenarios.think_s": "--think-time",
    "workload.scenarios.cancel_s": "--cancel-within",
    "workload.scenarios.tools": "--tools",
    "workload.scenarios.format": "--format",
    "workload.scenarios.system": "--system",
    "workload.scenarios.think": "--think",
    "workload.scenarios.prompts.path": "--prompts",
    "workload.scenarios.prompts.text": "--prompt",
    "workload.scenarios.prompts.images": "--images",
    "workload.scenarios.prompts.tokens": "--prompt-tokens",
    "workload.scenarios.prompts.shared_tokens": "--shared-tokens",
    "workload.scenarios.prompts.groups": "--groups",
    "workload.scenarios.answers.tokens": "--answer-tokens",
    "workload.scenarios.answers.spread": "--answer-spread",
}
"""Fields of a plan by the options that they come from."""


def make_plan(
    timed: Timed,
    *,
    window: Window,
    asked: Asked,
    whom: Whom,
    client: Client,
    slo: Sequence[str] = (),
    keep_samples: bool = False,
) -> Plan:
    """All that can be settled before a server is started or asked; then `with_servers`.

    Args:
        timed: when.
        window: how long.
        asked: what.
        whom: for whom.
        client: who makes it.
        slo: objectives, as they were written.
        keep_samples: whether every request is kept.

    Raises:
        CliError: options exclude each other or mean nothing, or a file cannot be used.
        LoadTestError: an objective, a rate, a time or a trace cannot be read.
    """
    plan = Plan(
        target=whom.target(whom.addresses()),
        workload=asked.workload(asked.model or NO_MODEL),
        shape=timed.shape,
        duration_s=_duration_s(timed),
        warm_up_s=timed.warm_up_s,
        drain_s=window.drain_s(),
        objectives=tuple(map(parse_objective, slo)),
        seed=client.seed,
        keep_samples=keep_samples,
    )
    _check(plan)
    client.fleet(is_simulated=bool(whom.simulate))
    plan = replace(plan, processes=client.count(plan))
    _check(plan)
    return plan


def with_servers(plan: Plan, endpoints: Sequence[str], model: str) -> Plan:
    """The plan with the servers that were started, and the model that they have.

    Args:
        plan: as `make_plan` gave it.
        endpoints: addresses.
        model: stands in for `NO_MODEL`.
    """
    scenarios = tuple(
        replace(each, model=model) if each.model == NO_MODEL else each
        for each in plan.workload.scenarios
    )
    return replace(
        plan,
        target=replace(plan.target, endpoints=tuple(endpoints)),
        workload=Workload(scenarios=scenarios),
    )


def _check(plan: Plan) -> None:
    """See that the plan means something; what does not is told by its option.

    Raises:
        CliError: an option has a value that it cannot have.
        LoadTestError: something else is wrong.
    """
    try:
        check_plan(with_servers(plan, plan.target.endpoints or (TO_COME,), NO_MODEL))
    except PlanError as error:
        name = re.sub(r"\[\d+\]", "", error.field)
        if name in _OPTIONS and len(plan.workload.scenarios) == 1:
            raise CliError(str(error).replace(error.field, _OPTIONS[name])) from error
        raise


def _duration_s(timed: Timed) -> float:
    """Of the window; of a trace what is left of it after the warm-up. Reads all of a trace."""
    if not isinstance(timed.shape, Replay):
        assert timed.duration_s is not None
        return timed.duration_s
    found = survey_trace(timed.shape.path, speed=timed.shape.speed)
    left_s = found.length_s - timed.warm_up_s
    if timed.duration_s is not None:
        return timed.duration_s
    if left_s <= 0:
        raise CliError(
            f"the trace {timed.shape.path} lasts {found.length_s:g} s at this speed, which leaves "
            "no window after the warm-up; give --duration, a lower --speed, or less --warm-up"
        )
    return left_s
