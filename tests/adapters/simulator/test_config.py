"""The configuration: checked when made, read strictly from JSON."""

from __future__ import annotations

import json
import math
from typing import Any

import attrs
import pytest

from triollama._errors import ConfigError
from triollama_adapters.simulator.config import (
    SimulatorConfig,
    config_to_json,
    fast_config,
    structure,
)
from triollama_adapters.simulator.faults import Fault, FaultRule
from triollama_adapters.simulator.models import ModelConfig


def test_json_round_trip() -> None:
    """A configuration survives its way through JSON, faults and models included."""
    rule = FaultRule(fault=Fault(kind="stall", seconds=1.5), nth=(2,))
    config = fast_config(faults=(rule,), models=(ModelConfig(name="a", load_s=0.1),))
    assert structure(json.loads(json.dumps(config_to_json(config))), SimulatorConfig) == config


@pytest.mark.parametrize("name", [f.name for f in attrs.fields(SimulatorConfig) if f.validator])
def test_nan_is_refused_by_name(name: str) -> None:
    """Every number of the configuration refuses NaN and names itself."""
    with pytest.raises(ConfigError, match=name):
        SimulatorConfig(**{name: math.nan})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"num_parallel": 0}, "num_parallel"),
        ({"jitter": 1.0}, "jitter"),
        ({"answer_tokens_min": 9, "answer_tokens_max": 3}, "answer_tokens_min"),
        ({"models": (ModelConfig(name="a"), ModelConfig(name="A:latest"))}, "twice"),
        ({"decode_tokens_per_s": 0}, "decode_tokens_per_s"),
    ],
)
def test_bad_values(change: dict[str, Any], told: str) -> None:
    """Values out of range, and contradictions, are refused."""
    with pytest.raises(ConfigError, match=told):
        SimulatorConfig(**change)


@pytest.mark.parametrize(
    "data",
    [
        {"num_paralel": 4},
        {"num_parallel": "4"},
        {"num_parallel": True},
        {"models": {"name": "a"}},
        {"models": [{"name": "a@b"}]},
        {"models": [{"name": "a", "capabilities": ["flight"]}]},
        [],
        None,
    ],
)
def test_json_is_taken_strictly(data: Any) -> None:
    """Unknown keys and other types are refused."""
    with pytest.raises(ConfigError):
        structure(data, SimulatorConfig)


def test_whole_numbers_do_for_floats() -> None:
    """JSON writes 5 for 5.0."""
    assert structure({"load_s": 5}, SimulatorConfig).load_s == 5.0
