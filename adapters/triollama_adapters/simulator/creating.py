"""Create as steps (``ollama-api.md`` §2.10).

Owns the order of its statuses and what the model is made of: layers of another model or of uploaded
files, perhaps quantized, then the texts of the request. What it takes is worked out from sizes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, evolve

from triollama.api.names import ModelName

from .create_call import CreateCall, check_template, read_info
from .errors import ApiError
from .file_layers import FileModel, read_adapters, read_files
from .finding import read_name
from .gguf_head import BITS
from .layers import (
    CONFIG,
    MODEL,
    Layer,
    config_layer,
    text_layer,
    text_layers,
    weights_layer,
)
from .models import ModelConfig
from .pulling import pull
from .store import StoredModel, stored_model
from .work import Step, Steps

if TYPE_CHECKING:
    from .core import Simulator

__all__ = ["create"]

_WANTED = {"Q4_K": "Q4_K_M"} | {
    name: name for name in ("F32", "F16", "BF16", "Q4_K_S", "Q4_K_M", "Q8_0")
}
_SOURCES = ("F32", "F16", "BF16")
_QUANTIZE_DIGEST = "0" * 19
_CLOUD = "https://ollama.com:443"
_TEXTS = ("template", "system", "license", "params", "messages")


@define
class _Draft:
    """A model in the making.

    Attributes:
        model: what it is so far.
        layers: what it consists of, its configuration left out.
    """

    model: ModelConfig
    layers: list[Layer]


def create(simulator: Simulator, call: CreateCall, name: ModelName) -> Steps:
    """Make a model.

    Args:
        simulator: the server.
        call: what is asked.
        name: of the model to make.
    """
    store = simulator.store
    before = store.get(name.key)
    shown = before.model.name if before is not None else name.full
    if call.source:
        draft = yield from _from_model(simulator, call)
    elif call.files is not None:
        draft = _from_files((yield from read_files(simulator, call.files)))
    else:
        raise ApiError(400, "neither 'from' or 'files' was specified")
    if call.adapters:
        draft.layers += yield from read_adapters(simulator, call.adapters)
    draft.model = _informed(draft.model, call)
    if call.quantize and not draft.model.remote_host:
        yield from _quantize(simulator, draft, call.quantize)
    _write_texts(draft, call)
    for layer in draft.layers:
        what = "using existing" if store.blob(layer.digest) is not None else "creating new"
        yield Step(name="tell", status=f"{what} layer {layer.digest}")
    yield Step(name="write", status="writing manifest")
    layers = (*draft.layers, config_layer(draft.model))
    size = sum(layer.size for layer in layers)
    made = evolve(draft.model, name=shown, size_bytes=size, layer_bytes=())
    store.put(stored_model(made, layers, simulator.wall_ns))


# ---- what it is made from


def _from_model(simulator: Simulator, call: CreateCall) -> Any:
    """Take the layers of another model, which is pulled if it is not there."""
    name = read_name(call.source)
    if name.is_cloud or call.remote_host:
        host = call.remote_host or _CLOUD
        if " " in host or host.startswith(":"):
            raise ApiError(400, "bad remote")
        stub = ModelConfig(name=call.source, parent=name.model, remote_host=host)
        return _Draft(stub, [])
    stored = simulator.store.get(name.key)
    if stored is None:
        yield from pull(simulator, name, insecure=False)
        # Ollama's pull says so itself: the word is no end of this stream.
        yield Step(name="tell", status="success")
        stored = simulator.store.get(name.key)
        assert stored is not None, "it was pulled"
    return _draft_of(stored)


def _draft_of(stored: StoredModel) -> _Draft:
    model = stored.model
    origin = model.weights_of or model.name
    made = evolve(model, parent=model.display, weights_of=origin)
    return _Draft(made, [layer for layer in stored.layers if layer.kind != CONFIG])


def _from_files(found: FileModel) -> _Draft:
    return _Draft(found.model, list(found.layers))


def _informed(model: ModelConfig, call: CreateCall) -> ModelConfig:
    """Put over a model what the request says of it."""
    info = read_info(call.info)
    given: dict[str, Any] = {
        "capabilities": info.capabilities,
        "family": info.model_family,
        "quantization": info.quantization_level,
        "parameter_size_shown": info.parameter_size,
        "context_length": max(4, info.context_length) if info.context_length else None,
        "embedding_length": info.embedding_length or None,
        "renderer": call.renderer or None,
        "parser": call.parser or None,
        "requires": call.requires or None,
    }
    metadata = dict(model.metadata)
    if info.base_name is not None:
        metadata["general.basename"] = info.base_name
    changes = {key: value for key, value in given.items() if value is not None}
    return evolve(model, metadata=metadata, **changes)


# ---- what is done to it


def _quantize(simulator: Simulator, draft: _Draft, wanted: str) -> Steps:
    """Quantize the weights, if they are not so already."""
    kind = _WANTED.get(wanted)
    if kind is None:
        supported = "F32, F16, Q4_K_S, Q4_K_M, Q8_0"
        raise ApiError(
            500, f"unsupported quantization type {wanted} - supported types are {supported}"
        )
    source = draft.model.quantization
    if kind == source:
        return
    if source not in _SOURCES:
        raise ApiError(500, "quantization is only supported for F16, BF16 and F32 models")
    for number, layer in enumerate(draft.layers):
        if layer.kind != MODEL:
            continue
        yield Step(
            name="quantize",
            status=f"quantizing {source} model to {kind}",
            digest=_QUANTIZE_DIGEST,
            total=layer.size,
            seconds=layer.size / simulator.config.quantize_bytes_per_s,
        )
        yield Step(name="verify", status="verifying conversion")
        size = max(1, int(layer.size * BITS[kind] / BITS[source]))
        draft.layers[number] = weights_layer(f"{layer.digest} {kind}", size)
    draft.model = evolve(draft.model, quantization=kind)


def _write_texts(draft: _Draft, call: CreateCall) -> None:
    """Replace and add layers of text, as the request has them."""
    model = draft.model
    if call.template:
        check_template(call.template)
    texts: dict[str, Any] = {
        "template": call.template or model.template,
        "system": call.system or model.system,
        "license": "\n".join(text for text in (model.license, *call.licenses) if text),
        "parameters": model.parameters | call.parameters,
        "messages": call.messages or model.messages,
    }
    draft.model = made = evolve(model, **texts)
    changed = {
        "template": bool(call.template),
        "system": bool(call.system),
        "license": bool(call.licenses),
        "params": bool(call.parameters),
        "messages": bool(call.messages),
    }
    kinds = {text_layer(what, "").kind: what for what in _TEXTS}
    kept = [layer for layer in draft.layers if not changed.get(kinds.get(layer.kind, ""), False)]
    new = [layer for layer in text_layers(made) if changed[kinds[layer.kind]]]
    draft.layers = kept + new
