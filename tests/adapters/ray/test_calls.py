"""What a failed call means."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import attrs
import pytest
import ray
import trio
from ray.core.generated.common_pb2 import ActorDiedErrorContext
from trio.testing import MockClock

from triollama_adapters.batch.errors import FleetDownError
from triollama_adapters.ray.calls import result_of
from triollama_adapters.ray.errors import RayWorkersError, WorkerLostError

pytestmark = pytest.mark.slow  # Ray takes half a second to import


@attrs.define
class FakeReference:
    """What a call returns."""

    outcome: Future[Any] = attrs.field(factory=Future)

    def future(self) -> Future[Any]:
        """As Ray's."""
        return self.outcome


def task_error(cause: Exception) -> Exception:
    """What a method that raised comes to."""
    return ray.exceptions.RayTaskError("take", "Traceback\n  ...", cause)


async def test_a_result_comes_from_another_thread() -> None:
    """Whoever waits is woken."""
    reference = FakeReference()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, reference.outcome.set_result, 7)
        assert await result_of(reference) == 7


async def test_no_result_comes(autojump_clock: MockClock) -> None:
    """A worker that hangs may do so because of a row."""
    with pytest.raises(WorkerLostError, match="within 5 s") as caught:
        await result_of(FakeReference(), within_s=5)
    assert caught.value.is_its_fault


@pytest.mark.parametrize(
    ("text", "is_its_fault"),
    [
        ("because its worker process has died", True),
        ("The actor died because its node has died", False),
    ],
)
async def test_a_worker_dies(text: str, *, is_its_fault: bool) -> None:
    """Its process, or the machine under it."""
    reference = FakeReference()
    context = ActorDiedErrorContext(actor_id=bytes(16), error_message=text)
    reference.outcome.set_exception(ray.exceptions.ActorDiedError(context))
    with pytest.raises(WorkerLostError) as caught:
        await result_of(reference)
    assert caught.value.is_its_fault is is_its_fault


@pytest.mark.parametrize(
    ("failure", "kind", "text"),
    [
        (task_error(KeyError("x")), RayWorkersError, "a worker failed: KeyError"),
        (task_error(FleetDownError("no server answers")), WorkerLostError, "no server answers"),
        (ray.exceptions.ActorUnavailableError("gone", None), WorkerLostError, "cannot be reached"),
        (ray.exceptions.OutOfMemoryError("full"), WorkerLostError, "OutOfMemoryError"),
        (
            RuntimeError("The actor Worker failed to import: ModuleNotFoundError: triollama"),
            RayWorkersError,
            r"pip install 'triollama\[ray\]'",
        ),
        (OSError("x"), RayWorkersError, "OSError"),
    ],
)
async def test_what_failed(failure: Exception, kind: type[Exception], text: str) -> None:
    """Told in one line; another worker is tried only where that can help."""
    reference = FakeReference()
    reference.outcome.set_exception(failure)
    with pytest.raises(kind, match=text) as caught:
        await result_of(reference)
    assert "\n" not in str(caught.value)
