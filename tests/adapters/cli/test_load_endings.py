"""How a load test ends, how it is shown, what it writes: all without a server."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._load_ending import ending_of, foretold, rates_of
from triollama_adapters.cli._load_files import Files, put
from triollama_adapters.cli._load_picture import make_line, make_picture
from triollama_adapters.cli._load_repeat import command_line
from triollama_adapters.cli._load_samples import check_samples
from triollama_adapters.cli._load_stored import decode_found, encode_found
from triollama_adapters.cli._load_watch import open_sight
from triollama_adapters.loadtest.errors import ReportError
from triollama_adapters.loadtest.plan import ClosedLoop, OpenLoop, Phase, Plan, Target
from triollama_adapters.loadtest.result import (
    SCHEMA,
    Attained,
    ClientState,
    Counts,
    Environment,
    Heat,
    Interval,
    Judged,
    Rates,
    Result,
)
from triollama_adapters.loadtest.running.progress import Progress
from triollama_adapters.loadtest.search.found import PoliciesFound
from triollama_adapters.loadtest.workload.scenario import Scenario, Workload


def result(**changes: Any) -> Result:
    """A run in which all went well, but for what is given."""
    plan = Plan(
        target=Target(endpoints=("http://a:1",)),
        workload=Workload(scenarios=(Scenario(name="all", model="m"),)),
        shape=ClosedLoop(2),
        duration_s=60.0,
    )
    well = Result(
        schema=SCHEMA,
        name="a run",
        plan=plan,
        began_at="2026-08-01T12:00:00+00:00",
        window_s=60.0,
        is_stopped=False,
        counts=Counts(scheduled=9, sent=9, ok=9),
        rates=Rates(),
        metrics={},
        attained=None,
        ledger=None,
        client=ClientState("VALID"),
        endpoints=(),
        scenarios=(),
        moment_s=1.0,
        moments=(),
        heat=Heat((), ()),
        loaded=(),
        host=(),
        events=(),
        environment=Environment("0", "3", "Linux", 4),
    )
    return replace(well, **changes)


def judged(met: str) -> Attained:
    """One objective with this verdict."""
    one = Judged("ttft_p95<1s", Interval(0.9), met, "it was 0.9 s")  # type: ignore[arg-type]
    return Attained(9, Interval(1.0), (one,))


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({}, 0, ""),
        ({"attained": judged("met")}, 0, ""),
        ({"attained": judged("missed")}, 1, "objective missed: ttft_p95<1s: it was 0.9 s"),
        ({"attained": judged("undetermined")}, 1, "objective undetermined: ttft_p95<1s"),
        (
            {"client": ClientState("INVALID", ("busy",)), "attained": judged("missed")},
            4,
            "INVALID: this client was the bottleneck, not the server: busy",
        ),
        ({"client": ClientState("DEGRADED", ("busy",))}, 0, ""),
        (
            {
                "counts": Counts(
                    scheduled=3,
                    errors={"connect": 2, "lost": 1},
                    details={"connect": {"refused": 2}},
                )
            },
            3,
            "no request was answered: 2 connect (refused), 1 lost",
        ),
        (
            {"counts": Counts(scheduled=3, errors={"http_5xx": 3})},
            1,
            "no request was answered: 3 http_5xx",
        ),
        ({"counts": Counts()}, 1, "no request was due within the window"),
        (
            {"counts": Counts(scheduled=3, sent=3, censored=3)},
            1,
            "no request that was due within the window was answered before the drain ended",
        ),
        ({"counts": Counts(scheduled=3, sent=3, cancelled=3)}, 0, ""),
        ({"is_stopped": True, "counts": Counts()}, 130, "interrupted"),
    ],
)
def test_what_sets_the_exit_code(changes: dict[str, Any], code: int, words: str) -> None:
    """The client's own verdict goes before what it measured; nothing is told if all is well."""
    found, told = ending_of(result(**changes))
    assert found == code
    assert told.startswith(words)
    assert bool(told) == bool(words)


def test_a_rate_that_is_too_high_is_foretold() -> None:
    """From what this client does against a server that does nothing."""
    phases = (Phase(1, 10, 500), Phase(1, 5, 5))
    rates = rates_of(OpenLoop(phases=phases))
    assert rates_of(ClosedLoop(5)) == []
    assert "500 requests/s are more than this client" in foretold(rates, 600.0)
    assert foretold(rates, 700.0) == ""
    assert foretold(rates, None) == ""
    assert foretold([], 1.0) == ""


PROGRESS = Progress(
    at_s=23.0,
    stage="measuring",
    until_s=65.0,
    scheduled=460,
    sent=460,
    ok=431,
    failed=2,
    errors={"connect": 2},
    in_flight={"a:1": 20, "b:1": 7},
    sent_per_s=20.1,
    ok_per_s=19.8,
    tokens_per_s=1204.0,
    ttft_p50_s=0.12,
    ttft_p95_s=0.48,
    e2e_p95_s=3.2,
    start_delay_p99_s=0.0004,
    lag_s=0.0012,
    cpu=0.23,
)


PROGRESS_LINES = 9
"""Of its picture: six, two endpoints, the errors."""


def test_the_picture_has_what_matters() -> None:
    """Counts, rates, times, this client itself, endpoints and errors; nothing is too wide."""
    drawn = make_picture(PROGRESS, "llama3.2: 20/s", 60, stages=(5.0, 65.0, 95.0))
    lines = [line for line, _ in drawn]
    assert all(len(line) <= 60 for line in lines)
    text = "\n".join(lines)
    assert lines[0].endswith("measuring 0:23 of 1:05")
    assert "35%" in lines[1]
    for words in ("431 answered", "27 in flight", "19.8 answered/s", "p95 480 ms", "CPU 23 %"):
        assert words in text
    assert "a:1       20 in flight" in text
    assert drawn[-1] == ("2 connect", "red")


class Terminal(io.StringIO):
    """A terminal that keeps what is written to it."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def test_a_terminal_is_drawn_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each picture begins where the one before did, and nothing of the last one stays."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    with open_sight(result().plan, terminal) as sight:
        begun = terminal.getvalue()
        height = begun.count("\n")
        assert begun.startswith("\x1b[1mm on 1 endpoint: 2 us")
        sight.show(PROGRESS)
        assert terminal.getvalue()[len(begun) :].startswith(f"\x1b[{height}A\r\x1b[J\x1b[1m")
        shown = PROGRESS_LINES
        assert terminal.getvalue()[len(begun) :].count("\n") == shown
    assert terminal.getvalue().endswith(f"\x1b[{shown}A\r\x1b[J")


def test_the_line_of_a_log() -> None:
    """The same without a picture; before the first answer nothing is known."""
    line = make_line(PROGRESS)
    assert line.startswith("measuring 0:23 of 1:05; 460 due  431 answered  2 failed")
    assert line.endswith("; 2 connect")
    begun = Progress(at_s=0.5, stage="warm-up", until_s=5.0)
    assert "TTFT not known yet" in make_line(begun)


def test_the_line_says_what_there_is() -> None:
    """An embedding has no first token; who was cut off at the end did not leave by itself."""
    embedded = Progress(at_s=9.0, stage="drain", until_s=9.0, ok=4, others=3, e2e_p95_s=0.2)
    line = make_line(embedded)
    assert "4 answered  0 failed  3 cut short" in line
    assert line.endswith("; E2E p95 200 ms")


def test_the_command_can_be_repeated() -> None:
    """As a shell takes it, and without what a header says."""
    given = ["load", "--slo", "ttft_p95<1s", "--header", "X: s3cret", "--header=Y=s3=cr:et"]
    told = command_line([*given, "--header", "s3cret", "--api-key-env", "GPU_KEY"])
    assert told == (
        "triollama load --slo 'ttft_p95<1s' --header 'X: ...' '--header=Y: ...' --header ... "
        "--api-key-env GPU_KEY"
    )


def test_files_are_checked_before_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What exists is replaced only if that is wanted; two outputs are two files."""
    there = tmp_path / "report.html"
    there.write_text("mine")
    with pytest.raises(ReportError, match="exists"):
        Files(report=there).check()
    assert Files(report=there, force=True).check()
    with pytest.raises(CliError, match="named twice"):
        Files(report=tmp_path / "a", json=tmp_path / "a").check()
    with pytest.raises(CliError, match="named twice"):
        Files(json=tmp_path / "a").check(tmp_path / "a")
    with pytest.raises(CliError, match="only one of"):
        Files(json=Path("-"), csv=Path("-")).check()
    with pytest.raises(CliError, match=r"--report is a page .* --markdown - writes"):
        Files(report=Path("-")).check()
    with pytest.raises(ReportError):
        Files(report=tmp_path / "none" / "report.html").check()
    monkeypatch.setattr("triollama_adapters.cli._load_files.may_replace", lambda paths: True)
    assert Files(report=there).check()


def test_what_is_put_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is even made for nowhere; a hyphen is standard output."""

    def never() -> str:
        raise AssertionError

    assert put(None, never, force=False) == ""
    assert put(Path("-"), lambda: "text", force=False) == ""
    assert capsys.readouterr().out == "text\n"
    path = tmp_path / "a"
    assert put(path, lambda: "text", force=False) == str(path)
    assert path.read_text() == "text"


def test_samples_have_a_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the suffix, and told before the run."""
    check_samples(None)
    check_samples(tmp_path / "a.jsonl")
    with pytest.raises(CliError, match=r"must end with .jsonl or .parquet"):
        check_samples(tmp_path / "a.csv")
    find: Callable[[str], None] = lambda _: None  # noqa: E731
    monkeypatch.setattr("triollama_adapters.cli._load_samples.find_spec", find)
    with pytest.raises(CliError, match=r"triollama\[parquet\]"):
        check_samples(tmp_path / "a.parquet")


def test_a_run_is_stored_as_itself() -> None:
    """So that any program reads its figures at the top."""
    text = encode_found([result()], None)
    assert msgspec.json.decode(text)["name"] == "a run"
    stored = decode_found(text.encode(), name="a.json")
    assert stored.results == (result(),)
    assert stored.search is None


def test_a_search_is_stored_with_its_runs() -> None:
    """And says what it is."""
    found = PoliciesFound(names=("even",), results=(result(),))
    text = encode_found(found.results, found)
    assert msgspec.json.decode(text)["kind"] == "policies"
    stored = decode_found(text.encode(), name="a.json")
    assert (stored.search, stored.results) == (found, found.results)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"kind": "policies"}', '{"kind": "sweep", "schema": 1, "found": 3}']
)
def test_what_is_no_result_is_told(text: str) -> None:
    """With the name of the file."""
    with pytest.raises(ReportError, match=r"a\.json"):
        decode_found(text.encode(), name="a.json")
