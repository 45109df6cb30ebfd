"""Load servers for a trial, which take turns: all but one are stopped, so that one load runs alone.

A trial that uses it must not be pinned when it starts (``is_alone=False``): it pins the servers to
the first core and itself to the last.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import attrs
import msgspec

from benchmarks.plan import Plan
from benchmarks.processes import RunError, end, first_core, last_core, start

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@attrs.frozen
class Load:
    """A load server that listens.

    Attributes:
        plan: What it sends; its ``url`` says where.
        pid: Its process.
    """

    plan: Plan
    pid: int

    def stop(self) -> None:
        """Let it send nothing until `go_on`; what it should have sent meanwhile is skipped."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it send again; the first round comes at once."""
        os.kill(self.pid, signal.SIGCONT)

    def cpu_s(self) -> float:
        """The CPU time that it has used, in seconds, to a hundredth or so."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


@contextlib.contextmanager
def pinned() -> Iterator[None]:
    """Keep this process on the last core for the time of a block."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {last_core()})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


@contextlib.contextmanager
def open_load(plan: Plan) -> Iterator[Load]:
    """Start a load server on the first core.

    Args:
        plan: The streams, or with none the answers in one line.

    Raises:
        RunError: It did not start.
    """
    options = plan.server_options()
    process = start("benchmarks.load_server", options, core=first_core(), stdin=subprocess.PIPE)
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise RunError("the load server did not start")
        port = msgspec.json.decode(line, type=dict[str, int])["port"]
        yield Load(attrs.evolve(plan, url=f"http://127.0.0.1:{port}"), process.pid)
    finally:
        process.send_signal(signal.SIGCONT)  # one that is stopped would not hear that it must end
        end(process)
