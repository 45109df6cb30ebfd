"""What was asked for and where it ran, as names and values for people. No IO."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.report.units import show_duration, show_number, show_s, show_share
from triollama_adapters.loadtest.report.words import describe_load
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.workload.scenario import Answers, Prompts, Scenario

__all__ = ["Rows", "name_endpoint", "tell_environment", "tell_plan", "tell_scenario"]

Rows = list[tuple[str, str]]


def name_endpoint(address: str) -> str:
    """An address as short as it can be told, and without a password: ``gpu-1:11434``."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:  # no address at all
        return address.rpartition("@")[2]
    if not host:
        return address.rpartition("@")[2]
    path = parts.path.rstrip("/")
    return f"{host}{f':{port}' if port else ''}{path}"


def tell_plan(plan: Plan) -> Rows:
    """The plan but for its scenarios."""
    target = plan.target
    limits = (
        f"connect {show_s(target.connect_s)}, first token {show_s(target.first_token_s)}, "
        f"stall {show_s(target.stall_s)}, total {show_s(target.total_s)}"
    )
    ways = {"even": "each session to the next endpoint", "engine": "as the engine's pool chooses"}
    return [
        ("load", describe_load(plan)),
        ("warm-up", show_duration(plan.warm_up_s)),
        ("drain", f"{show_duration(plan.drain_s)} at most"),
        ("endpoints", ", ".join(name_endpoint(each) for each in target.endpoints)),
        ("routes", target.api),
        ("routing", ways[target.routing]),
        ("timeouts", limits),
        ("objectives", ", ".join(each.text for each in plan.objectives) or "none"),
        ("processes", str(plan.processes)),
        ("seed", str(plan.seed)),
    ]


def tell_scenario(scenario: Scenario) -> Rows:
    """One kind of user; a system message, tools and a format are told by their being there."""
    rows = [
        ("model", scenario.model),
        ("weight", show_number(scenario.weight)),
        ("prompts", "; ".join(_prompts(scenario.prompts))),
        ("answers", _answers(scenario.answers)),
    ]
    if scenario.turns > 1:
        rows.append(("turns", f"{scenario.turns}, with {show_s(scenario.think_s)} to think"))
    if scenario.cancels:
        leave = f"{show_share(scenario.cancels)} within {show_s(scenario.cancel_s)}"
        rows.append(("users who leave", leave))
    extras = [
        name
        for name, value in (
            ("system message", scenario.system),
            ("tools", scenario.tools),
            ("format", scenario.format),
        )
        if value
    ]
    if extras:
        rows.append(("with", ", ".join(extras)))
    if scenario.think is not None:
        rows.append(("thinking", "yes" if scenario.think else "no"))
    if scenario.options:
        options = ", ".join(f"{name} {value}" for name, value in scenario.options.items())
        rows.append(("options", options))
    return rows


def _prompts(prompts: Prompts) -> Iterator[str]:
    match prompts.kind:
        case "fixed":
            yield f"always the same, {len(prompts.text):,} characters"
        case "file":
            yield f"from {prompts.path.rsplit('/', 1)[-1]}, field {prompts.field}"
        case "synthetic":
            spread = f" ± {show_share(prompts.spread)}" if prompts.spread else ""
            yield f"synthetic, {prompts.tokens:,} tokens{spread}"
    if prompts.shared_tokens:
        groups = f", {prompts.groups} groups" if prompts.groups > 1 else ""
        yield f"the first {prompts.shared_tokens:,} shared{groups}"
    if prompts.images:
        yield f"{len(prompts.images)} images"


def _answers(answers: Answers) -> str:
    if answers.tokens is None:
        return "as long as the model likes"
    spread = f" ± {show_share(answers.spread)}" if answers.spread else ""
    return f"{answers.tokens:,} tokens{spread}"


def tell_environment(result: Result) -> Rows:
    """Where it ran, and when."""
    environment = result.environment
    servers = [
        (f"server {name_endpoint(address)}", version)
        for address, version in environment.servers.items()
    ]
    return [
        ("began", result.began_at),
        ("window", show_duration(result.window_s)),
        *servers,
        ("triollama", environment.triollama),
        ("Python", environment.python),
        ("system", environment.system),
        ("CPUs", str(environment.cpus)),
    ]
