"""The durations of one request, on scripted timelines, exact to the nanosecond."""

import hypothesis.strategies as st
import pytest
from hypothesis import given
from tests.adapters.loadtest.measures.made import MS, answered, failed

from triollama_adapters.loadtest.measures.spans import (
    NONE,
    PARTS,
    SPANS,
    client_parts_of,
    is_agreed,
    parts_of,
    spans_of,
)
from triollama_adapters.loadtest.sample import Sample


def told(sample: Sample) -> dict[str, int]:
    """Its durations, by name."""
    return dict(zip(SPANS, spans_of(sample), strict=True))


def test_a_request_due_at_100_ns_and_sent_at_107() -> None:
    """Every figure of the metrics' page, worked out by hand.

    The first chunk of two tokens comes at 1,000, what is shown at 1,250, the last of nine tokens at
    2,201, the end at 2,300.
    """
    sample = Sample(
        0,
        scheduled_ns=100,
        sent_ns=107,
        first_ns=1_000,
        shown_ns=1_250,
        last_ns=2_201,
        done_ns=2_300,
        ended_ns=2_301,
        chunks=4,
        first_tokens=2,
        gap_max_ns=700,
        gaps_ns=[250, 700, 251],
        output_tokens=9,
        decode_ns=1_300,
        is_timed=True,
        lag_ns=3,
    )
    assert told(sample) == {
        "ttft": 900,
        "ttft_service": 893,
        "ttfo": 1_143,
        "ttfo_response": 1_150,
        "tpot": 172,  # 1,201 / 7 is 171.57
        "server_tpot": 144,  # 1,300 / 9
        "icl_max": 700,
        "e2e": 2_200,
        "e2e_service": 2_193,
        "start_delay": 7,
        "lag": 3,
    }


def test_tpot_is_undefined_without_tokens_after_the_first_chunk() -> None:
    """One chunk, as many tokens as in the first chunk, or no time between: no TPOT."""
    assert told(answered(0, 1, 5))["tpot"] == NONE
    assert told(answered(0, 1, 5, [10], tokens=3, first_tokens=3))["tpot"] == NONE
    assert told(answered(0, 1, 5, [0], tokens=9))["tpot"] == NONE
    assert told(answered(0, 1, 5, [10], tokens=11))["tpot"] == MS


def test_a_request_that_failed_after_its_first_token_has_a_ttft_and_no_end() -> None:
    """What it saw counts; TPOT and E2E are those of whole answers."""
    spans = told(answered(0, 2, 10, [5, 7], outcome="lost", done_ns=0))
    assert (spans["ttft"], spans["icl_max"]) == (10 * MS, 7 * MS)
    assert (spans["tpot"], spans["e2e"], spans["e2e_service"]) == (NONE, NONE, NONE)


def test_a_request_that_was_never_sent_has_no_durations() -> None:
    """Nor a start delay: it has not ended."""
    spans = told(failed("unsent", 5, 9, lag_ns=4))
    assert spans.pop("lag") == 4
    assert set(spans.values()) == {NONE}


def test_an_embedding_has_an_end_and_no_first_token() -> None:
    """TTFT is about chunks, and there are none."""
    spans = told(answered(0, 1, 0, chunks=0, first_ns=0, shown_ns=0, done=9))
    assert (spans["ttft"], spans["ttfo"], spans["icl_max"]) == (NONE, NONE, NONE)
    assert spans["e2e"] == 9 * MS


def test_an_answer_that_went_on_elsewhere_has_no_time_from_sending() -> None:
    """Its first token came before its last sending, from which the rest of its times count."""
    spans = told(answered(0, 90, 40, [80], queued_ns=2 * MS, continued=1))
    assert (spans["ttft"], spans["ttft_service"], spans["ttfo"]) == (40 * MS, NONE, NONE)
    assert (spans["start_delay"], spans["e2e_service"]) == (2 * MS, 30 * MS)


@given(st.lists(st.integers(0, 10**10), min_size=8, max_size=8), st.integers(0, 10**10))
def test_the_parts_add_up_to_the_response_time(times: list[int], line: int) -> None:
    """Whatever the server says, also nonsense: by construction; the engine's line is a part."""
    due, delay, took, after, total, load, prefill, decode = times
    sample = Sample(
        0,
        scheduled_ns=due,
        queued_ns=due + delay if line else 0,
        sent_ns=due + delay + line,
        first_ns=due + delay + line + took,
        done_ns=due + delay + line + took + after,
        total_ns=total,
        load_ns=load,
        prefill_ns=prefill,
        decode_ns=decode,
        is_timed=True,
    )
    whole = delay + line + took + after
    assert sum(parts_of(sample)) == sum(client_parts_of(sample)) == whole
    if sample.sent_ns and sample.begun_ns:
        assert parts_of(sample)[:2] == client_parts_of(sample)[:2] == (delay, line)


def test_the_parts_of_a_request() -> None:
    """Due 0, sent 3, done 203; the server says 190 of which load 10, prefill 30, decode 120."""
    sample = answered(
        0, 3, 73, [130], total_ns=190 * MS, load_ns=10 * MS, prefill_ns=30 * MS, decode_ns=120 * MS
    )
    parts = [part / MS for part in parts_of(sample)]
    assert dict(zip(PARTS, parts, strict=True)) == {
        "start_delay": 3,
        "engine_line": 0,
        "transport": 10,
        "load": 10,
        "residual": 30,
        "prefill": 30,
        "decode": 120,
    }


@pytest.mark.parametrize(("first", "agrees"), [(55, True), (100, True), (101, False), (54, False)])
def test_a_second_estimate_must_agree_by_a_tenth_of_e2e(first: float, *, agrees: bool) -> None:
    """E2E is 203 ms, so it may be 20.3 ms from 75, by sending, way, load, residual and prefill.

    Later by a token's 5 ms besides: the first of 24 may count to the decoding.
    """
    sample = answered(
        0,
        3,
        first,
        [1],
        done=203,
        tokens=24,
        total_ns=190 * MS,
        load_ns=10 * MS,
        prefill_ns=30 * MS,
        decode_ns=120 * MS,
    )
    assert is_agreed(sample, 2 * MS) is agrees


@pytest.mark.parametrize(("chunks", "agrees"), [(1, True), (2, False)])
def test_an_answer_in_one_chunk_has_all_of_the_decoding_before_it(
    chunks: int, *, agrees: bool
) -> None:
    """A gateway may hold back what it gets; the server's times are none the worse."""
    sample = answered(
        0,
        0,
        195,
        [1] * (chunks - 1),
        done=200,
        tokens=24,
        total_ns=190 * MS,
        prefill_ns=30 * MS,
        decode_ns=160 * MS,
    )
    assert is_agreed(sample, 5 * MS) is agrees
