"""Plans, scripted samples and a worker without servers, for tests of runs in many processes."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.plan import Objective, OpenLoop, Phase, Plan, Target
from triollama_adapters.loadtest.running.progress import Progress, SampleSink
from triollama_adapters.loadtest.sample import Outcome, Sample
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.workload.scenario import Scenario, Workload

MS = 1_000_000
SESSIONS = 3_000
WINDOW_S = 30.0
OUTCOMES: tuple[Outcome, ...] = ("lost", "http_5xx", "stall", "cancelled", "censored", "unsent")


def make_plan(**changes: Any) -> Plan:
    """A plan of an open loop; it is never asked of a server."""
    values: dict[str, Any] = {
        "target": Target(("http://gpu-1:11434", "http://gpu-2:11434")),
        "workload": Workload((Scenario("s", "llama3.2"), Scenario("t", "qwen3:0.6b"))),
        "shape": OpenLoop((Phase(WINDOW_S, 100.0, 100.0),)),
        "duration_s": WINDOW_S - 5.0,
        "warm_up_s": 5.0,
        "objectives": (Objective("ttft", 0.95, 0.8, "ttft_p95<800ms"),),
        "seed": 7,
    }
    return Plan(**values | changes)


def scripted(index: int) -> Sample:
    """What became of one session: always the same, whoever asks it."""
    draw = random.Random(index)
    due = index * 10 * MS + 1
    sent = due + draw.randrange(0, 3 * MS)
    outcome: Outcome = draw.choice(OUTCOMES) if draw.random() < 0.1 else "ok"
    gaps = [draw.randrange(MS, 90 * MS) for _ in range(draw.randrange(1, 20))]
    first = sent + draw.randrange(50 * MS, 1_500 * MS)
    last = first + sum(gaps)
    is_ok, is_sent = outcome == "ok", outcome != "unsent"
    return Sample(
        session=index,
        scenario="st"[index % 2],
        model=("llama3.2", "qwen3:0.6b")[index % 2],
        endpoint=f"gpu-{draw.randrange(1, 3)}:11434" if is_sent else "",
        outcome=outcome,
        detail="" if is_ok else "it went wrong",
        is_measured=due >= 5_000 * MS,
        scheduled_ns=due,
        sent_ns=sent if is_sent else 0,
        first_ns=first if is_sent else 0,
        shown_ns=first if is_sent else 0,
        last_ns=last if is_sent else 0,
        done_ns=last + 5 * MS if is_ok else 0,
        ended_ns=last + 5 * MS,
        chunks=len(gaps) + 1 if is_sent else 0,
        gap_max_ns=max(gaps) if is_sent else 0,
        gaps_ns=gaps if is_sent else [],
        prompt_tokens=200,
        output_tokens=len(gaps) + 1 if is_ok else 0,
        total_ns=last - sent if is_ok else 0,
        load_ns=2 * MS,
        prefill_ns=40 * MS,
        decode_ns=sum(gaps),
        is_timed=is_ok,
    )


async def generate_scripted(
    plan: Plan,
    tally: Tally,
    clock: RunClock,
    *,
    process: int,
    go: Callable[[], Awaitable[int]],
    on_progress: Callable[[Progress], None],
    sink: SampleSink | None,
    stop: trio.Event,
    **_: object,
) -> None:
    """As `generate`, without servers: this process's share of `SESSIONS`, all at once.

    ``plan.seed`` 0 then waits to be stopped.
    """
    clock.begin(await go())
    on_progress(Progress(at_s=0.0, stage="measuring", until_s=1.0, sent=1, sent_per_s=1.0))
    for index in range(process, SESSIONS, plan.processes):
        sample = scripted(index)
        sample.process = process
        tally.add(sample)
        if sink is not None:
            sink.add(sample)
    if plan.seed == 0:
        while not stop.is_set():
            on_progress(Progress(at_s=1.0, stage="measuring", until_s=1.0, cpu=0.5))
            with trio.move_on_after(0.1):
                await stop.wait()
