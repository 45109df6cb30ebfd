"""Runs one client against one load server, each in a fresh process on a core of its own."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
from collections.abc import Iterator, Sequence

import attrs
import msgspec

from benchmarks.figures import SERVED_MIN, SERVER_CPU_MAX
from benchmarks.measure import Measurement, file_limit
from benchmarks.plan import Plan
from benchmarks.processes import STOP_S, RunError, end, first_core, last_core, run_to_end, start

FILES_SPARE = 100
"""Open files that a process needs beside its streams."""


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
    process = start("benchmarks.load_server", arguments, core=first_core(), stdin=subprocess.PIPE)
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise RunError("the load server did not start")
        yield msgspec.json.decode(line, type=dict[str, int])["port"], _StopServer(process)
    finally:
        end(process)


def _run_client(contender: Contender, plan: Plan) -> Measurement:
    arguments = [contender.client, contender.task, plan.encode()]
    output = run_to_end(
        str(contender),
        "benchmarks.clients",
        arguments,
        deadline_s=plan.deadline_s,
        core=last_core(),
    )
    return msgspec.json.decode(output, type=Measurement)


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
