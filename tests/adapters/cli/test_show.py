"""What the demo says about itself."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from triollama import EndpointEjected, EndpointRecovered, StreamContinued, StreamEnded
from triollama_adapters.cli._readers import Reader
from triollama_adapters.cli._show import KINDS, Show
from triollama_adapters.cli._strikes import Strike, Strikes


@pytest.fixture
def show(reader: Any) -> Show:
    """All has gone well: four whole streams, one server killed under two, one stopped under one."""
    readers: list[Reader] = [reader("c:1", 50, is_whole=True) for _ in range(4)]
    strikes = Strikes(readers, ["a:1", "b:1", "c:1"], kill=print, stop=print)
    strikes.killed = Strike("a:1", tuple(readers[:2]))
    strikes.stalled = Strike("b:1", tuple(readers[2:3]))
    strikes.waits_s = {"killed": [0.02, 0.05], "stalled": [1.1]}
    return Show(readers, strikes)


def hear_some(show: Show) -> None:
    """A stream goes on and ends, another one fails, and a server is taken out."""
    common: dict[str, Any] = {"at_s": 1.0, "model": "m", "endpoint": "c:1"}
    ended: dict[str, Any] = {"attempts": 2, "output_tokens": 1, "took_s": 1.0, "error": ""}
    show.hear(StreamContinued(stream=1, way="chat", characters=9, gap_s=0.025, **common))
    show.hear(StreamEnded(stream=1, outcome="done", **common, **ended))
    show.hear(StreamEnded(stream=2, outcome="failed", **common, **ended))
    show.hear(EndpointEjected(at_s=1.0, endpoint="a:1", failures=5, out_s=30.0, times=1))
    show.hear(EndpointRecovered(at_s=1.0, endpoint="a:1"))


def test_facts_are_counted_by_endpoint(show: Show, known: Any, numbers: Any) -> None:
    """Where streams went on and ended, and who was taken out."""
    hear_some(show)
    engine = numbers([known("a:1", state="open", out_s=29.0), known("c:1", in_flight=7)])
    out = io.StringIO()
    Console(file=out, width=100).print(show.draw(engine))
    head, gone, left, said = [line.split() for line in out.getvalue().splitlines()]
    assert head == [
        "endpoint",
        "server",
        "health",
        "in",
        "flight",
        "done",
        "ejected",
        "came",
        "here",
    ]
    assert gone == ["a:1", "killed", "out", "for", "29", "s", "0", "0", "1", "0"]
    assert left == ["c:1", "runs", "well", "7", "1", "0", "1"]
    assert " ".join(said) == "4 of 4 streams complete, 1 went on elsewhere"
    assert show.tell(engine).endswith("[a:1 killed: 0, c:1 runs: 7 in flight]")
    assert set(KINDS) == {StreamContinued, StreamEnded, EndpointEjected}


def test_what_was_proven_is_told(show: Show) -> None:
    """Counts, names, differences and waits, each on its line."""
    hear_some(show)
    stalled = "p50 1,100 ms, p99 1,100 ms, max 1,100 ms"
    assert show.describe(1.0) == [
        "4 of 4 streams complete",
        "killed      a:1 (SIGKILL) with 2 streams well inside their answers",
        "stalled     b:1 (SIGSTOP) with 1 streams well inside their answers",
        "went on     1 by chat; from failure to text: p50 25 ms, p99 25 ms, max 25 ms",
        "characters  0 lost, 0 doubled, of 200 (compared with the unbroken answers)",
        "waited      readers of the killed server: p50 20 ms, p99 50 ms, max 50 ms",
        f"            readers of the stalled server: {stalled} (stall_s 1 s)",
    ]
    assert show.failures(2) == []


def test_too_few_streams_prove_nothing(show: Show) -> None:
    """Nor does a server that was not struck."""
    assert "no server had 3 running streams" in show.failures(3)[0]
    show.strikes.stalled = None
    assert "so none was stopped" in show.failures(2)[0]
    show.strikes.killed = None
    assert "so none was killed" in show.failures(2)[0]
    assert "killed      no server" in show.describe(1.0)


def test_a_reader_who_noticed_is_told(show: Show) -> None:
    """A stream that failed, one that did not end, and a character too many."""
    first, second, *_ = show.readers
    first.is_whole, first.error = False, "StreamBrokenError: gone"
    assert show.failures(2) == ["1 streams are not complete; the first: StreamBrokenError: gone"]
    first.error = ""
    assert show.failures(2) == ["1 streams are not complete; they did not end in time"]
    first.is_whole = True
    second.text += "x"
    show.unheard = 3
    lost, unheard = show.failures(2)
    assert lost == "0 characters are lost and 1 doubled"
    assert unheard.startswith("3 facts were not heard")
