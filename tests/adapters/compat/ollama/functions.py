"""Functions as tools. Their annotations are no texts: the official client cannot resolve those."""

from enum import Enum
from typing import Literal, Optional


class Colour(Enum):
    """A type that has no name of its own in JSON."""

    RED = "red"


def add_two_numbers(a: int, b: int) -> int:
    """Add two numbers together.

    Args:
      a: First number to add
      b (int): Second number to add,
        which may be negative

    Returns:
      int: The sum of a and b
    """
    return a + b


def describe(
    name: str,
    tags: list[str],
    sizes: dict[str, int],
    share: float = 0.5,
    kind: Literal["x", "y"] = "x",
    *,
    is_new: bool = False,
    several: tuple[int, ...] = (),
) -> str:
    """Describe something.

    In two paragraphs.
    """
    return f"{name}{tags}{sizes}{share}{kind}{is_new}{several}"


def untyped(what):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, D103 - told nothing of
    return what


def optional(first: str, second: Optional[int], third: str | None) -> str:  # noqa: UP045
    """Take what may be left out.

    Args:
        first: needed.
        second: a number, or nothing.
        third: a text: or nothing.

    Raises:
        ValueError: never.
    """
    return f"{first}{second}{third}"


def paint(colour: Colour, twice: bool = False) -> str:  # noqa: D417, FBT001, FBT002
    """Paint it, once if ``twice`` is false.

    Args:
        colour: of a few.
    """
    return f"{colour}{twice}"
