"""`@tool`: what a model is told of a function, and what the function is given."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
from datetime import date, datetime, time
from enum import Enum
from typing import Annotated, Any, Literal, Optional, TypedDict

import attrs
import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from triollama import InvalidRequestError, SchemaError, Tool, ToolArgumentsError, tool
from triollama.tools import definitions, tools_of


class Unit(Enum):
    """Degrees."""

    C = "celsius"
    F = "fahrenheit"


@attrs.define
class Place:
    """Where."""

    lat: float = attrs.field(validator=attrs.validators.le(90))
    lon: float = 0.0


@dataclasses.dataclass
class Span:
    """When."""

    first: date
    days: int = 1


class Options(TypedDict, total=False):
    """How."""

    verbose: bool


class Person(msgspec.Struct):
    """Who."""

    name: str


@tool
async def forecast(
    city: str,
    days: Annotated[int, msgspec.Meta(ge=1, le=14)] = 3,
    unit: Unit = Unit.C,
    style: Literal["short", "long"] = "short",
    place: Optional[Place] = None,  # noqa: UP045 - both spellings are met
    span: Span | None = None,
    people: list[Person] | None = None,
    options: Options | None = None,
) -> dict[str, Any]:
    """Forecast the weather.

    It may be wrong.

    Args:
        city: the city's name,
            in English.
        days: how many days.
        unit: degrees.
        style: how much to say.
        place: where.
        span: when.
        people: for whom.
        options: how.

    Returns:
        Something.
    """
    return {"city": city, "days": days, "unit": unit, "place": place, "span": span}


def test_signature_and_docstring_become_a_definition() -> None:
    """Names, types, descriptions, defaults and what is required, in the function's order."""
    function = forecast.definition["function"]
    assert function["name"] == "forecast"
    assert function["description"] == "Forecast the weather.\nIt may be wrong."
    parameters = function["parameters"]
    assert parameters["required"] == ["city"]
    properties = parameters["properties"]
    assert list(properties) == [
        "city", "days", "unit", "style", "place", "span", "people", "options"
    ]  # fmt: skip
    assert properties["city"] == {"type": "string", "description": "the city's name, in English."}
    assert properties["days"] == {
        "type": "integer",
        "description": "how many days. (at least 1; at most 14; default 3)",
    }
    assert properties["unit"]["enum"] == ["celsius", "fahrenheit"]
    assert properties["place"]["properties"]["lat"] == {"type": "number"}
    assert properties["people"]["items"]["properties"] == {"name": {"type": "string"}}
    assert properties["span"]["properties"]["first"]["description"] == "(format date)"
    assert properties["style"]["description"] == 'how much to say. (default "short")'
    assert properties["options"]["properties"] == {"verbose": {"type": "boolean"}}


@pytest.mark.parametrize(
    "docstring",
    [
        "Add.\n\nArgs:\n    a: the first",
        "Add.\n\nParameters\n----------\na : int\n    the first",
        "Add.\n\n:param a: the first",
    ],
)
def test_docstrings_of_each_style_are_read(docstring: str) -> None:
    """Google, NumPy and reST."""

    def add(a: int) -> int:
        return a

    add.__doc__ = docstring
    made = Tool(add)
    assert made.description == "Add."
    assert made.parameters["properties"]["a"]["description"] == "the first"


async def test_arguments_become_what_the_function_takes() -> None:
    """Enums, attrs, dataclasses and dates are made; defaults are the function's own."""
    made: Any = await forecast.call(
        {"city": "Oslo", "unit": "fahrenheit", "place": {"lat": 59.9},
         "span": {"first": "2026-11-21"}}
    )  # fmt: skip
    assert made == {
        "city": "Oslo",
        "days": 3,
        "unit": Unit.F,
        "place": Place(59.9),
        "span": Span(date(2026, 11, 21)),
    }


async def test_texts_and_nulls_of_a_model_are_understood() -> None:
    """Models write numbers as texts, and null for what they leave out."""
    made: Any = await forecast.call({"city": "Oslo", "days": "5", "unit": None, "place": None})
    assert (made["days"], made["unit"], made["place"]) == (5, Unit.C, None)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "Object missing required field `city`"),
        ({"city": ["Oslo"]}, "Expected `str`, got `array` - at `$.city`"),
        ({"city": "Oslo", "days": 0}, "Expected `int` >= 1 - at `$.days`"),
        ({"city": "Oslo", "unit": "kelvin"}, "Invalid enum value 'kelvin' - at `$.unit`"),
        ({"city": "Oslo", "mood": 1}, "Object contains unknown field `mood`"),
        ({"city": "Oslo", "place": {"lat": 95}}, "'lat' must be <= 90: 95.0 - at `$.place`"),
    ],
)
async def test_arguments_that_do_not_fit_are_told(arguments: dict[str, Any], told: str) -> None:
    """The model is told which and why; the message for logs has nothing of the arguments."""
    with pytest.raises(ToolArgumentsError) as caught:
        await forecast.call(arguments)
    assert told in caught.value.told
    assert str(caught.value) == "tool 'forecast': the arguments do not fit"


async def test_a_function_that_is_not_async_runs_in_a_thread() -> None:
    """Where it may block."""

    def where() -> bool:
        """Whether this is trio's thread."""
        try:
            trio.lowlevel.current_task()
        except RuntimeError:
            return False
        return True

    assert await Tool(where).call({}) is False


async def test_methods_partials_and_callable_objects_are_tools() -> None:
    """Whatever has a signature."""

    class Counter:
        """Counts."""

        total = 0

        def add(self, n: int) -> int:
            """Add to it."""
            self.total += n
            return self.total

        async def __call__(self, n: int) -> int:
            """Add as well."""
            return self.add(n)

    counter = Counter()
    assert await Tool(counter.add).call({"n": 2}) == 2
    assert await Tool(counter).call({"n": 2}) == 4
    assert Tool(counter).name == "Counter"
    ten = Tool(functools.partial(counter.add, 10), name="ten")
    assert (ten.parameters["properties"], await ten.call({})) == ({}, 14)


def test_a_tool_is_called_like_its_function() -> None:
    """The decorator takes nothing away."""

    @tool(name="plus", description="Adds.", call_s=2.0)
    def add(a: int, b: int = 1) -> int:
        return a + b

    assert add(1, b=2) == 3
    assert (add.name, add.description, add.call_s) == ("plus", "Adds.", 2.0)


def untyped(a) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """No annotation."""


def starred(*args: int) -> None:
    """Any number."""


def keywords(**more: int) -> None:
    """Any names."""


def positional(a: int, /) -> None:
    """By place only."""


def foreign(a: asyncio.Task[int]) -> None:
    """A type of which JSON knows nothing."""


def lost(a: "Nowhere") -> None:  # type: ignore[name-defined]  # noqa: F821, UP037
    """An annotation that means nothing."""


class Tree(msgspec.Struct):
    """Refers to itself."""

    children: list[Tree] = []


def recursive(a: Tree) -> None:
    """A type that Ollama's tools cannot say."""


def unclear(a: Place | Span) -> None:
    """Two kinds of object that JSON cannot tell apart."""


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (untyped, "tool 'untyped': parameter 'a' has no annotation"),
        (starred, "parameter 'args' is variadic positional"),
        (keywords, "parameter 'more' is variadic keyword"),
        (positional, "parameter 'a' is positional-only"),
        (foreign, "tool 'foreign': parameter 'a' cannot be a JSON schema: .*Task"),
        (lost, "tool 'lost': an annotation names 'Nowhere'"),
        (recursive, "tool 'recursive': parameter 'a': Tree refers to itself"),
        (unclear, "parameter 'a' cannot be a JSON schema: .*more than one"),
        (int, "tool 'int' has no signature|cannot be read|parameter"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_a_schema_is_refused_at_decoration(function: Any, told: str) -> None:
    """The error says which parameter and why."""
    with pytest.raises(SchemaError, match=told):
        tool(function)


def test_what_is_no_tool_is_refused() -> None:
    """By its place in the list."""
    with pytest.raises(InvalidRequestError, match=r"tools\[1\] is dict, which cannot be called"):
        tools_of([forecast, {"type": "function"}])  # type: ignore[list-item]
    with pytest.raises(InvalidRequestError, match=r"tools\[1\]: .* two tools named 'forecast'"):
        tools_of([forecast, forecast])
    with pytest.raises(InvalidRequestError, match="tools must be a list"):
        tools_of(forecast)  # type: ignore[arg-type]
    with pytest.raises(SchemaError, match="a tool is a function, not int"):
        tool(3)  # type: ignore[call-overload]
    with pytest.raises(InvalidRequestError, match="call_s must be more than 0"):
        tool(call_s=0)(forecast.function)


def test_definitions_take_functions_tools_and_mappings() -> None:
    """What is neither function nor tool is left to the request's own checks."""
    mapping = {"type": "function", "function": {"name": "x"}}
    made: Any = definitions([positional_free, forecast, mapping])
    assert [each["function"]["name"] for each in made] == ["positional_free", "forecast", "x"]
    assert definitions(None) is None


def positional_free(a: int) -> None:
    """A plain function."""


PLAIN = {
    int: st.integers(-(2**53), 2**53),
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: st.text(),
    bool: st.booleans(),
    list[int]: st.lists(st.integers(-100, 100)),
    dict[str, float]: st.dictionaries(st.text(), st.floats(0, 1)),
}


@given(data=st.data(), kinds=st.lists(st.sampled_from(list(PLAIN)), max_size=4))
def test_arguments_of_the_right_types_arrive_unchanged(data: st.DataObject, kinds: Any) -> None:
    """Whatever a model writes that fits the schema is what the function gets."""
    given_values = {f"p{at}": data.draw(PLAIN[kind]) for at, kind in enumerate(kinds)}

    def take(**values: Any) -> dict[str, Any]:
        return values

    parameters = [f"p{at}: kinds[{at}]" for at in range(len(kinds))]
    scope: dict[str, Any] = {"kinds": kinds, "take": take}
    body = ", ".join(f"p{at}=p{at}" for at in range(len(kinds)))
    exec(f"def made({', '.join(parameters)}):\n return take({body})", scope)
    made = Tool(scope["made"])
    assert made._parameters.convert("made", given_values) == given_values


def test_how_times_and_bytes_are_written_is_told() -> None:
    """Their schema alone says no more than that they are texts."""

    @tool
    def keep(
        at: Annotated[datetime, ["unhashable"]],
        daily: time | None,
        photo: bytes,
        many: list[datetime],
    ) -> None:
        """Keep."""

    told = keep.parameters["properties"]
    assert told["at"] == {"type": "string", "description": "(format date-time)"}
    assert told["daily"]["anyOf"][0] == {"type": "string", "description": "(format time)"}
    assert told["photo"] == {"type": "string", "description": "(encoded in base64)"}
    assert told["many"] == {"type": "array", "items": {"type": "string"}}


def test_defaults_that_json_has_not_are_not_told() -> None:
    """Nor those that would fill the prompt."""
    endless: list[Any] = []
    endless.append(endless)

    @tool
    def take(
        nan: float = float("nan"), loop: list[Any] = endless, long: str = "x" * 1_000, n: int = 2
    ) -> None:
        """Take."""

    told = [each.get("description") for each in take.parameters["properties"].values()]
    assert told == [None, None, None, "(default 2)"]


def test_names_of_what_has_none() -> None:
    """Behind a partial stands a function; a lambda has to be named; a method has to be bound."""
    assert tool(functools.partial(positional_free, 1)).name == "positional_free"
    with pytest.raises(SchemaError, match="lambda"):
        tool(lambda: 1)
    assert tool(name="one")(lambda: 1).name == "one"
    with pytest.raises(SchemaError, match="once it is bound"):

        class _Shop:
            @tool
            def sell(self, count: int) -> None:
                """Sell."""


def test_what_is_told_of_wrong_arguments_is_bounded() -> None:
    """It quotes the name of what is unknown, which may be of any length."""
    with pytest.raises(ToolArgumentsError) as caught:
        tool(positional_free)._parameters.convert("t", {"a": 1, "x" * 10_000: 1})
    assert len(caught.value.told) <= 500
