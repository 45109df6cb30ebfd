"""The store of models: what exists, under which names, and how ``tags`` and ``show`` tell of it.

Owns the lookup by name (case, ``:latest``, default registry: ``ollama-api.md`` §8) and the bodies
of ``/api/tags`` and ``/api/show``.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

from attrs import field, frozen

from triollama._errors import ConfigError, InvalidRequestError
from triollama.api.names import ModelName, parse_name

from .checks import within
from .encoding import rfc3339
from .template import TEMPLATE
from .vocabulary import VOCABULARY

__all__ = ["DEFAULT_MODELS", "ModelConfig", "ModelStore", "details"]

CAPABILITIES = frozenset(
    {"completion", "tools", "insert", "vision", "embedding", "thinking", "image", "audio"}
)
_MODIFIED_NS = 1_785_585_600 * 1_000_000_000  # 2026-08-01 12:00 UTC: fixed, so that runs repeat
# Families whose runner takes one request at a time, whatever OLLAMA_NUM_PARALLEL says (§4.1).
_ONE_SLOT = frozenset(
    (
        "mllama",
        "qwen3vl",
        "qwen3vlmoe",
        "qwen35",
        "qwen35moe",
        "qwen3next",
        "lfm2",
        "lfm2moe",
        "nemotron_h",
        "nemotron_h_moe",
        "nemotron_h_omni",
    )
)


def _known(_instance: Any, _attribute: Any, value: tuple[str, ...]) -> None:
    unknown = set(value) - CAPABILITIES
    if unknown:
        raise ConfigError(f"capabilities holds {sorted(unknown)}; known: {sorted(CAPABILITIES)}")


@frozen(kw_only=True, slots=False)
class ModelConfig:
    """One model of the store. Speeds left None are the simulator's.

    Attributes:
        name: as a user would pull it; without a tag it is ``:latest``.
        capabilities: of ``ollama-api.md`` §8.4.
        family: the architecture.
        parameter_count: number of parameters.
        quantization: the quantization level shown.
        size_bytes: of the file, and of the memory in use.
        context_length: trained context, in tokens.
        embedding_length: dimensions of an embedding.
        block_count: layers.
        system: the model's own system prompt; empty for none.
        load_s: how long a load takes, in seconds.
        prefill_tokens_per_s: speed of reading the prompt, per slot.
        decode_tokens_per_s: speed of writing the answer, per slot.
        load_error: if not empty, every load fails at its end with this text and status 500.
    """

    name: str
    capabilities: tuple[str, ...] = field(default=("completion",), validator=_known)
    family: str = "llama"
    parameter_count: int = field(default=3_212_749_888, validator=within(1))
    quantization: str = "Q4_K_M"
    size_bytes: int = field(default=2_019_393_189, validator=within(1))
    context_length: int = field(default=131_072, validator=within(4))
    embedding_length: int = field(default=3072, validator=within(1, 65_536))
    block_count: int = field(default=28, validator=within(1))
    system: str = ""
    load_s: float | None = field(default=None, validator=within(0))
    prefill_tokens_per_s: float | None = field(default=None, validator=within(1e-3))
    decode_tokens_per_s: float | None = field(default=None, validator=within(1e-3))
    load_error: str = ""

    def __attrs_post_init__(self) -> None:
        try:
            parse_name(self.name)
        except InvalidRequestError as error:
            raise ConfigError(f"name {self.name!r}: {error}") from None

    @cached_property
    def parsed(self) -> ModelName:
        """The name, taken apart."""
        return parse_name(self.name)

    @cached_property
    def key(self) -> str:
        """What is equal for every spelling of the name."""
        return self.parsed.key

    @cached_property
    def display(self) -> str:
        """The name as lists show it."""
        return self.parsed.display

    @cached_property
    def digest(self) -> str:
        """64 hex digits, a function of the name and size."""
        return hashlib.sha256(f"{self.key} {self.size_bytes}".encode()).hexdigest()

    @cached_property
    def parameter_size(self) -> str:
        """The number of parameters as lists show it: ``3.2B``, ``136.73M``, ``7B`` when whole."""
        count = self.parameter_count
        for unit, letter, digits in ((10**9, "B", 1), (10**6, "M", 2), (10**3, "K", 0)):
            if count >= unit:
                return f"{count / unit:.{digits if count % unit else 0}f}{letter}"
        return str(count)

    @cached_property
    def is_sequential(self) -> bool:
        """Whether its runner has one slot only, whatever the server's setting (§4.1)."""
        return "completion" not in self.capabilities or self.family in _ONE_SLOT

    def has(self, capability: str) -> bool:
        """Whether the model has a capability."""
        return capability in self.capabilities


DEFAULT_MODELS = (
    ModelConfig(name="llama3.2:latest", capabilities=("completion", "tools")),
    ModelConfig(
        name="qwen3:0.6b",
        capabilities=("completion", "tools", "thinking"),
        family="qwen3",
        parameter_count=751_632_384,
        size_bytes=522_653_767,
        context_length=40_960,
        embedding_length=1024,
    ),
    ModelConfig(
        name="llava:7b",
        capabilities=("completion", "vision"),
        parameter_count=7_241_732_096,
        quantization="Q4_0",
        size_bytes=4_733_363_377,
        context_length=32_768,
        embedding_length=4096,
        block_count=32,
    ),
    ModelConfig(
        name="nomic-embed-text:latest",
        capabilities=("embedding",),
        family="nomic-bert",
        parameter_count=136_727_040,
        quantization="F16",
        size_bytes=274_302_450,
        context_length=2048,
        embedding_length=768,
        block_count=12,
    ),
)


def details(model: ModelConfig) -> dict[str, Any]:
    """The ``details`` object of tags, ps and show."""
    return {
        "parent_model": "",
        "format": "gguf",
        "family": model.family,
        "families": [model.family],
        "parameter_size": model.parameter_size,
        "quantization_level": model.quantization,
    }


class ModelStore:
    """The models of one server, found by any spelling of their names.

    Args:
        models: the models, newest first.
        utc_offset_minutes: the zone that ``modified_at`` is written in.
    """

    def __init__(self, models: tuple[ModelConfig, ...], *, utc_offset_minutes: int) -> None:
        self._models = models
        self._by_key = {model.key: model for model in models}
        self._offset = utc_offset_minutes

    def find(self, name: ModelName) -> ModelConfig | None:
        """The model that a name means, or None."""
        return self._by_key.get(name.key)

    def tags(self) -> dict[str, Any]:
        """The body of ``/api/tags``."""
        return {"models": [self._tag(model) for model in self._models]}

    def openai(self) -> list[dict[str, Any]] | None:
        """The models as ``/v1/models`` lists them; None if there are none, as in Ollama."""
        listed = [
            {
                "id": model.display,
                "object": "model",
                "created": self._modified_ns(model) // 1_000_000_000,
                "owned_by": model.parsed.namespace,
            }
            for model in self._models
        ]
        return listed or None

    def show(self, model: ModelConfig, *, verbose: bool, system: str | None) -> dict[str, Any]:
        """The body of ``/api/show``.

        Args:
            model: one of the store.
            verbose: whether arrays are given; otherwise each is null.
            system: a system prompt to show in place of the model's.
        """
        system = model.system if system is None else system
        said = f'\nSYSTEM """{system}"""' if system else ""
        shown: dict[str, Any] = {
            "modelfile": f'# Modelfile generated by "ollama show"\nFROM {model.display}\n'
            f'TEMPLATE """{TEMPLATE}"""{said}\n',
            "parameters": f'{"stop":<30} "<|im_end|>"',
            "template": TEMPLATE,
            "system": system,
            "details": details(model),
            "model_info": self._info(model, verbose=verbose),
            "tensors": [{"name": "token_embd.weight", "type": "Q4_K", "shape": [256, 256]}],
            "capabilities": list(model.capabilities),
            "modified_at": self._modified(model),
        }
        if not system:
            del shown["system"]
        return shown

    def _modified(self, model: ModelConfig) -> str:
        return rfc3339(self._modified_ns(model), offset_minutes=self._offset)

    def _modified_ns(self, model: ModelConfig) -> int:
        return _MODIFIED_NS - 3600 * self._models.index(model) * 1_000_000_000

    def _tag(self, model: ModelConfig) -> dict[str, Any]:
        lengths = {
            "context_length": model.context_length,
            "embedding_length": model.embedding_length,
        }
        return {
            "name": model.display,
            "model": model.display,
            "modified_at": self._modified(model),
            "size": model.size_bytes,
            "digest": model.digest,
            "details": details(model) | lengths,
            "capabilities": list(model.capabilities),
        }

    def _info(self, model: ModelConfig, *, verbose: bool) -> dict[str, Any]:
        arch = model.family
        tokens = [piece.text for piece in VOCABULARY]
        return {
            "general.architecture": arch,
            "general.basename": model.parsed.model,
            "general.parameter_count": model.parameter_count,
            "general.quantization_version": 2,
            f"{arch}.block_count": model.block_count,
            f"{arch}.context_length": model.context_length,
            f"{arch}.embedding_length": model.embedding_length,
            f"{arch}.vocab_size": len(tokens),
            "tokenizer.ggml.model": "gpt2",
            "tokenizer.ggml.token_type": [1] * len(tokens) if verbose else None,
            "tokenizer.ggml.tokens": tokens if verbose else None,
        }
