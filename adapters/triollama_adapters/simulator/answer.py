"""The unbroken answer to one request, without a task, a clock or a socket.

A simulated answer depends on its request and on the server's models, seed and lengths alone. So
this is what each reader of a fleet of such servers must have in the end, whatever befell them.
"""

from __future__ import annotations

import json
from typing import Any

import attrs

from .config import SimulatorConfig
from .core import Simulator
from .errors import ApiError
from .response import Ending, Request

__all__ = ["unbroken_answer"]


def unbroken_answer(config: SimulatorConfig, path: str, body: bytes) -> dict[str, Any]:
    """Work out what a server answers to a request when nothing goes wrong.

    Args:
        config: the server; its faults do not act.
        path: where the request goes, such as ``/api/chat``.
        body: its JSON, which asks for no stream.

    Raises:
        ApiError: the server refuses the request.
    """
    simulator, wire, now = Simulator(attrs.evolve(config, faults=())), _Wire(), 0.0
    # HTTP/1.0 has no chunks to undo.
    simulator.submit(Request("POST", path, body, is_http10=True), wire, now)
    while not wire.is_over:
        now = max(now, simulator.next_due)
        simulator.advance(now)
    head, _, told = b"".join(wire.pieces).partition(b"\r\n\r\n")
    status = int(head.split()[1])
    if status != 200:
        raise ApiError(status, told.decode())
    answer: dict[str, Any] = json.loads(told)
    return answer


class _Wire:
    """Keeps what is written to it."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.is_over = False

    def write(self, data: bytes) -> None:
        self.pieces.append(data)

    def finish(self, ending: Ending) -> None:
        assert ending in {Ending.KEEP, Ending.CLOSE}, ending
        self.is_over = True
