"""What the official client's types share: each attribute is an item as well.

``message.content`` and ``message["content"]`` are the same; ``"content" in message`` tells whether
it is set. The official types are pydantic's; of pydantic's methods those are here that programs
call on answers: ``model_dump``, ``model_dump_json``, ``model_validate``, ``model_copy``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    Any,
    ClassVar,
    Literal,
    Self,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from .errors import RequestError

__all__ = ["ByteSize", "Fields"]

Convert = Callable[[Any, str], Any]
"""Takes a value and its name, gives what is kept, or raises `RequestError`."""

_MISSING: Any = object()
_STEP = 1024.0


class ByteSize(int):
    """A number of bytes that can be read by people."""

    def human_readable(self, *, decimal: bool = False, separator: str = "") -> str:
        """Such as ``1.9GiB``.

        Args:
            decimal: count in thousands (``2.0GB``), not in 1,024.
            separator: what stands before the unit.
        """
        step, infix = (1000.0, "") if decimal else (_STEP, "i")
        size, units = float(self), ["", "K", "M", "G", "T", "P", "E"]
        while abs(size) >= step and len(units) > 1:
            size /= step
            del units[0]
        unit = units[0]
        if not unit:
            return f"{self:d}{separator}B"
        return f"{size:0.1f}{separator}{unit}{infix}B"


@dataclass_transform(kw_only_default=True)
class Fields:  # noqa: PLW1641 - its fields may be set, so it has no hash
    """Base of the types. Subclasses only annotate; what has no default must be given.

    Values are checked and nested mappings become objects. Unknown names are dropped, as the
    official client drops them.

    Raises:
        RequestError: a value is missing, or has another type.
    """

    wire_names: ClassVar[Mapping[str, str]] = {}
    """Attributes that are called otherwise on the wire."""

    def __init__(self, **given: Any) -> None:
        kind = type(self)
        set_here = set()
        for name, (convert, default) in _shape(kind).items():
            value = given.get(kind.wire_names.get(name, name), given.get(name, _MISSING))
            if value is not _MISSING:
                set_here.add(name)
                value = convert(value, f"{kind.__qualname__}.{name}")
            elif default is _MISSING:
                raise RequestError(f"{kind.__qualname__}.{name} is required")
            else:
                value = default
            object.__setattr__(self, name, value)
        object.__setattr__(self, "model_fields_set", set_here)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _shape(type(self)):
            raise ValueError(f"{type(self).__qualname__} has no field {name!r}")
        object.__setattr__(self, name, value)
        set_here: set[str] = vars(self)["model_fields_set"]
        set_here.add(name)

    def __getitem__(self, key: str) -> Any:
        if key in self:
            return getattr(self, key)
        raise KeyError(key)

    def __setitem__(self, key: str, value: Any) -> None:
        setattr(self, key, value)

    def __contains__(self, key: str) -> bool:
        if key in vars(self)["model_fields_set"]:
            return True
        _, default = _shape(type(self)).get(key, (None, None))
        return default is not None and default is not _MISSING

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a field, set or not; ``default`` if there is no such field."""
        return getattr(self, key, default)

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return iter([(name, getattr(self, name)) for name in _shape(type(self))])

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and list(self) == list(other)

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value!r}" for name, value in self)
        return f"{type(self).__name__}({shown})"

    @classmethod
    def model_validate(cls, given: Any) -> Self:
        """An object of a mapping or of another library's model, or the object itself.

        Raises:
            RequestError: it is neither, or a value does not fit.
        """
        if isinstance(given, cls):
            return given
        dump = getattr(given, "model_dump", None)
        if callable(dump):
            given = dump(by_alias=True, exclude_unset=True)
        if not isinstance(given, Mapping):
            raise RequestError(f"{cls.__qualname__} must be a mapping, not {type(given).__name__}")
        return cls(**{str(name): value for name, value in given.items()})

    @classmethod
    def model_validate_json(cls, text: str | bytes) -> Self:
        """The same of JSON."""
        return cls.model_validate(json.loads(text))

    def model_dump(
        self, *, mode: str = "python", exclude_none: bool = False, by_alias: bool = False
    ) -> Any:
        """The fields as plain values.

        Args:
            mode: ``json`` turns times into texts as well.
            exclude_none: leave out what is None, at every depth.
            by_alias: name fields as on the wire.
        """
        dumped = {}
        for name, value in self:
            if value is None and exclude_none:
                continue
            key = self.wire_names.get(name, name) if by_alias else name
            dumped[key] = _plain(value, mode, exclude_none=exclude_none, by_alias=by_alias)
        return dumped

    def model_dump_json(
        self, *, indent: int | None = None, exclude_none: bool = False, by_alias: bool = False
    ) -> str:
        """The fields as JSON."""
        dumped = self.model_dump(mode="json", exclude_none=exclude_none, by_alias=by_alias)
        separators = None if indent else (",", ":")
        return json.dumps(dumped, indent=indent, ensure_ascii=False, separators=separators)

    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Self:
        """Another object with the same fields, but for those of ``update``."""
        copy = object.__new__(type(self))
        vars(copy).update(vars(self), **(update or {}))
        vars(copy)["model_fields_set"] = {*vars(self)["model_fields_set"], *(update or {})}
        return copy


def _plain(value: Any, mode: str, **how: bool) -> Any:
    if isinstance(value, Fields):
        return value.model_dump(mode=mode, **how)
    if isinstance(value, Mapping):
        return {key: _plain(each, mode, **how) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each, mode, **how) for each in value]
    if mode == "json" and isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value


_shapes: dict[Any, dict[str, tuple[Convert, Any]]] = {}


def _shape(kind: type[Fields]) -> dict[str, tuple[Convert, Any]]:
    """How each field of a class is converted, and its default. Found once for each class."""
    if (shape := _shapes.get(kind)) is None:
        hints = get_type_hints(kind, localns=dict(vars(kind)))
        shape = _shapes[kind] = {
            name: (_converter(hint), getattr(kind, name, _MISSING))
            for name, hint in hints.items()
            if get_origin(hint) is not ClassVar
        }
    return shape


def _converter(hint: Any) -> Convert:
    origin, args = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda value, _where: value
    if origin in {Union, UnionType}:
        return _either(args)
    if origin is Literal:
        return _one_of(args)
    if isinstance(origin, type):
        is_mapping = issubclass(origin, Mapping)
        return _mapping(_converter(args[1])) if is_mapping else _sequence(_converter(args[0]))
    return _single(hint)


def _single(hint: Any) -> Convert:
    if isinstance(hint, type) and issubclass(hint, Fields):
        return lambda value, _where: hint.model_validate(value)
    if hint is ByteSize:
        return lambda value, where: ByteSize(_whole(value, where))
    return {int: _whole, float: _number, datetime: _time}.get(hint, _exactly(hint))


def _either(args: Sequence[Any]) -> Convert:
    plain = tuple(arm for arm in args if arm in {str, bytes, bool, int, float, Path, NoneType})
    converters = [_converter(arm) for arm in args if arm is not NoneType]

    def convert(value: Any, where: str) -> Any:
        if type(value) in plain:
            return value
        problems = []
        for each in converters:
            try:
                return each(value, where)
            except RequestError as error:
                problems.append(error)
        if len(problems) == 1:
            raise problems[0]
        raise RequestError(
            f"{where} is nothing of what it may be: " + "; ".join(map(str, problems))
        )

    return convert


def _one_of(values: Sequence[Any]) -> Convert:
    def convert(value: Any, where: str) -> Any:
        if value not in values:
            raise _refused(where, " or ".join(map(repr, values)), value)
        return value

    return convert


def _mapping(inner: Convert) -> Convert:
    def convert(value: Any, where: str) -> Any:
        if not isinstance(value, Mapping):
            raise _refused(where, "a mapping", value)
        return {key: inner(each, f"{where}[{key!r}]") for key, each in value.items()}

    return convert


def _sequence(inner: Convert) -> Convert:
    def convert(value: Any, where: str) -> Any:
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise _refused(where, "a list", value)
        return [inner(each, f"{where}[{at}]") for at, each in enumerate(value)]

    return convert


def _exactly(kind: type) -> Convert:
    def convert(value: Any, where: str) -> Any:
        if not isinstance(value, kind):
            raise _refused(where, kind.__name__, value)
        return value

    return convert


def _whole(value: Any, where: str) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _refused(where, "a whole number", value)
    return value


def _number(value: Any, where: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _refused(where, "a number", value)
    return float(value)


def _time(value: Any, where: str) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _refused(where, "a time, RFC 3339", value) from None


def _refused(where: str, wanted: str, value: object) -> RequestError:
    return RequestError(f"{where} must be {wanted}, not {type(value).__name__}")
