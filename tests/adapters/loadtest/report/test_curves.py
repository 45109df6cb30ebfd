"""What a page draws of a run."""

import msgspec
from tests.adapters.loadtest.report.made_results import make_plan, make_result

from triollama_adapters.loadtest.report.curves import (
    draw_cdfs,
    draw_heat,
    draw_host,
    draw_loaded,
    draw_series,
)
from triollama_adapters.loadtest.result import Heat, HostLook, LoadedLook, Moment

BASE = make_result(plan=make_plan(rate=4.0, duration_s=20.0))


def test_counts_become_rates() -> None:
    """By the length of a moment, also of several put together."""
    moments = tuple(Moment(n * 0.5, offered=3, completed=2, in_flight=n) for n in range(8))
    run = msgspec.structs.replace(BASE, moments=moments, moment_s=0.5)
    series = draw_series(run, 100)
    assert series["offered"] == [6.0] * 8
    assert not series["is_thinned"]
    series = draw_series(run, 4)
    assert series["at"] == [0.0, 1.0, 2.0, 3.0]
    assert series["offered"] == [6.0] * 4
    assert series["in_flight"] == [1, 3, 5, 7]
    assert series["is_thinned"]


def test_few_requests_have_few_points() -> None:
    """A moment with a single request has no percentile to speak of."""
    moments = tuple(Moment(n * 0.25, offered=n % 2, ttft_p50_s=0.1) for n in range(240))
    run = msgspec.structs.replace(BASE, moments=moments, moment_s=0.25)
    series = draw_series(run, 600)
    assert len(series["at"]) == 30
    assert series["moment_s"] == 2.0
    assert series["offered"] == [2.0] * 30


def test_the_window_begins_after_the_warm_up() -> None:
    """And is as long as it was."""
    assert draw_series(BASE, 100)["window"] == [10.0, 30.0]


def test_distributions_have_the_percentiles_that_are_known() -> None:
    """And those metrics that there are."""
    cdfs = draw_cdfs(BASE.metrics, 100)
    assert list(cdfs) == ["ttft", "icl", "tpot", "e2e"]
    assert "p50" in cdfs["ttft"]["marks"]
    assert "p99.9" not in cdfs["ttft"]["marks"]
    assert cdfs["ttft"]["share"][-1] == 1.0
    assert draw_cdfs({}, 100) == {}


def test_rows_of_the_heat_map_that_are_empty_are_cut_off() -> None:
    """Below the least and above the greatest."""
    heat = Heat((0.1, 0.2, 0.4, 0.8, 1.6), ({1: 2}, {}, {2: 5}))
    drawn = draw_heat(msgspec.structs.replace(BASE, heat=heat, moment_s=1.0))
    assert drawn == {
        "edges": [0.2, 0.4, 0.8],
        "columns": [[0, 2], [], [1, 5]],
        "column_s": 1.0,
        "rows": 2,
    }
    assert draw_heat(msgspec.structs.replace(BASE, heat=Heat((), ()))) is None


def test_a_model_that_was_gone_for_a_while_has_two_stretches() -> None:
    """Its size is the greatest within each."""
    looks = tuple(
        LoadedLook(float(at), "http://gpu-1:11434", "m", size)
        for at, size in ((0, 2**30), (2, 2**31), (4, 2**30), (20, 2**30), (22, 2**30))
    )
    (lane,) = draw_loaded(msgspec.structs.replace(BASE, loaded=looks))
    assert lane["endpoint"] == "gpu-1:11434"
    assert lane["spans"] == [
        {"from": 0.0, "to": 6.0, "size": "2 GiB"},
        {"from": 20.0, "to": 24.0, "size": "1 GiB"},
    ]


def test_what_cannot_be_read_of_a_machine_is_left_out() -> None:
    """No GPU, no line."""
    run = msgspec.structs.replace(BASE, host=(HostLook(0.0, 0.5, 1024),))
    assert draw_host(run, 10) == {"at": [0.0], "cpu": [0.5], "memory_bytes": [1024.0]}
    assert draw_host(msgspec.structs.replace(BASE, host=()), 10) is None
