"""What a simulated server tells of itself."""

from __future__ import annotations

from typing import Any

from attrs import asdict, frozen

__all__ = ["SimulatorStatistics"]


@frozen(kw_only=True)
class SimulatorStatistics:
    """What a server is doing. All counts are since its start; a restart does not reset them.

    Attributes:
        accepted: requests taken, those of the control excepted.
        finished: whose response ended in good order, errors included.
        failed: whose connection the server cut, because of a fault or a restart.
        cancelled: whose client left before the end.
        in_flight: not yet over.
        generations_started: answers that got a slot.
        generations_finished: answers written to their end.
        generations_aborted: answers stopped before it.
        slot_line: requests that wait for a slot of a loaded model.
        load_line: places taken in the line for loads.
        loading: the model being loaded, or empty.
        loaded: the models loaded.
        connections: open connections.
        refusing: whether connections are refused.
        restarts: how often the server was restarted.
        routes: requests by path.
        faults: how often each rule acted.
        transfers: layers on their way, from the registry or to it.
        bytes_pulled: bytes of layers that came in transfers that are over, each counted once.
        bytes_pushed: the same of layers that went.
    """

    accepted: int
    finished: int
    failed: int
    cancelled: int
    in_flight: int
    generations_started: int
    generations_finished: int
    generations_aborted: int
    slot_line: int
    load_line: int
    loading: str
    loaded: tuple[str, ...]
    connections: int
    refusing: bool
    restarts: int
    routes: dict[str, int]
    faults: tuple[int, ...]
    transfers: int
    bytes_pulled: int
    bytes_pushed: int

    def to_json(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)
