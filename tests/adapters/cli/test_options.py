"""Options of the command line."""

import pytest

from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._options import make_options, split_names, unknown_options


def test_nothing_given_is_no_options() -> None:
    """The server's defaults stay untouched."""
    assert make_options([]) is None


def test_pairs_are_json_or_text() -> None:
    """A value is JSON where it can be, and text otherwise."""
    assert make_options(["num_ctx=8192", 'stop=["a"]', "use_mmap=true", "x=a=b", "y="]) == {
        "num_ctx": 8192,
        "stop": ["a"],
        "use_mmap": True,
        "x": "a=b",
        "y": "",
    }


def test_named_options_go_first() -> None:
    """``--temperature 0`` is not lost, and wins over a pair."""
    assert make_options(["temperature=1"], temperature=0.0, seed=0) == {
        "temperature": 0.0,
        "seed": 0,
    }


@pytest.mark.parametrize("pair", ["num_ctx", "=3", ""])
def test_a_pair_without_name_or_value_is_refused(pair: str) -> None:
    """The message shows what such an option looks like."""
    with pytest.raises(CliError, match="NAME=VALUE"):
        make_options([pair])


def test_what_ollama_does_not_have_is_known() -> None:
    """Its server takes any name and says nothing."""
    assert unknown_options({"num_ctx": 1, "foo": 2, "numctx": 3}) == ["foo", "numctx"]
    assert unknown_options(None) == []


def test_names() -> None:
    """Blanks around one are none of its; what stands between two commas is an empty one."""
    assert split_names("id, first name ,,content") == ["id", "first name", "", "content"]
