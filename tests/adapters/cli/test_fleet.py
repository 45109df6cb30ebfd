"""Which model is asked."""

import pytest

from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._fleet import choose_model


def test_the_only_model_is_taken() -> None:
    """With one model there is nothing to ask the user."""
    assert choose_model(None, ["llama3.2:latest"]) == "llama3.2:latest"


def test_several_models_need_a_name() -> None:
    """They are listed, so that one can be copied."""
    with pytest.raises(CliError, match="a:1b, b:latest; name one of them"):
        choose_model(None, ["b:latest", "a:1b"])


def test_a_simulator_gives_its_first() -> None:
    """All models of a simulator answer alike."""
    assert choose_model(None, ["b", "a"], take_first=True) == "b"


@pytest.mark.parametrize("take_first", [True, False])
def test_no_model_says_how_to_get_one(*, take_first: bool) -> None:
    """A fresh server has none."""
    with pytest.raises(CliError, match="ollama pull"):
        choose_model(None, [], take_first=take_first)


@pytest.mark.parametrize("wanted", ["llama3.2", "llama3.2:latest", "LLAMA3.2"])
def test_names_are_compared_as_ollama_does(wanted: str) -> None:
    """The tag `latest` may be left out, and case does not matter."""
    assert choose_model(wanted, ["x", "llama3.2:latest"]) == wanted


def test_an_unknown_model_names_those_that_exist() -> None:
    """Before any request is sent."""
    with pytest.raises(CliError, match="'llama4'; there are: a, b"):
        choose_model("llama4", ["b", "a"])
