"""Load tests of servers that know the truth: for trials and proofs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit
from zlib import crc32

import attrs
import trio

from benchmarks.clients.rows import open_folder
from benchmarks.load_tools.inputs import write_prompts
from benchmarks.load_truth import Deviation, Pair, deviations, ledger_deviations, pair
from benchmarks.plan import MODEL
from benchmarks.processes import end, lanes, start
from triollama_adapters.loadtest.plan import ClosedLoop, Plan, Shape, Target
from triollama_adapters.loadtest.result import Result
from triollama_adapters.loadtest.running.run import run_load
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.targets.facts import EndpointFacts, Facts
from triollama_adapters.loadtest.workload.making import make_sessions
from triollama_adapters.loadtest.workload.scenario import Answers, Prompts, Scenario, Workload
from triollama_adapters.simulator import SimulatorConfig, open_simulator_processes, read_truth

PROMPTS = 50_000
"""No two of one run are the same, by which a request is found in the server's log."""

SIMULATED = SimulatorConfig(
    prefill_tokens_per_s=200.0,
    decode_tokens_per_s=10.0,
    answer_tokens_min=10,
    answer_tokens_max=20,
)
"""A chunk every 100 ms of each stream; answers of a second or two."""

SLOTS_PER_USER = 0.8
"""So that some wait for a slot."""


class Kept:
    """Keeps all samples; a `running.SampleSink`."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []

    def add(self, sample: Sample) -> None:
        """Keep one."""
        self.samples.append(sample)


@attrs.frozen
class Proof:
    """What a load test said, beside what was.

    Attributes:
        result: what it said.
        pairs: the requests of the window.
        figures: every percentile.
        ledger: every term that the server knows.
    """

    result: Result
    pairs: list[Pair]
    figures: list[Deviation]
    ledger: list[Deviation]


def plan_for(
    url: str,
    shape: Shape,
    *,
    prompts: Path | None = None,
    duration_s: float,
    warm_up_s: float = 0.0,
    drain_s: float = 30.0,
    tokens: int | None = None,
    seed: int = 0,
) -> Plan:
    """A plan of one scenario.

    Args:
        url: whom it is for.
        shape: when.
        prompts: a file of prompts; None asks the same always.
        duration_s: of the window.
        warm_up_s: before it.
        drain_s: behind it, at most.
        tokens: of an answer at most.
        seed: of the run.
    """
    asked = Prompts("fixed", text="Why is the sky blue?")
    if prompts is not None:
        asked = Prompts("file", path=str(prompts), field="prompt")
    scenario = Scenario("chat", MODEL, prompts=asked, answers=Answers(tokens))
    return Plan(
        Target((url,)),
        Workload((scenario,)),
        shape,
        duration_s=duration_s,
        warm_up_s=warm_up_s,
        drain_s=drain_s,
        seed=seed,
    )


def find_truth(plan: Plan, samples: Sequence[Sample], truth: Path) -> list[Pair]:
    """Find the requests of the window in a server's log."""
    last = max((sample.session for sample in samples), default=-1)
    prompts = {
        session.index: crc32(session.turns[0].prompt.encode())
        for session in islice(make_sessions(plan), last + 1)
    }
    return pair((each for each in samples if each.is_measured), read_truth(truth), prompts)


async def prove(
    users: int, *, seconds: float, config: SimulatorConfig = SIMULATED, seed: int = 0
) -> Proof:
    """Run a closed loop against a simulated server, on another core if there is one.

    Args:
        users: at once.
        seconds: of the window.
        config: of the server; its slots are fewer than the users.
        seed: of the run.
    """
    config = attrs.evolve(config, num_parallel=max(1, int(SLOTS_PER_USER * users)))
    with open_folder() as folder:
        truth, prompts = folder / "truth.jsonl", folder / "prompts.jsonl"
        write_prompts(prompts, PROMPTS)
        async with open_simulator_processes(1, config, truth=truth) as [server]:
            os.sched_setaffinity(server.pid, {lanes()[0].server})
            shape = ClosedLoop(users, ramp_s=1.0)
            plan = plan_for(
                server.url, shape, prompts=prompts, duration_s=seconds, warm_up_s=1.5, seed=seed
            )
            kept = Kept()
            result = await run_load(plan, sink=kept)
        pairs = find_truth(plan, kept.samples, truth)
    figures = deviations(result.metrics, pairs)
    ledger = ledger_deviations(result.ledger, pairs) if result.ledger is not None else []
    return Proof(result, pairs, figures, ledger)


@contextmanager
def open_server(
    streams: int, *, tokens: int, interval_s: float = 0.02, truth: Path | None = None
) -> Iterator[str]:
    """Start a load server on a core of its own; gives its address.

    Args:
        streams: at once; 0 answers each at once.
        tokens: of an answer.
        interval_s: between two chunks of a stream.
        truth: where it logs what it sent.
    """
    options = [f"--streams={streams}", f"--tokens={tokens}", f"--interval-s={interval_s}"]
    options += [f"--truth={truth}"] if truth is not None else []
    core = lanes()[0].server
    process = start("benchmarks.load_server", options, cores=[core], stdin=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
    finally:
        end(process)


def run_unprepared(plan: Plan, kept: Kept | None = None) -> Result:
    """Run a plan without a look at the server before: the load server tells no true times."""
    name = urlsplit(plan.target.endpoints[0]).netloc
    return trio.run(_run_unprepared, plan, kept, Facts((EndpointFacts(name),)))


async def _run_unprepared(plan: Plan, kept: Kept | None, facts: Facts) -> Result:
    return await run_load(plan, sink=kept, facts=facts)


def faults_of(results: Iterable[Result]) -> list[str]:
    """What makes a run another load than its row names."""
    found = []
    for result in results:
        client, counts = result.client, result.counts
        if client.validity != "VALID":
            found.append(f"{client.validity}: {'; '.join(client.reasons)}")
        if counts.errors:
            found.append(f"errors: {counts.errors}")
    return found
