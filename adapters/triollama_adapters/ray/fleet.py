"""Which cluster a batch runs on, and which servers each of its machines asks. No IO."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs

from triollama import EndpointConfig, EngineConfig
from triollama.auth.environment import key_for
from triollama_adapters.batch.errors import ChoiceError

__all__ = [
    "LOCAL",
    "WORKERS_MAX",
    "Endpoint",
    "Machine",
    "RayFleet",
    "machine_of",
    "parse_pin",
    "with_key",
]

LOCAL: Final = "local"
"""The address that starts a Ray of its own on this machine."""

WORKERS_MAX: Final = 1_000


Endpoint = str | EndpointConfig
"""A server: its address, or all that may be said of one."""


def _as_endpoints(values: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    return tuple(values)


def _as_pins(pins: Mapping[str, Iterable[Endpoint]]) -> dict[str, tuple[Endpoint, ...]]:
    return {machine: tuple(urls) for machine, urls in pins.items()}


def _check_workers(_: object, __: object, workers: int | None) -> None:
    if workers is not None and not 1 <= workers <= WORKERS_MAX:
        raise ChoiceError(f"there are 1 to {WORKERS_MAX:,} workers, not {workers}")


@attrs.frozen
class Machine:
    """A node of a cluster.

    Attributes:
        id: Ray's id of it.
        names: what it may be called: its name, host name, address and id.
    """

    id: str
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """How it is told to people."""
        return self.names[0] if self.names else self.id


@attrs.frozen(kw_only=True)
class RayFleet:
    """Where a batch runs, and who answers.

    Attributes:
        address: of the cluster's head, such as ``10.0.0.1:6379``; ``auto`` for the one that this
            machine belongs to; ``local`` starts one here, for the time of the batch.
        endpoints: the servers that every machine asks; ``http://localhost:11434`` is on each
            machine its own. Ignored on machines that `pins` names.
        pins: servers by the machine that asks them; a machine is known by its name, host name,
            address or id.
        workers: how many; None: one for each machine, and two on `LOCAL`.
        cpus_per_worker: what is reserved of Ray's CPUs for each; at `LOCAL` there are enough.
        config: clocks and limits of each engine. Rate limits are for all workers together.

    Raises:
        ChoiceError: a value means nothing.
    """

    address: str
    endpoints: tuple[Endpoint, ...] = attrs.field(default=(), converter=_as_endpoints)
    pins: Mapping[str, tuple[Endpoint, ...]] = attrs.field(factory=dict, converter=_as_pins)
    workers: int | None = attrs.field(default=None, validator=_check_workers)
    cpus_per_worker: float = 1.0
    config: EngineConfig = attrs.field(factory=EngineConfig)

    def endpoints_of(self, machine: Machine) -> tuple[Endpoint, ...]:
        """The servers that one machine asks; none: those of its own environment.

        Raises:
            ChoiceError: others are pinned, and nobody said what this one asks.
        """
        for name in machine.names:
            if name in self.pins:
                return self.pins[name]
        if self.pins and not self.endpoints:
            raise ChoiceError(
                f"no endpoint is pinned to the machine {machine.name}, and there are none for all; "
                f"give --pin {machine.name}=URL, or --endpoint"
            )
        return self.endpoints


def with_key(endpoint: Endpoint, value: str | None, *, rows_max: int) -> Endpoint:
    """A server with the key that this process has for ``https://ollama.com``; others as they are.

    The machines that ask it need not have the variable.

    Args:
        endpoint: the server.
        value: of ``OLLAMA_API_KEY``.
        rows_max: requests at a time, where the server is no more than an address.

    Raises:
        ConfigError: it cannot be a key, or the address is not usable.
    """
    config = (
        endpoint
        if isinstance(endpoint, EndpointConfig)
        else EndpointConfig(endpoint, max_in_flight=rows_max)
    )
    if config.auth is not None or "authorization" in map(str.lower, config.headers):
        return endpoint
    key = key_for(config.url, value)
    return endpoint if key is None else attrs.evolve(config, auth=key)


def machine_of(node: Mapping[str, Any]) -> Machine:
    """A machine as ``ray.nodes()`` tells it."""
    keys = ("NodeName", "NodeManagerHostname", "NodeManagerAddress", "NodeID")
    names = dict.fromkeys(str(node[key]) for key in keys if node.get(key))
    return Machine(str(node["NodeID"]), tuple(names))


def parse_pin(text: str) -> tuple[str, str]:
    """A machine and a server of ``NODE=URL``.

    Raises:
        ChoiceError: it is not of that form.
    """
    machine, equals, url = text.partition("=")
    if not equals or not machine or not url:
        raise ChoiceError(
            f"--pin takes NODE=URL, such as gpu-1=http://10.0.0.1:11434, not {text!r}"
        )
    return machine, url
