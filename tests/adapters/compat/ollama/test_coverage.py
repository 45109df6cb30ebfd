"""No method, argument or type of the official package is left out, and no difference is made up."""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ollama
import pytest
from ollama import _types
from tests.adapters.compat.ollama.cases import CASES, STREAMED
from tests.adapters.compat.ollama.differences import DIFFERENCES

from triollama_adapters.compat import ollama as compat
from triollama_adapters.compat.ollama import messages, responses, system_one
from triollama_adapters.compat.ollama.fields import Fields

PINNED = "0.6.3"
PAGE = Path(__file__).parents[4] / "docs" / "migrating.md"


def methods(kind: type) -> set[str]:
    """The public methods of a class, but the end of it."""
    found = {name for name, value in vars(kind).items() if callable(value)}
    return {name for name in found if not name.startswith("_")} - {"close"}


def functions(module: Any) -> set[str]:
    """The public functions of a module."""
    return {
        name
        for name, value in vars(module).items()
        if inspect.ismethod(value) and not name.startswith("_")
    }


def shape(method: Any) -> list[tuple[str, Any, Any]]:
    """Names, kinds and defaults of a method's arguments."""
    parameters = inspect.signature(method).parameters.values()
    return [(each.name, each.kind, each.default) for each in parameters]


def test_the_version_is_the_pinned_one() -> None:
    """Another version may have other methods: read its changes, then change this."""
    assert version("ollama") == PINNED


@pytest.mark.parametrize("kind", [ollama.Client, ollama.AsyncClient])
def test_every_method_has_cases(kind: type) -> None:
    """What the official client can do is compared."""
    assert methods(kind) == {case.method for case in CASES}


@pytest.mark.parametrize("name", sorted(methods(ollama.Client)))
def test_every_argument_is_in_a_case(name: str, tmp_path: Path) -> None:
    """Each argument of a method is given in one case at least, and left out in another one."""
    given = [set(case.make(ollama, tmp_path)) for case in CASES if case.method == name]
    parameters = inspect.signature(getattr(ollama.Client, name)).parameters
    wanted = set(parameters) - {"self", "stream"}
    assert set().union(*given) == wanted
    assert ("stream" in parameters) == (name in STREAMED)
    optional = {key for key in wanted if parameters[key].default is not inspect.Parameter.empty}
    if len(given) > 1:
        always = set.intersection(*given)
        assert not always & optional - {"model", "from_"}


@pytest.mark.parametrize("name", sorted(methods(ollama.Client)))
def test_signatures_are_the_same(name: str) -> None:
    """Names, order, kinds and defaults of the arguments."""
    assert shape(getattr(compat.Client, name)) == shape(getattr(ollama.Client, name))
    assert shape(getattr(compat.AsyncClient, name)) == shape(getattr(ollama.AsyncClient, name))
    for kind in (compat.Client, compat.AsyncClient):
        assert inspect.isfunction(getattr(kind, name))


def test_the_module_has_the_same_names() -> None:
    """Its public names and its functions."""
    assert set(ollama.__all__) <= set(compat.__all__)
    assert functions(ollama) == functions(compat)
    assert set(compat.__all__) == set(ollama.__all__) | functions(ollama)


def test_types_have_the_same_fields() -> None:
    """Each type that the official package has, with its fields and defaults, nested ones too."""
    ours: dict[str, type[Fields]] = {}
    for module in (messages, responses, system_one):
        ours |= {n: v for n, v in vars(module).items() if inspect.isclass(v)}
    requests = {n for n in vars(_types) if n.endswith("Request")} - {"SystemOneRequest"}
    bases = {"BaseModel", "SubscriptableBaseModel", *requests}
    compared = 0
    for name, theirs in vars(_types).items():
        if inspect.isclass(theirs) and hasattr(theirs, "model_fields") and name not in bases:
            compared += same_fields(theirs, ours[name])
    assert compared > 30


def same_fields(theirs: Any, ours: Any) -> int:
    """Compare a class and those inside; returns how many."""
    known = {name for base in ours.__mro__ for name in getattr(base, "__annotations__", {})}
    assert known - {"wire_names"} == set(theirs.model_fields), ours.__qualname__
    for name, field in theirs.model_fields.items():
        default = getattr(ours, name, None)
        assert default == (None if field.is_required() else field.default), name
        assert hasattr(ours, name) != field.is_required(), f"{ours.__qualname__}.{name}"
    inner = [n for n, v in vars(theirs).items() if inspect.isclass(v) and n[0].isupper()]
    return 1 + sum(same_fields(getattr(theirs, n), getattr(ours, n)) for n in inner)


@pytest.mark.slow
def test_differences_are_true_and_told(pair: Any) -> None:
    """Each listed difference occurs, and the page on migration has a row for each, and for 404."""
    occurs: dict[str, int] = defaultdict(int)
    for case in CASES:
        if case.method in {"chat", "generate", "create_blob"}:
            for sent in pair.official(case).sent:
                for name, change in DIFFERENCES.items():
                    occurs[name] += change(sent) != [sent]
    assert set(occurs) == set(DIFFERENCES)
    assert all(occurs.values()), occurs
    told = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert set(DIFFERENCES) | {"look"} <= set(told)
