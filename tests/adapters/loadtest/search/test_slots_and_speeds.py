"""Slots and speeds from samples that were written by hand."""

from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.search.questions import Questions
from triollama_adapters.loadtest.search.slots import count_slots, is_brief, residual_ns
from triollama_adapters.loadtest.search.speeds import (
    alone_of,
    decode_per_s,
    is_cached,
    is_reload,
    load_limit_ns,
    speeds_of,
)

MS = 1_000_000


def sample(
    *,
    wait_ms: float = 0.0,
    sent_ms: float = 0.0,
    load_ms: float = 0.1,
    prefill_ms: float = 20.0,
    decode_ms: float = 80.0,
    overhead_ms: float = 3.0,
    transport_ms: float = 1.0,
    is_timed: bool = True,
) -> Sample:
    """A request that was answered, with 200 tokens read and 8 written."""
    before = load_ms + overhead_ms + wait_ms
    total = before + prefill_ms + decode_ms
    first = sent_ms + transport_ms + before + prefill_ms + decode_ms / 8
    done = sent_ms + transport_ms + total
    times = (total, load_ms, prefill_ms, decode_ms) if is_timed else (0, 0, 0, 0)
    total_ns, load_ns, prefill_ns, decode_ns = (round(each * MS) for each in times)
    return Sample(
        0,
        sent_ns=round(sent_ms * MS),
        first_ns=round(first * MS),
        last_ns=round(done * MS),
        done_ns=round(done * MS),
        prompt_tokens=200,
        output_tokens=8,
        total_ns=total_ns,
        load_ns=load_ns,
        prefill_ns=prefill_ns,
        decode_ns=decode_ns,
        is_timed=is_timed,
    )


def burst(slots: int, count: int, *, spread_ms: float = 0.0, is_timed: bool = True) -> list[Sample]:
    """A burst whose requests are sent one after the other, over some time."""
    free, samples = [0.0] * slots, []
    for index in range(count):
        sent_ms = spread_ms * index / count
        free.sort()
        wait_ms = max(free[0] - sent_ms, 0.0)
        free[0] = sent_ms + wait_ms + 100.0
        samples.append(sample(wait_ms=wait_ms, sent_ms=sent_ms, is_timed=is_timed))
    return samples


def test_answers_that_are_over_at_once_tell_no_slots_without_times() -> None:
    """A server of several threads that writes an answer in a millisecond seems to have one slot."""
    brief = [
        sample(sent_ms=index * 2.0, decode_ms=1.0, prefill_ms=0.0, is_timed=False)
        for index in range(4)
    ]
    assert is_brief(brief)
    found = count_slots(brief, None)
    assert not found.is_exact
    assert "over too soon" in found.note
    assert not is_brief(burst(2, 8, is_timed=False))
    assert not is_brief([sample(decode_ms=1.0)])


def test_slots_are_those_that_did_not_wait() -> None:
    """Both ways to count agree, with a spread of a third of a time of service, too."""
    for spread_ms in (0.0, 30.0):
        for slots in range(1, 12):
            found = count_slots(burst(slots, 12, spread_ms=spread_ms), 3 * MS)
            assert (found.slots, found.by_residual, found.by_streams) == (slots, slots, slots)
            assert found.is_exact
            assert found.note == ""


def test_if_nobody_waits_there_are_at_least_as_many() -> None:
    """And perhaps more."""
    found = count_slots(burst(12, 12), 3 * MS)
    assert (found.slots, found.is_exact) == (12, False)


def test_without_times_the_beginnings_of_answers_are_counted() -> None:
    """An answer that begins before the first one ended has a slot of its own."""
    found = count_slots(burst(5, 12, is_timed=False), None)
    assert (found.slots, found.by_residual, found.is_exact) == (5, None, True)


def test_requests_that_are_sent_too_late_are_not_counted() -> None:
    """They found a slot because another one had left; so nothing is exact."""
    found = count_slots(burst(2, 12, spread_ms=1_000.0), 3 * MS)
    assert found.slots == 2
    assert not found.is_exact
    assert "take longer answers" in found.note


def test_a_burst_without_answers_tells_nothing() -> None:
    """Nor do those of it that failed."""
    failed = [Sample(0, outcome="http_5xx") for _ in range(4)]
    assert count_slots(failed, 0.0).slots is None
    found = count_slots(burst(3, 8) + failed, 3 * MS)
    assert (found.slots, found.burst) == (3, 12)
    assert found.note == "4 of 12 requests of the burst failed"


def test_two_counts_that_differ_are_both_told() -> None:
    """A proxy that holds answers back, for instance."""
    held = burst(4, 8)
    for each in held[1:]:
        each.first_ns = each.done_ns + 500 * MS
        each.done_ns = each.first_ns
    found = count_slots(held, 3 * MS)
    assert (found.slots, found.by_streams) == (4, 1)
    assert found.note == "by when the answers began there are 1"


def test_requests_that_were_alone_give_the_overhead_and_the_way() -> None:
    """The median of the residuals is R0."""
    alone = alone_of([sample(overhead_ms=each) for each in (3, 4, 5, 6, 50, 2)])
    assert alone.overhead_ns is not None
    assert alone.overhead_ns.value == 4.5 * MS
    assert (alone.overhead_ns.low, alone.overhead_ns.high) == (2 * MS, 50 * MS)
    assert alone.transport_ns == 1 * MS
    assert alone.load_ns == 0.1 * MS
    assert residual_ns(sample(wait_ms=7)) == 10 * MS
    untimed = alone_of([sample(is_timed=False), Sample(0, outcome="lost")])
    assert (untimed.is_timed, untimed.overhead_ns) == (False, None)
    assert untimed.ttft_ns == 34.1 * MS
    assert alone_of([Sample(0, outcome="lost")]).ttft_ns is None


def test_speeds_are_medians_of_the_servers_own() -> None:
    """200 tokens in 20 ms, 8 in 80 ms."""
    found = speeds_of([sample(), sample(prefill_ms=40, decode_ms=160), sample()])
    assert found.prefill_tokens_per_s == 10_000
    assert found.decode_tokens_per_s == 100
    assert (found.prompt_tokens, found.output_tokens, found.requests) == (200, 8, 3)
    untimed = speeds_of([sample(is_timed=False), Sample(0, outcome="lost")])
    assert untimed.prefill_tokens_per_s is None
    assert untimed.decode_tokens_per_s == 100  # 7 tokens in 70 ms, from chunk to chunk
    nothing = speeds_of([Sample(0, outcome="lost")])
    assert (nothing.prefill_tokens_per_s, nothing.decode_tokens_per_s) == (None, None)
    assert decode_per_s([]) is None


def test_a_known_prompt_is_as_long_as_the_new_one() -> None:
    """Servers that leave out the tokens that their cache knew do not look slow for it."""
    known = sample(prefill_ms=2)
    known.prompt_tokens = 1
    assert speeds_of([known], [200]).prefill_tokens_per_s == 100_000


def test_a_cache_reads_a_known_prompt_faster() -> None:
    """Less than half of the time is told from noise."""
    assert is_cached([sample()], [sample(prefill_ms=2)]) is True
    assert is_cached([sample()], [sample(prefill_ms=18)]) is False
    assert is_cached([sample(is_timed=False)], [sample(is_timed=False)]) is None
    assert is_cached([], []) is None


def test_a_load_is_told_from_a_warm_request() -> None:
    """100 ms above, or half of what a load takes beyond, where that is less."""
    alone = alone_of([sample()])
    usual = load_limit_ns(alone, None)
    assert usual == 100.1 * MS
    assert load_limit_ns(alone, sample(load_ms=5_000)) == 100.1 * MS
    quick = load_limit_ns(alone, sample(load_ms=40.1))
    assert quick == 20.1 * MS
    assert is_reload(sample(load_ms=30), alone, quick) is True
    assert is_reload(sample(load_ms=30), alone, usual) is False
    assert is_reload(Sample(0, outcome="http_5xx"), alone, usual) is None
    assert load_limit_ns(alone, Sample(0, outcome="lost")) == usual
    assert load_limit_ns(alone, sample()) == usual, "it was loaded at once, which tells nothing"


def test_no_question_begins_like_another() -> None:
    """So that no cache knows it; the same seed asks the same."""
    questions, same = Questions("m", 4), Questions("m", 4)
    made = [questions.make() for _ in range(200)]
    assert len({each.turns[0].prompt[:12] for each in made}) == 200
    assert [each.index for each in made] == list(range(200))
    assert same.make() == made[0]
    assert Questions("m", 5).make() != made[0]
    assert questions.make(options={"num_ctx": 2048}).options == {"num_ctx": 2048}
