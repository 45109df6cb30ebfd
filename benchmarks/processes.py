"""Processes of the harness: started apart from its group, read, and ended by their id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import attrs
import msgspec

ROOT = Path(__file__).resolve().parents[1]
"""Where ``python -m benchmarks…`` finds the package; it is not installed."""

STOP_S = 3.0
"""How long a process may take to end after it was asked to, before it is killed."""

ERROR_LINES_MAX = 6
"""How much of a failed process's last words is worth printing."""


CORES_OF_TWO = 4
"""What two runs need, so that none shares a core."""

T = TypeVar("T")


class RunError(Exception):
    """A process did not finish its run; the text says which and why."""


_running: set[subprocess.Popen[str]] = set()


@attrs.frozen
class Lane:
    """The cores of one run: the load server's, and the client's."""

    server: int
    client: int


def lanes() -> tuple[Lane, ...]:
    """Return the cores for as many runs as can be measured at once: one, or two on four cores."""
    cores = sorted(os.sched_getaffinity(0))
    outer = Lane(cores[0], cores[-1])
    return (outer, Lane(cores[1], cores[-2])) if len(cores) >= CORES_OF_TWO else (outer,)


def start(
    module: str,
    arguments: Sequence[str],
    *,
    cores: Collection[int] = (),
    stdin: int | None = None,
    stderr: int | None = None,
) -> subprocess.Popen[str]:
    """Start a module of this package; its output can be read.

    Args:
        module: its dotted name.
        arguments: its command line.
        cores: those that it is pinned to, and all that it starts: moved from one to another, a
            process pays for the caches it left behind, and the more the more it holds in them.
            None of them: the kernel chooses.
        stdin: as for `subprocess.Popen`; None is nothing to read.
        stderr: the same; None is that of the harness.
    """
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
    _running.add(process)
    if cores:
        os.sched_setaffinity(process.pid, cores)
    return process


def run_to_end(
    name: str,
    module: str,
    arguments: Sequence[str],
    *,
    prints: type[T],
    deadline_s: float,
    cores: Collection[int],
) -> T:
    """Start a process and wait for it; returns what it printed.

    Args:
        name: what an error calls it.
        module: see `start`.
        arguments: see `start`.
        prints: what its one line of JSON is.
        deadline_s: by when it ends itself; `STOP_S` later it is ended.
        cores: see `start`.

    Raises:
        RunError: It did not end well, or not in time, or printed something else.
    """
    process = start(module, arguments, cores=cores, stderr=subprocess.PIPE)
    try:
        output, errors = process.communicate(timeout=deadline_s + STOP_S)
    except subprocess.TimeoutExpired as error:
        raise RunError(f"{name} did not end by its deadline") from error
    finally:
        end(process)
    if process.returncode:
        last = "\n".join(errors.strip().splitlines()[-ERROR_LINES_MAX:])
        why = f" (its deadline, {deadline_s:g} s)" if process.returncode == -signal.SIGALRM else ""
        raise RunError(f"{name} ended with status {process.returncode}{why}\n{last}".rstrip())
    try:
        return msgspec.json.decode(output, type=prints)
    except msgspec.DecodeError as error:
        raise RunError(f"{name} printed something else: {error}") from error


def end(process: subprocess.Popen[str]) -> None:
    """Ask a process to end, kill it if it does not, and close its pipes."""
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
    _running.discard(process)


def kill_all() -> None:
    """Kill every process that was started and has not ended; who waits for one sees its end."""
    for process in tuple(_running):
        process.kill()


@contextmanager
def open_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that wait for processes; if the block ends early, all of them are killed.

    Args:
        count: at least 1.
    """
    with ThreadPoolExecutor(count) as threads:
        try:
            yield threads
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            kill_all()  # or the threads would wait for what nobody wants any more
            raise
