"""What answers cost."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio.testing

from triollama import (
    ChatResponse,
    ConfigError,
    EngineConfig,
    Message,
    Price,
    Prices,
    Usage,
    open_engine,
)
from triollama_adapters.simulator import SimulatorConfig, open_fleet

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


async def test_usage_of_an_engine_with_prices_has_the_cost(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Whole and streamed, by the endpoint that answered; without prices it is 0."""
    urls = ["http://a:11434", "http://b:11434"]
    table = Prices({("*", "a:11434"): Price(output=1_000_000), ("*", "b:11434"): Price(request=7)})
    async with (
        open_fleet(dict.fromkeys(urls, SimulatorConfig())) as fleet,
        open_engine(
            *urls, transport=fleet.transport(), config=EngineConfig(prices=table)
        ) as engine,
        open_engine(urls[0], transport=fleet.transport()) as plain,
    ):
        for _ in range(8):
            async with engine.stream_chat("llama3.2", "Hello") as stream:
                answer = await stream.collect()
            told = {"a:11434": float(answer.usage.output_tokens), "b:11434": 7.0}
            assert answer.usage.cost == told[stream.endpoint]
            assert stream.usage == answer.usage
        one = await engine.generate("llama3.2", "Hello")
        assert one.usage.cost in {float(one.usage.output_tokens), 7.0}
        assert (await plain.chat("llama3.2", "Hello")).usage.cost == 0.0


def test_the_cost_of_several_attempts_is_their_sum() -> None:
    """As their tokens are."""
    assert (Usage(1, cost=0.5) + Usage(2, cost=0.25)) == Usage(3, cost=0.75)
