"""The options of ``triollama load`` as a plan, and what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from triollama_adapters.cli._access import Access
from triollama_adapters.cli._failures import CliError, explain
from triollama_adapters.cli._load_asked import Asked
from triollama_adapters.cli._load_client import Client
from triollama_adapters.cli._load_plan import NO_MODEL, make_plan, with_servers
from triollama_adapters.cli._load_when import HowMuch, Window
from triollama_adapters.cli._load_whom import Whom
from triollama_adapters.loadtest.errors import LoadTestError
from triollama_adapters.loadtest.plan import ClosedLoop, OpenLoop, Phase, Plan, Replay
from triollama_adapters.loadtest.workload.scenario import Prompts

Write = Callable[..., Path]


def plan_of(
    how_much: HowMuch | None = None,
    *,
    window: Window | None = None,
    asked: Asked | None = None,
    whom: Whom | None = None,
    client: Client | None = None,
    slo: tuple[str, ...] = (),
) -> Plan:
    """The plan of some options; all others are left out."""
    how_much, window = how_much or HowMuch(rate="20/s"), window or Window()
    asked = asked or Asked(model="m")
    return make_plan(
        how_much.timed(window, asked.think_s()),
        window=window,
        asked=asked,
        whom=whom or Whom(endpoint=("http://a:1",)),
        client=client or Client(),
        slo=slo,
    )


def told(make: Callable[[], object]) -> str:
    """What a user reads of options that cannot be used; the exit code is that of wrong usage."""
    with pytest.raises((CliError, LoadTestError)) as caught:
        make()
    message, code = explain(caught.value)
    assert code == 2
    assert "\n" not in message
    return message


def test_an_open_loop() -> None:
    """A rate lasts for the window; the warm-up is before it, the rest as it stands in the help."""
    plan = plan_of(HowMuch(rate="90/m"), slo=("ttft_p95<800ms",))
    assert plan.shape == OpenLoop(phases=(Phase(60.0, 1.5, 1.5),))
    assert (plan.warm_up_s, plan.duration_s, plan.drain_s) == (5.0, 60.0, 30.0)
    assert plan.target.endpoints == ("http://a:1",)
    [objective] = plan.objectives
    assert (objective.metric, objective.share, objective.limit) == ("ttft", 0.95, 0.8)


def test_a_closed_loop() -> None:
    """Users, who begin over the ramp and think between two answers."""
    plan = plan_of(
        HowMuch(concurrency=8),
        window=Window(duration="2m", ramp="4s"),
        asked=Asked(model="m", think_time="1500ms", turns=3),
    )
    assert plan.shape == ClosedLoop(concurrency=8, ramp_s=4.0, think_s=1.5)
    assert plan.duration_s == 120.0
    assert plan.workload.scenarios[0].think_s == 1.5


def test_phases_are_the_window() -> None:
    """They say how long it is, so that --duration would say it twice."""
    phases = "10/s for 30s, 10..50/s for 60s, 200/s for 5s"
    plan = plan_of(HowMuch(phases=phases), window=Window(arrivals="constant"))
    assert plan.duration_s == 95.0
    assert plan.shape == OpenLoop(
        phases=(Phase(30, 10, 10), Phase(60, 10, 50), Phase(5, 200, 200)), arrivals="constant"
    )
    assert "leave out --duration" in told(
        lambda: plan_of(HowMuch(phases=phases), window=Window(duration="5s"))
    )


def test_burstiness_is_gamma() -> None:
    """It needs no other word for that, and goes with nothing else."""
    plan = plan_of(window=Window(burstiness=0.25))
    assert isinstance(plan.shape, OpenLoop)
    assert (plan.shape.arrivals, plan.shape.burstiness) == ("gamma", 0.25)
    assert "--arrivals gamma, not poisson" in told(
        lambda: plan_of(window=Window(burstiness=0.25, arrivals="poisson"))
    )


def test_a_trace_is_as_long_as_it_is(write_lines: Write) -> None:
    """At its speed, and without a warm-up unless one is wanted, which is a part of it."""
    rows = [{"timestamp": ms, "input_length": 9, "output_length": 9} for ms in (0, 500, 60_000)]
    path = write_lines(*rows)
    plan = plan_of(HowMuch(replay=path, speed=2.0))
    assert plan.shape == Replay(path=str(path), speed=2.0)
    assert (plan.warm_up_s, plan.duration_s) == (0.0, pytest.approx(30.0, abs=0.01))
    assert plan_of(HowMuch(replay=path), window=Window(warm_up="20s")).duration_s == (
        pytest.approx(40.0, abs=0.01)
    )
    assert "leaves no window" in told(
        lambda: plan_of(HowMuch(replay=path), window=Window(warm_up="2m"))
    )


def test_what_is_asked() -> None:
    """Each option is in the scenario that it makes."""
    asked = Asked(
        model="m",
        prompt_tokens=500,
        prompt_spread="30%",
        shared_tokens=400,
        groups=5,
        answer_tokens=0,
        turns=4,
        cancels="10%",
        cancel_within="2s",
        system="Be kind.",
        option=("num_ctx=8192",),
        format="json",
        think=False,
    )
    [scenario] = plan_of(asked=asked).workload.scenarios
    assert scenario.prompts == Prompts(tokens=500, spread=0.3, shared_tokens=400, groups=5)
    assert scenario.answers.tokens is None
    assert (scenario.turns, scenario.cancels, scenario.cancel_s) == (4, 0.1, 2.0)
    assert (scenario.system, scenario.options) == ("Be kind.", {"num_ctx": 8192})
    assert (scenario.format, scenario.think) == ("json", False)


def test_files_are_read(write_lines: Write, tmp_path: Path) -> None:
    """Tools and schemas are sent with each request, so they are read once, before."""
    tools, schema = tmp_path / "tools.json", tmp_path / "schema.json"
    tools.write_text('[{"type": "function", "function": {"name": "f"}}]')
    schema.write_text('{"type": "object"}')
    prompts = write_lines({"text": "Why?"})
    asked = Asked(model="m", prompts=prompts, prompt_field="text", tools=tools, format=str(schema))
    [scenario] = plan_of(asked=asked).workload.scenarios
    assert scenario.prompts == Prompts(kind="file", path=str(prompts), field="text")
    assert scenario.tools[0]["type"] == "function"
    assert scenario.format == {"type": "object"}


def test_the_model_may_come_later() -> None:
    """What was not named is filled in when the servers were asked."""
    plan = plan_of(asked=Asked())
    assert plan.workload.scenarios[0].model == NO_MODEL
    settled = with_servers(plan, ["http://b:2"], "llama3.2")
    assert settled.workload.scenarios[0].model == "llama3.2"
    assert settled.target.endpoints == ("http://b:2",)


def test_a_mix_has_several_scenarios(tmp_path: Path) -> None:
    """A model of the command is for those that name none; without it, the servers' one is."""
    mix = tmp_path / "mix.json"
    rows = [
        {"name": "chat", "weight": 3, "turns": 4, "prompts": {"tokens": 50}, "think": True},
        {"name": "digest", "model": "qwen3", "prompts": {"tokens": 4000}},
    ]
    mix.write_text(json.dumps({"scenarios": rows}))
    chat, digest = plan_of(asked=Asked(model="m", mix=mix)).workload.scenarios
    assert (chat.name, chat.model, chat.weight, chat.turns) == ("chat", "m", 3.0, 4)
    assert (chat.think, digest.think) == (True, None)
    assert (digest.model, digest.prompts.tokens, digest.weight) == ("qwen3", 4000, 1.0)
    unnamed, named = plan_of(asked=Asked(mix=mix)).workload.scenarios
    assert (unnamed.model, named.model) == (NO_MODEL, "qwen3")
    assert "--turns is said by the scenarios" in told(
        lambda: plan_of(asked=Asked(mix=mix, turns=2))
    )


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("[", "is not JSON"),
        ("[]", "with at least one"),
        ("[7]", "scenario 1 must be an object"),
        ('[{"wieght": 2}]', "scenario 1 has no 'wieght'; it can have: name, model, weight"),
        ('[{"prompts": {"token": 2}}]', "scenario 1, prompts has no 'token'"),
        ('[{"turns": "many"}]', "scenario 1: Expected `int`"),
        ('[{"turns": 0}]', "turns is 0; it is a whole number from 1"),
        ('[{"name": "a"}, {"name": "a"}]', "a name that no other scenario has"),
    ],
)
def test_a_bad_mix(tmp_path: Path, rows: str, words: str) -> None:
    """A misspelt key would measure something else, so it is refused by name."""
    mix = tmp_path / "mix.json"
    mix.write_text(rows)
    assert words in told(lambda: plan_of(asked=Asked(model="m", mix=mix)))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (lambda: plan_of(HowMuch()), "how much load? Give --concurrency 10, --rate 5/s"),
        (
            lambda: plan_of(HowMuch(rate="5/s", concurrency=2)),
            "--concurrency and --rate exclude each other",
        ),
        (lambda: plan_of(HowMuch(rate="fast")), "--rate: 'fast' is no rate; write a number"),
        (lambda: plan_of(HowMuch(rate="5/s", speed=2.0)), "--speed is for --replay"),
        (lambda: plan_of(HowMuch(phases="5/s")), "--phases: '5/s' is no rate over time; write"),
        (lambda: plan_of(HowMuch(replay=Path("none.jsonl"))), "none.jsonl"),
        (lambda: plan_of(window=Window(duration="long")), "--duration: 'long' is no duration"),
        (lambda: plan_of(window=Window(duration="0s")), "--duration must be more than 0"),
        (lambda: plan_of(window=Window(ramp="1s")), "--ramp is for --concurrency"),
        (
            lambda: plan_of(HowMuch(concurrency=2), window=Window(ramp="9s")),
            "give --warm-up 9s",
        ),
        (
            lambda: plan_of(HowMuch(concurrency=2), window=Window(arrivals="gamma")),
            "--arrivals is for an open loop",
        ),
        (
            lambda: plan_of(HowMuch(concurrency=2), client=Client(processes="3")),
            "--processes is 3; it is at most one for each of the 2 users",
        ),
        (lambda: plan_of(client=Client(processes="some")), "or auto, not 'some'"),
        (lambda: plan_of(slo=("ttft_p95 is good",)), "'ttft_p95 is good' is no objective"),
        (lambda: plan_of(asked=Asked(prompt="a", prompts=Path("b"))), "exclude each other"),
        (lambda: plan_of(asked=Asked(prompts=Path("none"))), "--prompts is 'none'; it is a file"),
        (lambda: plan_of(asked=Asked(prompt_field="a")), "give that, too"),
        (
            lambda: plan_of(asked=Asked(prompt="a", prompt_tokens=9)),
            "--prompt-tokens is for made-up prompts",
        ),
        (
            lambda: plan_of(asked=Asked(shared_tokens=300)),
            "--shared-tokens is 300; it is less than the 200 tokens of a prompt",
        ),
        (lambda: plan_of(asked=Asked(cancels="110%")), "--cancels takes a share within 0 and 1"),
        (lambda: plan_of(asked=Asked(tools=Path("none"))), "--tools: cannot read none"),
        (lambda: plan_of(asked=Asked(format="yaml")), "it takes json, or a file with a JSON"),
        (lambda: plan_of(asked=Asked(images=("a.png",))), "'a.png'"),
        (lambda: plan_of(whom=Whom(endpoint=("http://a:1",), simulate=1)), "exclude each other"),
        (lambda: plan_of(whom=Whom(endpoint=("http://a:1", "http://a:1/"))), "twice"),
        (lambda: plan_of(whom=Whom(access=Access(header=("Bearer",)))), "--header takes 'NAME"),
    ],
)
def test_options_that_mean_nothing(
    given: Callable[[], Plan], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line each, which names the option and says what to write."""
    monkeypatch.chdir(tmp_path)
    assert words in told(given)


def test_an_objective_shows_its_grammar() -> None:
    """Who misspells it learns how it is written."""
    message = told(lambda: plan_of(slo=("ttfb_p95<800ms",)))
    assert "ttft_p95<800ms" in message.replace("ttfb", "")


def test_a_header_is_a_secret() -> None:
    """Its value is in no message."""
    given = Whom(access=Access(header=("X-Key=s3cret",)))
    assert given.target(()).headers == {"X-Key": "s3cret"}
    assert "s3cret" not in repr(given)
    for wrong in ("=s3cret", "X Key=s3cret", "X-Key=s3cret\n"):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - of two kinds
            Whom(access=Access(header=(wrong,))).target(())
        assert "s3cret" not in str(caught.value)


def test_the_environment_names_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for every other command."""
    monkeypatch.setenv("OLLAMA_HOST", "gpu-7:1234")
    assert Whom().addresses() == ("http://gpu-7:1234",)
    assert Whom(simulate=2).addresses() == ()


def test_auto_is_what_the_load_needs() -> None:
    """Without a word a small load is made by one process."""
    assert plan_of(HowMuch(rate="1/s")).processes == 1
    assert plan_of(HowMuch(concurrency=8), client=Client(processes="2")).processes == 2
