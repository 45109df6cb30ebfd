"""A real cluster of Ray on loopback, jobs for it, and what their output must be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from triollama_adapters.simulator import SimulatorConfig, fast_config
from triollama_adapters.simulator.answer import unbroken_answer

MODEL = "llama3.2"
CONFIG = fast_config(load_s=0.0, decode_tokens_per_s=100.0, answer_tokens_max=40, num_parallel=16)

STORE_BYTES = 80 << 20
"""Ray takes no less than 75 MiB."""


@contextmanager
def two_nodes() -> Iterator[Any]:
    """A head and a second node that is called ``second``, with two CPUs each; ended with the block.

    It is a ``ray.cluster_utils.Cluster``.
    """
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - takes half a second

    options = {"num_cpus": 2, "object_store_memory": STORE_BYTES, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=options)
    try:
        cluster.add_node(node_name="second", **options)
        yield cluster
    finally:
        cluster.shutdown()


def write_questions(path: Path, rows: int) -> dict[int, str]:
    """Write so many questions; the text of each one's answer."""
    questions = [f"Question {number}: what becomes of it?" for number in range(rows)]
    lines = [msgspec.json.encode({"question": each}) for each in questions]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return {number: whole_answer(question) for number, question in enumerate(questions)}


def whole_answer(question: str, config: SimulatorConfig = CONFIG) -> str:
    """What a simulated server answers."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": question}], "stream": False}
    answer = unbroken_answer(config, "/api/chat", msgspec.json.encode(body))
    text: str = answer["message"]["content"]
    return text


def contents(output: Path) -> dict[int, str]:
    """The answers of an output by row, each of them once."""
    records = [msgspec.json.decode(line) for line in output.read_bytes().splitlines()]
    found = {record["index"]: record["content"] for record in records}
    assert len(found) == len(records)
    return found
