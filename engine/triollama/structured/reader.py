"""Reads JSON as it comes, and tells what of it is complete. Pure: text in, values out.

A value is complete when nothing that follows can change it: a text at its closing quote, a number
at what follows it. Depth and length are bounded. Each character is looked at once.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Any, Final

import attrs
import msgspec

from triollama.structured.shapes import ANY, Shape

__all__ = ["DEPTH_MAX", "LENGTH_MAX", "JsonReader", "MalformedError"]

DEPTH_MAX: Final = 64
"""Containers within each other."""

LENGTH_MAX: Final = 1024 * 1024
"""Characters of one answer that are read."""

_PLAIN = re.compile(r'[^"\\]*')
_SCALAR = re.compile(r"[-+.0-9A-Za-z]*")
_BLANK = re.compile(r"[ \t\n\r]*")


class MalformedError(Exception):
    """The text is not JSON, or is beyond a limit."""


class _Want(Enum):
    """What may come next."""

    VALUE = auto()
    VALUE_OR_END = auto()
    KEY = auto()
    KEY_OR_END = auto()
    COLON = auto()
    NEXT = auto()
    NOTHING = auto()


_VALUES = (_Want.VALUE, _Want.VALUE_OR_END)
_KEYS = (_Want.KEY, _Want.KEY_OR_END)


@attrs.define
class _Frame:
    """One container that is open.

    Attributes:
        shape: of the container.
        raw: what is complete in it, as plain JSON.
        view: the same, of the types that the shape says.
        key: of the value that comes, in an object.
    """

    shape: Shape
    raw: dict[str, Any] | list[Any]
    view: dict[str, Any] | list[Any]
    key: str = ""

    def child(self) -> Shape:
        """The shape of the value that comes."""
        return self.shape.child(self.key if isinstance(self.raw, dict) else None)

    def add(self, raw: Any, view: Any) -> None:
        """Put a complete value in its place."""
        _put(self.raw, self.key, raw)
        _put(self.view, self.key, view)


class JsonReader:
    """Reads one JSON text, piece by piece.

    Attributes:
        completed: values that have become complete.
        is_whole: whether the text is.
    """

    def __init__(self, shape: Shape = ANY) -> None:
        self._shape = shape
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.completed = 0
        self._value: Any = None
        self._stack: list[_Frame] = []
        self._want = _Want.VALUE
        self._token: list[str] = []
        self._in_text = self._in_scalar = self._is_escaped = False
        self._in_fence = False
        self._length = 0

    @property
    def is_whole(self) -> bool:
        """Whether the outermost value is complete."""
        return self._want is _Want.NOTHING

    @property
    def value(self) -> Any:
        """What is complete so far; a copy along the path that is open. None before anything is."""
        if not self._stack:
            return self._value
        inner: Any = None
        for frame in reversed(self._stack):
            copy = frame.view.copy()
            if inner:
                _put(copy, frame.key, inner)
            inner = copy
        return inner

    def feed(self, text: str) -> None:
        """Read a further piece.

        Raises:
            MalformedError: see the class; the reader is of no use any more.
        """
        self._length += len(text)
        if self._length > LENGTH_MAX:
            raise MalformedError(f"the answer is longer than {LENGTH_MAX} characters")
        at = 0
        while at < len(text):
            if self._in_fence:
                at = self._skip_fence(text, at)
            elif self._in_text:
                at = self._read_text(text, at)
            elif self._in_scalar:
                at = self._read_scalar(text, at)
            else:
                at = self._read_structure(text, at)

    def _skip_fence(self, text: str, at: int) -> int:
        """Skip the rest of a line that opens or closes a fence of Markdown around the JSON."""
        end = text.find("\n", at)
        self._in_fence = end < 0
        return len(text) if end < 0 else end + 1

    def _read_text(self, text: str, at: int) -> int:
        if self._is_escaped:
            self._is_escaped = False
            self._token.append(text[at])
            return at + 1
        match = _PLAIN.match(text, at)
        assert match is not None
        self._token.append(match[0])
        at = match.end()
        if at == len(text):
            return at
        self._token.append(text[at])
        if text[at] == "\\":
            self._is_escaped = True
        else:
            self._in_text = False
            self._end_token()
        return at + 1

    def _read_scalar(self, text: str, at: int) -> int:
        match = _SCALAR.match(text, at)
        assert match is not None
        self._token.append(match[0])
        if match.end() < len(text):
            self._in_scalar = False
            self._end_token()
        return match.end()

    def _end_token(self) -> None:
        try:
            value = msgspec.json.decode("".join(self._token))
        except (msgspec.DecodeError, UnicodeError) as error:
            raise MalformedError("the answer is not JSON") from error
        self._token.clear()
        if self._want in _KEYS:
            self._stack[-1].key = value
            self._want = _Want.COLON
        else:
            shape = self._stack[-1].child() if self._stack else self._shape
            self._complete(value, shape.convert(value))

    def _read_structure(self, text: str, at: int) -> int:
        blank = _BLANK.match(text, at)
        assert blank is not None
        at = blank.end()
        if at == len(text):
            return at
        char = text[at]
        if self._want in _VALUES and self._begins_scalar(char):
            return at
        if not (self._begins(char) or self._goes_on(char)):
            raise MalformedError("the answer is not JSON")
        return at + 1

    def _begins_scalar(self, char: str) -> bool:
        """Whether a number, true, false or null begins here; then it is read from here."""
        self._in_scalar = char.isalnum() or char in "-+."
        return self._in_scalar

    def _begins(self, char: str) -> bool:
        """Begin a text, a container or a fence; false if the character begins none."""
        if char == '"' and self._want in (*_VALUES, *_KEYS):
            self._in_text = True
            self._token.append(char)
            return True
        if char in "{[" and self._want in _VALUES:
            self._open(is_object=char == "{")
            return True
        self._in_fence = char == "`" and not self._stack
        return self._in_fence

    def _goes_on(self, char: str) -> bool:
        """End a container, or go on in one; false if the character does neither."""
        if char in "}]":
            self._close(is_object=char == "}")
            return True
        if char == ":" and self._want is _Want.COLON:
            self._want = _Want.VALUE
            return True
        if char == "," and self._want is _Want.NEXT:
            self._want = _Want.KEY if isinstance(self._stack[-1].raw, dict) else _Want.VALUE
            return True
        return False

    def _open(self, *, is_object: bool) -> None:
        if len(self._stack) == DEPTH_MAX:
            raise MalformedError(f"the answer is nested deeper than {DEPTH_MAX}")
        shape = self._stack[-1].child() if self._stack else self._shape
        self._stack.append(_Frame(shape, {}, {}) if is_object else _Frame(shape, [], []))
        self._want = _Want.KEY_OR_END if is_object else _Want.VALUE_OR_END

    def _close(self, *, is_object: bool) -> None:
        ends = _Want.KEY_OR_END if is_object else _Want.VALUE_OR_END
        if self._want not in (_Want.NEXT, ends) or not self._stack:
            raise MalformedError("the answer is not JSON")
        if isinstance(self._stack[-1].raw, dict) is not is_object:
            raise MalformedError("the answer is not JSON")
        frame = self._stack.pop()
        self._complete(frame.raw, frame.shape.convert(frame.raw))

    def _complete(self, raw: Any, view: Any) -> None:
        self.completed += 1
        if self._stack:
            self._stack[-1].add(raw, view)
            self._want = _Want.NEXT
        else:
            self._value = view
            self._want = _Want.NOTHING


def _put(container: dict[str, Any] | list[Any], key: str, value: Any) -> None:
    if isinstance(container, dict):
        container[key] = value
    else:
        container.append(value)
