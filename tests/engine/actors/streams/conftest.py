"""An inflow that is fed by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from triollama._config import EngineConfig
from triollama.actors.streams.inflow import ChunkInflow
from triollama.api import ChatChunk, ChatFold, ChatResponse, decode_chat_chunk


class FakeFlow:
    """A connection's side of back-pressure: notes whether it is read."""

    def __init__(self) -> None:
        self.received_ns = 0
        self.sent_ns = 0
        self.is_paused = False
        self.pauses = 0

    def pause(self) -> None:
        """Stop reading."""
        self.pauses += not self.is_paused
        self.is_paused = True

    def resume(self) -> None:
        """Read again."""
        self.is_paused = False


def line(content: str = "", **fields: Any) -> bytes:
    """One line of a chat's answer."""
    message = {"role": "assistant", "content": content}
    return json.dumps({"model": "m", "message": message, "done": False} | fields).encode() + b"\n"


LAST = line(done=True, done_reason="stop", eval_count=3, prompt_eval_count=2)


@attrs.define
class Bed:
    """An inflow, and the connection that feeds it."""

    inflow: ChunkInflow[ChatChunk]
    fold: ChatFold
    flow: FakeFlow

    def feed(self, *pieces: bytes, at_ns: int | None = None) -> None:
        """Bytes come off the connection."""
        for piece in pieces:
            self.flow.received_ns = self.flow.received_ns + 1 if at_ns is None else at_ns
            self.inflow.feed(piece)

    @property
    def answer(self) -> ChatResponse:
        """What was folded so far."""
        return self.fold.result()


MakeBed = Callable[..., Bed]


@pytest.fixture
def make_bed() -> MakeBed:
    """Make an inflow with limits of one's own."""

    def make(*, binds: bool = True, **limits: Any) -> Bed:
        fold = ChatFold()
        bed = Bed(ChunkInflow(decode_chat_chunk, fold, EngineConfig(**limits)), fold, FakeFlow())
        if binds:
            bed.inflow.bind(bed.flow)
        return bed

    return make


@pytest.fixture
def bed(make_bed: MakeBed) -> Bed:
    """An inflow with the default limits."""
    return make_bed()


@pytest.fixture
def new_flow() -> Callable[[], FakeFlow]:
    """Make another connection."""
    return FakeFlow


@pytest.fixture
def chat_line() -> Callable[..., bytes]:
    """Make a line of a chat's answer."""
    return line


@pytest.fixture
def last_line() -> bytes:
    """The terminal line."""
    return LAST
