"""`TokenKeeper`: keeps what the function of a `Bearer` gave, and calls it when it must.

Owns: one token, and the one call that is under way. Whoever needs a token calls the function in its
own task, while the others wait for the lock; if it is cancelled, the next one calls. What a call
ended with is told to all who waited for it.

=======================  ====================================================================
the token                a request gets
=======================  ====================================================================
is fresh                 it, without waiting
is about to end          it, if somebody asks for another just then, or that has just failed
has ended, was refused   what the next call gives
cannot be had            `TokenError`; for `QUIET_S` without another call
=======================  ====================================================================

Bounds: one call at a time, `Bearer.call_s` long; one thread, also if a function hangs in it: the
next call waits for that. Uses trio's clock.
"""

from __future__ import annotations

import inspect
import math
import traceback
from pathlib import Path

import attrs
import trio

from triollama._errors import ConfigError
from triollama.auth.credentials import Bearer, Token, TokenSource
from triollama.auth.errors import TokenError

__all__ = ["Held", "TokenKeeper"]

QUIET_S = 1.0
"""From a call that failed to the next: a token service that is down is asked once a second."""

EARLY_S = 30.0
EARLY_SHARE = 0.1
"""A token is replaced this long before its end, or this share of its lifetime if that is less:
requests on their way, and clocks that differ, get nowhere near it."""


@attrs.frozen(repr=False)
class Held:
    """A token, and which one it is.

    Attributes:
        number: 1 for the first; equal tokens in a row have the same.
        value: the token.
    """

    number: int
    value: str


class TokenKeeper:
    """The token of one `Bearer`.

    Args:
        bearer: has the function.
        source: the function.
    """

    def __init__(self, bearer: Bearer, source: TokenSource) -> None:
        self.bearer = bearer
        self._source = source
        self._lock = trio.Lock()
        self._thread = trio.CapacityLimiter(1)
        self._held: Held | None = None
        self._renew_at_s = self._ends_at_s = -math.inf
        self._failure = ""
        self._quiet_until_s = -math.inf
        self._calls = 0

    def __repr__(self) -> str:
        return f"<TokenKeeper: {self.bearer!r}, {self._calls} calls>"

    @property
    def is_busy(self) -> bool:
        """Whether a call is under way."""
        return self._lock.locked()

    @property
    def number(self) -> int:
        """That of the token; 0 if there is none yet."""
        return 0 if self._held is None else self._held.number

    def get_nowait(self) -> Held | None:
        """The token, if it can be used as it is."""
        now_s = trio.current_time()
        is_spared = self._lock.locked() or now_s < self._quiet_until_s
        until_s = self._ends_at_s if is_spared else self._renew_at_s
        return self._held if now_s < until_s else None

    async def get(self, refused: int = 0) -> Held:
        """A token that can be used. If cancelled, whoever waits as well calls the function.

        Args:
            refused: the number of one that a server has refused: not that one. What comes has that
                number if the function gives nothing else.

        Raises:
            TokenError: there is none.
        """
        calls = self._calls
        async with self._lock:
            if not self._is_good(refused, self._renew_at_s) and self._may_call(calls):
                await self._call()
            if self._held is None or (
                self._failure and not self._is_good(refused, self._ends_at_s)
            ):
                raise TokenError(self._failure)
            return self._held

    def _may_call(self, calls: int) -> bool:
        """Not if a call ended while this was waited for: that outcome is for all."""
        return self._calls == calls and trio.current_time() >= self._quiet_until_s

    def _is_good(self, refused: int, until_s: float) -> bool:
        return self.number not in {0, refused} and trio.current_time() < until_s

    async def _call(self) -> None:
        """Call the function, and note what it gave or why it gave nothing."""
        failure = ""
        with trio.move_on_after(self.bearer.call_s) as scope:
            try:
                self._take(_as_token(await self._ask()))
            except ConfigError as error:
                failure = f"what gives its token gave one that is not usable: {error}"
            except Exception as error:  # noqa: BLE001 - whatever it is, it is told
                failure = f"what gives its token failed: {_where(error)}"
        if scope.cancelled_caught:
            failure = f"what gives its token did not within call_s = {self.bearer.call_s:g} s"
        self._calls += 1
        self._failure = failure
        self._quiet_until_s = trio.current_time() + QUIET_S if failure else -math.inf

    async def _ask(self) -> object:
        given: object
        if inspect.iscoroutinefunction(self._source) or inspect.iscoroutinefunction(
            getattr(self._source, "__call__", None)  # noqa: B004 - an object with an async one
        ):
            given = self._source()
        else:
            # In a tuple: trio refuses a coroutine from a thread, but a lambda may give one.
            [given] = await trio.to_thread.run_sync(
                lambda: (self._source(),), abandon_on_cancel=True, limiter=self._thread
            )
        return await given if inspect.isawaitable(given) else given

    def _take(self, token: Token) -> None:
        now_s = trio.current_time()
        if self._held is None or self._held.value != token.value:
            self._held = Held(self.number + 1, token.value)
        lifetime_s = math.inf if token.lifetime_s is None else token.lifetime_s
        self._ends_at_s = now_s + lifetime_s
        self._renew_at_s = self._ends_at_s
        if lifetime_s < math.inf:
            self._renew_at_s -= min(EARLY_S, EARLY_SHARE * lifetime_s)


def _as_token(given: object) -> Token:
    if isinstance(given, Token):
        return given
    if not isinstance(given, str):
        raise ConfigError(f"it must be text or a Token, not {type(given).__name__}")
    return Token(given)


def _where(error: Exception) -> str:
    """The kind of an error and the line that raised it; its text may hold secrets."""
    kind = type(error).__name__
    frames = list(traceback.walk_tb(error.__traceback__))
    if not frames:
        return kind
    frame, line = frames[-1]
    return f"{kind} at {Path(frame.f_code.co_filename).name}:{line}"
