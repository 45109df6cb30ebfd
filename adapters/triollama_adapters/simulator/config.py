"""What a simulator is: its models, its speeds, its limits and its faults, as frozen data.

Owns the checks of every value and the one way from JSON to these classes. JSON is taken strictly:
an unknown key or a value of another type is refused by name, because a fault that is misspelt and
silently ignored makes a test pass that tests nothing.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin

import attrs
from attrs import field, frozen

from triollama._errors import ConfigError

from .checks import within
from .faults import Fault, FaultRule
from .models import DEFAULT_MODELS, DEFAULT_REGISTRY, ModelConfig

__all__ = ["SimulatorConfig", "config_to_json", "fast_config", "structure"]


@frozen(kw_only=True)
class SimulatorConfig:
    """One simulated Ollama server. The defaults are a plausible small GPU server.

    Attributes:
        models: its store, newest first.
        version: what ``/api/version`` says.
        num_parallel: slots per loaded model (``OLLAMA_NUM_PARALLEL``); Ollama's own default is 1.
        max_queue: places in the line for loads (``OLLAMA_MAX_QUEUE``).
        max_loaded_models: models resident at once (``OLLAMA_MAX_LOADED_MODELS``).
        keep_alive_s: how long an idle model stays, in seconds; negative is for ever.
        context_length: tokens of context per slot where a request names none.
        load_s: how long a load takes, in seconds.
        prefill_tokens_per_s: speed of reading the prompt, per slot.
        decode_tokens_per_s: speed of writing the answer, per slot.
        jitter: how far the gap before a token strays from its mean, as a share in [0, 0.9]; it is
            a function of the token, so that a run repeats exactly.
        answer_tokens_min: shortest answer, in tokens.
        answer_tokens_max: longest answer, in tokens; the mean is half way.
        think_tokens_min: shortest thinking, in tokens.
        think_tokens_max: longest thinking, in tokens.
        seed: enters every text and every draw of a fault.
        faults: rules, the first that applies to a request is its fault.
        utc_offset_minutes: the server's zone, seen in ``modified_at`` and ``expires_at``.
        registry: models that can be pulled, beside those of ``models``.
        transfer_bytes_per_s: speed of each layer's pull or push.
        registry_s: how long the registry takes for a manifest, in seconds.
        disk_bytes_per_s: speed of reading a file: verifying digests, and files of a create.
        quantize_bytes_per_s: speed of quantizing.
        account: who the server is signed in as at ollama.com; empty for nobody.
        cloud: whether it may use ollama.com at all.

    Raises:
        ConfigError: a value is not usable; it is named.
    """

    models: tuple[ModelConfig, ...] = DEFAULT_MODELS
    version: str = "0.33.0"
    num_parallel: int = field(default=4, validator=within(1))
    max_queue: int = field(default=512, validator=within(1))
    max_loaded_models: int = field(default=3, validator=within(1))
    keep_alive_s: float = field(default=300.0, validator=within(-1e9))
    context_length: int = field(default=4096, validator=within(4))
    load_s: float = field(default=0.5, validator=within(0))
    prefill_tokens_per_s: float = field(default=2000.0, validator=within(1e-3))
    decode_tokens_per_s: float = field(default=75.0, validator=within(1e-3))
    jitter: float = field(default=0.2, validator=within(0, 0.9))
    answer_tokens_min: int = field(default=60, validator=within(1))
    answer_tokens_max: int = field(default=200, validator=within(1))
    think_tokens_min: int = field(default=10, validator=within(1))
    think_tokens_max: int = field(default=40, validator=within(1))
    seed: int = 0
    faults: tuple[FaultRule, ...] = ()
    utc_offset_minutes: int = field(default=120, validator=within(-14 * 60, 14 * 60))
    registry: tuple[ModelConfig, ...] = DEFAULT_REGISTRY
    transfer_bytes_per_s: float = field(default=100e6, validator=within(1e-3))
    registry_s: float = field(default=0.1, validator=within(0))
    disk_bytes_per_s: float = field(default=2e9, validator=within(1e-3))
    quantize_bytes_per_s: float = field(default=200e6, validator=within(1e-3))
    account: str = "ada"
    cloud: bool = True

    def __attrs_post_init__(self) -> None:
        for what in ("answer", "think"):
            low, high = getattr(self, f"{what}_tokens_min"), getattr(self, f"{what}_tokens_max")
            if low > high:
                raise ConfigError(f"{what}_tokens_min {low} is above {what}_tokens_max {high}")
        for what in ("models", "registry"):
            keys = [model.key for model in getattr(self, what)]
            if len(set(keys)) < len(keys):
                raise ConfigError(f"{what} holds the same name twice")


def fast_config(**changes: Any) -> SimulatorConfig:
    """A large, quick server with many slots and short answers, for demonstrations and benchmarks.

    Args:
        changes: fields of `SimulatorConfig` to set otherwise.
    """
    base = SimulatorConfig(
        num_parallel=512,
        load_s=0.05,
        prefill_tokens_per_s=100_000.0,
        decode_tokens_per_s=200.0,
        answer_tokens_min=20,
        answer_tokens_max=60,
        transfer_bytes_per_s=2e9,
        registry_s=0.01,
        disk_bytes_per_s=20e9,
        quantize_bytes_per_s=2e9,
    )
    return attrs.evolve(base, **changes)


def structure(data: Any, cls: Any) -> Any:
    """Make a `SimulatorConfig`, a `Fault` or a tuple of `FaultRule` from decoded JSON.

    Args:
        data: the JSON value.
        cls: the class, or ``tuple[cls, ...]``.

    Raises:
        ConfigError: an unknown key, a value of another type, or one that is out of its range; each
            is named with its path.
    """
    import cattrs  # noqa: PLC0415  # 60 ms that a process without control requests never needs

    try:
        return _converter().structure(data, cls)
    except cattrs.BaseValidationError as error:
        told = cattrs.transform_error(error, path="config", format_exception=_told)
        raise ConfigError("; ".join(told)) from None
    except (TypeError, ValueError) as error:
        raise ConfigError(f"config: {error}") from None


def config_to_json(config: SimulatorConfig) -> dict[str, Any]:
    """Turn a configuration into what `structure` reads back as an equal one."""
    return attrs.asdict(config)


def _told(error: BaseException, kind: type | None) -> str:
    """Say what is wrong with one value; our own messages name it already."""
    from cattrs.v import format_exception  # noqa: PLC0415  # see `structure`

    ours = type(error) in {TypeError, ValueError, ConfigError}
    return str(error) if ours else format_exception(error, kind)


@cache
def _converter() -> Any:
    """Build the strict converter: no unknown keys, no value turned into another type."""
    import cattrs  # noqa: PLC0415  # see `structure`
    from cattrs.gen import make_dict_structure_fn  # noqa: PLC0415  # the same

    converter = cattrs.Converter(forbid_extra_keys=True)
    for kind in (bool, int, float, str):
        converter.register_structure_hook(kind, _exactly(kind))
    converter.register_structure_hook_func(_is_plain_union, _structure_union)
    converter.register_structure_hook_func(_is_literal, _structure_literal)
    converter.register_structure_hook_factory(_is_tuple, lambda cls: _tuple_of(converter, cls))
    for cls in (Fault, FaultRule, ModelConfig, SimulatorConfig):  # the parts before the whole
        read: Any = make_dict_structure_fn(cls, converter, _cattrs_forbid_extra_keys=True)
        converter.register_structure_hook(cls, _object_of(read))
    return converter


def _is_plain_union(cls: Any) -> bool:
    return get_origin(cls) in {Union, types.UnionType} and all(
        arm in {bool, int, float, str, type(None)} for arm in get_args(cls)
    )


def _is_tuple(cls: Any) -> bool:
    origin: Any = get_origin(cls)
    return origin is tuple


def _is_literal(cls: Any) -> bool:
    return get_origin(cls) is Literal


def _structure_literal(value: Any, cls: Any) -> Any:
    if value not in get_args(cls):
        raise ValueError(f"{value!r} is none of {', '.join(map(str, get_args(cls)))}")
    return value


def _structure_union(value: Any, cls: Any) -> Any:
    arms = get_args(cls)
    if value is None and type(None) in arms:
        return None
    if type(value) in arms:
        return value
    if type(value) is int and float in arms:
        return float(value)
    names = " or ".join("null" if arm is type(None) else arm.__name__ for arm in arms)
    raise TypeError(f"must be {names}, not {type(value).__name__}")


def _exactly(kind: type) -> Callable[[Any, Any], Any]:
    """Take a value of exactly this type; for a float also an int."""

    def hook(value: Any, _cls: Any) -> Any:
        if type(value) is kind:
            return value
        if kind is float and type(value) is int:
            return float(value)
        raise TypeError(f"must be {kind.__name__}, not {type(value).__name__}")

    return hook


def _object_of(read: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Take a JSON object, and say so of anything else."""

    def hook(value: Any, cls: Any) -> Any:
        if not isinstance(value, dict):
            raise TypeError(f"must be an object, not {type(value).__name__}")
        return read(value, cls)

    return hook


def _tuple_of(converter: Any, cls: Any) -> Callable[[Any, Any], Any]:
    """Take a JSON array (or a tuple) of one kind of item, and no text."""
    array: Any = types.GenericAlias(list, get_args(cls)[:1])

    def hook(value: Any, _cls: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise TypeError(f"must be an array, not {type(value).__name__}")
        return tuple(converter.structure(list(value), array))

    return hook
