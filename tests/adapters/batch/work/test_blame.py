"""A row that makes servers die is found, and set aside."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from triollama import (
    Attempt,
    ConnectError,
    ConnectionLostError,
    FleetUnavailableError,
    open_engine,
)
from triollama.actors.pool import Outcome
from triollama_adapters.batch.rows import Ask
from triollama_adapters.batch.work.asking import Asked, Asker
from triollama_adapters.batch.work.blame import Blame, PoisonRow
from triollama_adapters.simulator import Fault, FaultRule, SimulatorConfig, open_fleet


def attempt(
    endpoint: str, kind: str, why: Outcome = Outcome.UNREACHABLE, error: str = ""
) -> Attempt:
    """An attempt that ended so."""
    return Attempt(endpoint, 1, 2, why, error, kind=kind)


@pytest.mark.parametrize(
    ("each", "counts"),
    [
        (attempt("a", "ConnectionLostError"), True),
        (attempt("a", "TruncatedError", Outcome.FAILED), True),
        (attempt("a", "ConnectionLostError", Outcome.UNUSED), False),
        (attempt("a", "ConnectError"), False),
        (attempt("a", "StallError", Outcome.FAILED), False),
        (attempt("a", "ServerFailedError", Outcome.FAILED, "out of memory"), False),
        (
            attempt(
                "a", "ServerFailedError", Outcome.FAILED, "llama runner process has terminated"
            ),
            True,
        ),
        (attempt("a", "", Outcome.DONE), False),
    ],
)
def test_what_counts_as_a_crash(each: Attempt, *, counts: bool) -> None:
    """A server or its model that died at work, and nothing else."""
    blame = Blame()
    blame.note([each], is_alone=False)
    assert blame.crashes == counts


@pytest.mark.parametrize(
    ("endpoints", "fleet", "is_poison"),
    [
        ("abc", 5, True),
        ("aab", 5, False),
        ("aab", 2, True),
        ("ab", 2, False),
        ("aaa", 1, True),
        ("a", 1, False),
        ("", 1, False),
    ],
)
def test_three_crashes_on_as_many_servers(endpoints: str, fleet: int, *, is_poison: bool) -> None:
    """Or on all, where there are fewer."""
    blame = Blame()
    for each in endpoints:
        blame.note([attempt(each, "ConnectionLostError")], is_alone=blame.is_suspect)
    assert blame.is_poison(fleet) is is_poison
    assert blame.is_suspect == (len(endpoints) >= 2)


def test_who_only_ran_beside_it_is_not_set_aside() -> None:
    """However often: it is asked alone first."""
    blame = Blame()
    blame.note([attempt(each, "ConnectionLostError") for each in "abcd"], is_alone=False)
    assert blame.is_suspect
    assert not blame.is_poison(4)
    lost = [attempt("a", "ConnectionLostError")]
    assert blame.with_running(lost, is_alone=True).is_poison(4)
    assert not blame.is_poison(4)  # what goes on is noted when it has ended


def test_errors_tell_it_where_there_is_no_stream() -> None:
    """Embeddings have none."""
    lost = ConnectionLostError("reset", endpoint="a")
    stale = ConnectionLostError("closed", endpoint="b", stale=True)
    error = FleetUnavailableError((lost, stale, ConnectError("no", endpoint="c"), lost))
    blame = Blame()
    blame.note_causes(error, is_alone=False)
    blame.note_causes(lost, is_alone=True)
    assert blame.crashes == 3
    assert list(blame.endpoints) == ["a"]
    assert blame.is_poison(1)


async def watch(asker: Asker) -> None:
    """What a job does several times a second."""
    while True:
        await trio.sleep(0.25)
        asker.watch()


@pytest.mark.parametrize("after_tokens", [0, 3])
async def test_it_is_set_aside_and_others_are_answered(
    autojump_clock: MockClock, after_tokens: int
) -> None:
    """Whether servers die at once, or in the middle of an answer that the engine goes on with."""
    urls = [f"http://{name}:11434" for name in "abcd"]
    kill = FaultRule(fault=Fault(kind="restart", after_tokens=after_tokens), prompt="poison")
    config = SimulatorConfig(faults=(kill,), answer_tokens_min=150)
    outcomes: dict[str, Asked] = {}
    async with (
        open_fleet(dict.fromkeys(urls, config)) as fleet,
        open_engine(*urls, transport=fleet.transport()) as engine,
        trio.open_nursery() as watching,
    ):
        asker = Asker(engine)
        watching.start_soon(watch, asker)

        async def ask(text: str) -> None:
            outcomes[text] = await asker.ask(Ask("chat", {"model": "llama3.2", "messages": text}))

        async with trio.open_nursery() as nursery:
            for text in ("poison", *map(str, range(9))):
                nursery.start_soon(ask, text)
        watching.cancel_scope.cancel()
    error = outcomes.pop("poison").error
    assert isinstance(error, PoisonRow)
    assert len(error.endpoints) >= 3
    assert "retry-failed" in str(error)
    assert [each.error for each in outcomes.values()] == [None] * 9
