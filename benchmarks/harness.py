"""Runs one client against one load server, each in a fresh process on a core of its own."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import attrs

from benchmarks.figures import SATURATED_MIN, SERVED_MIN, SERVER_CPU_MAX, WAITED_MAX
from benchmarks.load_server.report import Closings, Lateness
from benchmarks.loads import open_load_server
from benchmarks.measure import Measurement, file_limit
from benchmarks.plan import Plan
from benchmarks.processes import Lane, RunError, run_to_end

FILES_SPARE = 100
"""Open files that a process needs beside its streams."""

LATE_MAX_S = 0.005
"""How much later than its tick allows a server may send: a few do on any machine, by what the
kernel takes from a process; when more than one chunk in a hundred does, it is another load."""

SATURATED = "its core was full: chunks waited for it and were read several at once"


@attrs.frozen
class Contender:
    """A client module and the function of it that is measured.

    Attributes:
        client: The module in `benchmarks.clients`.
        task: Its function.
        plan: The load, where it is another than that of the whole comparison.
    """

    client: str
    task: str
    plan: Plan | None = None

    def __str__(self) -> str:
        name = f"{self.client}.{self.task}"
        return f"{name} at {self.plan.streams:,} streams" if self.plan else name


@attrs.frozen
class Run:
    """One run: what the client measured, and what the server says of the same window.

    Attributes:
        plan: What was asked for.
        measurement: The client's own figures.
        server_cpu: Share of one core that the server used within the window.
        served: Chunks or answers that the server sent within the window.
        due: Chunks that were due within the window; 0 where nothing is scheduled.
        lateness: How exactly the server kept its schedule.
        closings: When the server saw the client close its streams.
    """

    plan: Plan
    measurement: Measurement
    server_cpu: float
    served: float
    due: float
    lateness: Lateness = attrs.field(factory=Lateness)
    closings: Closings = attrs.field(factory=Closings)

    @property
    def rss_kib_per_stream(self) -> float:
        """Resident memory that each open stream added, in KiB."""
        grown = self.measurement.rss_bytes - self.measurement.rss_bytes_before
        return grown / self.plan.streams / 1024

    def behind(self) -> list[str]:
        """Return how far the client fell behind its plan; empty when it did not."""
        if self.measurement.count >= SERVED_MIN * self.due:
            return []
        share, sent = self.measurement.count / self.due, self.served / self.due
        return [f"received {share:.0%} of the chunks due (the server sent {sent:.0%})"]

    def overload(self) -> list[str]:
        """Return whether the server itself may have been what was measured; empty when not."""
        faults = []
        if self.due and self.server_cpu > SERVER_CPU_MAX:
            faults.append(f"the load server used {self.server_cpu:.0%} of its core")
        if self.lateness.p99_us > 1e6 * (self.plan.tick_s + LATE_MAX_S):
            late_ms = self.lateness.p99_us / 1e3
            faults.append(f"the load server sent 1 % of the chunks {late_ms:.1f} ms late, or later")
        return faults

    def disturbance(self) -> list[str]:
        """Return whether others had the client's core: what waited then was read in one go."""
        measured = self.measurement
        share = measured.waited_s / (measured.ended_s - measured.began_s)
        if share <= WAITED_MAX:
            return []
        return [f"the client waited {share:.0%} of the time for its core, which others had"]

    def faults(self) -> list[str]:
        """Return what makes this run another load than its plan; empty when nothing does."""
        return self.behind() + self.overload() + self.disturbance()

    def notes(self) -> list[str]:
        """Return what a reader must know of this run: its faults, and a client without rest."""
        measured = self.measurement
        elapsed_s = measured.ended_s - measured.began_s
        if not self.due or measured.user_s + measured.system_s < SATURATED_MIN * elapsed_s:
            return self.faults()
        return [*self.faults(), SATURATED]


def run_once(contender: Contender, plan: Plan, lane: Lane) -> Run:
    """Start a load server and a client, wait for the client, stop both.

    Args:
        contender: Who is measured.
        plan: The load.
        lane: The cores; see `lanes`.

    Returns:
        What both measured. Nothing is left running, whatever happens, Ctrl-C included.

    Raises:
        RunError: Either did not finish, or not within ``plan.deadline_s``; or the system does not
            let a process open that many sockets.
    """
    if file_limit() < plan.streams + FILES_SPARE:
        raise RunError(f"{plan.streams} streams, but only {file_limit()} open files are allowed")
    with open_load_server(plan, lane.server) as load:
        measurement = _run_client(contender, load.plan, lane.client)
        report = load.report()
    began, ended = (_at(report.samples, t) for t in (measurement.began_s, measurement.ended_s))
    elapsed_s = measurement.ended_s - measurement.began_s
    return Run(
        plan=plan,
        measurement=measurement,
        server_cpu=(ended[0] - began[0]) / elapsed_s,
        served=ended[1] - began[1],
        due=plan.due_per_s * elapsed_s,
        lateness=report.lateness,
        closings=report.closings,
    )


def _run_client(contender: Contender, plan: Plan, core: int) -> Measurement:
    return run_to_end(
        str(contender),
        "benchmarks.clients",
        [contender.client, contender.task, plan.encode()],
        prints=Measurement,
        deadline_s=plan.deadline_s,
        cores=[core],
    )


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
