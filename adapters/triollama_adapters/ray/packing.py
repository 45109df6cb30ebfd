"""Rows on their way to a worker, and outcomes on their way back, as bytes. No IO.

Both ends are processes of one job, of one version, as is checked before; so pickle carries them, as
it does all of Ray.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any, Final, cast

import attrs

from triollama import Attempt, Timing
from triollama.api import EmbedResponse
from triollama_adapters.batch.rows import Ask
from triollama_adapters.batch.work.asking import AnyStream, Asked

__all__ = ["Way", "pack", "pack_ask", "packable", "size_of", "unpack", "unpack_ask"]

FLOAT_BYTES: Final = 9
"""What a float takes in a pickle."""


@attrs.frozen
class Way:
    """How an answer came about, as its `Stream` told it at its end.

    Attributes:
        endpoint: who answered.
        attempts: every try, in order.
        timing: when what happened, on the worker's clock: only differences mean anything.
    """

    endpoint: str
    attempts: Sequence[Attempt]
    timing: Timing


def pack_ask(ask: Ask) -> bytes:
    """What a worker needs of a row."""
    return pickle.dumps((ask.kind, ask.arguments), pickle.HIGHEST_PROTOCOL)


def unpack_ask(content: bytes) -> Ask:
    """What `pack_ask` packed."""
    kind, arguments = pickle.loads(content)  # noqa: S301 - from our own driver
    return Ask(kind, arguments)


def packable(asked: Asked) -> Asked:
    """An outcome without what belongs to the worker's engine."""
    stream = asked.stream
    if stream is None:
        return asked
    way = Way(stream.endpoint, stream.attempts, stream.timing)
    # Records are made of these three alone.
    return attrs.evolve(asked, stream=cast("AnyStream", way))


def size_of(asked: Asked | None) -> int:
    """About how many bytes an outcome takes."""
    if asked is None:
        return 0
    answer = asked.answer
    if answer is None:
        return len(getattr(asked.error, "content", ""))
    if isinstance(answer, EmbedResponse):
        return FLOAT_BYTES * sum(map(len, answer.embeddings))
    return len(answer.content) + len(answer.thinking or "")


def pack(value: Any) -> bytes:
    """Plain values, and those of this package."""
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def unpack(data: bytes) -> Any:
    """What `pack` packed."""
    return pickle.loads(data)  # noqa: S301 - from our own process at the other end
