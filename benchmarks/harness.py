"""Runs one client against one load server, each in a fresh process, and stops both by pid."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import msgspec

from benchmarks.figures import SERVED_MIN, SERVER_CPU_MAX
from benchmarks.measure import Measurement, file_limit
from benchmarks.plan import Plan

ROOT = Path(__file__).resolve().parents[1]
"""Where ``python -m benchmarks…`` finds the package; it is not installed."""

STOP_S = 3.0
"""How long a process may take to end after it was asked to, before it is killed."""

SERVER_MODULE = "benchmarks.load_server"

FILES_SPARE = 100
"""Open files that a process needs beside its streams."""

ERROR_LINES_MAX = 6
"""How much of a failed client's last words is worth printing."""


class RunError(Exception):
    """A client or the load server did not finish its run; the text says which and why."""


@attrs.frozen
class Contender:
    """A client module and the function of it that is measured."""

    client: str
    task: str

    def __str__(self) -> str:
        return f"{self.client}.{self.task}"


@attrs.frozen
class Run:
    """One run: what the client measured, and what the server says of the same window.

    Attributes:
        plan: What was asked for.
        measurement: The client's own figures.
        server_cpu: Share of one core that the server used within the window.
        served: Chunks or answers that the server sent within the window.
        due: Chunks that were due within the window; 0 where nothing is scheduled.
    """

    plan: Plan
    measurement: Measurement
    server_cpu: float
    served: float
    due: float

    @property
    def rss_kib_per_stream(self) -> float:
        """Resident memory that each open stream added, in KiB."""
        grown = self.measurement.rss_bytes - self.measurement.rss_bytes_before
        return grown / self.plan.streams / 1024

    def faults(self) -> list[str]:
        """Return what makes this run another load than its plan; empty when nothing does."""
        if not self.due:
            return []
        faults = []
        if self.measurement.count < SERVED_MIN * self.due:
            share = self.measurement.count / self.due
            sent = self.served / self.due
            faults.append(f"received {share:.0%} of the chunks due (the server sent {sent:.0%})")
        if self.server_cpu > SERVER_CPU_MAX:
            faults.append(f"the load server used {self.server_cpu:.0%} of its core")
        return faults


def run_once(contender: Contender, plan: Plan) -> Run:
    """Start a load server and a client, wait for the client, stop both.

    Returns:
        What both measured. Nothing is left running, whatever happens, Ctrl-C included.

    Raises:
        RunError: Either did not finish, or not within ``plan.deadline_s``; or the system does not
            let a process open that many sockets.
    """
    if file_limit() < plan.streams + FILES_SPARE:
        raise RunError(f"{plan.streams} streams, but only {file_limit()} open files are allowed")
    with _load_server(plan) as (port, stop):
        planned = attrs.evolve(plan, url=f"http://127.0.0.1:{port}")
        measurement = _run_client(contender, planned)
        samples = stop()
    began, ended = (_at(samples, t) for t in (measurement.began_s, measurement.ended_s))
    elapsed_s = measurement.ended_s - measurement.began_s
    return Run(
        plan=plan,
        measurement=measurement,
        server_cpu=(ended[0] - began[0]) / elapsed_s,
        served=ended[1] - began[1],
        due=plan.streams * elapsed_s / plan.interval_s,
    )


class _StopServer:
    """Closes the server's input, which ends it, and returns the samples that it then prints."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self) -> list[tuple[float, float, int]]:
        try:
            output, _ = self._process.communicate(timeout=STOP_S)
            return msgspec.json.decode(output, type=dict[str, list[tuple[float, float, int]]])[
                "samples"
            ]
        except (subprocess.TimeoutExpired, msgspec.DecodeError, KeyError) as error:
            raise RunError(f"the load server ended badly: {error}") from error


@contextlib.contextmanager
def _load_server(plan: Plan) -> Iterator[tuple[int, _StopServer]]:
    arguments = [
        f"--streams={plan.streams}",
        f"--interval-s={plan.interval_s}",
        f"--tick-s={plan.tick_s}",
    ]
    process = _start(SERVER_MODULE, arguments, stdin=subprocess.PIPE)
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise RunError("the load server did not start")
        yield msgspec.json.decode(line, type=dict[str, int])["port"], _StopServer(process)
    finally:
        _end(process)


def _run_client(contender: Contender, plan: Plan) -> Measurement:
    arguments = [contender.client, contender.task, plan.encode()]
    process = _start("benchmarks.clients", arguments, stderr=subprocess.PIPE)
    try:
        output, errors = process.communicate(timeout=plan.deadline_s + STOP_S)
    except subprocess.TimeoutExpired as error:
        raise RunError(f"{contender} did not end by its deadline") from error
    finally:
        _end(process)
    if process.returncode:
        last = "\n".join(errors.strip().splitlines()[-ERROR_LINES_MAX:])
        raise RunError(f"{contender} ended with status {process.returncode}\n{last}".rstrip())
    return msgspec.json.decode(output, type=Measurement)


def _start(
    module: str, arguments: Sequence[str], *, stdin: int | None = None, stderr: int | None = None
) -> subprocess.Popen[str]:
    # Out of this process group, so that Ctrl-C reaches only the harness, which then stops them.
    # Proxies are for other addresses than loopback, but two of the clients would ask them.
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        start_new_session=True,
    )
    # A core for each: moved from one to another, a process pays for the caches it left behind, and
    # the more the more it holds in them.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(process.pid, {_core(module)})
    return process


def _core(module: str) -> int:
    """The core that a process is pinned to: the load server's the first, a client's the last."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[0] if module == SERVER_MODULE else cores[-1]


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _at(samples: Sequence[tuple[float, float, int]], when_s: float) -> tuple[float, float]:
    """Return the server's (CPU time, sent) at a time, on the line between the samples around it."""
    for earlier, later in itertools.pairwise(samples):
        if earlier[0] <= when_s <= later[0]:
            part = (when_s - earlier[0]) / (later[0] - earlier[0])
            return (
                earlier[1] + part * (later[1] - earlier[1]),
                earlier[2] + part * (later[2] - earlier[2]),
            )
    raise RunError("the load server was not running for the whole window")
