"""The ``options`` of a request: sampling, and how the server's runner is set up.

Owns the names and types of Ollama's options. Names that it does not know are passed on, because a
newer server, or another one that speaks Ollama's API, may know them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import attrs
from attrs import frozen

from triollama._errors import InvalidRequestError

from ._json import plain_json, shown
from ._problems import each_problem, refused

__all__ = [
    "IGNORED_OPTIONS",
    "RUNNER_OPTIONS",
    "Options",
    "OptionsInput",
    "OptionsWarning",
    "doubts",
    "options_to_json",
    "runner_options",
]

RUNNER_OPTIONS = (
    "num_ctx",
    "num_batch",
    "num_gpu",
    "main_gpu",
    "use_mmap",
    "num_thread",
    "draft_num_predict",
)
"""Options that belong to the loaded model: a request with another value makes the server load it
anew, after waiting for all running requests of that model (``ollama-api.md`` §4.3)."""


class OptionsWarning(UserWarning):
    """An option of a request does not do what it seems to; the request is sent all the same.

    Told through `warnings`, once per place in your program unless its filters say otherwise.
    """


IGNORED_OPTIONS = frozenset(
    {"mirostat", "mirostat_tau", "mirostat_eta", "penalize_newline", "tfs_z", "numa", "low_vram"}
    | {"f16_kv", "logits_all", "vocab_only", "use_mlock"}
)
"""Options of older servers that do nothing now (``ollama-api.md`` §6)."""

NUM_CTX_MIN = 4
"""Less is raised to it by the server."""


@frozen(kw_only=True)
class Options:
    """Every option that Ollama knows; None leaves it to the model and the server.

    Ranges are not checked, as the server does not check them either. Defaults given here are the
    server's.

    Attributes:
        num_keep: tokens of the prompt to keep when the context is shifted (4).
        seed: of the sampler; -1 draws one (-1).
        num_predict: tokens to generate at most; -1 until the model stops (-1).
        top_k: sample from the k likeliest tokens (40).
        top_p: sample from the likeliest tokens that make up this probability (0.9).
        min_p: drop tokens less likely than this share of the likeliest (0.0).
        typical_p: locally typical sampling (1.0).
        repeat_last_n: tokens that the penalties look back on (64).
        temperature: 0 takes the likeliest token always (0.8).
        repeat_penalty: 1.0 is none (1.0).
        presence_penalty: (0.0).
        frequency_penalty: (0.0).
        stop: texts that end the answer.
        num_ctx: tokens of context per slot; another value reloads the model (automatic).
        num_batch: tokens evaluated at once; reloads (512).
        num_gpu: layers on the GPU, 0 for none; reloads (-1, automatic).
        main_gpu: the GPU for small tensors; reloads.
        use_mmap: map the file instead of reading it; reloads (automatic).
        num_thread: CPU threads; reloads (0, automatic).
        draft_num_predict: tokens that a draft model guesses ahead; reloads.
    """

    num_keep: int | None = None
    seed: int | None = None
    num_predict: int | None = None
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repeat_last_n: int | None = None
    temperature: float | None = None
    repeat_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: Sequence[str] | None = None
    num_ctx: int | None = None
    num_batch: int | None = None
    num_gpu: int | None = None
    main_gpu: int | None = None
    use_mmap: bool | None = None
    num_thread: int | None = None
    draft_num_predict: int | None = None


OptionsInput = Options | Mapping[str, Any] | None
"""What a request takes as options: `Options`, a mapping, or None."""


def options_to_json(options: object) -> dict[str, Any] | None:
    """Check options and copy them, leaving out what is None.

    Args:
        options: `Options`, a mapping of names to values, an object with a ``model_dump()`` such as
            the official client's, or None.

    Returns:
        Plain JSON, in the order given; None if there is nothing to send.

    Raises:
        InvalidRequestError: a known option has the wrong type, or any has a value that JSON cannot
            carry; the message names the option and the type that it should have.
    """
    if options is None:
        return None
    given = _as_mapping(options)
    try:
        checked = {
            name: _checked(name, value) for name, value in given.items() if value is not None
        }
    except InvalidRequestError as first:
        every = (partial(_checked, *each) for each in given.items() if each[1] is not None)
        raise each_problem(every) or first from None
    return checked or None


def doubts(
    options: object,
    *,
    context_length: int | None = None,
    loaded: Mapping[str, int | bool] | None = None,
) -> tuple[str, ...]:
    """What is not wrong with options, but hardly what is meant. Pure.

    Args:
        options: in any form that a request takes.
        context_length: the context that the model was trained for, in tokens, if it is known.
        loaded: the runner options that the model is loaded with, as far as they are known, such as
            ``{"num_ctx": 4096}`` of what `RunningModel.context_length` tells.

    Returns:
        One sentence for each doubt, in the order of the options.

    Raises:
        InvalidRequestError: the options are wrong.
    """
    told = []
    for name, value in (options_to_json(options) or {}).items():
        if name in IGNORED_OPTIONS:
            told.append(f"option {name!r} does nothing: Ollama ignores it")
        elif name not in _RULES and (meant := _meant(name)):
            told.append(f"option {name!r} is unknown, and so does nothing: is {meant!r} meant?")
        elif (doubt := _range_doubt(name, value, context_length)) is not None:
            told.append(doubt)
        if name in RUNNER_OPTIONS and loaded and loaded.get(name, value) != value:
            told.append(
                f"option {name!r} is {value}, and was {loaded[name]} before: a server loads the "
                "model anew for that, after all requests that run on it; keep to one value"
            )
    return tuple(told)


def _meant(name: str) -> str:
    """The option that a name is a misspelling of; empty if it may as well be a newer server's."""
    from difflib import get_close_matches  # noqa: PLC0415 - few programs need it

    if len(name) > _NAME_CHARS_MAX:
        return ""
    return next(iter(get_close_matches(name, _RULES, 1, _MISSPELT_FROM)), "")


_NAME_CHARS_MAX = 64
_MISSPELT_FROM = 0.8
"""A likeness by `difflib`: two letters changed of ``temperature`` are still above it."""


def _range_doubt(name: str, value: Any, context_length: int | None) -> str | None:
    """A number that the server takes and changes, or that makes no sense."""
    if name == "num_ctx":
        if value < NUM_CTX_MIN:
            return f"option 'num_ctx' is {shown(value)}: the server makes it {NUM_CTX_MIN}"
        if context_length is not None and value > context_length:
            told = f"is {shown(value)}, and the model was trained for {context_length} tokens"
            return f"option 'num_ctx' {told}: the server uses no more than that"
    low, high = _USUAL.get(name, (-math.inf, math.inf))
    if isinstance(value, int | float) and not low <= value <= high:
        return f"option {name!r} is {shown(value)}; usual is {_span(low, high)}"
    return None


_USUAL = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "typical_p": (0, 1),
    "top_k": (0, math.inf),
    "repeat_penalty": (0, 2),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}


def _span(low: float, high: float) -> str:
    return f"{low} or more" if high == math.inf else f"from {low} to {high}"


def runner_options(
    options: Mapping[str, Any] | None, *, shift: bool | None = None
) -> tuple[tuple[str, int | bool], ...]:
    """Pick what a request sets that belongs to the loaded model, as a hashable value.

    Two requests with equal ones can share a loaded model; what is unset is the server's choice, and
    so is a negative ``num_gpu``.

    Args:
        options: the request's options, as `options_to_json` gave them.
        shift: the request's own field, which reloads the model like an option.
    """
    if not options and shift is None:
        return ()
    values = {**(options or {}), "shift": shift}
    if values.get("num_gpu", 0) < 0:
        del values["num_gpu"]
    return tuple(
        (name, values[name]) for name in (*RUNNER_OPTIONS, "shift") if values.get(name) is not None
    )


def _as_mapping(options: object) -> Mapping[str, Any]:
    """See any accepted form of options as a mapping."""
    if options is None:
        return {}
    if isinstance(options, Options):
        return attrs.asdict(options, recurse=False)
    if not isinstance(options, Mapping):
        dump = getattr(options, "model_dump", None)
        options = dump(exclude_none=True) if callable(dump) else options
    if not isinstance(options, Mapping) or not all(isinstance(name, str) for name in options):
        raise refused("options", type(options).__name__, "Options or a mapping of names")
    return options


def _checked(name: str, value: object) -> Any:
    """Check one option's type and give its JSON value."""
    if name not in _RULES:
        return plain_json(value, f"option {name!r}", path=f"options.{name}")
    said, convert = _RULES[name]
    converted = convert(value)
    if converted is None:
        text = f"option {name!r} must be {said}, not {_told(value)}"
        raise refused(f"options.{name}", _told(value), said, text)
    return converted


def _told(value: object) -> str:
    """What a wrong value is, without its text."""
    if isinstance(value, float):
        return f"the float {value}"
    return f"a {type(value).__name__}" if isinstance(value, str | bool) else type(value).__name__


def _as_bool(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _as_int(value: object) -> int | None:
    """Take whole numbers of 64 bits; 64.0 is one, as it is to the server. A bool is none."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    return None


def _as_float(value: object) -> float | None:
    """Take finite numbers; an int stays one."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return _as_int(value)


def _as_texts(value: object) -> list[str] | None:
    """Take a sequence of texts; a bare text is refused here, as the server does with a 500."""
    if not isinstance(value, list | tuple) or not all(isinstance(text, str) for text in value):
        return None
    return list(value)


_KINDS: dict[Any, tuple[str, Callable[[object], Any]]] = {
    bool | None: ("a boolean", _as_bool),
    int | None: ("an integer", _as_int),
    float | None: ("a finite number", _as_float),
    Sequence[str] | None: ("a list of strings", _as_texts),
}
_RULES = {option.name: _KINDS[option.type] for option in attrs.fields(Options)}
