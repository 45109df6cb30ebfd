"""What a model consists of on disk: layers, each a blob with a digest and a size.

Owns how layers are made up for a model that was configured, and the digest of a manifest. A layer
of text has the digest of that text; weights, which are nowhere, have one that follows from the
model's name and size.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any
from urllib.parse import unquote

from attrs import frozen

from .encoding import encode_json
from .errors import ApiError
from .models import ModelConfig
from .template import TEMPLATE

__all__ = [
    "CONFIG",
    "MODEL",
    "Layer",
    "config_layer",
    "layers_of",
    "manifest_digest",
    "parse_digest",
    "text_layer",
    "text_layers",
    "weights_layer",
]

_KIND = "application/vnd.ollama.image."
MODEL = _KIND + "model"
CONFIG = "application/vnd.docker.container.image.v1+json"
_DIGEST = re.compile(r"sha256[:-]([0-9a-fA-F]{64})\Z")
_SMALL_BYTES = 64 * 1024
"""A model below this size has one layer only: there would be nothing left for the weights."""


@frozen
class Layer:
    """One layer of a model.

    Attributes:
        kind: its media type.
        digest: ``sha256:`` and 64 hex digits.
        size: in bytes.
        content: of a layer of text; empty for weights, which nobody reads.
    """

    kind: str
    digest: str
    size: int
    content: str = ""

    @property
    def short(self) -> str:
        """The first 12 hex digits of the digest, as progress shows them."""
        return self.digest[7:19]


def parse_digest(text: str) -> str:
    """Read a digest as ``/api/blobs`` and ``files`` of create have it.

    Raises:
        ApiError: 400 if it is none.
    """
    found = _DIGEST.match(unquote(text))
    if found is None:
        raise ApiError(400, "invalid digest format")
    return f"sha256:{found[1].lower()}"


def text_layer(what: str, content: str) -> Layer:
    """Make a layer of text: a template, a system prompt, a license."""
    return _layer(_KIND + what, content)


def weights_layer(seed: str, size: int, what: str = "model") -> Layer:
    """Make a layer of weights that are nowhere; the digest follows from the seed and the size."""
    return Layer(_KIND + what, f"sha256:{_hash(f'{seed} {what} {size}')}", size)


def text_layers(model: ModelConfig) -> list[Layer]:
    """The layers of a model's texts, in the order in which Ollama writes them."""
    found = [text_layer("template", model.template or TEMPLATE)]
    if model.system:
        found.append(text_layer("system", model.system))
    if model.license:
        found.append(text_layer("license", model.license))
    if model.parameters:
        found.append(text_layer("params", encode_json(model.parameters).decode()))
    if model.messages:
        found.append(text_layer("messages", encode_json(list(model.messages)).decode()))
    return found


def config_layer(model: ModelConfig) -> Layer:
    """The layer of what lists show of a model."""
    told: dict[str, Any] = {
        "model_format": "gguf",
        "model_family": model.family,
        "parameter_count": model.parameter_count,
        "file_type": model.quantization,
        "renderer": model.renderer,
        "parser": model.parser,
        "requires": model.requires,
        "capabilities": list(model.capabilities),
    }
    return _layer(CONFIG, encode_json(told).decode())


def layers_of(model: ModelConfig) -> tuple[Layer, ...]:
    """The layers of a model that was configured, in the order in which they are pulled."""
    if model.layer_bytes:
        *weights, last = model.layer_bytes
        seed = model.author_key
        whole = [weights_layer(f"{seed} {n}", size) for n, size in enumerate(weights)]
        config = Layer(CONFIG, f"sha256:{_hash(f'{seed} config {last}')}", last)
        return (*whole, config)
    rest = [*text_layers(model), config_layer(model)]
    size = model.size_bytes - sum(layer.size for layer in rest)
    if size < _SMALL_BYTES:
        return (weights_layer(model.author_key, model.size_bytes),)
    return (weights_layer(model.author_key, size), *rest)


def manifest_digest(layers: tuple[Layer, ...]) -> str:
    """The digest of a model: 64 hex digits, the same for each copy of it."""
    return _hash(json.dumps([(layer.kind, layer.digest, layer.size) for layer in layers]))


def _layer(kind: str, content: str) -> Layer:
    data = content.encode("utf-8", "replace")
    return Layer(kind, f"sha256:{hashlib.sha256(data).hexdigest()}", len(data), content)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
