"""Options of the command line that are one value made of several, and what they may be. No IO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import msgspec

from triollama import Options
from triollama_adapters.cli._failures import CliError

__all__ = ["make_options", "split_names", "unknown_options"]


def make_options(
    pairs: Sequence[str],
    *,
    num_predict: int | None = None,
    temperature: float | None = None,
    seed: int | None = None,
    option: str = "--option",
) -> dict[str, Any] | None:
    """Ollama's ``options`` from what was given.

    Args:
        pairs: ``name=value``, the value as JSON, or taken as text where it is not JSON.
        num_predict: tokens to write at most; goes before a pair of that name.
        temperature: likewise.
        seed: likewise.
        option: what the pairs are given by, for the error.

    Returns:
        The options, or None if there is none.

    Raises:
        CliError: a pair without a name or value.
    """
    options = dict(_parse_pair(pair, option) for pair in pairs)
    named = {"num_predict": num_predict, "temperature": temperature, "seed": seed}
    options |= {name: value for name, value in named.items() if value is not None}
    return options or None


def split_names(text: str) -> list[str]:
    """Names that are separated by commas, without the blanks around them."""
    return [name.strip() for name in text.split(",")]


def unknown_options(options: Mapping[str, Any] | None) -> list[str]:
    """The names among them that Ollama does not have, and so leaves unheeded without a word."""
    return sorted((options or {}).keys() - {field.name for field in attrs.fields(Options)})


def _parse_pair(pair: str, option: str) -> tuple[str, Any]:
    name, equals, value = pair.partition("=")
    if not name or not equals:
        raise CliError(f"{option} takes NAME=VALUE, such as num_ctx=8192, not {pair!r}")
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name, value
