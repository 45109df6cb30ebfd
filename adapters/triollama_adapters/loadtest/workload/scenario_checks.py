"""Whether what is asked means something: scenarios, prompts, answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from triollama_adapters.loadtest.arrivals.trace import TOKENS_MAX
from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.workload.limits import choice, fail, number, share, text, whole
from triollama_adapters.loadtest.workload.scenario import Answers, Prompts, Scenario, Workload

__all__ = ["GROUPS_MAX", "SPREAD_MAX", "TURNS_MAX", "check_workload"]

TURNS_MAX: Final = 10_000
"""Requests of one session, all of whose prompts are in memory at once."""

GROUPS_MAX: Final = 1_000_000
"""More beginnings than any cache holds."""

SPREAD_MAX: Final = 10.0
"""Standard deviation over mean; those of real services are about 1."""

PAUSE_S_MAX: Final = 86_400.0
"""A user who thinks for more than a day is gone."""

_UNFIT: Final[Mapping[str, Sequence[str]]] = {
    "embed": ("tools", "prompts.images", "format", "system", "think"),
    "generate": ("tools",),
    "openai": ("think",),
}
"""What a route does not take."""


def check_workload(workload: Workload, *, api: str) -> None:
    """See that each scenario means something, and that some have a weight.

    Raises:
        PlanError: one does not; the message names the field, and says what it may be.
    """
    where = "workload.scenarios"
    scenarios = workload.scenarios
    if not scenarios:
        raise PlanError(f"{where} is empty; it is one scenario or more", field=where)
    for at, scenario in enumerate(scenarios):
        _check_scenario(scenario, f"{where}[{at}]", api)
    _check_names([scenario.name for scenario in scenarios], where)
    if not any(scenario.weight > 0.0 for scenario in scenarios):
        raise PlanError(f"{where}: every weight is 0; one at least is above 0", field=where)


def _check_names(names: Sequence[str], where: str) -> None:
    for at, name in enumerate(names):
        if name in names[:at]:
            raise fail(name, f"{where}[{at}].name", "a name that no other scenario has")


def _check_scenario(scenario: Scenario, where: str, api: str) -> None:
    text(scenario.name, f"{where}.name", "what a report calls the scenario")
    text(scenario.model, f"{where}.model", "the name of a model, such as llama3.2")
    number(scenario.weight, f"{where}.weight", least=0.0, most=1e12)
    whole(scenario.turns, f"{where}.turns", least=1, most=TURNS_MAX)
    number(scenario.think_s, f"{where}.think_s", least=0.0, most=PAUSE_S_MAX, unit="seconds")
    share(scenario.cancels, f"{where}.cancels")
    number(scenario.cancel_s, f"{where}.cancel_s", above=0.0, most=PAUSE_S_MAX, unit="seconds")
    _check_prompts(scenario.prompts, f"{where}.prompts")
    _check_answers(scenario.answers, f"{where}.answers")
    _check_format(scenario.format, f"{where}.format")
    _check_api(scenario, where, api)


def _check_prompts(prompts: Prompts, where: str) -> None:
    choice(prompts.kind, f"{where}.kind", ("fixed", "file", "synthetic"))
    match prompts.kind:
        case "fixed":
            text(prompts.text, f"{where}.text", "what is asked, every time")
        case "file":
            text(prompts.path, f"{where}.path", "the path of a file of prompts")
            text(prompts.field, f"{where}.field", "the field of a row with the prompt")
            _check_file(prompts.path, f"{where}.path")
        case "synthetic":
            _check_lengths(prompts, where)
    for at, path in enumerate(prompts.images):
        text(path, f"{where}.images[{at}]", "the path of a picture")
        _check_file(path, f"{where}.images[{at}]")


def _check_lengths(prompts: Prompts, where: str) -> None:
    whole(prompts.tokens, f"{where}.tokens", least=1, most=TOKENS_MAX)
    number(prompts.spread, f"{where}.spread", least=0.0, most=SPREAD_MAX)
    whole(prompts.groups, f"{where}.groups", least=1, most=GROUPS_MAX)
    whole(prompts.shared_tokens, f"{where}.shared_tokens", least=0)
    if prompts.shared_tokens >= prompts.tokens:
        what = f"less than the {prompts.tokens} tokens of a prompt"
        raise fail(prompts.shared_tokens, f"{where}.shared_tokens", what)


def _check_answers(answers: Answers, where: str) -> None:
    number(answers.spread, f"{where}.spread", least=0.0, most=SPREAD_MAX)
    if answers.tokens is not None:
        whole(answers.tokens, f"{where}.tokens", least=1, most=TOKENS_MAX)
    elif answers.spread > 0.0:
        raise fail(answers.spread, f"{where}.spread", "0 where answers.tokens is left to the model")


def _check_format(value: Any, where: str) -> None:
    if value is not None and value != "json" and not isinstance(value, dict):
        raise fail(value, where, '"json" or a JSON schema')


def _check_api(scenario: Scenario, where: str, api: str) -> None:
    """What a route does not take would be left out without a word."""
    given = {
        "tools": scenario.tools,
        "prompts.images": scenario.prompts.images,
        "format": scenario.format,
        "system": scenario.system,
        "think": scenario.think is not None,
    }
    for name in _UNFIT.get(api, ()):
        if given[name]:
            raise PlanError(
                f"{where}.{name} is given, and the route {api} takes none", field=f"{where}.{name}"
            )
    try:
        msgspec.json.encode((scenario.tools, scenario.format, scenario.options))
    except (TypeError, ValueError) as error:
        raise PlanError(
            f"{where}: tools, format and options are JSON: {error}", field=where
        ) from error


def _check_file(path: str, field: str) -> None:
    if not Path(path).is_file():
        raise fail(path, field, "a file; there is none of that name")
