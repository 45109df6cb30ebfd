"""One probe: the questions that an endpoint is asked, and what its answers say.

Owns: which answers count. A probe fails where the endpoint cannot be reached, breaks off, hangs, or
answers 5xx. A refusal (4xx, push-back, a route that is not known) is a sign of life that tells
nothing: others imitate Ollama and lack some routes. Only where no question gets an answer that
Ollama would give, it is another kind of server, and the probe fails.

Bounds: `timeout_s` for version and loaded models together, and as long again for the list of
models; `ANSWER_BYTES_MAX` and `TAGS_BYTES_MAX` for what is read; `VERSION_CHARS_MAX` for what is
kept of a version. If cancelled, the connection is closed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import attrs
import trio

from triollama._config import EngineConfig
from triollama._errors import (
    ConnectionLostError,
    ProtocolError,
    RequestRejectedError,
    ServerBusyError,
    ServerFailedError,
    StallError,
    TriollamaError,
)
from triollama.actors.health.core import Sight
from triollama.actors.pool.messages import LoadedModel
from triollama.actors.streams.attempt import EndpointAccess
from triollama.actors.streams.core import STALE_MAX
from triollama.actors.streams.document import DocumentInflow
from triollama.actors.streams.messages import Call
from triollama.api import (
    PsResponse,
    TagsResponse,
    VersionResponse,
    decode_ps,
    decode_tags,
    decode_version,
)

ANSWER_BYTES_MAX = 64 * 1024
"""Of a version, which has some 20 bytes, or the loaded models, which have some 400 each."""

TAGS_BYTES_MAX = 1024 * 1024
"""Of the list of models: some 2,500 of them. To read it takes some 40 ms, during which no stream
gets a chunk; of a server with more it stays unknown what it has."""

VERSION_CHARS_MAX = 64
"""Kept of a version, which goes into logs and tables: Ollama's longest have some 30 characters."""

D = TypeVar("D")


@attrs.frozen
class _Question(Generic[D]):
    """What is asked, and how the answer is read."""

    call: Call
    decode: Callable[[bytes], D]
    limits: EngineConfig


def _question(path: str, decode: Callable[[bytes], D], bytes_max: int) -> _Question[D]:
    return _Question(Call("GET", path), decode, EngineConfig(answer_bytes_max=bytes_max))


_VERSION = _question("/api/version", decode_version, ANSWER_BYTES_MAX)
_PS = _question("/api/ps", decode_ps, ANSWER_BYTES_MAX)
_TAGS = _question("/api/tags", decode_tags, TAGS_BYTES_MAX)


async def look(
    access: EndpointAccess, *, wants_models: bool, timeout_s: float, wall_s: Callable[[], float]
) -> Sight:
    """Ask an endpoint how it is and what it has.

    Args:
        access: how to reach it.
        wants_models: whether to ask for the models that it has, too.
        timeout_s: for version and loaded models; the list of models has as long again, and may
            hang without harm: it is read from disk.
        wall_s: the time of day, in seconds since 1970, to compare a server's times with.

    Raises:
        EndpointError: the probe fails.
    """
    began_s = trio.current_time()
    untold: list[TriollamaError] = []
    try:
        with trio.fail_after(timeout_s):
            version = await _ask(access, _VERSION, untold)
            running = await _ask(access, _PS, untold)
    except trio.TooSlowError:
        raise StallError("timeout_s", timeout_s, endpoint=access.name) from None
    listed = None
    if wants_models or (version is None and running is None):
        listed = await _ask_patiently(access, timeout_s, untold)
    is_mute = version is None and running is None and listed is None
    if is_mute and all(isinstance(error, ProtocolError) for error in untold):
        raise untold[0]
    return _sight(version, running, listed, wall_s(), trio.current_time() - began_s)


async def _ask_patiently(
    access: EndpointAccess, timeout_s: float, untold: list[TriollamaError]
) -> TagsResponse | None:
    try:
        with trio.fail_after(timeout_s):
            return await _ask(access, _TAGS, untold)
    except (trio.TooSlowError, ServerFailedError):
        return None


async def _ask(
    access: EndpointAccess, question: _Question[D], untold: list[TriollamaError]
) -> D | None:
    """The answer; None, and the reason in `untold`, from a server that is there but does not tell.

    Raises:
        EndpointError: the endpoint failed.
    """
    stale = 0
    while True:
        inflow = DocumentInflow(question.decode, question.limits)
        try:
            await access.attempt(question.call, inflow)
        except (RequestRejectedError, ServerBusyError, ProtocolError) as error:
            untold.append(error)
            return None
        except ConnectionLostError as error:
            # A kept connection that was closed while idle says nothing of the server now.
            stale += 1
            if not error.stale or stale > STALE_MAX:
                raise
        else:
            return inflow.value


def _sight(
    version: VersionResponse | None,
    running: PsResponse | None,
    listed: TagsResponse | None,
    wall_s: float,
    took_s: float,
) -> Sight:
    return Sight(
        version="" if version is None else _plain(version.version),
        loaded=None if running is None else _loaded(running),
        stays_s=None if running is None else _stays_s(running, wall_s),
        available=None if listed is None else frozenset(each.key for each in listed.models),
        took_s=took_s,
    )


def _plain(version: str) -> str:
    """A version fit for a line of a log. Nothing is read out of it: any text will do."""
    return "".join(filter(str.isprintable, version[:VERSION_CHARS_MAX]))


def _loaded(running: PsResponse) -> tuple[LoadedModel, ...]:
    return tuple(LoadedModel(each.key, each.context_length) for each in running.models)


def _stays_s(running: PsResponse, wall_s: float) -> float | None:
    """For how long the longest-lived model is to stay, if the server's clock is like ours."""
    ends = [each.expires_time for each in running.models]
    known = [end.timestamp() for end in ends if end is not None]
    return max(known) - wall_s if known else None
