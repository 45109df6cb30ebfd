"""Templates: what they fill in, and what they refuse."""

import pytest

from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.batch.fields import UnusableError, fields_of
from triollama_adapters.batch.input.template import field_template, parse_template


def fill(template: str, line: str) -> str:
    """A template filled with a line's fields."""
    return parse_template(template).fill(fields_of(line.encode(), 1))


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        ("Summarise: {text}", "Summarise: Zoë {x}"),
        ("{text}{text}", "Zoë {x}Zoë {x}"),
        ('{{"{n}"}}', '{"1.50"}'),
        ("{flag} {list}", 'true [1, "a"]'),
        ("{with space}!", "yes!"),
        ("{a.b}", "dotted"),
        ("{}}{n}".replace("{}}", "}}"), "}1.50"),
    ],
)
def test_fields_are_filled_in(template: str, prompt: str) -> None:
    """A string as its characters, anything else as its JSON; braces are doubled."""
    line = (
        '{"text": "Zo\\u00eb {x}", "n" : 1.50, "flag": true, "list": [1, "a"],'
        '"with space": "yes", "a.b": "dotted"}'
    )
    assert fill(template, line) == prompt


@pytest.mark.parametrize(
    "template", ["", "no field", "{}", "{a!r}", "{a:>9}", "{a", "a}", "{0!s:{b}}"]
)
def test_what_is_no_template_is_refused(template: str) -> None:
    """Nothing but names stands in braces, and there is at least one."""
    with pytest.raises(ChoiceError, match="template"):
        parse_template(template)


def test_attributes_are_not_reached() -> None:
    """What looks like an attribute is a field of that whole name."""
    with pytest.raises(UnusableError) as caught:
        fill("{text.__class__}", '{"text": "sesame"}')
    assert "its fields are: text" in caught.value.what


@pytest.mark.parametrize(
    ("line", "words"), [('{"b": "sesame"}', "are: b"), ('{"a": null}', "null")]
)
def test_a_missing_field_is_told(line: str, words: str) -> None:
    """A row without the field, or with null in it, is told by the field's name."""
    with pytest.raises(UnusableError) as caught:
        field_template("a").fill(fields_of(line.encode(), 1))
    assert caught.value.kind == "PromptMissing"
    assert words in caught.value.what
    assert "sesame" not in caught.value.what
