"""The stage of a Ray Data pipeline, on batches as Ray Data gives them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
import trio
from tests.adapters.ray.clusters import CONFIG, MODEL, two_nodes, whole_answer

from triollama import ConfigError
from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.ray.stage import AskRows
from triollama_adapters.simulator.process import open_simulators

pytestmark = pytest.mark.slow


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """A simulated server."""
    async with open_simulators(1, CONFIG) as [started]:
        yield started


async def asked(batch: dict[str, Any], **options: Any) -> dict[str, Any]:
    """What a stage makes of a batch."""
    stage = await trio.to_thread.run_sync(partial(AskRows, **options))
    try:
        return await trio.to_thread.run_sync(stage, batch)
    finally:
        stage.close()


async def test_a_batch_is_asked(url: str) -> None:
    """Its columns stay, in their order, and the answers stand beside them."""
    texts = ["One?", "Two?", "Three?"]
    found = await asked(
        {"id": [7, 8, 9], "text": texts}, endpoints=[url], model=MODEL, field="text"
    )
    assert list(found) == ["id", "text", "content", "input_tokens", "output_tokens", "error"]
    assert (found["id"], found["text"]) == ([7, 8, 9], texts)
    assert found["content"] == [whole_answer(text) for text in texts]
    assert found["error"] == [None] * 3
    assert all(count > 0 for count in found["output_tokens"])


async def test_rows_that_fail(url: str) -> None:
    """Say why, beside those that do not."""
    batch = {"text": ["One?", None]}
    found = await asked(batch, endpoints=[url], model=MODEL, prompt="{text}")
    assert found["content"][0] == whole_answer("One?")
    assert found["error"][0] is None
    refused = await asked({"text": ["One?"]}, endpoints=[url], model="no-such", field="text")
    assert refused["content"] == [None]
    assert refused["error"][0].startswith("ModelNotFoundError: ")
    missing = await asked({"text": ["One?"]}, endpoints=[url], model=MODEL, field="what")
    assert missing["error"][0].startswith("PromptMissing: row 1 of the batch has no field 'what'")


async def test_vectors(url: str) -> None:
    """A column of them."""
    batch = {"text": ["One?", "Two?"]}
    found = await asked(
        batch, endpoints=[url], model="nomic-embed-text", field="text", kind="embed"
    )
    first, second = found["embedding"]
    assert len(first) == len(second) > 1
    assert first != second
    assert "content" not in found


async def test_columns_of_its_own(url: str) -> None:
    """Nothing is written over."""
    with pytest.raises(ChoiceError, match="'content'"):
        await asked({"text": ["One?"], "content": [1]}, endpoints=[url], model=MODEL, field="text")


def test_values_that_mean_nothing() -> None:
    """Are told when the stage is made."""
    with pytest.raises(ChoiceError):
        AskRows(model=MODEL, prompt="{a}", field="a")
    with pytest.raises(ConfigError):
        AskRows(model=MODEL, field="a", endpoints=["ftp://x"])


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore")
async def test_in_a_pipeline(url: str) -> None:
    """The real thing, which needs pandas and NumPy besides."""
    data = pytest.importorskip("ray.data")
    ray = pytest.importorskip("ray")

    def piped(address: str) -> list[dict[str, Any]]:
        ray.init(address=address, log_to_driver=False, configure_logging=False)
        try:
            rows = data.from_items([{"id": n, "text": f"Question {n}?"} for n in range(50)])
            options = {"endpoints": [url], "model": MODEL, "field": "text"}
            done = rows.map_batches(
                AskRows, fn_constructor_kwargs=options, batch_size=10, concurrency=1
            )
            return list(done.take_all())
        finally:
            ray.shutdown()

    with two_nodes() as cluster:
        found = await trio.to_thread.run_sync(partial(piped, cluster.address))
    assert sorted((row["id"], row["content"]) for row in found) == [
        (n, whole_answer(f"Question {n}?")) for n in range(50)
    ]
