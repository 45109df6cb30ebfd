"""What was asked for, as names and values."""

import msgspec
import pytest
from tests.adapters.loadtest.report.made_results import make_plan, make_result

from triollama_adapters.loadtest.report.settings import (
    name_endpoint,
    tell_environment,
    tell_plan,
    tell_scenario,
)
from triollama_adapters.loadtest.workload.scenario import Answers, Prompts, Scenario


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("http://gpu-1:11434", "gpu-1:11434"),
        ("https://me:secret@gate.example/ollama/", "gate.example/ollama"),
        ("http://host:notaport", "http://host:notaport"),
        ("me:secret@host", "host"),
        ("", ""),
    ],
)
def test_an_address_is_told_without_a_password(address: str, name: str) -> None:
    """As short as it can be, also one that is none."""
    assert name_endpoint(address) == name


def test_a_plan_tells_load_limits_and_seed() -> None:
    """But no header, which may be a secret."""
    plan = make_plan()
    target = msgspec.structs.replace(plan.target, headers={"Authorization": "Bearer secret"})
    rows = dict(tell_plan(msgspec.structs.replace(plan, target=target)))
    assert rows["load"] == "20/s, Poisson, for 60 s"
    assert rows["seed"] == "7"
    assert rows["objectives"] == "ttft_p95<800ms, tpot_p95<40ms, errors<1%"
    assert "secret" not in str(rows)


def test_a_scenario_tells_what_it_has() -> None:
    """A system message, tools and a format are told by their being there."""
    full = Scenario(
        "chat",
        "llama3.2",
        prompts=Prompts(tokens=800, shared_tokens=500, groups=3, images=("a.png",)),
        answers=Answers(None),
        turns=3,
        think_s=2.0,
        cancels=0.1,
        system="You are kind.",
        format="json",
        options={"num_ctx": 4096},
    )
    rows = dict(tell_scenario(full))
    shared = "synthetic, 800 tokens; the first 500 shared, 3 groups; 1 images"
    assert rows["prompts"] == shared
    assert rows["answers"] == "as long as the model likes"
    assert rows["turns"] == "3, with 2 s to think"
    assert rows["users who leave"] == "10 % within 5 s"
    assert rows["with"] == "system message, format"
    assert rows["options"] == "num_ctx 4096"
    assert "kind" not in str(rows)


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        (Prompts("fixed", text="Why?"), "always the same, 4 characters"),
        (Prompts("file", path="data/rows.jsonl"), "from rows.jsonl, field question"),
    ],
)
def test_prompts_are_told_without_their_text(prompts: Prompts, words: str) -> None:
    """Where they come from."""
    rows = dict(tell_scenario(Scenario("chat", "m", prompts=prompts)))
    assert rows["prompts"] == words


def test_an_environment_tells_servers_by_their_short_names() -> None:
    """And when and where it ran."""
    rows = dict(tell_environment(make_result(plan=make_plan(rate=2.0, duration_s=5.0))))
    assert rows["server gpu-1:11434"] == "Ollama 0.14.2"
    assert rows["window"] == "5 s"
