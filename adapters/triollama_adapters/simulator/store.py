"""The models and blobs of one server, and the registry that it pulls from and pushes to.

Owns what is there: models under their names (case, ``:latest``, default registry: ``ollama-api.md``
§8), blobs by digest, and what goes when nothing refers to it any more. Bodies of blobs are nowhere:
of each its size and its first bytes are kept, and of those no more than `BLOBS_MAX`.
"""

from __future__ import annotations

from attrs import evolve, frozen

from triollama.api.names import ModelName

from .layers import Layer, layers_of, manifest_digest
from .models import ModelConfig

__all__ = ["BLOBS_MAX", "Blob", "ModelStore", "StoredModel", "stored_model"]

BLOBS_MAX = 4096
"""Blobs that no model refers to; beyond it the oldest is forgotten. With their heads 64 MiB."""
_MODIFIED_NS = 1_785_585_600 * 1_000_000_000  # 2026-08-01 12:00 UTC: fixed, so that runs repeat
_HOUR_NS = 3600 * 1_000_000_000
_SECOND_NS = 1_000_000_000


@frozen
class Blob:
    """A blob.

    Attributes:
        size: in bytes.
        head: its first bytes; empty for one that was never uploaded.
    """

    size: int
    head: bytes = b""


@frozen
class StoredModel:
    """A model under a name.

    Attributes:
        model: what it is.
        layers: what it consists of.
        modified_ns: when it got there, in nanoseconds since 1970.
        digest: 64 hex digits, a function of the layers.
    """

    model: ModelConfig
    layers: tuple[Layer, ...]
    modified_ns: int
    digest: str

    @property
    def size_bytes(self) -> int:
        """The sum of its layers."""
        return sum(layer.size for layer in self.layers)


def stored_model(model: ModelConfig, layers: tuple[Layer, ...], modified_ns: int) -> StoredModel:
    """Put a model's parts together; the time is cut to whole seconds, as Ollama shows it."""
    whole_ns = modified_ns // _SECOND_NS * _SECOND_NS
    return StoredModel(model, layers, whole_ns, manifest_digest(layers))


class ModelStore:
    """What one server has, and what its registry has.

    Args:
        models: the models that it has from the start, newest first.
        registry: models that can be pulled besides.
    """

    def __init__(
        self, models: tuple[ModelConfig, ...], registry: tuple[ModelConfig, ...] = ()
    ) -> None:
        self._first = models
        self._first_registry = registry
        self.reset()

    def reset(self) -> None:
        """Be as at the start."""
        self._models: dict[str, StoredModel] = {}
        self._blobs: dict[str, Blob] = {}
        self._remote: dict[str, StoredModel] = {}
        self._remote_layers: set[str] = set()
        for number, model in enumerate(self._first):
            stored = stored_model(model, layers_of(model), _MODIFIED_NS - number * _HOUR_NS)
            self.put(stored)
            self.publish(stored)
        for model in self._first_registry:
            if model.key not in self._remote:
                self.publish(stored_model(model, layers_of(model), _MODIFIED_NS))

    # ---- models

    def find(self, name: ModelName) -> ModelConfig | None:
        """The model that a name means, or None."""
        stored = self._models.get(name.key)
        return stored.model if stored is not None else None

    def get(self, key: str) -> StoredModel | None:
        """What is stored under a key, or None."""
        return self._models.get(key)

    def digest_of(self, model: ModelConfig) -> str:
        """The digest of a model, also of one that was deleted while it was loaded."""
        stored = self._models.get(model.key)
        return stored.digest if stored is not None else manifest_digest(layers_of(model))

    def newest(self) -> list[StoredModel]:
        """All models, newest first; of those of one second the last one stored."""
        stored = reversed(self._models.values())
        return sorted(stored, key=lambda each: -each.modified_ns)

    def put(self, stored: StoredModel) -> list[Layer]:
        """Store a model, in place of one of the same name; its layers become blobs.

        Returns:
            the layers of the one before that nothing needs now; they are gone.
        """
        before = self._models.pop(stored.model.key, None)
        self._models[stored.model.key] = stored
        for layer in stored.layers:
            self._blobs.setdefault(layer.digest, Blob(layer.size))
        return self._drop_unused(before.layers) if before is not None else []

    def remove(self, key: str) -> bool:
        """Forget a model, and the layers that no other has; return whether it was there."""
        stored = self._models.pop(key, None)
        if stored is not None:
            self._drop_unused(stored.layers)
        return stored is not None

    def copy(self, source: StoredModel, name: ModelName, now_ns: int) -> None:
        """Store a model under another name; it gives the same answers."""
        model = source.model
        made = evolve(model, name=name.full, weights_of=model.weights_of or model.name)
        self.put(stored_model(made, source.layers, now_ns))

    def _drop_unused(self, layers: tuple[Layer, ...]) -> list[Layer]:
        used = self._used()
        unused = [layer for layer in layers if layer.digest not in used]
        for layer in unused:
            self._blobs.pop(layer.digest, None)
        return unused

    def _used(self) -> set[str]:
        return {layer.digest for stored in self._models.values() for layer in stored.layers}

    # ---- blobs

    def blob(self, digest: str) -> Blob | None:
        """A blob, or None."""
        return self._blobs.get(digest)

    def add_layer(self, layer: Layer) -> None:
        """A layer has come from the registry."""
        self.add_blob(layer.digest, Blob(layer.size))

    def add_blob(self, digest: str, blob: Blob) -> None:
        """Store a blob; if there are too many that no model uses, the oldest is forgotten."""
        self._blobs.setdefault(digest, blob)
        if len(self._blobs) <= BLOBS_MAX:
            return
        used = self._used()
        unused = [each for each in self._blobs if each not in used]
        for each in unused[: max(0, len(unused) - BLOBS_MAX)]:
            del self._blobs[each]

    # ---- the registry

    def remote(self, key: str) -> StoredModel | None:
        """A model of the registry, or None."""
        return self._remote.get(key)

    def has_remote_layer(self, digest: str) -> bool:
        """Whether the registry has a layer."""
        return digest in self._remote_layers

    def add_remote_layer(self, digest: str) -> None:
        """The registry has got a layer."""
        self._remote_layers.add(digest)

    def publish(self, stored: StoredModel) -> None:
        """The registry has got a model."""
        self._remote[stored.model.key] = stored
        self._remote_layers.update(layer.digest for layer in stored.layers)
