"""Tokens from a function: when it is called, by whom, and what its failures mean."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import trio
import trio.testing
from trio.testing import MockClock

from triollama import Bearer, Token, TokenError
from triollama.auth.tokens import EARLY_S, QUIET_S, TokenKeeper


class Service:
    """A token service: gives t1, t2, … or raises what it is told to."""

    def __init__(self, *, takes_s: float = 0.0, lifetime_s: float | None = None) -> None:
        self.calls = 0
        self.takes_s = takes_s
        self.lifetime_s = lifetime_s
        self.error: Exception | None = None
        self.gives: Callable[[int], Any] = lambda n: f"t{n}"

    async def __call__(self) -> Any:
        """Give the next one."""
        self.calls += 1
        await trio.sleep(self.takes_s)
        if self.error is not None:
            raise self.error
        given = self.gives(self.calls)
        return given if self.lifetime_s is None else Token(given, self.lifetime_s)


def keeper_of(source: Any, **options: Any) -> TokenKeeper:
    """A keeper for a function."""
    return TokenKeeper(Bearer(source, **options), source)


async def test_one_call_for_all_who_wait(autojump_clock: MockClock) -> None:
    """A thousand requests at the same time, and later ones, share it."""
    service = Service(takes_s=1.0)
    keeper = keeper_of(service)
    got: list[str] = []

    async def get() -> None:
        got.append((await keeper.get()).value)

    assert keeper.get_nowait() is None
    async with trio.open_nursery() as nursery:
        for _ in range(1_000):
            nursery.start_soon(get)
    assert (service.calls, set(got), len(got)) == (1, {"t1"}, 1_000)
    held = keeper.get_nowait()
    assert held is not None
    assert held.value == "t1"


async def test_whoever_waits_goes_on_when_the_caller_is_cancelled(
    autojump_clock: MockClock,
) -> None:
    """The call was in the task of the first; the second makes it anew."""
    service = Service(takes_s=1.0)
    keeper = keeper_of(service)
    got: list[str] = []

    async def get(scope: trio.CancelScope) -> None:
        with scope:
            got.append((await keeper.get()).value)

    first = trio.CancelScope()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(get, first)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(get, trio.CancelScope())
        await trio.testing.wait_all_tasks_blocked()
        first.cancel()
    assert (service.calls, got) == (2, ["t2"])
    assert not keeper.is_busy


async def test_a_token_is_replaced_before_its_end(autojump_clock: MockClock) -> None:
    """30 s before, or a tenth of a short lifetime."""
    service = Service(lifetime_s=3_600)
    keeper = keeper_of(service)
    await keeper.get()
    await trio.sleep(3_600 - EARLY_S - 1)
    assert (await keeper.get()).value == "t1"
    await trio.sleep(1)
    assert keeper.get_nowait() is None
    assert (await keeper.get()).value == "t2"
    service.lifetime_s = 10
    short = keeper_of(service)
    await short.get()
    await trio.sleep(8.9)
    assert short.get_nowait() is not None
    await trio.sleep(0.2)
    assert short.get_nowait() is None


async def test_a_token_that_still_holds_is_used_while_another_is_fetched(
    autojump_clock: MockClock,
) -> None:
    """Nobody waits for a service while there is something to go on with, failing or slow."""
    service = Service(lifetime_s=100)
    keeper = keeper_of(service)
    await keeper.get()
    await trio.sleep(91)
    service.takes_s = 2.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keeper.get)
        await trio.testing.wait_all_tasks_blocked()
        spared = keeper.get_nowait()
        assert spared is not None
        assert spared.value == "t1"
    service.error, service.takes_s = ValueError("CANARY"), 0.0
    await trio.sleep(91)
    assert (await keeper.get()).value == "t2"  # it failed, and t2 is good for 9 s
    await trio.sleep(10)
    with pytest.raises(TokenError):
        await keeper.get()


async def test_a_refused_token_is_not_given_again(autojump_clock: MockClock) -> None:
    """Those who were refused the same one share a call, whatever it gives."""
    service = Service(takes_s=1.0)
    keeper = keeper_of(service)
    old = await keeper.get()
    got: list[str] = []

    async def renew() -> None:
        got.append((await keeper.get(old.number)).value)

    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(renew)
    assert (service.calls, set(got)) == (2, {"t2"})
    service.gives = lambda _: "t2"
    again = await keeper.get(keeper.number)
    assert (again.number, again.value, service.calls) == (2, "t2", 3)


async def test_a_service_that_is_down_is_asked_once_a_second(autojump_clock: MockClock) -> None:
    """Ten thousand requests make no storm, and each is told."""
    service = Service(takes_s=0.5)
    service.error = ConnectionError("CANARY token")
    keeper = keeper_of(service)
    failed = 0

    async def get() -> None:
        nonlocal failed
        with pytest.raises(TokenError) as caught:
            await keeper.get()
        assert "CANARY" not in repr(caught.value)
        failed += 1

    async with trio.open_nursery() as nursery:
        for _ in range(200):
            nursery.start_soon(get)
    await get()
    assert (service.calls, failed) == (1, 201)
    service.error = None
    await trio.sleep(QUIET_S)
    assert (await keeper.get()).value == "t2"


async def test_a_call_has_a_deadline(autojump_clock: MockClock) -> None:
    """One that hangs is given up."""
    with pytest.raises(TokenError, match=r"within call_s = 3 s"):
        await keeper_of(trio.sleep_forever, call_s=3).get()
    assert trio.current_time() == pytest.approx(3.0)


async def test_a_plain_function_may_wait_in_its_thread() -> None:
    """The loop goes on meanwhile; it is never called in two threads."""
    here = threading.get_ident()
    where: list[int] = []

    def give() -> Token:
        where.append(threading.get_ident())
        return Token("abc", lifetime_s=60)

    assert (await keeper_of(give).get()).value == "abc"
    assert (await keeper_of(lambda: Service().__call__()).get()).value == "t1"
    assert where != [here]


async def test_a_plain_function_that_hangs_holds_one_thread() -> None:
    """The next call waits for it, and fails in time as well."""
    stop = threading.Event()
    calls: list[int] = []

    def hang() -> str:
        calls.append(1)
        stop.wait(5)
        return "x"

    keeper = keeper_of(hang, call_s=0.02)
    try:
        for _ in range(2):
            keeper._quiet_until_s = -1.0
            with pytest.raises(TokenError, match="call_s"):
                await keeper.get()
        assert len(calls) == 1
    finally:
        stop.set()


def _raise() -> str:
    raise LookupError("CANARY")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (_raise, r"failed: LookupError at test_tokens\.py:\d+$"),
        (lambda: 5, "text or a Token, not int"),
        (lambda: None, "text or a Token, not NoneType"),
        (lambda: "", "must not be empty"),
        (lambda: "CANARY\n", "line break"),
        (lambda: "Bearer CANARY", "without the word"),
        (lambda _: "CANARY", "failed: TypeError"),
    ],
)
async def test_what_it_may_do_wrong(source: Any, said: str) -> None:
    """The kind and the place of an error, never its text: it may hold the secret."""
    with pytest.raises(TokenError, match=said) as caught:
        await keeper_of(source).get()
    assert "CANARY" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
