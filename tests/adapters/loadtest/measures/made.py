"""Plans, samples and results for the tests of measures. Times are in milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from triollama_adapters.loadtest.measures.baseline import Baseline
from triollama_adapters.loadtest.measures.conclude import conclude
from triollama_adapters.loadtest.measures.objectives import parse_objective
from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.plan import ClosedLoop, Plan, Target
from triollama_adapters.loadtest.result import Environment, Result
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.workload.scenario import Scenario, Workload

MS = 1_000_000
NOWHERE = Environment("0", "3", "here", 1)


def plan_of(
    *objectives: str, duration_s: float = 10.0, warm_up_s: float = 0.0, drain_s: float = 5.0
) -> Plan:
    """A plan with these objectives and this window."""
    return Plan(
        target=Target(("http://one:1",), headers={"authorization": "secret"}),
        workload=Workload((Scenario("talk", "m"),)),
        shape=ClosedLoop(1),
        duration_s=duration_s,
        warm_up_s=warm_up_s,
        drain_s=drain_s,
        objectives=tuple(map(parse_objective, objectives)),
    )


def answered(
    due: float,
    sent: float,
    first: float,
    gaps: Sequence[float] = (),
    *,
    done: float | None = None,
    tokens: int | None = None,
    **fields: Any,
) -> Sample:
    """A whole answer, streamed with these gaps; `done` is its last chunk's time if not given."""
    gaps_ns = [round(gap * MS) for gap in gaps]
    first_ns = round(first * MS)
    last_ns = first_ns + sum(gaps_ns)
    done_ns = last_ns if done is None else round(done * MS)
    known = {
        "session": 0,
        "scenario": "talk",
        "model": "m",
        "endpoint": "one:1",
        "scheduled_ns": round(due * MS),
        "sent_ns": round(sent * MS),
        "first_ns": first_ns,
        "shown_ns": first_ns,
        "last_ns": last_ns,
        "done_ns": done_ns,
        "ended_ns": done_ns,
        "chunks": len(gaps_ns) + 1,
        "gap_max_ns": max(gaps_ns, default=0),
        "gaps_ns": gaps_ns,
        "output_tokens": len(gaps_ns) + 1 if tokens is None else tokens,
    }
    return Sample(**{**known, **fields})


def failed(outcome: str, due: float, ended: float, *, sent: float = 0.0, **fields: Any) -> Sample:
    """A request without an answer; never sent if `sent` is 0."""
    known = {
        "session": 0,
        "scenario": "talk",
        "model": "m",
        "endpoint": "one:1" if sent else "",
        "outcome": outcome,
        "scheduled_ns": round(due * MS),
        "sent_ns": round(sent * MS),
        "ended_ns": round(ended * MS),
    }
    return Sample(**{**known, **fields})


def tally_of(plan: Plan, samples: Iterable[Sample], baseline: Baseline | None = None) -> Tally:
    """All of them counted."""
    tally = Tally(plan, {"m": baseline} if baseline is not None else None)
    for sample in samples:
        tally.add(sample)
    return tally


def result_of(
    plan: Plan, samples: Iterable[Sample], baseline: Baseline | None = None, name: str = ""
) -> Result:
    """What they conclude to."""
    return conclude(plan, tally_of(plan, samples, baseline), environment=NOWHERE, name=name)
