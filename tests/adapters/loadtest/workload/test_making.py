"""Sessions from a plan and its seed: what is asked, by how many, and how long."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from itertools import islice
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.loadtest.workload.plans import SMALL, make_plan, open_loop

from triollama_adapters.loadtest.arrivals.schedule import schedule
from triollama_adapters.loadtest.arrivals.trace import read_trace
from triollama_adapters.loadtest.plan import ClosedLoop, OpenLoop, Phase, Plan, Replay
from triollama_adapters.loadtest.sessions import Session
from triollama_adapters.loadtest.workload import TokenLengths, make_sessions
from triollama_adapters.loadtest.workload.scenario import Answers, Prompts, Scenario
from triollama_adapters.simulator.template import Message, render

TRACE = Path(__file__).parents[5] / "shared/data/mooncake_conversation_trace.jsonl"

SIMULATED = TokenLengths(4.0, 13.0)
"""Of the simulator's template; see `test_lengths`."""


def _tokens(text: str) -> int:
    return render([Message("user", text)], think=None).tokens


def _shared(one: str, other: str) -> int:
    """How many characters two texts have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _some(plan: Plan, count: int, **more: object) -> list[Session]:
    return list(islice(make_sessions(plan, **more), count))  # type: ignore[arg-type]


def test_an_open_loop() -> None:
    """Each time of the schedule has its session, in order."""
    plan = make_plan(shape=OpenLoop((Phase(60.0, 5.0, 5.0),)), warm_up_s=3.0)
    sessions = list(make_sessions(plan))
    assert [session.at_ns for session in sessions] == list(schedule(plan))
    assert [session.index for session in sessions] == list(range(315))


@pytest.mark.parametrize("processes", [2, 8])
def test_processes_share_the_sessions(processes: int) -> None:
    """Together they have those of one, text for text; none has another's."""
    shape = OpenLoop((Phase(20.0, 10.0, 10.0),))
    alone = list(make_sessions(make_plan(shape=shape, duration_s=20.0)))
    plan = make_plan(shape=shape, duration_s=20.0, processes=processes)
    parts = [list(make_sessions(plan, process=k)) for k in range(processes)]
    assert sorted((s for part in parts for s in part), key=lambda s: s.index) == alone
    for k, part in enumerate(parts):
        assert {session.index % processes for session in part} == {k}
    assert len({session.turns[0].prompt for part in parts for session in part}) == 200


def test_a_closed_loop_goes_on_for_ever() -> None:
    """Without times; the processes take turns."""
    plan = make_plan(shape=ClosedLoop(4), processes=4)
    sessions = _some(plan, 1_000, process=3)
    assert [session.index for session in sessions] == list(range(3, 4_003, 4))
    assert {session.at_ns for session in sessions} == {None}


def test_one_seed_one_text() -> None:
    """Sessions depend on the seed and their index alone."""
    scenario = Scenario(
        "talk",
        "m",
        prompts=Prompts(tokens=30, spread=0.5, shared_tokens=5, groups=3),
        answers=Answers(50, 0.5),
        turns=3,
        think_s=2.0,
        cancels=0.5,
    )
    assert _some(make_plan(scenario, seed=7), 50) == _some(make_plan(scenario, seed=7), 50)
    assert _some(make_plan(scenario, seed=7), 50) != _some(make_plan(scenario, seed=8), 50)


def test_all_of_a_scenario_goes_along() -> None:
    """Model, system message, tools, format, options and whether it is to think."""
    scenario = Scenario(
        "full",
        "llama3.2",
        prompts=Prompts(kind="fixed", text="Why?"),
        system="Be short.",
        tools=({"type": "function"},),
        format="json",
        options={"num_ctx": 8192},
        think=False,
    )
    (session,) = _some(make_plan(scenario), 1)
    assert (session.scenario, session.model, session.system) == ("full", "llama3.2", "Be short.")
    assert (session.tools, session.format) == (scenario.tools, "json")
    assert (session.options, session.think) == ({"num_ctx": 8192}, False)
    assert [turn.prompt for turn in session.turns] == ["Why?"]
    assert session.turns[0].num_predict is None
    assert session.turns[0].cancel_s is None


def test_a_mix_has_its_weights() -> None:
    """Of 20,000 sessions, within chance; a weight of 0 is never chosen."""
    mix = [
        Scenario("no", "m", weight=0.0, prompts=SMALL),
        Scenario("three", "m", weight=3.0, prompts=SMALL),
        Scenario("one", "m", weight=1.0, prompts=SMALL),
        Scenario("never", "m", weight=0.0, prompts=SMALL),
    ]
    found = Counter(session.scenario for session in _some(make_plan(*mix), 20_000))
    assert found.keys() == {"three", "one"}
    assert found["three"] == pytest.approx(15_000, abs=4 * (20_000 * 0.75 * 0.25) ** 0.5)


def test_every_process_has_the_mix() -> None:
    """Who asks what does not go with who sends it."""
    mix = [Scenario(name, "m", prompts=SMALL) for name in ("a", "b")]
    for k in range(4):
        plan = make_plan(*mix, shape=ClosedLoop(4), processes=4)
        found = Counter(session.scenario for session in _some(plan, 4_000, process=k))
        assert found["a"] == pytest.approx(2_000, abs=4 * 1_000**0.5)


def test_conversations() -> None:
    """A pause before each turn but the first; exponential, hence as spread as it is long."""
    scenario = Scenario("talk", "m", prompts=SMALL, turns=5, think_s=3.0)
    sessions = _some(make_plan(scenario), 2_000)
    assert {len(session.turns) for session in sessions} == {5}
    assert {session.turns[0].think_s for session in sessions} == {0.0}
    pauses = [turn.think_s for session in sessions for turn in session.turns[1:]]
    assert fmean(pauses) == pytest.approx(3.0, rel=0.05)
    assert fmean(pause * pause for pause in pauses) == pytest.approx(18.0, rel=0.1)
    assert len({turn.prompt for turn in sessions[0].turns}) == 5


def test_users_who_leave() -> None:
    """Their share, and when: evenly between sending and the latest."""
    scenario = Scenario("leave", "m", prompts=SMALL, cancels=0.25, cancel_s=4.0)
    leaving = [session.turns[0].cancel_s for session in _some(make_plan(scenario), 8_000)]
    times = [cancel_s for cancel_s in leaving if cancel_s is not None]
    assert len(times) == pytest.approx(2_000, abs=160)
    assert 0.0 <= min(times) < 0.05
    assert 3.95 < max(times) <= 4.0
    assert fmean(times) == pytest.approx(2.0, abs=0.1)
    every = Scenario("all", "m", prompts=SMALL, cancels=1.0)
    assert all(session.turns[0].cancel_s is not None for session in _some(make_plan(every), 200))


def test_answers_are_as_long_as_asked() -> None:
    """A number, a distribution, or as the model likes."""
    for answers, fits in (
        (Answers(), lambda n: n is None),
        (Answers(64), lambda n: n == 64),
        (Answers(64, 0.5), lambda n: n >= 1),
    ):
        sessions = _some(make_plan(Scenario("a", "m", prompts=SMALL, answers=answers)), 200)
        found = {session.turns[0].num_predict for session in sessions}
        assert all(map(fits, found))  # type: ignore[no-untyped-call]
        assert (len(found) > 20) == (answers.spread > 0.0)


@given(st.integers(14, 2_000), st.integers(0, 1_999), st.integers(1, 5), st.integers(0, 2**64))
def test_synthetic_prompts_are_exact(tokens: int, shared: int, groups: int, seed: int) -> None:
    """To the token as the server counts them, with and without a shared beginning."""
    prompts = Prompts(tokens=tokens, shared_tokens=min(shared, tokens - 1), groups=groups)
    plan = make_plan(Scenario("a", "m", prompts=prompts), seed=seed)
    for session in _some(plan, 3, lengths=SIMULATED):
        assert _tokens(session.turns[0].prompt) == tokens


def test_each_model_has_its_own_tokens() -> None:
    """Of two models and one that nobody has measured."""
    mix = [Scenario(model, model, prompts=SMALL) for model in ("a", "b", "c")]
    lengths = {"a": TokenLengths(4.0, 10.0), "b": TokenLengths(8.0, 0.0)}
    sessions = _some(make_plan(*mix), 50, lengths=lengths)
    found = {(session.model, len(session.turns[0].prompt) // 4) for session in sessions}
    assert found == {("a", 10), ("b", 40), ("c", 20)}


def test_groups_share_a_beginning() -> None:
    """So many different ones, each as long as asked, and nothing more; later turns have none."""
    prompts = Prompts(tokens=100, shared_tokens=60, groups=4)
    sessions = _some(make_plan(Scenario("a", "m", prompts=prompts, turns=2)), 400)
    beginnings = Counter(session.turns[0].prompt[: 4 * 60] for session in sessions)
    assert len(beginnings) == 4
    assert min(beginnings.values()) > 60
    assert len({session.turns[0].prompt[4 * 60 :] for session in sessions}) == 400
    assert len({session.turns[0].prompt[: 4 * 62] for session in sessions}) > 300
    assert len({session.turns[1].prompt[: 4 * 5] for session in sessions}) > 390


def test_groups_are_the_same_in_every_process() -> None:
    """Else a server's cache would be shared among fewer than was said."""
    prompts = Prompts(tokens=40, shared_tokens=20, groups=2)
    plan = make_plan(Scenario("a", "m", prompts=prompts), shape=ClosedLoop(3), processes=3)
    parts = [_some(plan, 50, process=k) for k in range(3)]
    begun = [{session.turns[0].prompt[:80] for session in part} for part in parts]
    assert begun[0] == begun[1] == begun[2]
    assert len(begun[0]) == 2


def test_scenarios_do_not_share_their_beginnings() -> None:
    """Two of the same lengths are still two."""
    mix = [Scenario(name, "m", prompts=Prompts(tokens=40, shared_tokens=20)) for name in ("a", "b")]
    sessions = _some(make_plan(*mix), 50)
    assert len({(session.scenario, session.turns[0].prompt[:80]) for session in sessions}) == 2
    assert len({session.turns[0].prompt[:80] for session in sessions}) == 2


def test_prompts_that_are_shorter_than_what_they_share() -> None:
    """A length that is drawn short is kept to; the last word is its own."""
    prompts = Prompts(tokens=50, spread=2.0, shared_tokens=45)
    sessions = _some(make_plan(Scenario("a", "m", prompts=prompts)), 300)
    found = [len(session.turns[0].prompt) // 4 for session in sessions]
    assert min(found) < 20
    assert max(found) > 100


def test_rows_of_a_file_in_turn(tmp_path: Path) -> None:
    """Over turns and sessions, again from the first, and each process its own."""
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(f'{{"q": "row {n}"}}\n' for n in range(5)))
    scenario = Scenario("a", "m", prompts=Prompts(kind="file", path=str(path), field="q"), turns=2)
    asked = [turn.prompt for s in _some(make_plan(scenario), 5) for turn in s.turns]
    assert asked == [f"row {n % 5}" for n in range(10)]
    plan = make_plan(scenario, shape=ClosedLoop(2), processes=2)
    assert [turn.prompt for turn in _some(plan, 1, process=1)[0].turns] == ["row 2", "row 3"]


def test_pictures_go_with_each_prompt(tmp_path: Path) -> None:
    """One text in memory for all of them."""
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG")
    prompts = Prompts(kind="fixed", text="What is this?", images=(str(path),))
    one, two = _some(make_plan(Scenario("a", "m", prompts=prompts, turns=2)), 2)
    assert one.turns[0].images == ("iVBORw==",)
    assert one.turns[0].images is two.turns[1].images


def _replay(tmp_path: Path, *rows: str, speed: float = 1.0) -> Plan:
    path = tmp_path / "trace.jsonl"
    path.write_text("\n".join(rows))
    return make_plan(Scenario("a", "m", cancels=1.0), shape=Replay(str(path), speed))


def _row(at_ms: int, tokens: int, blocks: str = "") -> str:
    hashes = f', "hash_ids": [{blocks}]' if blocks else ""
    return f'{{"timestamp": {at_ms}, "input_length": {tokens}, "output_length": 9{hashes}}}'


def test_a_replay(tmp_path: Path) -> None:
    """Times and lengths are the trace's; all else the scenario's."""
    plan = _replay(tmp_path, _row(0, 100), _row(3_000, 2_000, "5, 6, 7, 8"), speed=2.0)
    one, two = make_sessions(plan, lengths=SIMULATED)
    assert (one.at_ns, two.at_ns) == (0, 1_500_000_000)
    assert (_tokens(one.turns[0].prompt), _tokens(two.turns[0].prompt)) == (100, 2_000)
    assert one.turns[0].num_predict == two.turns[0].num_predict == 9
    assert one.turns[0].cancel_s is not None
    assert (one.scenario, one.model) == ("a", "m")


def test_equal_blocks_are_equal_text(tmp_path: Path) -> None:
    """As many blocks as two prompts have in common at the beginning, and no more."""
    plan = _replay(
        tmp_path,
        _row(0, 1_536, "0, 1, 2"),
        _row(0, 1_536, "0, 1, 3"),
        _row(0, 1_300, "0, 1, 2"),
        _row(0, 1_024, "9, 1"),
        _row(0, 1_024),
        _row(0, 1_024),
    )
    texts = [session.turns[0].prompt for session in make_sessions(plan)]
    block = 4 * 512
    assert 2 * block <= _shared(texts[0], texts[1]) < 2 * block + 20
    assert _shared(texts[0], texts[2]) == len(texts[2]) - 1
    assert texts[3][block:-1] == texts[0][block : 2 * block - 1]
    assert _shared(texts[3], texts[0]) < 20
    assert _shared(texts[4], texts[5]) < 20


def test_a_replay_over_processes(tmp_path: Path) -> None:
    """Together they have the sessions of one."""
    plan = _replay(tmp_path, *(_row(1_000 * n, 20) for n in range(9)))
    alone = list(make_sessions(plan))
    path = plan.shape.path  # type: ignore[union-attr]
    split = make_plan(*plan.workload.scenarios, shape=Replay(path), processes=2)
    parts = [session for k in range(2) for session in make_sessions(split, process=k)]
    assert sorted(parts, key=lambda session: session.index) == alone


@pytest.mark.skipif(not TRACE.exists(), reason="needs ../shared/data")
def test_a_real_trace() -> None:
    """The first 300 requests of an hour: each as long as recorded, when it was recorded."""
    plan = make_plan(shape=Replay(str(TRACE), speed=10.0), duration_s=600.0)
    rows = read_trace(str(TRACE), speed=10.0)
    for session, row in zip(_some(plan, 300, lengths=SIMULATED), rows, strict=False):
        assert session.at_ns == row.at_ns
        assert _tokens(session.turns[0].prompt) == row.input_tokens
        assert session.turns[0].num_predict == row.output_tokens


@pytest.mark.slow
def test_memory_is_flat() -> None:
    """Sessions are made one at a time: 20,000 of them take no memory."""
    prompts = Prompts(tokens=20, shared_tokens=10, groups=100)
    plan = make_plan(Scenario("a", "m", prompts=prompts), shape=open_loop(1e5, 1e4), duration_s=1e4)
    sessions = make_sessions(plan)
    for _ in islice(sessions, 1_000):
        pass
    tracemalloc.start()
    try:
        for _ in islice(sessions, 20_000):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200_000
