"""Model names: grammar, display, comparison."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triollama._errors import InvalidRequestError
from triollama.api import ModelName, name_key, parse_name
from triollama.api.names import checked_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("llama3.2", ModelName("llama3.2")),
        (" llama3.2 ", ModelName("llama3.2")),
        ("llama3.2:1b", ModelName("llama3.2", "1b")),
        ("me/x", ModelName("x", namespace="me")),
        ("host:5000/me/x", ModelName("x", namespace="me", host="host:5000")),
        ("host/me/x:t", ModelName("x", "t", "me", "host")),
        ("http://host/me/x", ModelName("x", namespace="me", host="host", scheme="http")),
        ("_x.y-z", ModelName("_x.y-z")),
        ("x:cloud", ModelName("x", "cloud", source="cloud")),
        ("x:8b:cloud", ModelName("x", "8b-cloud", source="cloud")),
        ("x:8b:Local", ModelName("x", "8b", source="local")),
        ("x:local", ModelName("x", source="local")),
        ("x:20b-cloud", ModelName("x", "20b-cloud")),
        ("m" * 80 + ":" + "t" * 80, ModelName("m" * 80, "t" * 80)),
        ("h" * 350 + "/n/m", ModelName("m", namespace="n", host="h" * 350)),
    ],
)
def test_a_name_is_taken_apart(text: str, name: ModelName) -> None:
    """Each part is found, and what is not given has its default."""
    assert parse_name(text) == name


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "model"),
        ("m:", "tag"),
        (":t", "model"),
        ("a//b", "namespace"),
        ("/b", "namespace"),
        ("/a/b", "host"),
        ("a/b/c/d", "host"),
        ("a.b/m", "namespace"),
        ("x@sha256", "model"),
        ("-x", "model"),
        (".x", "model"),
        ("x:.t", "tag"),
        ("ümlaut", "model"),
        ("x\n", None),
        ("x\ny", "model"),
        ("Why is the sky blue?", "model"),
        ("m" * 81, "model"),
        ("m:" + "t" * 81, "tag"),
        ("n" * 81 + "/m", "namespace"),
        ("h" * 351 + "/n/m", "host"),
        ("1x://h/n/m", "scheme"),
        ("://m", "scheme"),
        ("x:cloud:local", "both"),
        pytest.param("x" + ":cloud" * 10_000, "model", id="many sources"),
    ],
)
def test_a_bad_name_is_refused_by_its_part(text: str, part: str | None) -> None:
    """The message names the wrong part and does not repeat the text."""
    if part is None:  # a line break at the end is a blank, and blanks are trimmed
        assert parse_name(text).model == "x"
        return
    with pytest.raises(InvalidRequestError) as caught:
        parse_name(text)
    assert part in str(caught.value)
    assert len(text) < 4 or text not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "display", "full"),
    [
        ("X", "X:latest", "registry.ollama.ai/library/X:latest"),
        ("library/x:1b", "x:1b", "registry.ollama.ai/library/x:1b"),
        ("Registry.Ollama.AI/Library/x", "x:latest", "Registry.Ollama.AI/Library/x:latest"),
        ("me/x", "me/x:latest", "registry.ollama.ai/me/x:latest"),
        ("h/library/x", "h/library/x:latest", "h/library/x:latest"),
    ],
)
def test_defaults_are_dropped_for_display(text: str, display: str, full: str) -> None:
    """The display form has no default host or namespace, and always the tag."""
    assert parse_name(text).display == display
    assert parse_name(text).full == full


def test_spellings_of_one_model_have_one_key() -> None:
    """`:latest`, case and defaults make no difference when names are compared."""
    spellings = [
        "M",
        "m",
        "m:latest",
        "M:LATEST",
        "library/m",
        "registry.ollama.ai/library/m",
        " m ",
    ]
    assert {name_key(text) for text in spellings} == {"m:latest"}
    assert name_key("m:1b") != name_key("m")


def test_a_name_outside_the_grammar_still_compares() -> None:
    """What another server lists is compared in lower case, as it stands."""
    assert name_key("Org/Some Model@v1") == "org/some model@v1"
    assert name_key("M" * 10_000) == "m" * 10_000


@pytest.mark.parametrize(
    ("text", "is_cloud"), [("x:cloud", True), ("x:20B-Cloud", True), ("x", False), ("cloud", False)]
)
def test_cloud_names_are_recognised(text: str, *, is_cloud: bool) -> None:
    """A last `:cloud` and a tag that ends in `-cloud` mean Ollama's cloud."""
    assert parse_name(text).is_cloud is is_cloud


def test_a_name_must_be_a_text() -> None:
    """Another type is named."""
    with pytest.raises(InvalidRequestError, match="not NoneType"):
        parse_name(None)


def test_a_name_is_read_once() -> None:
    """Whoever asks for it again gets the same answer, whatever blanks are around it."""
    assert parse_name("once:1b") is parse_name(" once:1b ")
    assert checked_name(" once:1b ") == "once:1b"
    assert name_key("once:1b") is parse_name("once:1b").key


@pytest.mark.parametrize("ask", [parse_name, checked_name, name_key])
def test_a_long_text_is_not_kept(ask: Callable[[str], object]) -> None:
    """One with more blanks around it than a name has characters is read, and nothing holds it."""
    text = " " * 1_000 + "long:1b"
    before = sys.getrefcount(text)
    assert ask(text)
    assert sys.getrefcount(text) == before


@given(st.text() | st.text("aB1_-.:/"))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    """Parsing is total; the full form and the display form mean the same model."""
    try:
        name = parse_name(text)
    except InvalidRequestError:
        return
    assert parse_name(name.full).key == name.key
    assert parse_name(name.display).key == name.key
    assert name_key(text) == name.key
