"""Pulls and pushes: events, failures, stalls, sharing, fleets."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import trio
from tests.engine.transfers.conftest import CUT, HANG, Scripted
from trio.testing import MockClock, wait_all_tasks_blocked

import triollama
from triollama import (
    ConnectError,
    ConnectionLostError,
    EngineClosedError,
    FleetUnavailableError,
    InvalidRequestError,
    PartialFailureError,
    ProtocolError,
    RequestRejectedError,
    StallError,
    StreamCancelledError,
    TransferFailedError,
    TruncatedError,
)

DIGEST = "sha256:" + "a" * 64
MANIFEST = {"status": "pulling manifest"}
SUCCESS = {"status": "success"}


def layer(completed: int) -> dict[str, Any]:
    """A line about the layer."""
    return {
        "status": "pulling aaaaaaaaaaaa",
        "digest": DIGEST,
        "total": 100,
        "completed": completed,
    }


WHOLE = [MANIFEST, layer(0), 1, layer(50), 1, layer(100), SUCCESS]


async def test_events_and_result(
    servers: Scripted, open_lab: Any, autojump_clock: MockClock
) -> None:
    """Each step is an event with its endpoint; the end has a result, which may be asked for."""
    servers.script("/api/pull", WHOLE)
    async with open_lab() as engine, engine.pull("llama3.2", insecure=True) as progress:
        events = [event async for event in progress]
        result = await progress.result()
        assert "1 of 1" in repr(progress)
    assert [event.phase for event in events] == ["manifest", *["transfer"] * 3, "done"]
    assert [event.completed for event in events[1:4]] == [0, 50, 100]
    assert [event.rate_bytes_per_s for event in events[1:4]] == [None, 50.0, 50.0]
    assert {(event.endpoint, event.model, event.kind) for event in events} == {
        ("a", "llama3.2", "pull")
    }
    assert (result.kind, result.model, result.moved_bytes) == ("pull", "llama3.2", 100)
    assert servers.asked[0].fields == {"model": "llama3.2", "insecure": True, "stream": True}


async def test_awaited_whole(servers: Scripted, open_lab: Any, autojump_clock: MockClock) -> None:
    """The same without events; a push likewise."""
    servers.script("/api/pull", WHOLE)
    servers.script("/api/push", [{"status": "retrieving manifest"}, SUCCESS])
    async with open_lab() as engine:
        pulled = await engine.pull("m")
        pushed = await engine.push("me/m")
        transfer = engine.pull("m")
        await transfer
        with pytest.raises(RuntimeError, match="begun once"):
            await transfer
    assert pulled.endpoints[0].took_s == 2.0
    assert (pushed.kind, pushed.moved_bytes) == ("push", 0)


async def test_an_error_line_is_an_error(servers: Scripted, open_lab: Any) -> None:
    """With what was being done, and the server's reason; it is not tried again."""
    servers.script("/api/pull", [MANIFEST, {"error": "pull model manifest: file does not exist"}])
    async with open_lab() as engine:
        with pytest.raises(TransferFailedError, match="registry has no such model") as caught:
            await engine.pull("nosuch")
        async with engine.pull("nosuch") as progress:
            with pytest.raises(TransferFailedError):
                async for event in progress:
                    assert event.phase == "manifest"
    error = caught.value
    assert (error.kind, error.model, error.phase, error.endpoint) == (
        "pull",
        "nosuch",
        "manifest",
        "a",
    )
    assert error.reason == "pull model manifest: file does not exist"
    assert len(servers.asked) == 2


@pytest.mark.parametrize(
    ("script", "kind", "attempts"),
    [
        ([MANIFEST], TruncatedError, 6),
        ([MANIFEST, layer(3), CUT], ConnectionLostError, 6),
        ([MANIFEST, HANG], StallError, 6),
        ([["no", "object"]], ProtocolError, 1),
        ([httpx.Response(400, json={"error": "invalid model name"})], RequestRejectedError, 1),
        ([httpx.Response(500, json={"error": "broken"})], triollama.ServerFailedError, 1),
    ],
    ids=["no success", "cut", "stall", "no line", "400", "500"],
)
async def test_what_else_ends_it(
    script: list[Any],
    kind: type[Exception],
    attempts: int,
    servers: Scripted,
    open_lab: Any,
    autojump_clock: MockClock,
) -> None:
    """What may pass is begun again, five times in a row."""
    servers.script("/api/pull", script)
    async with open_lab() as engine:
        with pytest.raises(kind):
            await engine.pull("m")
    assert len(servers.asked) == attempts
    assert all(asked.is_closed for asked in servers.asked if kind is StallError)


async def test_a_stall_is_begun_again_and_keeps_what_it_has(
    servers: Scripted, open_lab: Any, autojump_clock: MockClock
) -> None:
    """Repeated lines are a stall as well; the second attempt goes on where the server is."""
    still = [layer(40), 1.0] * 200
    servers.script("/api/pull", [MANIFEST, layer(0), *still], [MANIFEST, layer(40), *WHOLE[3:]])
    async with open_lab() as engine, engine.pull("m", stall_s=30) as progress:
        events = [event async for event in progress]
        result = await progress.result()
    [again] = [event for event in events if event.phase == "restart"]
    assert "stall_s = 30 s" in again.status
    assert result.endpoints[0].restarts == 1
    assert result.moved_bytes == 100
    assert servers.asked[0].is_closed
    assert 30 <= trio.current_time() < 40


async def test_verifying_may_take_long(
    servers: Scripted, open_lab: Any, autojump_clock: MockClock
) -> None:
    """Ten minutes without a line are no stall where a server says nothing while it works."""
    servers.script("/api/pull", [MANIFEST, {"status": "verifying sha256 digest"}, 600, SUCCESS])
    async with open_lab() as engine:
        result = await engine.pull("m")
    assert result.endpoints[0].restarts == 0


async def test_two_callers_share_one_transfer(
    servers: Scripted, open_lab: Any, autojump_clock: MockClock
) -> None:
    """One request; one leaves, and it goes on for the other; spellings of a name are one name."""
    servers.script("/api/pull", WHOLE)
    results: list[Any] = []
    async with open_lab() as engine, trio.open_nursery() as nursery:

        async def wait_whole() -> None:
            results.append(await engine.pull("M:latest"))

        async with engine.pull("m") as progress:
            await anext(progress)
            nursery.start_soon(wait_whole)
            await wait_all_tasks_blocked()
        assert not servers.asked[0].is_closed
    assert len(servers.asked) == 1
    assert results[0].moved_bytes == 100


async def test_the_last_one_who_leaves_closes_the_connection(
    servers: Scripted, open_lab: Any, autojump_clock: MockClock
) -> None:
    """However it is left: by the block's end, by cancellation, awaited or iterated."""
    servers.script("/api/pull", [MANIFEST, HANG])
    async with open_lab() as engine:
        async with engine.pull("m") as progress, engine.pull("m") as other:
            assert (await anext(progress)).phase == "manifest"
            assert (await anext(other)).phase == "manifest"
        assert servers.asked[0].is_closed
        with trio.move_on_after(1):
            await engine.pull("m")
        assert servers.asked[1].is_closed
        with trio.move_on_after(1):
            async with engine.pull("m") as progress:
                async for _ in progress:
                    pass
        assert servers.asked[2].is_closed
    assert len(servers.asked) == 3


async def test_who_comes_after_the_last_one_left_begins_anew(
    servers: Scripted, open_lab: Any, autojump_clock: MockClock
) -> None:
    """Nobody joins a transfer that is being stopped."""
    servers.script("/api/pull", [MANIFEST, HANG], WHOLE)
    async with open_lab() as engine:
        async with engine.pull("m") as progress:
            await anext(progress)
            progress._errands[0].scope.cancel()
            engine._runtime.errands.leave(progress._errands[0], progress)
            assert (await engine.pull("m")).moved_bytes == 100


async def test_every_endpoint_side_by_side(
    servers: Scripted, open_lab: Any, autojump_clock: MockClock
) -> None:
    """Without a name, all of them; events say whose they are; results are in the fleet's order."""
    servers.script("/api/pull", WHOLE)
    servers.script("/api/pull", WHOLE, host="b")
    async with open_lab("a", "b") as engine, engine.pull("m") as progress:
        events = [event async for event in progress]
        result = await progress.result()
    assert {event.endpoint for event in events if event.phase == "done"} == {"a", "b"}
    assert [each.endpoint for each in result.endpoints] == ["a", "b"]
    assert trio.current_time() == pytest.approx(2.0, abs=0.1)


async def test_a_partial_failure_says_where(
    servers: Scripted, open_lab: Any, autojump_clock: MockClock
) -> None:
    """It goes on elsewhere; at the end the error has what was done, and each failure."""
    servers.script("/api/pull", WHOLE)
    servers.script("/api/pull", [MANIFEST, {"error": "disk full"}], host="b")
    servers.lost.add("c")
    async with open_lab("a", "b", "c") as engine:
        with pytest.raises(PartialFailureError) as caught:
            await engine.pull("m")
        assert (await engine.pull("m", endpoint="a")).endpoints[0].endpoint == "a"
    error = caught.value
    assert error.done == ("a",)
    assert error.results[0].moved_bytes == 100
    assert isinstance(error.failures["b"], TransferFailedError)
    assert isinstance(error.failures["c"], ConnectError)
    assert str(error) == (
        "pull of 'm' failed: b: disk full; c: connection refused; it was done on a"
    )


async def test_who_reads_slowly_holds_little(
    servers: Scripted, open_lab: Any, autojump_clock: MockClock
) -> None:
    """Of a layer only the latest event waits; what counts comes all the same."""
    many = [layer(count) for count in range(100)] * 30
    servers.script("/api/pull", [MANIFEST, *many, SUCCESS])
    async with open_lab() as engine, engine.pull("m") as progress:
        await trio.sleep(60)
        events = [event async for event in progress]
    assert [event.phase for event in events] == ["manifest", "transfer", "done"]


@pytest.mark.parametrize(
    ("model", "fields", "told"),
    [
        ("", {}, "model"),
        ("a b", {}, "model"),
        ("m", {"insecure": 1}, "insecure"),
        ("m", {"stall_s": 0}, "stall_s"),
        ("m", {"stall_s": float("nan")}, "stall_s"),
        ("m", {"stall_s": "5"}, "stall_s"),
        ("m", {"restarts_max": -1}, "restarts_max"),
    ],
)
async def test_wrong_arguments(
    model: str, fields: dict[str, Any], told: str, servers: Scripted, open_lab: Any
) -> None:
    """Refused before anything is sent, by the name of what is wrong."""
    async with open_lab() as engine:
        with pytest.raises(InvalidRequestError, match=told):
            await engine.pull(model, **fields)
    assert not servers.asked


async def test_an_endpoint_that_does_not_exist(open_lab: Any) -> None:
    """The names that exist are told."""
    async with open_lab("a", "b") as engine:
        with pytest.raises(triollama.ConfigError, match="there are: a, b"):
            await engine.pull("m", endpoint="c")


async def test_the_engine_closes_under_it(
    servers: Scripted, open_lab: Any, autojump_clock: MockClock
) -> None:
    """Whoever still waits elsewhere is told, and the connection is closed."""
    servers.script("/api/pull", [MANIFEST, HANG])
    caught: list[BaseException] = []

    async with trio.open_nursery() as nursery:
        async with triollama.open_engine("http://a", transport=servers) as engine:

            async def wait_whole() -> None:
                try:
                    await engine.pull("m")
                except EngineClosedError as error:
                    caught.append(error)

            nursery.start_soon(wait_whole)
            await wait_all_tasks_blocked()
    assert caught
    assert [asked.is_closed for asked in servers.of("/api/pull")] == [True]
    with pytest.raises(EngineClosedError):
        await engine.pull("m")


async def test_models_are_asked_for_after_it(
    servers: Scripted, open_lab: Any, autojump_clock: MockClock
) -> None:
    """The prober looks again, so that requests find the model."""
    servers.script("/api/pull", WHOLE)
    hinted: list[str] = []
    async with open_lab() as engine:
        engine._runtime.prober.ask_soon = hinted.append
        await engine.pull("m")
    assert hinted == ["a"]


@pytest.mark.parametrize("step", range(1, 25))
async def test_cancelled_anywhere_it_leaves_nothing(
    step: int, servers: Scripted, open_lab: Any, cancel_at_step: Any, autojump_clock: MockClock
) -> None:
    """At each await of any task: the errand is gone, the connection closed."""
    servers.script("/api/pull", WHOLE)
    async with open_lab() as engine:
        with cancel_at_step(step, of_any=True):
            await engine.pull("m")
        assert not engine._runtime.errands._by_key
        await wait_all_tasks_blocked()
        assert all(asked.is_closed for asked in servers.asked)


def test_events_are_plain_values() -> None:
    """They can be compared and shown; the whole is a share of 1."""
    event = triollama.TransferEvent(
        endpoint="a", model="m", kind="pull", status="s", phase="transfer", total=4, completed=5
    )
    assert event.share == 1.0
    assert json.dumps(event.status) in repr(event).replace("'", '"')


async def test_two_tasks_may_iterate(
    servers: Scripted, open_lab: Any, autojump_clock: MockClock
) -> None:
    """Each event goes to one of them, and both end."""
    servers.script("/api/pull", WHOLE)
    events: list[Any] = []
    with trio.fail_after(10):
        async with open_lab() as engine, engine.pull("m") as progress:

            async def read() -> None:
                async for event in progress:
                    events.append(event)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                nursery.start_soon(read)
    # Two may come at once, and then either task is the first.
    assert sorted(event.phase for event in events) == ["done", "manifest", *["transfer"] * 3]


async def test_the_result_of_a_transfer_that_was_left(servers: Scripted, open_lab: Any) -> None:
    """It has none, and the engine is not what ended it."""
    servers.script("/api/pull", [MANIFEST, HANG])
    async with open_lab() as engine:
        async with engine.pull("m") as progress:
            await anext(progress)
        with pytest.raises(StreamCancelledError, match="left before the end"):
            await progress.result()


async def test_a_stall_that_no_clock_can_tell(servers: Scripted, open_lab: Any) -> None:
    """Is no limit."""
    servers.script("/api/pull", [SUCCESS])
    async with open_lab() as engine:
        assert (await engine.pull("m", stall_s=10**400)).kind == "pull"


async def test_a_failure_of_several_is_told_once(servers: Scripted, open_lab: Any) -> None:
    """What failed stands at the beginning, and then why, by the endpoint."""
    for host in "ab":
        servers.script("/api/pull", [{"error": "no space left"}], host=host)
    async with open_lab("a", "b") as engine:
        with pytest.raises(PartialFailureError) as caught:
            await engine.pull("m")
    told = "pull of 'm' failed: a: no space left; b: no space left; it was done nowhere"
    assert str(caught.value) == told


async def test_a_pull_at_an_endpoint_that_was_moved_is_another_one(
    servers: Scripted, open_lab: Any
) -> None:
    """It goes to the new address, while the first one goes on at the old."""
    servers.script("/api/pull", [MANIFEST, HANG])
    servers.script("/api/pull", [MANIFEST, SUCCESS], host="b")
    async with open_lab() as engine, engine.pull("m") as first:
        await anext(first)
        engine.update_endpoint(triollama.EndpointConfig("http://b", "a"))
        with trio.fail_after(5):
            await engine.pull("m")
    assert [each.host for each in servers.of("/api/pull")] == ["a", "b"]


async def test_all_arguments_are_told(servers: Scripted, open_lab: Any) -> None:
    """At once, each with its path."""
    async with open_lab() as engine:
        with pytest.raises(InvalidRequestError) as caught:
            await engine.pull("a b", insecure="x", stall_s=-1, restarts_max=1.5)
        paths = [each.path for each in caught.value.problems]
        assert paths == ["model", "insecure", "stall_s", "restarts_max"]
        with pytest.raises(InvalidRequestError) as caught:
            await engine.copy("a b", "")
        assert [each.path for each in caught.value.problems] == ["source", "destination"]
    assert not servers.asked


async def test_without_endpoints_nothing_is_done(open_lab: Any) -> None:
    """And that is an error: on each of none it would be done, to all appearance."""
    digest = "sha256:" + "0" * 64
    async with open_lab() as engine:
        await engine.remove_endpoint("a")
        for ask in (
            lambda: engine.pull("m")._whole(),
            lambda: engine.create("m", from_="n")._whole(),
            lambda: engine.push_blob(b"x"),
            lambda: engine.has_blob(digest),
            lambda: engine.copy("a", "b"),
            lambda: engine.delete("a"),
            engine.signout,
        ):
            with pytest.raises(FleetUnavailableError):
                await ask()
