"""What users write: `Bearer`, `Basic` and `Token`. Frozen; no text shows what is secret in them.

A secret is held in a `Secret`, so that it is not shown either by what takes objects apart
(`attrs.asdict`, tracebacks with variables). A pickle holds it: workers of a batch need it.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Awaitable, Callable

import attrs

from triollama._errors import ConfigError

__all__ = ["Basic", "Bearer", "Secret", "Token", "TokenSource"]

CALL_S = 10.0
"""For one call that gives a token: a round trip to a token service, with room for a slow one."""

KEY_CHARS_MAX = 8_192
"""Of a key: what nginx and others take as one header. Tokens with many claims have some 2,000."""

HIDDEN = "***"


class Secret:
    """A text that is not shown. No attrs class: `attrs.asdict` would go into it.

    Args:
        text: the text.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other.reveal()

    def __hash__(self) -> int:
        return hash(self._text)

    def reveal(self) -> str:
        """The text, to be sent."""
        return self._text


TokenSource = Callable[[], "str | Token | Awaitable[str | Token]"]
"""A function that gives tokens."""


def _as_secret(value: object, what: str) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ConfigError(f"{what} must be text, not {type(value).__name__}")
    if not value:
        raise ConfigError(f"{what} must not be empty")
    if len(value) > KEY_CHARS_MAX:
        raise ConfigError(f"{what} must have at most {KEY_CHARS_MAX:,} characters")
    if value.lower().startswith("bearer "):
        raise ConfigError(f"{what} is given without the word Bearer")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ConfigError(
            f"{what} must be visible ASCII characters without blanks; "
            "one that was read from a file may end with a line break"
        )
    return Secret(value)


def _as_token_text(value: str | Secret) -> Secret:
    return _as_secret(value, "a token")


def _as_source(given: str | Secret | TokenSource) -> Secret | TokenSource:
    if isinstance(given, str | Secret):
        return _as_secret(given, "a bearer key")
    if not callable(given):
        kind = type(given).__name__  # type: ignore[unreachable]  # whatever a user gives
        raise ConfigError(f"Bearer takes a key or a function that gives one, not {kind}")
    return given


def _as_password(value: str | Secret) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str):
        raise ConfigError(f"a password must be text, not {type(value).__name__}")
    if _has_controls(value):
        raise ConfigError("a password must not hold a line break or other controls")
    return Secret(value)


def _has_controls(text: str) -> bool:
    is_encodable = not any("\ud800" <= each <= "\udfff" for each in text)
    return not is_encodable or any(each < " " or each == "\x7f" for each in text)


def _check_seconds(name: str, value: object) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value < math.inf:  # type: ignore[operator]  # it is a number
        shown = value if is_number else type(value).__name__
        raise ConfigError(f"{name} must be seconds, more than 0 and finite, not {shown}")


@attrs.frozen(repr=False)
class Token:
    """A token and how long it is good for.

    Args:
        value: the token itself, without the word ``Bearer``.
        lifetime_s: for how many seconds from now (OAuth's ``expires_in``); None: until a server
            refuses it.

    Raises:
        ConfigError: a value is not usable.
    """

    _value: Secret = attrs.field(converter=_as_token_text)
    lifetime_s: float | None = None

    def __attrs_post_init__(self) -> None:
        if self.lifetime_s is not None:
            _check_seconds("lifetime_s", self.lifetime_s)

    def __repr__(self) -> str:
        return f"Token({HIDDEN}, lifetime_s={self.lifetime_s})"

    @property
    def value(self) -> str:
        """The token itself."""
        return self._value.reveal()


@attrs.frozen(repr=False)
class Bearer:
    """A key, or a function that gives tokens: ``Authorization: Bearer …``.

    The function is called when the first request needs a token, when the token's lifetime is almost
    over, and once when a server answers 401; that request is then sent once more. Requests at the
    same time share one call, also those of several endpoints that have this same object. If it
    fails, the requests that need it fail with `TokenError`, and it is not called again for a
    second.

    Args:
        source: the key, or a function without arguments, plain or async (on trio), that gives a
            text or a `Token`. A plain one runs in a thread, and may wait.
        call_s: how long one call of it may take, in seconds.

    Raises:
        ConfigError: a value is not usable.
    """

    _source: Secret | TokenSource = attrs.field(converter=_as_source)
    call_s: float = attrs.field(default=CALL_S, kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_seconds("call_s", self.call_s)

    def __repr__(self) -> str:
        if isinstance(self._source, Secret):
            return f"Bearer({HIDDEN})"
        # Not its repr: the arguments of a functools.partial stand in that.
        return f"Bearer({getattr(self._source, '__qualname__', type(self._source).__name__)})"

    @property
    def source(self) -> TokenSource | None:
        """The function that gives tokens; None if there is a key."""
        return None if isinstance(self._source, Secret) else self._source

    def header(self) -> str:
        """The value of ``Authorization``; empty if a function has to be asked."""
        return f"Bearer {self._source.reveal()}" if isinstance(self._source, Secret) else ""

    def secrets(self) -> tuple[str, ...]:
        """What must not be shown."""
        return (self._source.reveal(),) if isinstance(self._source, Secret) else ()


@attrs.frozen(repr=False)
class Basic:
    """A user and a password: ``Authorization: Basic …``, in UTF-8 (RFC 7617).

    Args:
        user: the user's name, without a colon.
        password: the password; may be empty.

    Raises:
        ConfigError: a value is not usable.
    """

    user: str
    _password: Secret = attrs.field(converter=_as_password)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.user, str) or ":" in self.user or _has_controls(self.user):
            raise ConfigError("user must be text without a colon, a line break or other controls")

    def __repr__(self) -> str:
        return f"Basic({self.user!r}, {HIDDEN})"

    @property
    def source(self) -> None:
        """There is no function to ask."""

    def header(self) -> str:
        """The value of ``Authorization``."""
        return f"Basic {self._encoded()}"

    def secrets(self) -> tuple[str, ...]:
        """What must not be shown."""
        return self._encoded(), self._password.reveal()

    def _encoded(self) -> str:
        return base64.b64encode(f"{self.user}:{self._password.reveal()}".encode()).decode("ascii")
