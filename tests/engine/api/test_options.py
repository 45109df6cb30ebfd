"""Options of a request."""

from __future__ import annotations

import math
from typing import Any

import attrs
import ollama
import pytest

from triollama._errors import InvalidRequestError
from triollama.api import Options
from triollama.api.options import RUNNER_OPTIONS, options_to_json, runner_options


def test_a_mapping_keeps_its_values_and_order() -> None:
    """Known and unknown names are sent as given, without what is None."""
    given = {
        "seed": 7,
        "mirostat": 2,
        "temperature": 0,
        "stop": ["a"],
        "top_k": None,
        "x": {"y": []},
    }
    assert options_to_json(given) == {
        "seed": 7,
        "mirostat": 2,
        "temperature": 0,
        "stop": ["a"],
        "x": {"y": []},
    }
    assert list(options_to_json(given) or {}) == ["seed", "mirostat", "temperature", "stop", "x"]


def test_typed_options_are_sent_where_set() -> None:
    """Our own class and the official client's give the same as a mapping."""
    assert options_to_json(Options(num_ctx=8, stop=("a", "b"))) == {
        "num_ctx": 8,
        "stop": ["a", "b"],
    }
    assert options_to_json(ollama.Options(num_ctx=8, top_p=0.5)) == {"num_ctx": 8, "top_p": 0.5}


@pytest.mark.parametrize("nothing", [None, {}, Options(), {"seed": None}])
def test_no_options_are_not_sent(nothing: Any) -> None:
    """Nothing set gives nothing."""
    assert options_to_json(nothing) is None


@pytest.mark.parametrize("name", [option.name for option in attrs.fields(Options)])
def test_every_known_option_refuses_a_wrong_type(name: str) -> None:
    """The message names the option and the type that it should have, and not the text given."""
    with pytest.raises(InvalidRequestError, match=rf"'{name}' must be (a|an) ") as caught:
        options_to_json({name: "s3cret"})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("num_predict", 1.5, "an integer"),
        ("num_predict", True, "an integer"),
        ("num_predict", 2**63, "an integer"),
        ("seed", math.nan, "an integer"),
        ("seed", math.inf, "an integer"),
        ("temperature", math.nan, "a finite number"),
        ("temperature", -math.inf, "a finite number"),
        ("temperature", False, "a finite number"),
        ("use_mmap", 1, "a boolean"),
        ("stop", "END", "a list of strings"),
        ("stop", ["a", 1], "a list of strings"),
    ],
)
def test_a_wrong_value_names_the_option(name: str, value: object, wanted: str) -> None:
    """NaN, infinities, fractions and booleans are no integers; a bare text is no list."""
    with pytest.raises(InvalidRequestError, match=f"'{name}' must be {wanted}"):
        options_to_json({name: value})


@pytest.mark.parametrize("value", [math.nan, [math.inf], {1: 2}, object(), b"x", {"a": {b"x"}}])
def test_an_unknown_option_must_be_json(value: object) -> None:
    """What JSON cannot carry is refused by name even where the name is unknown."""
    with pytest.raises(InvalidRequestError, match="option 'new_one'"):
        options_to_json({"new_one": value})


@pytest.mark.parametrize("options", ["seed=1", 3, [("seed", 1)], {1: 2}])
def test_options_must_be_a_mapping(options: object) -> None:
    """Another type is named."""
    with pytest.raises(InvalidRequestError, match="options must be"):
        options_to_json(options)


def test_whole_floats_are_integers() -> None:
    """64.0 is 64, as the server has it."""
    sent = options_to_json({"num_ctx": 64.0})
    assert sent == {"num_ctx": 64}
    assert isinstance(sent["num_ctx"], int)


def test_runner_options_are_what_reloads() -> None:
    """Sampling makes no difference, each runner option does, and their order is fixed."""
    assert runner_options(None) == ()
    assert runner_options({"temperature": 1, "seed": 2}) == ()
    one = runner_options({"num_thread": 4, "num_ctx": 8, "seed": 1})
    assert (
        one
        == runner_options({"num_ctx": 8, "num_thread": 4})
        == (("num_ctx", 8), ("num_thread", 4))
    )
    everything = dict.fromkeys(RUNNER_OPTIONS, 1)
    assert len(runner_options(everything, shift=False)) == 8
    assert hash(one)


def test_automatic_layers_are_no_difference() -> None:
    """A negative num_gpu leaves it to the server, like none."""
    assert runner_options({"num_gpu": -1}) == ()
    assert runner_options({"num_gpu": 0}) == (("num_gpu", 0),)
