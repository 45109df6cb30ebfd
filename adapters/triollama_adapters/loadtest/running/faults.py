"""Faults that are caused while a load runs: what is asked for, and what is to be done when. No IO.

`causing` does it, through a `Striker`: `strikers` has one for simulated servers, `commands` one for
real ones. What readers saw of it is told by `readers`; `under_faults` runs it all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, Protocol, TypeAlias, get_args

import msgspec

from triollama import EndpointConfig
from triollama_adapters.loadtest.arrivals.words import parse_duration
from triollama_adapters.loadtest.errors import LoadTestError, PlanError

__all__ = [
    "GRAMMAR",
    "Act",
    "Fault",
    "FaultKind",
    "Step",
    "StrikeError",
    "Striker",
    "parse_fault",
    "resolve",
    "steps",
    "undoing",
]

FaultKind: TypeAlias = Literal["kill", "stall", "slow", "restart"]

Act: TypeAlias = Literal["kill", "restart", "stall", "go_on", "slow", "restore"]
"""What is done to a server. The second, fourth and sixth undo the one before them."""

GRAMMAR: Final = (
    "kill ENDPOINT at TIME [for TIME], stall ENDPOINT at TIME [for TIME], "
    "slow ENDPOINT at TIME to PERCENT% [for TIME], or restart ENDPOINT at TIME, "
    "such as 'stall gpu-1 at 20s for 5s'"
)

_KINDS: Final[Mapping[str, FaultKind]] = {kind: kind for kind in get_args(FaultKind)}

_UNDOES: Final[Mapping[FaultKind, Act]] = {"kill": "restart", "stall": "go_on", "slow": "restore"}

_WORDS: Final = re.compile(
    r"(?P<kind>kill|stall|slow|restart) +(?P<endpoint>\S+) +at +(?P<at>\S+)"
    r"(?: +to +(?P<percent>\d+(?:\.\d+)?) ?%)?(?: +for +(?P<for>\S+))?"
)


class StrikeError(LoadTestError):
    """A server could not be struck, or not in time. The run goes on, and the event says so."""


class Fault(msgspec.Struct, frozen=True):
    """Something that is to happen to a server while the load runs.

    Attributes:
        kind: ``kill``: its process ends at once; ``stall``: it accepts and says nothing more;
            ``slow``: it reads and writes at a share of its speed; ``restart``: it ends, and begins
            anew with nothing loaded.
        endpoint: which one; as the user calls it, until it is resolved.
        at_s: when, from the run's beginning on, the warm-up included.
        for_s: how long; None is to the end of the run.
        share: of its speed, for ``slow``; else 1.
        text: as the user wrote it.
    """

    kind: FaultKind
    endpoint: str
    at_s: float
    for_s: float | None = None
    share: float = 1.0
    text: str = ""


class Step(msgspec.Struct, frozen=True):
    """One thing that is done to a server.

    Attributes:
        at_s: when, from the run's beginning on.
        act: what.
        endpoint: to whom, ``host:port``.
        share: of its speed, for ``slow``.
    """

    at_s: float
    act: Act
    endpoint: str
    share: float = 1.0


class Striker(Protocol):
    """Who can do something to a server."""

    async def strike(self, step: Step) -> str:
        """Do it now.

        Returns:
            What is worth telling of it, perhaps nothing.

        Raises:
            StrikeError: it could not be done.
        """


def parse_fault(text: str) -> Fault:
    """Read one fault.

    Args:
        text: see `GRAMMAR`.

    Raises:
        PlanError: it is not of that form, or a value means nothing; it shows the grammar.
    """
    words = _WORDS.fullmatch(" ".join(text.split()))
    if words is None:
        raise PlanError(f"the fault {text!r} is not understood; write {GRAMMAR}")
    kind = _KINDS[words["kind"]]
    percent, lasts = words["percent"], words["for"]
    if (percent is None) is (kind == "slow"):
        told = "needs" if percent is None else "has no"
        raise PlanError(f"the fault {text!r} {told} 'to PERCENT%'; write {GRAMMAR}")
    if kind == "restart" and lasts is not None:
        raise PlanError(f"the fault {text!r}: a restart has no 'for TIME'; write {GRAMMAR}")
    share = 1.0 if percent is None else float(percent) / 100
    if kind == "slow" and not 0 < share < 1:
        raise PlanError(f"the fault {text!r}: the share is above 0% and below 100%")
    for_s = None if lasts is None else parse_duration(lasts)
    return Fault(kind, words["endpoint"], parse_duration(words["at"]), for_s, share, text)


def resolve(
    faults: Iterable[Fault], endpoints: Sequence[str], *, names: Mapping[str, str] | None = None
) -> tuple[Fault, ...]:
    """Faults whose endpoints are called as in samples: ``host:port``.

    Args:
        faults: they name an endpoint by its address, its host and port, or its host alone.
        endpoints: addresses of the plan.
        names: what else a user may call them, and whose address is meant.

    Raises:
        PlanError: an endpoint is unknown, or could be more than one.
        ConfigError: an address is not usable.
    """
    called: dict[str, set[str]] = {}
    for address in endpoints:
        name = EndpointConfig(address).name
        for each in (address.rstrip("/"), name, name.rpartition(":")[0].strip("[]")):
            called.setdefault(each, set()).add(name)
    for each, address in (names or {}).items():
        called[each] = {EndpointConfig(address).name}
    shown = tuple(names or endpoints)
    return tuple(_resolved(fault, called, shown) for fault in faults)


def _resolved(fault: Fault, called: Mapping[str, set[str]], shown: Sequence[str]) -> Fault:
    meant = called.get(fault.endpoint.rstrip("/"), set())
    if len(meant) == 1:
        return msgspec.structs.replace(fault, endpoint=next(iter(meant)))
    told = "is more than one endpoint" if meant else "is no endpoint of this run"
    raise PlanError(
        f"the fault {fault.text!r}: {fault.endpoint} {told}; there are {', '.join(shown)}"
    )


def steps(faults: Iterable[Fault]) -> tuple[Step, ...]:
    """What has to be done for faults, and undone, by time."""
    found: list[Step] = []
    for fault in faults:
        found.append(Step(fault.at_s, fault.kind, fault.endpoint, fault.share))
        if fault.for_s is not None:
            found.append(Step(fault.at_s + fault.for_s, _UNDOES[fault.kind], fault.endpoint))
    return tuple(sorted(found, key=lambda step: step.at_s))


def undoing(todo: Sequence[Step], done: int) -> list[Step]:
    """Of the steps of one endpoint that are left, those that undo what was done.

    Args:
        todo: all of them, by time.
        done: how many were done.
    """
    acts = {step.act for step in todo[:done]}
    undone = {undo for act, undo in _UNDOES.items() if act in acts}
    return [step for step in todo[done:] if step.act in undone]
