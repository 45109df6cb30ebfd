"""Plans that mean nothing, each refused with its field and what that may be."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.adapters.loadtest.workload.plans import SMALL, make_plan, open_loop

from triollama_adapters.loadtest.errors import LoadTestError, PlanError, TraceError
from triollama_adapters.loadtest.plan import (
    ClosedLoop,
    Objective,
    OpenLoop,
    Phase,
    Plan,
    Replay,
    Shape,
    Target,
)
from triollama_adapters.loadtest.workload import check_plan
from triollama_adapters.loadtest.workload.scenario import Answers, Prompts, Scenario, Workload

NAN, INF = math.nan, math.inf
STEADY = Phase(60.0, 5.0, 5.0)


def _refused(plan: Plan, field: str, what: str) -> None:
    with pytest.raises(PlanError) as caught:
        check_plan(plan)
    assert caught.value.field == field
    assert field in str(caught.value)
    assert what in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "shape",
    [
        ClosedLoop(1),
        ClosedLoop(1_000, ramp_s=5.0, think_s=1.0),
        open_loop(5.0),
        open_loop(5.0, 1.0),
        OpenLoop((STEADY,), arrivals="gamma", burstiness=0.3),
        OpenLoop((Phase(30.0, 0.0, 50.0), Phase(30.0, 50.0, 50.0))),
    ],
)
def test_sound_plans(shape: Shape) -> None:
    """They pass, whatever the shape."""
    limits = (
        Objective("errors", None, 0.0, "errors<=0%"),
        Objective("icl", 0.9, 1.0, "icl_p90<1s"),
    )
    check_plan(make_plan(shape=shape, warm_up_s=5.0, objectives=limits))


@pytest.mark.parametrize(
    ("changes", "field", "what"),
    [
        ({"duration_s": NAN}, "duration_s", "is nan; it is a number of seconds above 0"),
        ({"duration_s": INF}, "duration_s", "is inf"),
        ({"duration_s": 0.0}, "duration_s", "is 0;"),
        ({"duration_s": -1.0}, "duration_s", "is -1;"),
        ({"duration_s": "60"}, "duration_s", "is '60';"),
        ({"duration_s": None}, "duration_s", "is None;"),
        ({"duration_s": True}, "duration_s", "is True;"),
        ({"duration_s": 1e9}, "duration_s", "at most 2,592,000"),
        ({"warm_up_s": NAN}, "warm_up_s", "from 0 to"),
        ({"warm_up_s": -0.1}, "warm_up_s", "is -0.1; it is a number of seconds from 0"),
        ({"drain_s": -1.0}, "drain_s", "from 0"),
        ({"processes": 0}, "processes", "is 0; it is a whole number from 1 to 256"),
        ({"processes": 257}, "processes", "from 1 to 256"),
        ({"processes": 2}, "processes", "at most one for each of the 1 users"),
        ({"processes": 1.5}, "processes", "a whole number"),
        ({"seed": 0.5}, "seed", "is 0.5; it is a whole number"),
        ({"seed": True}, "seed", "is True"),
        ({"objectives": (Objective("", 0.5, 1.0, ""),)}, "objectives[0].metric", "one of ttft,"),
        ({"objectives": (Objective("itl", 0.5, 1.0, ""),)}, "objectives[0].metric", "one of ttft,"),
        ({"objectives": (Objective("ttft", None, 1.0, ""),)}, "objectives[0].share", "a number"),
        ({"objectives": (Objective("ttft", 0.5, 0.0, ""),)}, "objectives[0].limit", "above 0"),
        ({"objectives": (Objective("errors", 0.5, 0.1, ""),)}, "objectives[0].share", "None"),
        ({"objectives": (Objective("errors", None, 5, ""),)}, "objectives[0].limit", "from 0 to 1"),
        ({"objectives": (Objective("ttft", 0.5, NAN, ""),)}, "objectives[0].limit", "nan"),
        ({"objectives": (Objective("ttft", 1.0, 1.0, ""),)}, "objectives[0].share", "below 1"),
        ({"objectives": (Objective("ttft", 1.5, 1.0, ""),)}, "objectives[0].share", "from 0 to 1"),
    ],
)
def test_runs_that_mean_nothing(changes: dict[str, Any], field: str, what: str) -> None:
    """How long, how many, judged by what."""
    _refused(make_plan(**changes), field, what)


@pytest.mark.parametrize(
    ("target", "field", "what"),
    [
        (Target(()), "target.endpoints", "one address or more"),
        (Target(("http://a", " ")), "target.endpoints[1]", "an address such as"),
        (Target(("http://a",), api="v1"), "target.api", "chat, generate, embed, openai"),  # type: ignore[arg-type]
        (Target(("http://a",), routing="x"), "target.routing", "even, engine"),  # type: ignore[arg-type]
        (Target(("http://a",), connect_s=0.0), "target.connect_s", "above 0"),
        (Target(("http://a",), first_token_s=NAN), "target.first_token_s", "is nan"),
        (Target(("http://a",), stall_s=-1.0), "target.stall_s", "above 0"),
        (Target(("http://a",), total_s=INF), "target.total_s", "at most 86,400"),
    ],
)
def test_targets_that_mean_nothing(target: Target, field: str, what: str) -> None:
    """Whom, by which route, and how patiently."""
    _refused(make_plan(target=target), field, what)


@pytest.mark.parametrize(
    ("shape", "field", "what"),
    [
        (ClosedLoop(0), "shape.concurrency", "a whole number from 1 to 1,000,000"),
        (ClosedLoop(10**7), "shape.concurrency", "from 1"),
        (ClosedLoop(1, think_s=NAN), "shape.think_s", "nan"),
        (ClosedLoop(1, ramp_s=-1.0), "shape.ramp_s", "from 0"),
        (ClosedLoop(1, ramp_s=6.0), "shape.ramp_s", "at most the warm-up, 5"),
        (OpenLoop(()), "shape.phases", "one phase or more"),
        (OpenLoop((Phase(0.0, 1.0, 1.0),)), "shape.phases[0].duration_s", "above 0"),
        (OpenLoop((Phase(NAN, 1.0, 1.0),)), "shape.phases[0].duration_s", "nan"),
        (OpenLoop((STEADY, Phase(9.0, -1.0, 1.0))), "shape.phases[1].from_per_s", "from 0 to"),
        (OpenLoop((STEADY, Phase(9.0, 1.0, INF))), "shape.phases[1].to_per_s", "inf"),
        (OpenLoop((Phase(60.0, 1e7, 1e7),)), "shape.phases[0].from_per_s", "to 1,000,000"),
        (OpenLoop((Phase(60.0, 0.0, 0.0),)), "shape.phases", "give one session"),
        (OpenLoop((Phase(60.0, 0.001, 0.001),)), "shape.phases", "is 0.065;"),
        (OpenLoop((Phase(50.0, 0.0, 9.0),)), "shape.phases", "take 50 s, and duration_s is 60"),
        (OpenLoop((STEADY, Phase(5.0, 9.0, 9.0))), "shape.phases", "as long as the measured"),
        (OpenLoop((STEADY,), "poison"), "shape.arrivals", "constant, poisson, gamma"),  # type: ignore[arg-type]
        (OpenLoop((STEADY,), "gamma", 0.0), "shape.burstiness", "from 0.001"),
        (OpenLoop((STEADY,), "gamma", NAN), "shape.burstiness", "nan"),
        (OpenLoop((STEADY,), "poisson", 2.0), "shape.burstiness", "for gamma, not for poisson"),
        (Replay(""), "shape.path", "the path of a trace"),
        (Replay("x", speed=0.0), "shape.speed", "above 0"),
        (Replay("x", speed=NAN), "shape.speed", "nan"),
    ],
)
def test_shapes_that_mean_nothing(shape: Shape, field: str, what: str) -> None:
    """How many users, at what rate, for how long."""
    _refused(make_plan(shape=shape, warm_up_s=5.0), field, what)


def _prompts(**changes: Any) -> Scenario:
    return Scenario("a", "m", prompts=Prompts(**changes))


@pytest.mark.parametrize(
    ("scenario", "field", "what"),
    [
        (Scenario("", "m"), "name", "what a report calls"),
        (Scenario("a", ""), "model", "is empty; it is the name of a model"),
        (Scenario("a", "  "), "model", "is empty"),
        (Scenario("a", "m", weight=-1.0), "weight", "from 0"),
        (Scenario("a", "m", weight=NAN), "weight", "nan"),
        (Scenario("a", "m", turns=0), "turns", "from 1 to 10,000"),
        (Scenario("a", "m", think_s=-1.0), "think_s", "from 0"),
        (Scenario("a", "m", cancels=1.1), "cancels", "from 0 to 1"),
        (Scenario("a", "m", cancels=NAN), "cancels", "nan"),
        (Scenario("a", "m", cancel_s=0.0), "cancel_s", "above 0"),
        (Scenario("a", "m", format="xml"), "format", '"json" or a JSON schema'),
        (Scenario("a", "m", answers=Answers(0)), "answers.tokens", "from 1"),
        (Scenario("a", "m", answers=Answers(9, NAN)), "answers.spread", "nan"),
        (Scenario("a", "m", answers=Answers(None, 0.5)), "answers.spread", "left to the model"),
        (_prompts(kind="poem"), "prompts.kind", "fixed, file, synthetic"),
        (_prompts(kind="fixed", text=" "), "prompts.text", "what is asked, every time"),
        (_prompts(kind="file"), "prompts.path", "the path of a file"),
        (_prompts(kind="file", path="/no/such"), "prompts.path", "there is none of that name"),
        (_prompts(kind="file", path="x", field=""), "prompts.field", "the field of a row"),
        (_prompts(tokens=0), "prompts.tokens", "from 1"),
        (_prompts(tokens=10**8), "prompts.tokens", "to 10,000,000"),
        (_prompts(spread=11.0), "prompts.spread", "from 0 to 10"),
        (_prompts(groups=0), "prompts.groups", "from 1"),
        (_prompts(shared_tokens=-1), "prompts.shared_tokens", "from 0 on"),
        (_prompts(shared_tokens=200), "prompts.shared_tokens", "less than the 200 tokens"),
        (_prompts(images=("/no/such",)), "prompts.images[0]", "there is none of that name"),
        (_prompts(images=("",)), "prompts.images[0]", "the path of a picture"),
    ],
)
def test_scenarios_that_mean_nothing(scenario: Scenario, field: str, what: str) -> None:
    """The second of two; the error says so."""
    sound = Scenario("sound", "m", prompts=SMALL)
    _refused(make_plan(sound, scenario), f"workload.scenarios[1].{field}", what)


def test_mixes_that_mean_nothing() -> None:
    """No scenario, two of one name, or none with a weight."""
    _refused(replace(make_plan(), workload=Workload(())), "workload.scenarios", "one or more"[:3])
    twice = Scenario("a", "m")
    _refused(make_plan(twice, twice), "workload.scenarios[1].name", "no other scenario has")
    none = Scenario("a", "m", weight=0.0)
    _refused(make_plan(none), "workload.scenarios", "every weight is 0")


@pytest.mark.parametrize(
    ("api", "changes", "name"),
    [
        ("embed", {"system": "Be short."}, "system"),
        ("embed", {"format": "json"}, "format"),
        ("embed", {"think": False}, "think"),
        ("openai", {"think": False}, "think"),
        ("embed", {"tools": ({},)}, "tools"),
        ("embed", {"prompts": Prompts(images=(__file__,))}, "prompts.images"),
        ("generate", {"tools": ({},)}, "tools"),
    ],
)
def test_routes_that_do_not_take_it(api: Any, changes: dict[str, Any], name: str) -> None:
    """What would be left out without a word is refused."""
    scenario = Scenario("a", "m", **changes)
    check_plan(make_plan(scenario))
    plan = make_plan(scenario, target=Target(("http://a",), api=api))
    _refused(plan, f"workload.scenarios[0].{name}", f"the route {api} takes none")


def test_options_that_are_not_json() -> None:
    """They could not be sent."""
    scenario = Scenario("a", "m", options={"stop": object()})
    _refused(make_plan(scenario), "workload.scenarios[0]", "are JSON")


def test_a_trace_is_read_to_its_end_before_the_run(tmp_path: Path) -> None:
    """A fault in the last line is known before anything is sent."""
    path = tmp_path / "trace.jsonl"
    good = '{"timestamp": 5, "input_length": 1, "output_length": 1}\n'
    path.write_text(good * 3)
    check_plan(make_plan(shape=Replay(str(path))))
    path.write_text(good * 3 + good.replace("5", "4"))
    with pytest.raises(TraceError, match="line 4: timestamp 4 is earlier") as caught:
        check_plan(make_plan(shape=Replay(str(path))))
    assert isinstance(caught.value, LoadTestError)
