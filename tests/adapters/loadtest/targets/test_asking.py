"""One turn of a session becomes one sample: over sockets, against servers that are well."""

from __future__ import annotations

from typing import Any

import pytest
import trio
import trio.testing

from triollama.wire.transport import WireTransport
from triollama_adapters.loadtest.errors import PlanError, TargetError
from triollama_adapters.loadtest.plan import Api
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.sessions import Session, Turn
from triollama_adapters.loadtest.targets.open import open_target

EVERY = [("chat", "even"), ("generate", "even"), ("openai", "even")]
EVERY += [("chat", "engine"), ("generate", "engine")]


def check_order(sample: Sample) -> None:
    """All that happens to an answered request happens in this order."""
    times = [
        sample.scheduled_ns,
        sample.sent_ns,
        sample.first_ns,
        sample.shown_ns,
        sample.last_ns,
        sample.done_ns,
        sample.ended_ns,
    ]
    assert times == sorted(times)
    assert times[0] > 0


@pytest.mark.parametrize(("api", "routing"), EVERY)
async def test_an_answer(
    open_bench: Any, open_server: Any, make_session: Any, api: Api, routing: str
) -> None:
    """Its times are in order, its chunks and tokens are all there."""
    async with open_server() as server, open_bench(server.url, api=api, routing=routing) as bench:
        sample = await bench.ask(make_session(Turn("why?", num_predict=6)))
        assert (sample.outcome, sample.detail) == ("ok", "")
        assert (sample.session, sample.turn, sample.scenario) == (7, 0, "s")
        assert server.url.endswith(sample.endpoint)
        check_order(sample)
        queued = sample.queued_ns
        assert (
            sample.scheduled_ns <= queued <= sample.sent_ns if routing == "engine" else not queued
        )
        assert bench.asker.sent() == 1
        assert sample.chunks == sample.output_tokens == 6
        assert len(sample.gaps_ns) == 5
        assert sum(sample.gaps_ns) == sample.last_ns - sample.first_ns
        assert sample.gap_max_ns == max(sample.gaps_ns)
        assert sample.prompt_tokens > 0
        assert sample.is_timed == (api != "openai")
        if sample.is_timed:
            known_ns = sample.load_ns + sample.prefill_ns + sample.decode_ns
            assert 0 < known_ns <= sample.total_ns <= sample.done_ns - sample.sent_ns
        assert sum(bench.asker.in_flight().values()) == 0


@pytest.mark.parametrize("routing", ["even", "engine"])
async def test_an_embedding(
    open_bench: Any, open_server: Any, make_session: Any, routing: str
) -> None:
    """It has an end, and no first token."""
    async with (
        open_server() as server,
        open_bench(server.url, api="embed", routing=routing) as bench,
    ):
        sample = await bench.ask(make_session(model="nomic-embed-text"))
        assert sample.outcome == "ok"
        assert (sample.first_ns, sample.shown_ns, sample.chunks, sample.gaps_ns) == (0, 0, 0, [])
        assert 0 < sample.sent_ns < sample.done_ns <= sample.ended_ns
        assert sample.prompt_tokens > 0
        assert sample.total_ns > 0


@pytest.mark.parametrize(("api", "routing"), [each for each in EVERY if each[0] != "generate"])
async def test_a_conversation(
    open_bench: Any, open_server: Any, make_session: Any, api: Api, routing: str
) -> None:
    """What was said is asked along, so that prompts grow by question and answer."""
    turns = [Turn("why?", num_predict=6), Turn("And then?", num_predict=6), Turn("Thanks.")]
    session = make_session(*turns)
    history: list[Any] = []
    prompts: list[int] = []
    async with open_server() as server, open_bench(server.url, api=api, routing=routing) as bench:
        for index in range(3):
            sample = await bench.ask(session, index, history)
            assert (sample.outcome, sample.turn) == ("ok", index)
            prompts.append(sample.prompt_tokens)
    assert [each["role"] for each in history][:4] == ["user", "assistant"] * 2
    assert [each["content"] for each in history[:4:2]] == ["why?", "And then?"]
    assert all(each["content"] for each in history)
    assert prompts[0] + 6 < prompts[1] < prompts[1] + 6 < prompts[2]


async def test_thinking_comes_first(open_bench: Any, open_server: Any, make_session: Any) -> None:
    """The first token is thought, the first output comes later."""
    async with open_server() as server, open_bench(server.url) as bench:
        sample = await bench.ask(make_session(Turn("why?"), model="qwen3:0.6b"))
        assert sample.outcome == "ok"
        assert sample.first_ns < sample.shown_ns < sample.last_ns
        check_order(sample)


async def test_sessions_take_turns_among_endpoints(
    open_bench: Any, open_server: Any, make_plan: Any
) -> None:
    """By their index, whatever the endpoints do."""
    async with open_server() as one, open_server() as other:
        async with open_bench(one.url, other.url) as bench:
            asked = []
            for index in range(4):
                session = Session(index, None, "s", "llama3.2", (Turn("why?", num_predict=2),))
                asked.append((await bench.ask(session)).endpoint)
    assert [each in one.url for each in asked] == [True, False, True, False]


async def test_many_at_once(open_bench: Any, open_server: Any, make_session: Any) -> None:
    """Nothing waits in between: all of them are under way together."""
    async with open_server(decode_tokens_per_s=100.0) as server, open_bench(server.url) as bench:
        samples: list[Sample] = []

        async def ask() -> None:
            samples.append(await bench.ask(make_session(Turn("why?", num_predict=10))))

        async with trio.open_nursery() as nursery:
            for _ in range(50):
                nursery.start_soon(ask)
            await trio.sleep(0.05)
            assert list(bench.asker.in_flight().values()) == [50]
            assert bench.asker.sent() == 50
        assert {each.outcome for each in samples} == {"ok"}
        assert max(each.sent_ns for each in samples) < min(each.done_ns for each in samples)


@pytest.mark.parametrize("routing", ["even", "engine"])
async def test_a_user_who_leaves(
    open_bench: Any, open_server: Any, make_session: Any, routing: str
) -> None:
    """The request is cancelled so long after it was sent, with what had come; the server stops."""
    async with (
        open_server(decode_tokens_per_s=100.0) as server,
        open_bench(server.url, routing=routing) as bench,
    ):
        turn = Turn("why?", num_predict=50, cancel_s=0.1)
        sample = await bench.ask(make_session(turn))
        assert sample.outcome == "cancelled"
        assert 0 < sample.chunks < 20
        assert sample.ended_ns - sample.sent_ns > 90_000_000
        assert sample.done_ns == 0
        await trio.sleep(0.02)
        assert server.simulator.statistics().cancelled == 1


async def test_a_user_who_would_have_left_later(
    open_bench: Any, open_server: Any, make_session: Any
) -> None:
    """The answer was whole before."""
    async with open_server() as server, open_bench(server.url) as bench:
        turn = Turn("why?", num_predict=2, cancel_s=30.0)
        assert (await bench.ask(make_session(turn))).outcome == "ok"


@pytest.mark.parametrize("routing", ["even", "engine"])
async def test_what_is_cut_off_is_censored(
    open_bench: Any, open_server: Any, make_session: Any, routing: str
) -> None:
    """So is what is asked afterwards, which is never sent."""
    async with (
        open_server(decode_tokens_per_s=100.0) as server,
        open_bench(server.url, routing=routing) as bench,
    ):
        samples: list[Sample] = []

        async def ask() -> None:
            samples.append(await bench.ask(make_session(Turn("why?", num_predict=50))))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.sleep(0.1)
            bench.asker.cut("censored")
        late = await bench.ask()
    assert [each.outcome for each in (*samples, late)] == ["censored", "censored"]
    assert samples[0].chunks > 0
    assert (late.sent_ns, late.chunks) == (0, 0)


async def test_what_is_being_connected_is_cut_off_too(
    open_bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was under way, and has not been sent."""
    monkeypatch.setattr(WireTransport, "open", wait_for_ever)
    samples: list[Sample] = []
    async with open_bench("http://h:1") as bench:

        async def ask() -> None:
            samples.append(await bench.ask())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            assert (bench.asker.sent(), bench.asker.in_flight()) == (0, {"h:1": 1})
            bench.asker.cut("censored")
    assert [(each.outcome, each.sent_ns) for each in samples] == [("censored", 0)]


async def wait_for_ever(*_: object) -> None:
    """A server that accepts no connection, and refuses none."""
    await trio.sleep_forever()


async def test_a_cancellation_closes_everything(
    open_bench: Any, open_server: Any, make_session: Any
) -> None:
    """Whoever asks may be cancelled; the server stops, and nothing is counted as under way."""
    async with open_server(decode_tokens_per_s=100.0) as server, open_bench(server.url) as bench:
        with trio.move_on_after(0.05) as scope:
            await bench.ask(make_session(Turn("why?", num_predict=50)))
        assert scope.cancelled_caught
        assert list(bench.asker.in_flight().values()) == [0]
        await trio.sleep(0.02)
        assert server.simulator.statistics().cancelled == 1


async def test_connections_are_used_again(open_bench: Any, open_server: Any) -> None:
    """One after the other needs one connection."""
    async with open_server() as server, open_bench(server.url) as bench:
        for _ in range(3):
            assert (await bench.ask()).outcome == "ok"
        assert server.simulator.statistics().connections == 1


async def test_a_connection_that_was_closed_while_idle_is_no_failure(
    open_bench: Any, open_script: Any
) -> None:
    """The request goes out again, on another one."""
    answer = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nContent-Length: 15\r\n\r\n"
        b'{"done":true} \n'
    )
    async with open_script(answer) as url, open_bench(url) as bench:
        for _ in range(4):
            sample = await bench.ask()
            assert (sample.outcome, sample.detail) == ("ok", "")


@pytest.mark.parametrize(
    ("urls", "told"),
    [
        ((), "no endpoint"),
        (("http://h:1/path",), "path"),
        (("http://h:1", "http://h:1"), "twice"),
    ],
)
async def test_a_wrong_address(make_plan: Any, urls: tuple[str, ...], told: str) -> None:
    """It is refused before anything is sent."""
    with pytest.raises(TargetError, match=told):
        async with open_target(make_plan(*urls), trio):  # type: ignore[arg-type]
            pytest.fail("it was opened")


async def test_the_pool_cannot_choose_for_openai(make_plan: Any) -> None:
    """The plan is wrong, and says what to do."""
    with pytest.raises(PlanError, match="--routing even"):
        async with open_target(make_plan("http://h:1", api="openai", routing="engine"), None):  # type: ignore[arg-type]
            pytest.fail("it was opened")


async def test_an_exception_of_the_block_comes_out_bare(make_plan: Any) -> None:
    """Not in a group."""
    with pytest.raises(ZeroDivisionError):
        async with open_target(make_plan("http://h:1"), None):  # type: ignore[arg-type]
            raise ZeroDivisionError
