"""The page as a text: small, closed, and safe whatever the data are."""

import base64
import hashlib
import json
import re
from importlib.resources import files

import msgspec
import pytest
from tests.adapters.loadtest.report.made_results import make_plan, make_result
from tests.adapters.loadtest.report.made_searches import make_sweep

from triollama_adapters.histogram import Histogram
from triollama_adapters.loadtest.report.page import BYTES_MAX, make_page
from triollama_adapters.loadtest.result import Event, Heat, HostLook, Result

RUN = make_result(plan=make_plan(rate=4.0, duration_s=20.0))
PAGE = make_page([RUN])

HOSTILE = "</script><script>alert(1)</script><!--\u2028 & ]]>"


def data_of(page: str) -> dict:
    """What the page holds, as the browser would read it."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_it_says_the_sentence_without_any_script() -> None:
    """Before any of it runs, and for readers of text."""
    plain = PAGE[: PAGE.index('<script type="application/json"')]
    assert "Serves " in plain
    assert "The client was not the bottleneck" in plain


def test_it_names_nothing_that_could_be_loaded() -> None:
    """No tag and no style asks for anything; the policy would forbid it."""
    tags = re.sub(r"(?s)<!--.*?-->|<script.*?</script>", "", PAGE)
    assert not re.search(r"(?i)\b(src|srcset|action|data)=|<link|<iframe|@import|url\(", tags)
    assert "default-src 'none'" in PAGE


def test_the_policy_names_exactly_the_scripts_that_are_there() -> None:
    """By their hashes: one that is smuggled in does not run."""
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', PAGE)
    assert policy
    scripts = re.findall(r"(?s)<script>(.*?)</script>", PAGE)
    assert len(scripts) == 3
    for each in [*scripts, *re.findall(r"(?s)<style>(.*?)</style>", PAGE)]:
        digest = base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[1]
    assert "unsafe" not in policy[1]


def test_data_cannot_leave_their_place() -> None:
    """Names, messages, and whatever else came from elsewhere."""
    run = msgspec.structs.replace(
        RUN,
        name=HOSTILE,
        events=(Event(1.0, HOSTILE, HOSTILE, HOSTILE),),
        environment=msgspec.structs.replace(RUN.environment, command=HOSTILE),
    )
    page = make_page([run])
    assert page.count("<script") == make_page([RUN]).count("<script")
    assert "<script>alert" not in page
    told = data_of(page)["runs"][0]
    assert told["name"] == told["command"] == HOSTILE
    assert told["events"][0][3] == HOSTILE


def test_the_licences_of_what_is_not_ours_are_within() -> None:
    """Whole, as they want to be."""
    assert "Copyright (c) 2022 Leon Sorokin" in PAGE
    assert "Copyright (c) 2015-present Jason Miller" in PAGE
    assert "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION" in PAGE


def test_vendored_files_fit_into_a_script() -> None:
    """None of them ends the tag that it stands in, or needs what the policy forbids."""
    for folder in ("vendor", "app"):
        for each in files("triollama_adapters.loadtest.report").joinpath(folder).iterdir():
            text = each.read_text("utf-8")
            if each.name.endswith((".js", ".css")):
                assert "</script" not in text.lower()
                assert "<!--" not in text
                assert "</style" not in text.lower()
                assert "\r" not in text
                assert not re.search(r"\beval\(|new Function", text)


def make_large(moments: int) -> Result:
    """A run as a million requests leave it: every bucket is used, every moment is there."""
    histogram = Histogram()
    for n in range(100_000, 10**11, 10**7):
        histogram.record(n, 100)
    spread = msgspec.structs.replace(RUN.metrics["ttft"], buckets=histogram.buckets)
    rows = dict.fromkeys(range(40), 3)
    return msgspec.structs.replace(
        RUN,
        metrics=dict.fromkeys(RUN.metrics, spread),
        moments=RUN.moments * (moments // len(RUN.moments)),
        heat=Heat(RUN.heat.edges_s, (rows,) * moments),
        host=tuple(HostLook(float(n), 0.5, n) for n in range(moments)),
        events=tuple(Event(float(n), "stall", "http://gpu-1:11434", "x" * 80) for n in range(9999)),
    )


@pytest.mark.slow
def test_a_day_is_no_larger_than_a_page_may_be() -> None:
    """86,400 moments and full histograms."""
    page = make_page([make_large(86_400)])
    assert len(page.encode()) < BYTES_MAX / 2
    told = data_of(page)["runs"][0]
    assert len(told["events"]) + told["events_left_out"] == 9999


@pytest.mark.slow
def test_a_long_sweep_is_no_larger_than_a_page_may_be() -> None:
    """More runs have fewer points each."""
    large = make_large(3_600)
    sweep = make_sweep((1, 2))
    sweep = msgspec.structs.replace(
        sweep,
        values=tuple(float(n) for n in range(40)),
        throughput=(1.0,) * 40,
        latency_s=(1.0,) * 40,
        saturated=(False,) * 40,
        results=(large,) * 40,
    )
    assert len(make_page([], search=sweep).encode()) < BYTES_MAX
