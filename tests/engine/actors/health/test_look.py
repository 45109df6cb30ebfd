"""What one probe asks, and which answers are signs of life."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from triollama._errors import (
    AnswerTooLargeError,
    ConnectError,
    ConnectionLostError,
    ProtocolError,
    RequestRejectedError,
    ServerBusyError,
    ServerFailedError,
    StallError,
    TriollamaError,
)
from triollama.actors.health.look import (
    ANSWER_BYTES_MAX,
    TAGS_BYTES_MAX,
    VERSION_CHARS_MAX,
    look,
)
from triollama.actors.pool.messages import LoadedModel
from triollama.actors.streams.attempt import EndpointAccess
from triollama.actors.streams.messages import Call

NOW_S = 1_800_000_000.0
"""2027-01-15 08:00 UTC."""

GOOD: dict[str, Any] = {
    "/api/version": {"version": "0.12.0"},
    "/api/ps": {"models": [{"model": "M:Latest", "context_length": 4096}]},
    "/api/tags": {"models": [{"model": "m:latest"}, {"name": "Only-Named:8b"}]},
}

HANG = "hang"
UNKNOWN = ProtocolError("it knows no such route")
REFUSED = RequestRejectedError("who are you?", status=401)
BUSY = ServerBusyError("busy", status=503)
FAILED = ServerFailedError("no", status=500)
LOST = ConnectionLostError("reset")
STALE = ConnectionLostError("closed", stale=True)


class FakeAccess:
    """Answers each path with a document, with bytes, with an error, with several in turn, or never.

    Args:
        answers: by path.
    """

    def __init__(self, answers: dict[str, Any]) -> None:
        self.name = "a"
        self.asked: list[str] = []
        self._answers = answers

    async def attempt(self, call: Call, inflow: Any) -> None:
        """As `EndpointAccess` would."""
        self.asked.append(call.path)
        await trio.lowlevel.checkpoint()
        answer = self._answers[call.path]
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, TriollamaError):
            raise answer
        if answer == HANG:
            await trio.sleep_forever()
        inflow.feed(answer if isinstance(answer, bytes) else json.dumps(answer).encode())
        inflow.finish()


Ask = Callable[..., Any]


@pytest.fixture
def ask() -> Ask:
    """Probe an endpoint with other answers than the good ones."""

    async def ask_(*, wants_models: bool = True, **answers: Any) -> tuple[Any, FakeAccess]:
        access = FakeAccess(GOOD | {f"/api/{path}": answer for path, answer in answers.items()})
        sight = await look(
            cast("EndpointAccess", access),
            wants_models=wants_models,
            timeout_s=2.0,
            wall_s=lambda: NOW_S,
        )
        return sight, access

    return ask_


async def test_it_sees_everything(ask: Ask) -> None:
    """Names are normalised, as requests compare them."""
    sight, access = await ask()
    assert access.asked == ["/api/version", "/api/ps", "/api/tags"]
    assert sight.version == "0.12.0"
    assert sight.loaded == (LoadedModel("m:latest", 4096),)
    assert sight.available == {"m:latest", "only-named:8b"}
    assert sight.stays_s is None


async def test_models_are_asked_for_on_demand(ask: Ask) -> None:
    """The list may be long."""
    sight, access = await ask(wants_models=False)
    assert access.asked == ["/api/version", "/api/ps"]
    assert sight.available is None


async def test_the_longest_lived_model_counts(ask: Ask) -> None:
    """By its own clock, in any zone; a time that is none says nothing."""
    ends = ["2027-01-15T08:01:00Z", "2027-01-15T10:05:00.5+02:00", "soon"]
    models = [{"model": f"m{number}", "expires_at": end} for number, end in enumerate(ends)]
    sight, _ = await ask(ps={"models": models})
    assert sight.stays_s == 300.5


@pytest.mark.parametrize("error", [UNKNOWN, REFUSED, BUSY, b"<html>", b'{"models": 3}', b"[]"])
async def test_what_is_not_told_is_unknown(ask: Ask, error: Any) -> None:
    """Others imitate Ollama and lack routes, or answer in a way of their own."""
    sight, _ = await ask(ps=error, tags=error)
    assert (sight.version, sight.loaded, sight.available) == ("0.12.0", None, None)


@pytest.mark.parametrize("error", [UNKNOWN, REFUSED, BUSY, {"version": 12}, b"\xff"])
async def test_a_version_that_is_not_told_is_unknown(ask: Ask, error: Any) -> None:
    """One answer is a sign of life."""
    sight, _ = await ask(version=error)
    assert sight.version == ""
    assert sight.loaded


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("", ""),
        ("0.12.0-rc1", "0.12.0-rc1"),
        ("nightly ünïcode", "nightly ünïcode"),
        ("\x1b[2J1.0\n", "[2J1.0"),
        ("x" * 10_000, "x" * VERSION_CHARS_MAX),
    ],
)
async def test_a_version_is_any_text(ask: Ask, told: str, kept: str) -> None:
    """Kept short, and without what would upset a terminal or a log."""
    sight, _ = await ask(version={"version": told})
    assert sight.version == kept


async def test_one_that_only_lists_models_is_well(ask: Ask) -> None:
    """They are asked for early where nothing else is told."""
    sight, _ = await ask(wants_models=False, version=UNKNOWN, ps=UNKNOWN)
    assert sight.available


async def test_one_that_tells_nothing_of_ollama_fails(ask: Ask) -> None:
    """It is another kind of server."""
    with pytest.raises(ProtocolError):
        await ask(version=UNKNOWN, ps=UNKNOWN, tags=UNKNOWN)


async def test_one_that_refuses_everything_is_there(ask: Ask) -> None:
    """Requests get its words, which say more than a probe could."""
    sight, _ = await ask(version=REFUSED, ps=REFUSED, tags=REFUSED)
    assert (sight.version, sight.loaded, sight.available) == ("", None, None)


@pytest.mark.parametrize("path", ["version", "ps"])
@pytest.mark.parametrize("error", [FAILED, LOST, ConnectError("refused")])
async def test_a_failure_is_a_failure(ask: Ask, path: str, error: TriollamaError) -> None:
    """Whichever of the two questions meets it."""
    with pytest.raises(type(error)):
        await ask(**{path: error})


async def test_a_connection_lost_over_the_models_is_a_failure(ask: Ask) -> None:
    """It died between two questions."""
    with pytest.raises(ConnectionLostError):
        await ask(tags=LOST)


@pytest.mark.parametrize("path", ["version", "ps"])
async def test_one_that_hangs_fails_in_time(autojump_clock: MockClock, ask: Ask, path: str) -> None:
    """After `timeout_s` for both questions together."""
    began_s = trio.current_time()
    with pytest.raises(StallError, match="timeout_s = 2 s"):
        await ask(**{path: HANG})
    assert trio.current_time() - began_s == pytest.approx(2.0)


@pytest.mark.parametrize("error", [HANG, FAILED])
async def test_a_list_that_does_not_come_is_unknown(
    autojump_clock: MockClock, ask: Ask, error: Any
) -> None:
    """It is read from disk: models that are loaded answer all the same."""
    sight, _ = await ask(tags=error)
    assert sight.loaded
    assert sight.available is None


async def test_connections_closed_while_idle_are_no_failure(ask: Ask) -> None:
    """The question is put again, on a new one; a few times, then it counts."""
    sight, _ = await ask(version=[STALE, STALE, STALE, GOOD["/api/version"]])
    assert sight.version == "0.12.0"
    with pytest.raises(ConnectionLostError):
        await ask(version=[STALE] * 4)


async def test_answers_are_bounded(ask: Ask) -> None:
    """What is beyond is not read, and stays unknown."""

    def padded(path: str, size: int) -> bytes:
        body = json.dumps(GOOD[path]).encode()
        return body + b" " * (size - len(body))

    sight, _ = await ask(ps=padded("/api/ps", ANSWER_BYTES_MAX))
    assert sight.loaded
    sight, _ = await ask(
        ps=padded("/api/ps", ANSWER_BYTES_MAX + 1), tags=padded("/api/tags", TAGS_BYTES_MAX + 1)
    )
    assert (sight.loaded, sight.available) == (None, None)
    huge = AnswerTooLargeError("64 KiB")
    with pytest.raises(AnswerTooLargeError):
        await ask(version=huge, ps=huge, tags=huge)
