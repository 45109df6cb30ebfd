"""Waiting for Ray in a trio task: no thread is held while a worker works."""

from __future__ import annotations

import math
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

import trio

from triollama_adapters.batch.errors import BatchError
from triollama_adapters.ray.errors import RayMissingError, RayWorkersError, WorkerLostError

__all__ = ["ray_module", "result_of"]

NODE_DIED: Final = "its node has died"
"""How Ray tells that an actor's machine is gone, not its process alone."""

_WHY: Final = {
    "ActorDiedError": "its machine is gone",
    "ActorUnavailableError": "it cannot be reached any more",
}


def ray_module() -> Any:
    """Ray itself; the first call takes half a second.

    Raises:
        RayMissingError: it is not installed.
    """
    try:
        return import_module("ray")
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise RayMissingError(
            "work over several machines needs the package ray; install it on each of them "
            "with: pip install 'triollama[ray]'"
        ) from None


async def result_of(reference: Any, *, within_s: float = math.inf) -> Any:
    """What a worker returns. If cancelled, it goes on all the same.

    Args:
        reference: Ray's ``ObjectRef`` of the call.
        within_s: how long it may take.

    Raises:
        WorkerLostError: it died, cannot be reached, or takes too long.
        RayWorkersError: it failed in a way that another would, too.
    """
    token = trio.lowlevel.current_trio_token()
    is_done = trio.Event()

    def tell(_: object) -> None:
        with suppress(trio.RunFinishedError):  # nobody waits any more
            token.run_sync_soon(is_done.set)

    future = reference.future()
    future.add_done_callback(tell)
    with trio.move_on_after(within_s):
        await is_done.wait()
    if not is_done.is_set():
        raise WorkerLostError(f"it did not answer within {within_s:g} s", is_its_fault=True)
    failure = future.exception()
    if failure is None:
        return future.result()
    raise _told(failure)


def _told(failure: Any) -> Exception:
    """What a failed call means."""
    exceptions = ray_module().exceptions
    text = " ".join(str(failure).split())
    is_task = isinstance(failure, exceptions.RayTaskError)
    if not is_task and ("ModuleNotFoundError" in text or "failed to import" in text):
        return RayWorkersError(
            "a machine of the cluster has no triollama; install it on each of them with: "
            "pip install 'triollama[ray]'"
        )
    if is_task:
        return _told_of_task(failure)
    if isinstance(failure, exceptions.ActorDiedError) and NODE_DIED not in text:
        return WorkerLostError("its process died", is_its_fault=True)
    if isinstance(failure, exceptions.RayError):
        return WorkerLostError(_WHY.get(type(failure).__name__, type(failure).__name__))
    return RayWorkersError(f"Ray failed: {type(failure).__name__}")


def _told_of_task(failure: Any) -> Exception:
    """What it means that a worker raised."""
    cause = failure.cause if isinstance(failure.cause, BaseException) else failure
    lines = str(cause).strip().splitlines() or [""]
    if isinstance(cause, BatchError):
        return WorkerLostError(lines[-1])
    return RayWorkersError(f"a worker failed: {type(cause).__name__}: {lines[-1]}")
