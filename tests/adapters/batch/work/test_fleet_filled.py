"""A whole job over four servers with four slots each: no slot idles, and no straggler is left."""

from __future__ import annotations

import pytest
from benchmarks.virtual_batch import TRACE, Fleet, fill, trace_lengths

from triollama_adapters.batch.work.job import Limits

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not TRACE.exists(), reason="needs ../shared/data"),
]


@pytest.mark.parametrize("is_known", [True, False])
def test_slots_are_busy_to_the_end(*, is_known: bool) -> None:
    """With lengths of real answers, whether rows bound them or the job has to find out."""
    filled = fill(trace_lengths(1_000), is_known=is_known)
    assert filled.answered == 1_000
    assert filled.busy >= 0.97
    assert filled.ratio <= 1.05
    assert filled.hedged <= 20


def test_the_order_of_the_input_costs_little() -> None:
    """Rows at the front are not passed over for long, and slots are busy all the same."""
    filled = fill(trace_lengths(600), limits=Limits(in_order=True))
    assert filled.answered == 600
    assert filled.busy >= 0.95


def test_a_share_of_the_slots_is_kept_free() -> None:
    """Half of them, once they are known; and hardly any row is in line."""
    filled = fill(trace_lengths(200), limits=Limits(use_share=0.5))
    assert filled.answered == 200
    assert 0.3 <= filled.busy <= 0.6
    assert filled.in_line <= 2.0  # while models are loaded, mostly


def test_rows_wait_in_the_job_and_not_in_the_line() -> None:
    """So that their order can be chosen late: a few are ahead, for the next free slot."""
    filled = fill(trace_lengths(300), fleet=Fleet(servers=2, slots=8))
    assert 1.0 <= filled.in_line <= 10.0
