"""Load servers in processes of their own, which can be stopped and go on: for takers in turn."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import attrs
import msgspec

from benchmarks.load_server.report import ServerReport
from benchmarks.plan import Plan
from benchmarks.processes import STOP_S, RunError, end, start

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@attrs.frozen
class Load:
    """A load server that listens.

    Attributes:
        plan: What it sends; its ``url`` says where.
        process: Its process.
    """

    plan: Plan
    process: subprocess.Popen[str]

    def stop(self) -> None:
        """Let it send nothing until `go_on`; what it should have sent meanwhile is skipped."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it send again; the first round comes at once."""
        self.process.send_signal(signal.SIGCONT)

    def cpu_s(self) -> float:
        """The CPU time that it has used, in seconds, to a hundredth or so."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S

    def report(self) -> ServerReport:
        """End it by closing its input; returns what it then prints.

        Raises:
            RunError: It did not end, or printed something else.
        """
        try:
            output, _ = self.process.communicate(timeout=STOP_S)
            return msgspec.json.decode(output, type=ServerReport)
        except (subprocess.TimeoutExpired, msgspec.DecodeError) as error:
            raise RunError(f"the load server ended badly: {error}") from error


@contextlib.contextmanager
def open_load_server(plan: Plan, core: int) -> Iterator[Load]:
    """Start a load server, and end it with the block.

    Args:
        plan: The streams, or with none the answers in one line.
        core: The core that it is pinned to.

    Raises:
        RunError: It did not start.
    """
    options = plan.server_options()
    process = start("benchmarks.load_server", options, cores=[core], stdin=subprocess.PIPE)
    try:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise RunError("the load server did not start")
        port = msgspec.json.decode(line, type=dict[str, int])["port"]
        yield Load(attrs.evolve(plan, url=f"http://127.0.0.1:{port}"), process)
    finally:
        process.send_signal(signal.SIGCONT)  # one that is stopped would not hear that it must end
        end(process)
