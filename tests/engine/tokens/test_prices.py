"""What answers cost."""

from __future__ import annotations

import math
from typing import Any

import pytest

from triollama import ChatResponse, ConfigError, Message, Price, Prices, Usage

USAGE = Usage(prompt_tokens=2_000_000, output_tokens=500_000)


def test_price_is_per_million_tokens_and_per_request() -> None:
    """Prompts and answers have prices of their own."""
    assert Price(prompt=0.5, output=2.0).cost(USAGE) == pytest.approx(2.0)
    assert Price(request=0.01).cost(Usage()) == 0.01
    assert Price().cost(USAGE) == 0.0


def test_the_closest_entry_counts() -> None:
    """Model and endpoint, then the model, then the endpoint, then the default."""
    prices = Prices(
        {
            ("llama3.2", "gpu-1"): Price(prompt=1),
            "llama3.2": Price(prompt=2),
            ("*", "gpu-1"): Price(prompt=3),
        },
        default=Price(prompt=4),
    )
    asked = [
        ("llama3.2:latest", "gpu-1"),
        ("LLAMA3.2", "gpu-2"),
        ("other", "gpu-1"),
        ("other", "gpu-2"),
    ]
    assert [prices.price(*each).prompt for each in asked] == [1, 2, 3, 4]
    assert Prices().cost(USAGE, "anything") == 0.0


def test_cost_of_an_answer() -> None:
    """The answer itself says its model and tokens."""
    answer = ChatResponse(model="m", message=Message(), usage=USAGE)
    assert Prices({"m": Price(output=2)}).cost_of(answer) == 1.0
    assert Prices({("m", "a"): Price(output=2)}).cost_of(answer, "b") == 0.0


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, "1", None, True])
def test_wrong_price(value: Any) -> None:
    """Each is refused by its name."""
    for name in ("prompt", "output", "request"):
        with pytest.raises(ConfigError, match=name):
            Price(**{name: value})


@pytest.mark.parametrize("table", [{"m": 1.0}, {7: Price()}, {("m",): Price()}, {"": Price()}])
def test_wrong_table(table: Any) -> None:
    """A key is a model, or a model and an endpoint; a value is a price."""
    with pytest.raises(ConfigError, match="price"):
        Prices(table)
