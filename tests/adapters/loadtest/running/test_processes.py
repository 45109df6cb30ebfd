"""Runs in real worker processes whose load is scripted: the same figures at any number of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from tests.adapters.loadtest.running.plans import SESSIONS, make_plan, scripted

from triollama_adapters.loadtest.errors import LoadTestError, PlanError
from triollama_adapters.loadtest.measures.conclude import conclude
from triollama_adapters.loadtest.measures.tally import Tally
from triollama_adapters.loadtest.plan import (
    ClosedLoop,
    OpenLoop,
    Phase,
    Plan,
    Replay,
    Shape,
)
from triollama_adapters.loadtest.result import Environment, Result
from triollama_adapters.loadtest.running.processes import invalidated, run_in_processes
from triollama_adapters.loadtest.running.progress import Progress
from triollama_adapters.loadtest.running.useful import check_processes, useful_processes
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.facts import Facts
from triollama_adapters.loadtest.workload.scenario import Answers, Scenario, Workload

ROOT = Path(__file__).parents[4]

needs_proc = pytest.mark.skipif(
    not Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").exists(), reason="needs /proc"
)


def worker(before: str = "") -> tuple[str, ...]:
    """The command of a worker with `generate_scripted`; `before` is run first, with `generate`."""
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from tests.adapters.loadtest.running.plans import generate_scripted as generate
from triollama_adapters.loadtest.running.worker import main
{before}
main(generate)
"""
    return (sys.executable, "-c", program)


class Sink:
    """Keeps samples."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []

    def add(self, sample: Sample) -> None:
        """Keep one."""
        self.samples.append(sample)


def whole_tally(plan: Plan) -> Tally:
    """What one process counts that asks all sessions itself."""
    tally = Tally(plan)
    for index in range(SESSIONS):
        tally.add(scripted(index))
    return tally


def shown(tally: Tally) -> Any:
    """All that a tally holds."""
    return msgspec.msgpack.decode(tally.encode(), strict=False)


def found(plan: Plan, tally: Tally) -> Result:
    """The result of a tally."""
    return conclude(plan, tally, environment=Environment("", "", "", 1))


async def run(
    plan: Plan, command: tuple[str, ...], **watcher: Any
) -> tuple[Tally, tuple[str, ...]]:
    """Run a plan with such workers."""
    tally, clock = Tally(plan), RunClock()
    with trio.fail_after(60):
        reasons = await run_in_processes(
            plan, tally, clock, facts=Facts(), command=command, **watcher
        )
    return tally, reasons


def children(pid: int | None = None) -> list[int]:
    """Processes that a process has started."""
    pid = pid or os.getpid()
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


async def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for something that has no event."""
    with trio.fail_after(20):
        while not is_so():
            await trio.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2, 8])
async def test_same_at_any_number(processes: int) -> None:
    """A scripted run has the same tally, to the last bucket, and each sample comes once."""
    plan, sink = make_plan(processes=processes), Sink()
    tally, reasons = await run(plan, worker(), sink=sink)
    assert reasons == ()
    whole = whole_tally(make_plan())
    assert shown(tally) == shown(whole)
    assert found(plan, tally) == found(plan, whole)
    assert sorted(each.session for each in sink.samples) == list(range(SESSIONS))
    by_session = {each.session: each for each in sink.samples}
    for index in (0, 1, 1_777):
        expected = scripted(index)
        expected.process = index % processes
        assert by_session[index] == expected


@pytest.mark.slow
@needs_proc
async def test_stop_and_nothing_left() -> None:
    """A stop is heard by all, what they had is merged, and no process is left.

    The Ctrl-C of a terminal ends no worker: whoever started them stops them.
    """
    plan, stop, before = make_plan(processes=3, seed=0), trio.Event(), children()
    seen: list[Progress] = []

    def on_progress(progress: Progress) -> None:
        for pid in set(children()) - set(before):
            os.kill(pid, signal.SIGINT)
        seen.append(progress)
        stop.set()

    tally, reasons = await run(plan, worker(), stop=stop, on_progress=on_progress)
    assert reasons == ()
    assert tally.counts == whole_tally(plan).counts
    assert seen[-1].cpu == 0.5
    assert children() == before


@pytest.mark.slow
@needs_proc
async def test_death_of_a_worker() -> None:
    """A worker that is killed makes the run INVALID, with its reason; the others' part is kept."""
    plan, stop, before = make_plan(processes=2, seed=0), trio.Event(), set(children())
    killed: list[int] = []

    def on_progress(progress: Progress) -> None:
        if not killed:
            killed.append(min(set(children()) - before))
            os.kill(killed[0], signal.SIGKILL)
        else:
            stop.set()

    tally, reasons = await run(plan, worker(), stop=stop, on_progress=on_progress)
    (reason,) = reasons
    assert reason.endswith("of 2 was killed by SIGKILL")
    left = [index for index in range(SESSIONS) if index % 2 != int(reason.split()[1]) - 1]
    expected = Tally(plan)
    for index in left:
        expected.add(scripted(index))
    assert tally.counts == expected.counts


@pytest.mark.slow
@needs_proc
async def test_cancelled() -> None:
    """If the run is cancelled, no process is left."""
    before = children()
    with trio.CancelScope() as scope:
        await run(make_plan(processes=2, seed=0), worker(), on_progress=lambda _: scope.cancel())
    assert scope.cancelled_caught
    assert children() == before


@pytest.mark.slow
@needs_proc
async def test_parent_killed(tmp_path: Path) -> None:
    """Workers end by themselves when who started them is killed."""
    program = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import trio
from tests.adapters.loadtest.running import test_processes as here
def note(_): open(sys.argv[1], "w").close()
trio.run(lambda: here.run(here.make_plan(processes=2, seed=0), here.worker(), on_progress=note))
"""
    runs = tmp_path / "runs"
    parent = start(program, str(runs))
    try:
        await wait_until(runs.exists)
        workers = children(parent.pid)
        assert len(workers) == 2
    finally:
        parent.kill()
        parent.wait()
    await wait_until(lambda: not any(is_running(pid) for pid in workers))


def start(program: str, *words: str) -> subprocess.Popen[bytes]:
    """Start a program of Python's."""
    return subprocess.Popen([sys.executable, "-c", program, *words])


def is_running(pid: int) -> bool:
    """Whether there is such a process, and not just one that nobody has buried."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.slow
async def test_what_a_worker_prints_is_no_frame() -> None:
    """A library that prints, in Python or below it, breaks nothing."""
    before = """
inner = generate
async def generate(*args, **kwargs):
    print("hello")
    import os
    os.write(1, b"from below")
    await inner(*args, **kwargs)
"""
    tally, reasons = await run(make_plan(processes=2), worker(before))
    assert reasons == ()
    assert tally.counts.scheduled == 2_500


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "told"),
    [
        ("sys.exit(3)", r"process \d of 2 ended with exit code 3, before the load began"),
        ("import nothing_of_the_kind", r"exit code 1: ModuleNotFoundError: No module named"),
        ("import os; os.write(1, b'Hello, world'); sys.exit()", r"said what no worker says"),
        ("import os; os.close(1); os.close(2); sys.exit()", r"process \d of 2 ended with exit"),
    ],
)
async def test_worker_that_cannot_begin(before: str, told: str) -> None:
    """Who died before the load, and what it said last, is the error."""
    with pytest.raises(LoadTestError, match=told):
        await run(make_plan(processes=2), worker(before))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("raised", "error", "told"),
    [
        ("PlanError('the trace is empty')", PlanError, "^the trace is empty$"),
        ("KeyError('x')", LoadTestError, r"failed: KeyError: 'x', before the load began"),
    ],
)
async def test_worker_that_raises(raised: str, error: type[Exception], told: str) -> None:
    """What it raises crosses over: the plan's fault as it is, its own with its name."""
    before = f"""
from triollama_adapters.loadtest.errors import PlanError
async def generate(*args, **kwargs):
    raise {raised}
"""
    with pytest.raises(error, match=told):
        await run(make_plan(processes=2), worker(before))


async def test_no_such_program() -> None:
    """A worker that cannot be started is told."""
    with pytest.raises(LoadTestError, match="process 1 of 2 cannot be started: No such file"):
        await run(make_plan(processes=2), ("/no/such/python",))


@pytest.mark.slow
@needs_proc
async def test_secrets_are_not_in_the_command_line() -> None:
    """The plan, with its headers, goes by pipe: no list of processes shows it."""
    target = msgspec.structs.replace(make_plan().target, headers={"Authorization": "Bearer s3cret"})
    plan, stop, lines = make_plan(processes=1, seed=0, target=target), trio.Event(), list[bytes]()

    def on_progress(_: Progress) -> None:
        lines.extend(Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children())
        stop.set()

    await run(plan, worker(), stop=stop, on_progress=on_progress)
    assert lines
    assert not any(b"s3cret" in line for line in lines)


def test_invalidated() -> None:
    """Reasons make a result INVALID, and come first; without any it stays as it is."""
    result = found(make_plan(), whole_tally(make_plan()))
    assert invalidated(result, ()) is result
    worse = invalidated(result, ("process 1 of 2 fell", "so did process 2 of 2"))
    assert worse.client.validity == "INVALID"
    assert worse.client.reasons[:2] == ("process 1 of 2 fell", "so did process 2 of 2")
    assert worse.client.reasons[2:] == result.client.reasons
    assert worse.counts == result.counts


# ---- how many processes


def plan_of(shape: Shape, tokens: int | None = 200) -> Plan:
    """A plan with one scenario of such answers."""
    scenario = Scenario("s", "m", answers=Answers(tokens))
    return make_plan(shape=shape, workload=Workload((scenario,)))


def rate(per_s: float) -> OpenLoop:
    """A ramp up to that rate."""
    return OpenLoop((Phase(10.0, 1.0, per_s), Phase(10.0, per_s, 1.0)))


@pytest.mark.parametrize(
    ("shape", "cores", "expected"),
    [
        (ClosedLoop(8), 16, 1),
        (ClosedLoop(8), 1, 1),
        (rate(1.0), 64, 1),
        (rate(1_000.0), 2, 1),  # one is for the servers
        (rate(1_000.0), 4, 3),
        (rate(100_000.0), 256, 64),
        (ClosedLoop(100_000), 8, 7),
    ],
)
def test_useful_processes(shape: Shape, cores: int, expected: int) -> None:
    """All cores but one, and no more than the load needs."""
    assert useful_processes(plan_of(shape), cores=cores) == expected


def test_more_load_needs_more_processes() -> None:
    """The busiest moment counts, and long answers cost more."""
    counts = [useful_processes(plan_of(rate(each)), cores=64) for each in (10, 100, 300, 1_000)]
    assert counts == sorted(counts)
    assert 1 == counts[0] < counts[-1]
    short, long = (plan_of(rate(300.0), tokens) for tokens in (1, 1_000))
    assert useful_processes(short, cores=64) < useful_processes(long, cores=64)
    no_more = useful_processes(plan_of(ClosedLoop(3), tokens=1), cores=64)
    assert no_more <= 3


def test_trace_counts_by_its_busiest_second(tmp_path: Path) -> None:
    """A trace that is quiet but for a second needs processes for that second."""
    rows = [(0, 1), (5_000, 400), (60_000, 1)]
    lines = [
        msgspec.json.encode({"timestamp": at, "input_length": 10, "output_length": 200})
        for at, count in rows
        for _ in range(count)
    ]
    path = tmp_path / "trace.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    assert useful_processes(plan_of(Replay(str(path))), cores=64) > 4


@pytest.mark.parametrize("count", [0, -1, 65])
def test_number_that_means_nothing(count: int) -> None:
    """A number of processes is from 1 to 64."""
    with pytest.raises(PlanError, match="1 to 64 processes"):
        check_processes(count)
    assert check_processes(64) == 64
