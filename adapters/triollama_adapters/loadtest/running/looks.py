"""Looks at the servers and at this machine while a load runs: ``/api/ps``, CPU, memory, GPU.

Both loops take a look at once and then every second, and stop asking what cannot be asked. A look
at a server is a small request of its own, over its own connection, which no figure counts.

Bounds: `LOOKS_MAX` of each kind; beyond it every other one is dropped, and only every other taken.
"""

from __future__ import annotations

import shutil
import subprocess
from bisect import bisect_right
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

import httpx
import trio

from triollama import Engine, EngineConfig, ProbeConfig, PsResponse, TriollamaError, open_engine
from triollama.api import name_key, parse_time
from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.result import HostLook, LoadedLook
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.open import endpoints_of

__all__ = ["HostLooks", "ServerLooks"]

LOOK_S: Final = 1.0
"""Between two looks."""

FAILURES_MAX: Final = 3
"""Looks in a row that fail before an endpoint is asked no more: behind a gateway there may be no
such route."""

LOOKS_MAX: Final = 4_096

GPU_S: Final = 5.0
"""How long ``nvidia-smi`` may take; it is asked in a thread."""

_GPU: Final = (
    "--query-gpu=utilization.gpu,memory.used",
    "--format=csv,noheader,nounits",
)

T = TypeVar("T")


class ServerLooks:
    """What is loaded where, over time.

    Args:
        plan: whom to look at.
        clock: of the run.
        transport: see `open_target`.

    Attributes:
        loaded: what was seen, in order; models that are not loaded do not appear.
    """

    def __init__(
        self, plan: Plan, clock: RunClock, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._plan = plan
        self._transport = transport
        self._clock = clock
        self.loaded: list[LoadedLook] = []
        self._seen: dict[str, tuple[list[int], list[frozenset[str]]]] = {}
        self._thinning = _Thinning()

    async def run(self) -> None:
        """Look until cancelled."""
        endpoints = endpoints_of(self._plan.target)
        config = EngineConfig(probe=ProbeConfig(enabled=False), grace_s=0.0)
        opening = open_engine(*endpoints, config=config, transport=self._transport)
        async with opening as engine, trio.open_nursery() as nursery:
            for endpoint in endpoints:
                nursery.start_soon(self._look_at, engine, endpoint.name)

    def was_absent(self, endpoint: str, model: str, at_ns: int) -> bool:
        """Whether a model was not loaded at the last look before a time of the run."""
        times, models = self._seen.get(endpoint, ([], []))
        place = bisect_right(times, at_ns) - 1
        return place >= 0 and name_key(model) not in models[place]

    def saw(self, endpoint: str, model: str, at_ns: int) -> None:
        """An answer of this model came then: it is loaded, though no look may have told so yet.

        Without this, all requests between a load and the next look would count as cold.
        """
        times, models = self._seen.get(endpoint, ([], []))
        key = name_key(model)
        if times and at_ns >= times[-1] and key not in models[-1]:
            times.append(at_ns)
            models.append(models[-1] | {key})

    async def _look_at(self, engine: Engine, name: str) -> None:
        failures = 0
        while failures < FAILURES_MAX:
            try:
                seen = await engine.ps(endpoint=name)
            except TriollamaError:
                failures += 1
            else:
                failures = 0
                self.note(name, seen, self._clock.now_ns() if self._clock.start_ns else 0)
            await trio.sleep(LOOK_S)

    def note(self, endpoint: str, seen: PsResponse, at_ns: int) -> None:
        """Keep a look."""
        times, models = self._seen.setdefault(endpoint, ([], []))
        keys = frozenset(each.key for each in seen.models)
        if not models or models[-1] != keys:
            times.append(at_ns)
            models.append(keys)
        if not self._thinning.takes():
            return
        for each in seen.models:
            expires_s = _expires_s(parse_time(each.expires_at), self._clock.began_at, at_ns)
            look = LoadedLook(at_ns / 1e9, endpoint, each.name, each.size_vram, expires_s)
            self.loaded.append(look)
        if len(self.loaded) > LOOKS_MAX:
            self.loaded = self._thinning.thin(self.loaded)


def _expires_s(expires_at: datetime | None, began_at: datetime, at_ns: int) -> float | None:
    """How long it stays, by both clocks' account; None for ever, or if it is not told."""
    if expires_at is None or expires_at.year > began_at.year + 10:
        return None
    return (expires_at - began_at).total_seconds() - at_ns / 1e9


class _Thinning:
    """Takes every look at first, and then fewer and fewer."""

    def __init__(self) -> None:
        self._every = 1
        self._count = 0

    def takes(self) -> bool:
        self._count += 1
        return self._count % self._every == 0

    def thin(self, looks: list[T]) -> list[T]:
        self._every *= 2
        return looks[::2]


class HostLooks:
    """This machine, over time.

    Args:
        clock: of the run.
        root: where ``/proc`` is.

    Attributes:
        looks: what was seen, in order; empty where there is no ``/proc``.
    """

    def __init__(self, clock: RunClock, root: Path = Path("/proc")) -> None:
        self._clock = clock
        self._root = root
        self._gpu_command = shutil.which("nvidia-smi")
        self._before: tuple[int, int] | None = None
        self._thinning = _Thinning()
        self.looks: list[HostLook] = []

    async def run(self) -> None:
        """Look until cancelled, or until that turns out to be impossible."""
        while True:
            gpu, gpu_bytes = await self._look_at_gpu()
            try:
                self.note(gpu, gpu_bytes)
            except (OSError, ValueError, IndexError):
                return  # not Linux: the report has no such chart
            await trio.sleep(LOOK_S)

    def note(self, gpu: float | None = None, gpu_bytes: int | None = None) -> None:
        """Keep a look.

        Raises:
            OSError: there is nothing to read.
            ValueError: it is not as Linux writes it.
        """
        busy, total = _read_cpu(self._root / "stat")
        memory_bytes = _read_memory(self._root / "meminfo")
        before, self._before = self._before, (busy, total)
        if before is None or total <= before[1] or not self._thinning.takes():
            return
        cpu = (busy - before[0]) / (total - before[1])
        at_s = self._clock.now_ns() / 1e9 if self._clock.start_ns else 0.0
        self.looks.append(HostLook(at_s, cpu, memory_bytes, gpu, gpu_bytes))
        if len(self.looks) > LOOKS_MAX:
            self.looks = self._thinning.thin(self.looks)

    async def _look_at_gpu(self) -> tuple[float | None, int | None]:
        """Use and memory of all GPUs together, as a share and in bytes; None where unknown."""
        if self._gpu_command is None:
            return None, None
        told = await trio.to_thread.run_sync(_ask_gpu, self._gpu_command, abandon_on_cancel=True)
        if told is None:
            self._gpu_command = None  # it is asked no more
            return None, None
        return told


def _ask_gpu(command: str) -> tuple[float, int] | None:
    try:
        said = subprocess.run(  # noqa: S603 - found on the path, no shell
            (command, *_GPU), capture_output=True, text=True, timeout=GPU_S, check=True
        ).stdout
        rows = [[float(cell) for cell in row.split(",")] for row in said.splitlines() if row]
        return (
            sum(row[0] for row in rows) / len(rows) / 100.0,
            round(sum(row[1] for row in rows) * 2**20),
        )
    except (OSError, subprocess.SubprocessError, ValueError, IndexError, ZeroDivisionError):
        return None


def _read_cpu(path: Path) -> tuple[int, int]:
    """Ticks in which all cores were busy, and all ticks, since the system's start."""
    fields = [int(field) for field in path.read_text().split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return sum(fields) - idle, sum(fields)


def _read_memory(path: Path) -> int:
    """Bytes in use."""
    rows = (row.split() for row in path.read_text().splitlines())
    kib = {row[0]: int(row[1]) for row in rows if row[0] in {"MemTotal:", "MemAvailable:"}}
    if len(kib) < 2:
        raise ValueError("no such lines")
    return (kib["MemTotal:"] - kib["MemAvailable:"]) * 1024
