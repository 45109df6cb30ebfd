"""The options of a request, checked as the server checks them.

Owns the names and types of ``ollama-api.md`` §6: unknown names and null are ignored, a fraction is
cut off, a wrong type is an error with status 500.
"""

from __future__ import annotations

import math
from typing import Any

from attrs import frozen

from .errors import ApiError
from .models import ModelConfig
from .runner import RunnerSettings

__all__ = ["Sampling", "read_options"]

_INTEGERS = frozenset(
    (
        "num_keep",
        "seed",
        "num_predict",
        "top_k",
        "repeat_last_n",
        "num_ctx",
        "num_batch",
        "num_gpu",
        "main_gpu",
        "num_thread",
        "draft_num_predict",
    )
)
_FLOATS = frozenset(
    (
        "top_p",
        "min_p",
        "typical_p",
        "temperature",
        "repeat_penalty",
        "presence_penalty",
        "frequency_penalty",
    )
)
_NUM_CTX_MIN = 4
_VISION_NUM_CTX_MIN = 2048
_NUM_BATCH = 512
_EMBEDDING_NUM_BATCH = 2048
_NUM_PREDICT_CONTEXTS = 10  # a runaway answer ends after ten contexts, as in Ollama


@frozen
class Sampling:
    """Those options that have an effect here.

    Attributes:
        seed: 0 if unset or negative, so that every answer repeats.
        tokens_max: how many tokens the answer may have.
        stop: texts that end the answer.
        num_keep: tokens kept at the beginning of a prompt that is cut.
    """

    seed: int
    tokens_max: int
    stop: tuple[str, ...]
    num_keep: int


def read_options(
    options: dict[str, Any], model: ModelConfig, *, num_ctx: int, shift: bool = True
) -> tuple[Sampling, RunnerSettings]:
    """Check options and split them into what concerns the answer and what the runner.

    Args:
        options: the request's.
        model: which model.
        num_ctx: the server's default.
        shift: the request's field of that name.

    Raises:
        ApiError: 500 for an option of the wrong type.
    """
    found = {name: _checked(name, value) for name, value in options.items() if value is not None}
    low = _VISION_NUM_CTX_MIN if model.has("vision") else _NUM_CTX_MIN
    context = min(max(found.get("num_ctx", num_ctx), low), model.context_length)
    is_embedding = not model.has("completion")
    batch = min(_EMBEDDING_NUM_BATCH, context) if is_embedding else _NUM_BATCH
    gpu = found.get("num_gpu", -1)
    settings = RunnerSettings(
        num_ctx=context,
        num_batch=found.get("num_batch", batch),
        num_gpu=gpu if gpu >= 0 else None,
        main_gpu=found.get("main_gpu"),
        use_mmap=found.get("use_mmap"),
        num_thread=found.get("num_thread", 0),
        draft_num_predict=found.get("draft_num_predict", 0),
        shift=shift,
    )
    bound = _NUM_PREDICT_CONTEXTS * context
    predict = found.get("num_predict", -1)
    sampling = Sampling(
        seed=max(0, found.get("seed", 0)),
        tokens_max=bound if predict < 0 else min(predict, bound),
        stop=tuple(text for text in found.get("stop", ()) if text),
        num_keep=found.get("num_keep", 4),
    )
    return sampling, settings


def _checked(name: str, value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if name in _INTEGERS:
        if not is_number or not math.isfinite(value):
            raise _wrong(name, "of type integer")
        return int(value)
    if name in _FLOATS and not is_number:
        raise _wrong(name, "of type float32")
    if name == "use_mmap" and not isinstance(value, bool):
        raise _wrong(name, "of type boolean")
    if name == "stop":
        if not isinstance(value, list):
            raise _wrong(name, "of type array")
        if not all(isinstance(text, str) for text in value):
            raise _wrong(name, "of an array of strings")
    return value


def _wrong(name: str, kind: str) -> ApiError:
    return ApiError(500, f'option "{name}" must be {kind}')
