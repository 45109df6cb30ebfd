"""From a caller's arguments to transfers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import attrs
import trio

from triollama._config import EngineConfig
from triollama.actors.errands import Errand, Errands
from triollama.actors.streams import Call
from triollama.actors.streams.attempt import EndpointAccess
from triollama.api import name_key
from triollama.api._problems import each_problem, refused
from triollama.api.transfer import PullRequest, PushRequest
from triollama.transfers.core import RestartRule
from triollama.transfers.events import EndpointTransfer, TransferEvent, TransferKind
from triollama.transfers.progress import Part, Progress, Transfer
from triollama.transfers.running import Carrier

__all__ = ["RESTARTS_MAX", "STALL_S", "Site", "checked_stall", "open_move", "progress_call"]

STALL_S: Final = 120.0
"""Nothing new of a layer for so long, and it is begun again. Ollama itself begins a part of a layer
again after 30 s, and fails after some minutes."""

STALL_S_MAX: Final = 1e12
"""More is no limit: a clock would be beyond what a float can tell apart."""

RESTARTS_MAX: Final = 5
"""In a row that bring nothing new."""


@attrs.frozen
class Site:
    """What transfers need of an engine.

    Attributes:
        accesses: how one endpoint is reached, or each of them.
        errands: runs what several callers may wait for.
        config: the limits.
        models_changed: told the name of an endpoint whose models are not what they were.
    """

    accesses: Callable[[str | None], Sequence[EndpointAccess]]
    errands: Errands
    config: EngineConfig
    models_changed: Callable[[str], None]

    def carrier(
        self,
        access: EndpointAccess,
        kind: TransferKind,
        model: str,
        *,
        stall_s: float,
        restarts_max: int,
        tell: Callable[[TransferEvent], None],
    ) -> Carrier:
        """Who carries a transfer on one endpoint."""
        rule = RestartRule(restarts_max)
        return Carrier(access, self.config, kind, model, stall_s, rule, tell)


def open_move(
    site: Site,
    kind: TransferKind,
    make: Callable[[], PullRequest | PushRequest],
    *,
    endpoint: str | None,
    stall_s: float | None,
    restarts_max: int | None,
) -> Transfer:
    """A pull or a push; callers who ask for the same share it.

    Args:
        site: the engine.
        kind: pull or push.
        make: makes the request.
        endpoint: the name of one endpoint; None is each.
        stall_s: see `STALL_S`, which is the default.
        restarts_max: see `RESTARTS_MAX`, which is the default.
    """

    async def prepare() -> Progress:
        await trio.lowlevel.checkpoint()
        checks: list[Callable[[], object]] = [
            make,
            partial(checked_stall, stall_s, STALL_S),
            partial(_checked_restarts, restarts_max),
        ]
        wrong = each_problem(checks)
        if wrong is not None:
            raise wrong
        stall = checked_stall(stall_s, STALL_S)
        move = _Move(site, kind, make(), stall, _checked_restarts(restarts_max))
        parts = [move.part(access) for access in site.accesses(endpoint)]
        return Progress(kind, move.request.model, parts)

    return Transfer(site.errands, prepare)


@attrs.frozen
class _Move:
    """One pull or push, for any number of endpoints."""

    site: Site
    kind: TransferKind
    request: PullRequest | PushRequest
    stall_s: float
    restarts_max: int

    def part(self, access: EndpointAccess) -> Part:
        """What is to be done on one endpoint."""
        request = self.request
        # Not the endpoint's name: one that was moved is another server.
        key = (self.kind, name_key(request.model), bool(request.insecure), access)
        return Part(access.name, key, partial(self.work, access))

    async def work(self, access: EndpointAccess, errand: Errand[TransferEvent]) -> EndpointTransfer:
        """Do it."""
        request = self.request
        carrier = self.site.carrier(
            access,
            self.kind,
            request.model,
            stall_s=self.stall_s,
            restarts_max=self.restarts_max,
            tell=errand.tell,
        )
        result = await carrier.carry(progress_call(request.path, request.model, request.body()))
        self.site.models_changed(access.name)
        return result


def progress_call(path: str, model: str, body: bytes) -> Call:
    """A POST that is answered by lines of progress."""
    return Call("POST", path, body, model, name_key(model), wants_stream=True)


def checked_stall(stall_s: float | None, default_s: float) -> float:
    """How long nothing new may come, in seconds.

    Raises:
        InvalidRequestError: it is no number above 0.
    """
    if stall_s is None:
        return default_s
    is_number = isinstance(stall_s, int | float) and not isinstance(stall_s, bool)
    if not is_number or not stall_s > 0:  # NaN is not
        found = stall_s if is_number else type(stall_s).__name__
        told = "stall_s must be seconds, more than 0"
        raise refused("stall_s", str(found), "seconds, more than 0", told)
    return float(stall_s) if stall_s < STALL_S_MAX else math.inf


def _checked_restarts(restarts_max: int | None) -> int:
    if restarts_max is None:
        return RESTARTS_MAX
    if not isinstance(restarts_max, int) or isinstance(restarts_max, bool) or restarts_max < 0:
        found = restarts_max if isinstance(restarts_max, int) else type(restarts_max).__name__
        told = "restarts_max must be a whole number, 0 or more"
        raise refused("restarts_max", str(found), "a whole number, 0 or more", told)
    return restarts_max
