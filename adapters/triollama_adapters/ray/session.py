"""A connection to Ray, for the time of a block; on request to a Ray that is started for it.

Ray's own processes end with the thread that started them, by the system's doing, so that none
outlives a driver that is killed. Hence the one thread here, which does nothing but hold them.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import trio

from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.ray.calls import ray_module
from triollama_adapters.ray.errors import RayError, RayUnreachableError, RayVersionError
from triollama_adapters.ray.fleet import LOCAL, RayFleet

__all__ = ["LOCAL_WORKERS", "open_session"]

LOCAL_WORKERS: Final = 2
"""Workers on this machine, if nobody says how many: each of them keeps a core busy."""

REACH_S: Final = 5.0
"""How long the head of a cluster may take to accept a connection."""

LEAVE_S: Final = 20.0
"""How long Ray may take to connect and to leave again, when nobody wants it any more."""

STORE_BYTES: Final = 128 << 20
"""Shared memory of a Ray of our own: what is on its way is a few MB. Ray's default is 30 % of all
memory; it refuses less than 75 MiB."""

AUTO: Final = "auto"

_PRINTS: Final = "print_to_stdstream"
"""What prints in Ray's driver, in a module of its own."""


@asynccontextmanager
async def open_session(fleet: RayFleet) -> AsyncIterator[Any]:
    """Ray, connected. A connection that this process has already is used, and stays.

    Cancelled, it leaves as soon as Ray lets it, but after `LEAVE_S` in any case.

    Args:
        fleet: which cluster.

    Yields:
        Ray's module.

    Raises:
        RayMissingError: Ray is not installed.
        RayUnreachableError: there is no cluster at the address.
        RayVersionError: the cluster has another version of Ray, or of Python.
        RayError: a Ray of our own cannot be started.
    """
    holder = _Holder(fleet)
    holder.start(trio.lowlevel.current_trio_token())
    try:
        await holder.is_ready.wait()
        if holder.failure is not None:
            raise holder.failure
        _take_signals_back()
        yield ray_module()
    finally:
        holder.end()
        with trio.CancelScope(shield=True, deadline=trio.current_time() + LEAVE_S):
            await holder.is_over.wait()


def _take_signals_back() -> None:
    """Have signals handled as before.

    Ray's core gives the process a handler of its own for SIGTERM, behind Python's back: it prints
    pages, and the process dies at once.
    """
    handler = signal.getsignal(signal.SIGTERM)
    if handler is not None and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, handler)


class _Holder:
    """The thread."""

    def __init__(self, fleet: RayFleet) -> None:
        self._fleet = fleet
        self._end = threading.Event()
        self._token: trio.lowlevel.TrioToken
        self.is_ready = trio.Event()
        self.is_over = trio.Event()
        self.failure: Exception | None = None

    def start(self, token: trio.lowlevel.TrioToken) -> None:
        self._token = token
        threading.Thread(target=self._run, name="triollama-ray", daemon=True).start()

    def end(self) -> None:
        self._end.set()

    def _run(self) -> None:
        try:
            with _connected(self._fleet):
                self._tell(self.is_ready)
                self._end.wait()
        except Exception as error:  # noqa: BLE001 - told to who waits
            self.failure = error
        self._tell(self.is_ready)
        self._tell(self.is_over)

    def _tell(self, event: trio.Event) -> None:
        with suppress(trio.RunFinishedError):
            self._token.run_sync_soon(event.set)


@contextmanager
def _connected(fleet: RayFleet) -> Iterator[None]:
    """Connected for a block's time, or for longer if this process was before."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray = ray_module()
    if ray.is_initialized():
        yield
        return
    is_own = fleet.address == LOCAL
    if not is_own:
        _check_address(fleet.address)
    with _hushed(), _own(ray, fleet) if is_own else _others(ray, fleet.address):
        yield


@contextmanager
def _others(ray: Any, address: str) -> Iterator[None]:
    """A cluster that is there."""
    _init(ray, address, address=address)
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _own(ray: Any, fleet: RayFleet) -> Iterator[None]:
    """A Ray that is started for this."""
    workers = fleet.workers or LOCAL_WORKERS
    folder = tempfile.mkdtemp(prefix="triollama-ray-", dir=_short_folder())
    try:
        _init(
            ray,
            "a Ray of its own",
            address=LOCAL,
            num_cpus=max(1, -int(-workers * fleet.cpus_per_worker // 1)),
            object_store_memory=STORE_BYTES,
            include_dashboard=False,
            _temp_dir=folder,
        )
        yield
    finally:
        try:
            ray.shutdown()
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep Ray from printing to this process's output, which is the user's, for a block's time.

    Its driver prints to standard output what befalls the cluster's machines, with pages of their
    logs; nothing that is public turns that off.
    """
    logger, internals = logging.getLogger("ray"), import_module("ray._private.worker")
    level, printing = logger.level, getattr(internals, _PRINTS, None)
    logger.setLevel(logging.ERROR)
    if printing is not None:
        setattr(internals, _PRINTS, _print_nothing)
    try:
        yield
    finally:
        logger.setLevel(level)
        if printing is not None:
            setattr(internals, _PRINTS, printing)


def _print_nothing(*_: object, **__: object) -> None:
    """Nothing."""


def _init(ray: Any, told: str, **options: Any) -> None:
    quiet = {
        "configure_logging": False,
        "log_to_driver": False,
        "logging_level": logging.ERROR,
    }
    try:
        ray.init(**options, **quiet)
    except ConnectionError as error:
        raise RayUnreachableError(
            f"there is no Ray at {told}; start one with: ray start --head, or give --ray {LOCAL}"
        ) from error
    except Exception as error:
        text = " ".join(str(error).split())
        if "mismatch" in text.lower():
            raise RayVersionError(
                "the cluster has another version of Ray or of Python than this machine; they must "
                f"be the same everywhere: {text[:300]}"
            ) from error
        raise RayError(f"cannot use {told}: {type(error).__name__}: {text[:300]}") from error


def _check_address(address: str) -> None:
    """Say at once what Ray would say after minutes."""
    if "://" in address:
        raise ChoiceError(
            f"{address} is not usable: the driver runs on a machine of the cluster; give the "
            "address of its head, such as 10.0.0.1:6379, or auto"
        )
    if address == AUTO:
        return
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdigit():
        raise ChoiceError(
            f"--ray takes {LOCAL}, {AUTO} or the address of a cluster's head, such as "
            f"10.0.0.1:6379, not {address!r}"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_S).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or "no answer"
        raise RayUnreachableError(
            f"there is no Ray at {address}: {why}; is it the address of the cluster's head, as "
            "ray start --head told it?"
        ) from error


def _short_folder() -> str | None:
    """Where temporary folders have short paths; None for the usual place.

    Ray makes sockets there, 60 characters further down, and a socket's path may have 107.
    """
    usual = "/tmp"  # noqa: S108 - the folder in it is made for us alone
    return usual if Path(usual).is_dir() else None
