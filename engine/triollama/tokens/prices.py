"""What answers cost: a table of prices, and the arithmetic. Nothing of it runs with a request."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

import attrs

from triollama._errors import ConfigError
from triollama.api import Usage, name_key

__all__ = ["Price", "Prices"]

_ANY: Final = "*"
_MILLION: Final = 1_000_000


def _money(_: object, field: attrs.Attribute[Any], value: object) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 <= value < math.inf:  # type: ignore[operator]  # NaN is not
        raise ConfigError(f"{field.name} must be a finite int or float, 0 or more")


@attrs.frozen(kw_only=True)
class Price:
    """What tokens cost, in a currency of the caller's choice.

    Attributes:
        prompt: of a million tokens of prompts.
        output: of a million tokens of answers.
        request: of each request, whatever its size.
    """

    prompt: float = attrs.field(default=0.0, validator=_money)
    output: float = attrs.field(default=0.0, validator=_money)
    request: float = attrs.field(default=0.0, validator=_money)

    def cost(self, usage: Usage) -> float:
        """What one answer costs, in the same currency."""
        tokens = usage.prompt_tokens * self.prompt + usage.output_tokens * self.output
        return tokens / _MILLION + self.request


class Answered(Protocol):
    """A whole answer: `ChatResponse` or `GenerateResponse`."""

    @property
    def model(self) -> str: ...

    @property
    def usage(self) -> Usage: ...


Key = str | tuple[str, str]
"""A model's name, or that and an endpoint's; ``"*"`` is any."""


class Prices:
    """Prices by model and endpoint; what is not in the table costs nothing, or the default.

    The closest entry counts: that of model and endpoint, else the model's, else the endpoint's
    (``("*", endpoint)``), else the default.

    Args:
        table: prices by a model's name, or by a pair of a model's and an endpoint's.
        default: of everything else.

    Raises:
        ConfigError: a key or a value is of another kind.
    """

    def __init__(
        self, table: Mapping[Key, Price] | None = None, *, default: Price | None = None
    ) -> None:
        self._default = _checked(default or Price(), "default")
        prices = {_pair(key): _checked(price, f"{key}") for key, price in (table or {}).items()}
        self._table: Mapping[tuple[str, str], Price] = MappingProxyType(prices)

    def __repr__(self) -> str:
        return f"<Prices of {len(self._table)} entries>"

    def price(self, model: str, endpoint: str = "") -> Price:
        """The price of a model at an endpoint; without one, of the model anywhere."""
        key = name_key(model)
        for pair in ((key, endpoint), (key, _ANY), (_ANY, endpoint)):
            if pair in self._table:
                return self._table[pair]
        return self._default

    def cost(self, usage: Usage, model: str, endpoint: str = "") -> float:
        """What an answer cost.

        Args:
            usage: its tokens; of one not yet asked for, `Usage` of what is expected.
            model: the model's name.
            endpoint: who gave it.
        """
        return self.price(model, endpoint).cost(usage)

    def cost_of(self, answer: Answered, endpoint: str = "") -> float:
        """What a whole answer cost.

        Args:
            answer: what `Engine.chat`, `Engine.generate` or a stream's ``collect`` gave.
            endpoint: who gave it, for tables that tell endpoints apart: a stream's ``endpoint``.
                An answer does not know it.
        """
        return self.cost(answer.usage, answer.model, endpoint)


def _pair(key: object) -> tuple[str, str]:
    pair = (key, _ANY) if isinstance(key, str) else key
    match pair:
        case (str(model), str(endpoint)) if model and endpoint:
            return (model if model == _ANY else name_key(model)), endpoint
    raise ConfigError("a price's key is a model's name, or a pair of a model's and an endpoint's")


def _checked(price: object, what: str) -> Price:
    if not isinstance(price, Price):
        raise ConfigError(f"the price of {what} must be a Price, not {type(price).__name__}")
    return price
