"""Conditions, shards and shares: what they mean, and what is refused."""

from typing import Any

import pytest

from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.batch.fields import fields_of
from triollama_adapters.batch.input.filters import Filter, parse_condition, parse_shard

ROW = fields_of(b'{"lang": "en", "n": 10, "t": "a=b", "flag": true, "empty": "", "no": null}', 1)


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("lang=en", True),
        ("lang = en", True),
        ("lang==en", True),
        ("n == 10", True),
        ("n==1", False),
        ("lang=e", False),
        ("lang!=en", False),
        ("lang!=de", True),
        ("lang~^e", True),
        ("lang~x", False),
        ("t=a=b", True),
        ("flag=true", True),
        ("empty=", True),
        ("no=null", True),
        ("n=10", True),
        ("n<10", False),
        ("n<=10", True),
        ("n>9.5", True),
        ("n>=1e1", True),
        ("lang<3", False),
        ("none=x", False),
        ("none!=x", True),
        ("none~.", False),
        ("none<3", False),
    ],
)
def test_a_condition_holds_or_not(text: str, *, holds: bool) -> None:
    """Texts are compared as they are, numbers as numbers."""
    assert parse_condition(text).holds(ROW) is holds


@pytest.mark.parametrize("text", ["", "lang", "=x", "n<", "n>x", "lang~("])
def test_what_is_no_condition_is_refused(text: str) -> None:
    """Before any row is read."""
    with pytest.raises(ChoiceError):
        parse_condition(text)


@pytest.mark.parametrize("text", ["", "3", "0/3", "4/3", "1/0", "a/b", "-1/3", "1/3/5"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    """Shards count from 1."""
    with pytest.raises(ChoiceError, match="3/8"):
        parse_shard(text)


@pytest.mark.parametrize(
    "terms", [{"sample": 0}, {"sample": 1.1}, {"sample": float("nan")}, {"limit": 0}, {"limit": -1}]
)
def test_a_share_that_leaves_nothing_is_refused(terms: dict[str, Any]) -> None:
    """By its name."""
    with pytest.raises(ChoiceError, match=next(iter(terms))):
        Filter(**terms)
