"""Pull and push as steps (``ollama-api.md`` §2.8, §2.9).

Owns their statuses, and the moments at which the store and the registry change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import evolve

from triollama.api.names import ModelName

from .errors import ApiError
from .layers import Layer
from .store import stored_model
from .work import Step, Steps

if TYPE_CHECKING:
    from .core import Simulator

__all__ = ["pull", "push"]

_INSECURE = "insecure protocol http"


def pull(simulator: Simulator, name: ModelName, *, insecure: bool) -> Steps:
    """Pull a model.

    Args:
        simulator: the server.
        name: of the model.
        insecure: whether plain HTTP to the registry is allowed.
    """
    config, store = simulator.config, simulator.store
    yield Step(name="manifest", status="pulling manifest", seconds=config.registry_s)
    if name.scheme == "http" and not insecure:
        raise ApiError(500, _INSECURE)
    remote = store.remote(name.key)
    if remote is None:
        raise ApiError(500, "pull model manifest: file does not exist")
    for layer in remote.layers:
        yield from _pull_layer(simulator, layer)
    size = remote.size_bytes
    yield Step(
        name="verify",
        status="verifying sha256 digest",
        seconds=size / config.disk_bytes_per_s,
    )
    yield Step(name="write", status="writing manifest")
    before = store.get(name.key)
    model = evolve(remote.model, name=(before.model if before is not None else remote.model).name)
    made = stored_model(model, remote.layers, simulator.wall_ns)
    if store.put(made):
        yield Step(name="tell", status="removing unused layers")


def _pull_layer(simulator: Simulator, layer: Layer) -> Steps:
    """Transfer a layer; one that is there is only told of."""
    store = simulator.store
    step = Step(
        name="layer", status=f"pulling {layer.short}", digest=layer.digest, total=layer.size
    )
    if store.blob(layer.digest) is not None:
        yield evolve(step, is_done=True)
        return
    yield evolve(step, layer=layer, transfers=simulator.pulls)
    store.add_layer(layer)


def push(simulator: Simulator, text: str, name: ModelName | None, *, insecure: bool) -> Steps:
    """Push a model.

    Args:
        simulator: the server.
        text: the name as it was sent.
        name: the same, taken apart; None if it is none.
        insecure: whether plain HTTP to the registry is allowed.
    """
    config, store = simulator.config, simulator.store
    yield Step(name="tell", status="retrieving manifest")
    if name is not None and name.scheme == "http" and not insecure:
        raise ApiError(500, _INSECURE)
    stored = store.get(name.key) if name is not None else None
    if stored is None:
        yield Step(name="tell", status="couldn't retrieve manifest")
        shown = name.full.replace(":", "/") if name is not None else text
        raise ApiError(500, f"open /models/manifests/{shown}: no such file or directory")
    for layer in stored.layers:
        yield from _push_layer(simulator, layer)
    yield Step(name="manifest", status="pushing manifest", seconds=config.registry_s)
    store.publish(stored)


def _push_layer(simulator: Simulator, layer: Layer) -> Steps:
    step = Step(
        name="layer", status=f"pushing {layer.short}", digest=layer.digest, total=layer.size
    )
    if simulator.store.has_remote_layer(layer.digest):
        yield evolve(step, is_done=True)
        return
    yield evolve(step, layer=layer, transfers=simulator.pushes)
    simulator.store.add_remote_layer(layer.digest)
