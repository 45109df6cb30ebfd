"""What does it take to have the core at all? Time of its import, size, and what comes with it.

httpx loads its command line if the packages for it happen to be there, and rich is one of them. So
what the core does not require is hidden from the interpreters that are timed: they import what a
plain installation of the core would. How long it takes with all that is installed stands beside.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

import attrs

from benchmarks.figures import Bar
from benchmarks.processes import ROOT
from benchmarks.trial import Finding, Trial, TrialRow
from benchmarks.trials.packages import CORE, closure, modules_beyond, packages_of, peers, size_bytes

STARTS = 6
"""Of an interpreter of each kind, in turn."""

CPU_SHARE_MIN = 0.8
"""An interpreter that ran for less of its time did not have its core, even at its best start."""

HIDE = "import sys; sys.modules.update(dict.fromkeys(set(sys.argv[1:]) - sys.modules.keys()))"
"""A module that is there as ``None`` cannot be imported, as if it were not installed."""

IMPORT = f"import {CORE}"

TELL = f"{IMPORT}, sys; print(*sys.modules)"

TRIAL = Trial(
    name="importing",
    rows=(
        TrialRow(
            "import-time",
            f"`{IMPORT}` in a fresh interpreter, less the bare start of one; the least of {STARTS}",
            "import",
            "s",
            Bar(0.25),
            (("bare start", "s"), ("with all that is installed here", "s")),
        ),
        TrialRow(
            "core-size",
            "the core as it is installed, with all that it depends on",
            "size",
            "MB",
            Bar(20),
            (("own size", "MB"), ("packages", "packages")),
        ),
        TrialRow(
            "core-peers",
            "clients that it is measured against, among all that the core depends on and all that "
            "is imported with it here",
            "peers",
            "packages",
            Bar(0),
        ),
    ),
    repetitions_max=3,
)


@attrs.frozen
class _Start:
    """One start of an interpreter: the time on the clock, and of the processor, in seconds."""

    wall_s: float
    cpu_s: float


def run(_seed: int) -> Finding:
    """Start interpreters, and look at what is installed."""
    core = closure([CORE])
    hidden = sorted(modules_beyond(core))
    with tempfile.TemporaryDirectory() as folder:
        # An installation keeps its bytecode; a source tree may be compiled each time.
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        programs = [[HIDE, *hidden], [f"{HIDE}; {IMPORT}", *hidden], [IMPORT]]
        bare, alone, full = _best_starts(programs, environment)
        modules = _modules(environment)
    strangers = (core | packages_of(modules)) & peers()
    figures = {
        "import": alone.wall_s - bare.wall_s,
        "bare start": bare.wall_s,
        "with all that is installed here": full.wall_s - bare.wall_s,
        "size": sum(map(size_bytes, core)) / 1e6,
        "own size": size_bytes(CORE) / 1e6,
        "packages": float(len(core)),
        "peers": float(len(strangers)),
    }
    faults = []
    if alone.cpu_s < CPU_SHARE_MIN * alone.wall_s:
        faults.append(f"interpreters had {alone.cpu_s / alone.wall_s:.0%} of their core")
    return Finding(figures, tuple(faults))


def _best_starts(programs: Sequence[Sequence[str]], environment: dict[str, str]) -> list[_Start]:
    """The fastest start of each program; the first ones fill the caches."""
    rounds = [[_start(program, environment) for program in programs] for _ in range(STARTS)]
    return [min(starts, key=lambda start: start.wall_s) for starts in zip(*rounds, strict=True)]


def _modules(environment: dict[str, str]) -> set[str]:
    """The modules, without what is inside of them, that are imported with the core."""
    command = [sys.executable, "-c", TELL]
    told = subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE)
    return {name.partition(".")[0] for name in told.stdout.decode().split()}


def _start(program: Sequence[str], environment: dict[str, str]) -> _Start:
    command = [sys.executable, "-c", *program]
    began_s = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{program[0]!r} ended with status {process.returncode}")
    return _Start(wall_s, usage.ru_utime + usage.ru_stime)
