"""Rows on their way to a worker, and outcomes on their way back, as bytes. No IO.

Both ends are processes of one job, of one version, as is checked before; so pickle carries them, as
it does all of Ray.
"""

from __future__ import annotations

import copyreg
import pickle
from collections.abc import Callable, Sequence
from io import BytesIO
from operator import attrgetter
from typing import Any, Final, cast

import attrs

from triollama import Attempt, ChatResponse, GenerateResponse, Timing, Usage
from triollama.api import EmbedResponse
from triollama_adapters.batch.rows import Ask
from triollama_adapters.batch.work.course import AnyStream, Asked

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
    file = BytesIO()
    pickler = pickle.Pickler(file, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _REDUCERS
    pickler.dump(value)
    return file.getvalue()


def unpack(data: bytes) -> Any:
    """What `pack` packed."""
    return pickle.loads(data)  # noqa: S301 - from our own process at the other end


def _made(kind: type[Any], values: tuple[Any, ...]) -> Any:
    """An object of a class whose arguments all have names."""
    names = _NAMES[kind]
    return kind(**dict(zip(names, values, strict=True)))


def _reducer(kind: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """How objects of a class are taken apart: a third of the time that the general way takes."""
    values = attrgetter(*(each.name for each in attrs.fields(kind)))
    if any(each.kw_only for each in attrs.fields(kind)):
        return lambda value: (_made, (kind, values(value)))
    return lambda value: (kind, values(value))


_KINDS: Final = (Asked, Attempt, ChatResponse, EmbedResponse, GenerateResponse, Timing, Usage, Way)

_NAMES: Final = {kind: tuple(each.alias for each in attrs.fields(kind)) for kind in _KINDS}

_REDUCERS: Final[dict[Any, Callable[[Any], Any]]] = {
    **copyreg.dispatch_table,
    **{kind: _reducer(kind) for kind in _KINDS},
}
