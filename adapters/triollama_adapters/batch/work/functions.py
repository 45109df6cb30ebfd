"""A function of the user's, by its name or as it is: found before any work, called for each row.

A function that is no coroutine function runs in a thread, so that it may take its time; up to
`THREADS_MAX` run at once. One that takes longer than `CALL_S_MAX`, with its wait for a thread, is
given up: its thread goes on, as nothing can end it, and keeps its place among those.
"""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Final, TypeVar

import attrs
import msgspec
import trio

from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.batch.rows import Answer, Ask

__all__ = [
    "CALL_S_MAX",
    "TOLD_CHARS_MAX",
    "Function",
    "FunctionError",
    "load_function",
    "name_of",
    "text_of",
]

T = TypeVar("T")

THREADS_MAX: Final = 16
"""Calls in threads at once: Python runs one at a time, and the rest of them wait for files or the
network."""

CALL_S_MAX: Final = 600.0
"""No judgement of one answer takes that long; one that does must not keep its row for ever."""

_ASKED_FOR = 2  # parameters of a function that wants the row besides the answer

TOLD_CHARS_MAX: Final = 10_000
"""Of what a function raised; more is no message."""

_decode = msgspec.json.Decoder().decode


class FunctionError(Exception):
    """A call failed; the message is its error's type and text. It becomes a row's error."""


def text_of(value: object) -> str:
    """The text of any object of a user's, as it can be written: half surrogate pairs become ``?``.

    Args:
        value: the object.

    Raises:
        Exception: what its own method raises.
    """
    return str.encode(str(value), errors="replace").decode()


@attrs.frozen
class Function:
    """A function that is called with an answer, and with its row if it has a second parameter.

    Attributes:
        name: as it is stored and told, ``MODULE:FUNCTION``.
        function: what is called.
        wants_row: whether it is given the row's fields as well.
        is_async: whether it is awaited, rather than run in a thread.
        limit_s: how long a call may take.
    """

    name: str
    function: Callable[..., Any] = attrs.field(repr=False)
    wants_row: bool
    is_async: bool
    limit_s: float = CALL_S_MAX
    _limiter: trio.CapacityLimiter = attrs.field(
        factory=lambda: trio.CapacityLimiter(THREADS_MAX), init=False, repr=False, eq=False
    )

    async def call(self, answer: Answer, ask: Ask, read: Callable[[Any], T]) -> T:
        """What it makes of an answer. If cancelled, a thread is left behind.

        Args:
            answer: the answer.
            ask: what was asked, with the row's fields.
            read: takes what it gives, an object of any kind; what that raises, it has raised.

        Raises:
            FunctionError: it raised something, ``SystemExit`` too, or took too long.
        """
        try:
            with trio.move_on_after(self.limit_s) as limit:
                return read(await self._call(answer, ask))
        except FunctionError:
            raise
        except (Exception, SystemExit) as error:
            # Whatever a user's function may raise.
            raise FunctionError(_told(error)) from error
        assert limit.cancelled_caught
        raise FunctionError(f"it took longer than {self.limit_s:g} s")

    async def _call(self, answer: Answer, ask: Ask) -> Any:
        if getattr(answer, "tool_calls", ()):
            answer = copy.deepcopy(answer)  # their arguments could be changed, and are recorded
        values = (answer, _row_of(ask)) if self.wants_row else (answer,)
        if self.is_async:
            return await self.function(*values)
        result = await trio.to_thread.run_sync(
            self.function, *values, abandon_on_cancel=True, limiter=self._limiter
        )
        return await result if inspect.isawaitable(result) else result


def load_function(given: str | Callable[..., Any], option: str) -> Function:
    """The function of a name, or one that is there already.

    Args:
        given: ``MODULE:FUNCTION``, with a module that is found in the current folder or where
            Python looks, or the path of a ``.py`` file in its place; or the function.
        option: where it was given, for messages.

    Raises:
        ChoiceError: there is none, or it cannot be called with an answer.
    """
    if not isinstance(given, str):
        return _function(name_of(given), given, option)
    module_name, _, path = given.rpartition(":")
    if not module_name or not path:
        raise ChoiceError(
            f"{option} takes MODULE:FUNCTION, such as checks:is_short, and not {given!r}"
        )
    module = found = _module(module_name, f"{option} {given}")
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            where = getattr(module, "__file__", None) or "built in"
            raise ChoiceError(
                f"{option} {given}: the module {module_name} ({where}) has no {path}"
            ) from None
    return _function(given, found, option)


def name_of(given: str | Callable[..., Any]) -> str:
    """How a function is called in what is stored: a resume from the command line looks for it."""
    if isinstance(given, str):
        return given
    named = given if hasattr(given, "__qualname__") else type(given)
    return f"{named.__module__}:{named.__qualname__}"


def _function(name: str, function: Any, option: str) -> Function:
    if not callable(function):
        raise ChoiceError(f"{option} {name}: that is a {type(function).__name__}, no function")
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an object's own, which may be one
    )
    return Function(name, function, _wants_row(name, function, option), is_async)


def _wants_row(name: str, function: Callable[..., Any], option: str) -> bool:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some that are built in have none
        return False
    for count in (_ASKED_FOR, 1):
        try:
            signature.bind(*[None] * count)
        except TypeError:
            continue
        return count == _ASKED_FOR
    raise ChoiceError(
        f"{option} {name}: it must take (answer) or (answer, row), and not {signature}"
    )


def _module(name: str, told: str) -> ModuleType:
    """Import a module by its name or its file."""
    if not name.endswith(".py"):
        return _imported(name, Path.cwd(), told)
    path = Path(name).absolute()
    if not path.is_file():
        raise ChoiceError(f"{told}: there is no file {path}")
    module = _imported(path.stem, path.parent, told)
    found = getattr(module, "__file__", None)
    if found is None or not path.samefile(found):
        raise ChoiceError(
            f"{told}: the name {path.stem} belongs to another module already "
            f"({found or 'built in'}); give the file another name"
        )
    return module


def _imported(name: str, folder: Path, told: str) -> ModuleType:
    try:
        with _found_in(folder):
            return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise ChoiceError(
                f"{told}: there is no module {name} in {folder}, nor where Python looks"
            ) from None
        raise ChoiceError(f"{told}: importing {name} needs a module: {error}") from error
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ChoiceError(f"{told}: importing {name} failed: {reason}") from error


@contextmanager
def _found_in(folder: Path) -> Iterator[None]:
    """Look for modules in a folder first; afterwards last, for what they import later."""
    name = str(folder)
    sys.path.insert(0, name)
    try:
        yield
    finally:
        sys.path.remove(name)
        if name not in sys.path:
            sys.path.append(name)


def _told(error: BaseException) -> str:
    """The type and the text of what a function raised, whatever that is."""
    text = "its text cannot be had"
    with suppress(Exception):
        text = text_of(error)
    return text_of(f"{type(error).__name__}: {text}".removesuffix(": "))[:TOLD_CHARS_MAX]


def _row_of(ask: Ask) -> dict[str, Any]:
    """The row's fields as values."""
    return {name: _decode(raw) for name, raw in ask.fields.items()}
