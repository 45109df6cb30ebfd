"""Uploaded files as layers of a new model.

Owns what ``files`` and ``adapters`` of a create may be, and what is read out of their first bytes.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from attrs import frozen

from .errors import ApiError
from .gguf_head import BITS, FILE_TYPES, is_gguf, read_head
from .layers import Layer, parse_digest, weights_layer
from .models import ModelConfig
from .store import Blob
from .work import Step

if TYPE_CHECKING:
    from .core import Simulator

__all__ = ["FileModel", "read_adapters", "read_files"]

_KIND = "application/vnd.ollama.image."
_TOKENS = "tokenizer.ggml.tokens"
_UNSHOWN = ("general.name", "tokenizer.chat_template")


@frozen
class FileModel:
    """A model out of files.

    Attributes:
        model: what it is; its name is yet to come.
        layers: one for each file.
    """

    model: ModelConfig
    layers: tuple[Layer, ...]


def read_files(simulator: Simulator, files: dict[str, str]) -> Generator[Step, None, FileModel]:
    """Read the files of a model: GGUF, or a set of safetensors.

    Raises:
        ApiError: 400 for files that no model is made of; 500 for one that was not uploaded.
    """
    if not files:
        raise ApiError(400, "no files provided to convert")
    if any(path.endswith(".safetensors") for path in files):
        return (yield from _convert(simulator, files))
    digests = [parse_digest(files[path]) for path in sorted(files)]
    blobs = [simulator.store.blob(digest) for digest in digests]
    has_magic = any(blob is not None and is_gguf(blob.head) for blob in blobs)
    if not has_magic and not any(path.endswith(".gguf") for path in files):
        raise ApiError(400, "unknown type")
    layers: list[Layer] = []
    metadata: dict[str, Any] = {}
    for digest in digests:
        layer, head = yield from _read_gguf(simulator, digest)
        layers.append(layer)
        if not _is_projector(layer):
            metadata = metadata or head
    size = sum(layer.size for layer in layers if not _is_projector(layer))
    has_vision = any(_is_projector(layer) for layer in layers)
    return FileModel(_model_of(metadata, size, has_vision=has_vision), tuple(layers))


def _read_gguf(
    simulator: Simulator, digest: str
) -> Generator[Step, None, tuple[Layer, dict[str, Any]]]:
    """Read one file; what it holds besides the weights of a model is told by its metadata."""
    yield Step(name="parse", status="parsing GGUF")
    blob = _there(digest, simulator.store.blob(digest))
    if not is_gguf(blob.head):
        raise ApiError(400, "supplied file was not in GGUF format")
    head = read_head(blob.head)
    seconds = blob.size / simulator.config.disk_bytes_per_s
    yield Step(name="verify", status="validating GGUF model", total=blob.size, seconds=seconds)
    what = "projector" if head.get("general.architecture") == "clip" else "model"
    return _layer(digest, blob, what), head


def _is_projector(layer: Layer) -> bool:
    return layer.kind.endswith("projector")


def read_adapters(
    simulator: Simulator, files: dict[str, str]
) -> Generator[Step, None, list[Layer]]:
    """Read the files of an adapter.

    Raises:
        ApiError: 400 for more than one file of GGUF; 500 for one that was not uploaded.
    """
    if any(path.endswith(".safetensors") for path in files):
        size = sum(_uploaded(simulator, digest)[1].size for digest in files.values())
        seconds = size / simulator.config.disk_bytes_per_s
        yield Step(name="parse", status="converting adapter", seconds=seconds)
        return [weights_layer(str(sorted(files.items())), size, "adapter")]
    if len(files) > 1:
        raise ApiError(400, "only one adapter is currently supported")
    layers = []
    for text in files.values():
        yield Step(name="parse", status="parsing GGUF")
        digest, blob = _uploaded(simulator, text)
        if not is_gguf(blob.head):
            raise ApiError(400, "supplied file was not in GGUF format")
        layers.append(_layer(digest, blob, "adapter"))
    return layers


def _convert(simulator: Simulator, files: dict[str, str]) -> Generator[Step, None, FileModel]:
    """Convert safetensors, which gives one layer in F16."""
    size = sum(_uploaded(simulator, digest)[1].size for digest in files.values())
    seconds = size / simulator.config.disk_bytes_per_s
    yield Step(name="parse", status="converting model", seconds=seconds)
    layer = weights_layer(str(sorted(files.items())), max(1, size))
    return FileModel(_model_of({}, size, has_vision=False), (layer,))


def _uploaded(simulator: Simulator, text: str) -> tuple[str, Blob]:
    digest = parse_digest(text)
    return digest, _there(digest, simulator.store.blob(digest))


def _there(digest: str, blob: Blob | None) -> Blob:
    if blob is None:
        path = f"/models/blobs/{digest.replace(':', '-')}"
        raise ApiError(500, f"open {path}: no such file or directory")
    return blob


def _layer(digest: str, blob: Blob, what: str) -> Layer:
    return Layer(_KIND + what, digest, blob.size)


def _model_of(head: dict[str, Any], size: int, *, has_vision: bool) -> ModelConfig:
    """Say what a model is by its metadata; what they do not tell is made up."""
    arch = str(head.get("general.architecture", "llama"))
    kind = FILE_TYPES.get(head.get("general.file_type", 1), "unknown")
    is_embedding = f"{arch}.pooling_type" in head
    capabilities = ("embedding",) if is_embedding else ("completion",)
    has_tokens = bool(head.get(_TOKENS))
    metadata = {
        key: value
        for key, value in head.items()
        if key not in _UNSHOWN and (has_tokens or not key.startswith("tokenizer."))
    }

    def number(name: str, default: int, low: int, high: int) -> int:
        value = head.get(f"{arch}.{name}", default)
        return min(high, max(low, value)) if isinstance(value, int) else default

    return ModelConfig(
        name="unnamed",
        capabilities=(*capabilities, "vision") if has_vision else capabilities,
        family=arch,
        parameter_count=max(1, int(size * 8 / BITS.get(kind, 8.0))),
        quantization=kind,
        size_bytes=max(1, size),
        context_length=number("context_length", 4096, 4, 2**31),
        embedding_length=number("embedding_length", 2048, 1, 65_536),
        block_count=number("block_count", 16, 1, 2**16),
        metadata=metadata,
    )
