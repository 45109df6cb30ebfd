"""What a model is: its name, its traits, its speeds, and what it is made of.

Owns the data alone. Which models a server has is the matter of `store`; how it tells of them, of
`showing`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from attrs import field, frozen

from triollama._errors import ConfigError, InvalidRequestError
from triollama.api.names import ModelName, parse_name

from .checks import within

__all__ = ["CAPABILITIES", "DEFAULT_MODELS", "DEFAULT_REGISTRY", "ModelConfig"]

CAPABILITIES = frozenset(
    {"completion", "tools", "insert", "vision", "embedding", "thinking", "image", "audio"}
)
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


def _messages(_instance: Any, _attribute: Any, value: tuple[dict[str, Any], ...]) -> None:
    for message in value:
        if not all(isinstance(message.get(part), str) for part in ("role", "content")):
            raise ConfigError("messages must have texts as role and content, each of them")


def _sizes(_instance: Any, _attribute: Any, value: tuple[int, ...]) -> None:
    if any(isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in value):
        raise ConfigError(f"layer_bytes must be whole numbers of at least 1, not {value!r}")


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
        layer_bytes: sizes of its layers in the order in which they are pulled, the last being that
            of its configuration; `size_bytes` is then their sum. Empty for layers made up from
            `size_bytes`.
        template: shown; empty is the simulator's own, which renders all prompts.
        license: shown; empty for none.
        parameters: options that hold where a request names none.
        messages: put before those of a chat, each with ``role`` and ``content``.
        renderer, parser: names, kept and not used.
        requires: the version of Ollama that it needs, shown; empty for none.
        parameter_size_shown: shown in place of `parameter_count`; empty shows that.
        parent: the model that it was made from, shown.
        weights_of: the name of the model whose answers it gives; empty is its own.
        metadata: put over what ``model_info`` of show would hold; with ``tokenizer.ggml.tokens`` it
            replaces the whole tokenizer.
        remote_host: of a stub, the server that it stands for; shown.
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
    layer_bytes: tuple[int, ...] = field(default=(), validator=_sizes)
    template: str = ""
    license: str = ""
    parameters: dict[str, Any] = field(factory=dict, hash=False)
    messages: tuple[dict[str, Any], ...] = field(default=(), hash=False, validator=_messages)
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    parameter_size_shown: str = ""
    parent: str = ""
    weights_of: str = ""
    metadata: dict[str, Any] = field(factory=dict, hash=False)
    remote_host: str = ""

    def __attrs_post_init__(self) -> None:
        for what in ("name", "weights_of"):
            try:
                parse_name(getattr(self, what) or self.name)
            except InvalidRequestError as error:
                raise ConfigError(f"{what} {getattr(self, what)!r}: {error}") from None
        if self.layer_bytes:
            object.__setattr__(self, "size_bytes", sum(self.layer_bytes))

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
    def parameter_size(self) -> str:
        """The number of parameters as lists show it: ``3.2B``, ``136.73M``, ``7B`` when whole."""
        count = self.parameter_count
        if self.parameter_size_shown:
            return self.parameter_size_shown
        for unit, letter, digits in ((10**9, "B", 1), (10**6, "M", 2), (10**3, "K", 0)):
            if count >= unit:
                return f"{count / unit:.{digits if count % unit else 0}f}{letter}"
        return str(count)

    @cached_property
    def author_key(self) -> str:
        """Whose answers it gives: those of copies are the same."""
        return parse_name(self.weights_of).key if self.weights_of else self.key

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


DEFAULT_REGISTRY = (
    ModelConfig(name="tinyllama:latest", parameter_count=1_100_048_384, size_bytes=637_700_138),
    ModelConfig(
        name="all-minilm:latest",
        capabilities=("embedding",),
        family="bert",
        parameter_count=22_713_216,
        quantization="F16",
        size_bytes=45_960_996,
        context_length=512,
        embedding_length=384,
        block_count=6,
    ),
    ModelConfig(
        name="smollm2:135m-instruct-fp16",
        capabilities=("completion", "tools"),
        parameter_count=134_515_008,
        quantization="F16",
        size_bytes=270_898_690,
        context_length=8192,
        embedding_length=576,
        block_count=30,
    ),
)
"""What can be pulled beside the models that a server has from the start."""
