"""Markdown, a table for a terminal, CSV, and what is said of searches."""

import csv
import io

import msgspec
import pytest
from rich.console import Console
from tests.adapters.loadtest.report.made_results import make_plan, make_result, make_untimed
from tests.adapters.loadtest.report.made_searches import (
    make_ab,
    make_capacity,
    make_differences,
    make_discovered,
    make_policies,
    make_sweep,
)

from triollama_adapters.loadtest.report.changes import note_changes, tell_change
from triollama_adapters.loadtest.report.compared import tell_search
from triollama_adapters.loadtest.report.definitions import FIGURES
from triollama_adapters.loadtest.report.markdown import make_markdown
from triollama_adapters.loadtest.report.rows import make_csv
from triollama_adapters.loadtest.report.searches import (
    describe_search,
    differences_of,
    remark_search,
    runs_of,
)
from triollama_adapters.loadtest.report.table import make_table
from triollama_adapters.loadtest.report.units import NOTHING
from triollama_adapters.loadtest.result import METRICS, Counts

RUN = make_result(plan=make_plan(rate=4.0, duration_s=20.0))
SWEEP = make_sweep((1, 4, 16))


def shown(results: list, **options: object) -> str:
    """What a terminal of 120 columns shows."""
    console = Console(width=120, file=io.StringIO(), color_system=None)
    console.print(make_table(results, **options))
    return console.file.getvalue()


def test_markdown_of_a_run_has_its_sentence_tables_and_command() -> None:
    """What an issue needs."""
    text = make_markdown([RUN])
    assert text.startswith("### Serves ")
    assert "| TTFT | " in text
    assert "| Wait for a slot | " in text
    assert "- seed: 7\n" in text
    assert "```console\ntriollama load " in text


def test_markdown_takes_nothing_of_a_server_for_markup() -> None:
    """A message of a server may hold anything."""
    events = Counts(scheduled=4, ok=3, errors={"<img src=x>|@all": 1})
    text = make_markdown([msgspec.structs.replace(RUN, counts=events)])
    assert "<img" not in text
    assert "@all" not in text


def test_a_terminal_cannot_be_driven_by_a_name() -> None:
    """Control characters are shown as such."""
    run = msgspec.structs.replace(RUN, counts=Counts(scheduled=1, ok=1, errors={"\x1b[2J": 1}))
    assert "\x1b" not in shown([run])


def test_a_terminal_shows_sentence_latencies_and_ledger() -> None:
    """One run."""
    text = shown([RUN])
    assert text.startswith("Serves ")
    assert "✓ The client was not the bottleneck" in text
    assert "TTFT, service" in text
    assert "slot wait" in text
    assert "█" in text


def test_without_timings_the_terms_are_the_clients() -> None:
    """In every form; no percentile of them is made up."""
    run = make_untimed(plan=RUN.plan)
    assert f"| Until the first token | 600 ms | 33 % | {NOTHING} |" in make_markdown([run])
    assert "slot" not in make_markdown([run]).split("Definitions")[0].split("| where")[1]
    assert "until the first token" in shown([run])
    row = next(csv.DictReader(io.StringIO(make_csv([run]))))
    assert row["ledger_until_first_mean_s"] == "0.6"
    assert not row["ledger_decode_mean_s"]


@pytest.mark.slow
def test_two_runs_are_compared_without_being_asked() -> None:
    """Whoever has the differences already may give them, or none."""
    two = [RUN, make_result(name="after", plan=RUN.plan, speed=2.0)]
    assert "better in" in shown(two)
    assert "side by side" in shown(two, differences=())
    found = make_ab()
    assert differences_of([], found) == found.differences
    assert differences_of([RUN], None) == ()
    assert differences_of(two, None, make_differences()) == make_differences()


def test_runs_of_the_same_name_get_their_number() -> None:
    """So that a table tells them apart."""
    none = msgspec.structs.replace(RUN, name="")
    labels = [run.label for run in runs_of([RUN, RUN, none, SWEEP.results[0]], None)]
    assert labels == [f"{RUN.name} 1", f"{RUN.name} 2", "run 3", "1 users"]
    assert [run.label for run in runs_of([none], None)] == ["run"]


@pytest.mark.slow
def test_a_terminal_shows_searches() -> None:
    """A row for each run, and what changed."""
    assert "16 users" in shown([], search=SWEEP)
    assert "num_parallel" in shown([], search=make_discovered())
    text = shown([], search=make_ab(), differences=make_differences())
    assert "✓ better" in text
    assert "✗ worse" in text


def test_markdown_of_searches_has_a_row_for_each_run() -> None:
    """And what changed, and what endpoints are."""
    text = make_markdown([], search=SWEEP)
    assert text.startswith("### At most ")
    assert "| 4 users | " in text
    assert text.count("\n| ") == 5
    text = make_markdown([], search=make_ab(), differences=make_differences())
    assert "| TTFT p95 | 510 ms | 320 ms | -37.0 % | -45.0 % to -30.0 % | ✅ better |" in text
    text = make_markdown([], search=make_discovered())
    assert "| slots (num\\_parallel) | at least 16 |  |" in text


def test_csv_has_the_same_columns_for_every_run() -> None:
    """Also for one that has no ledger and few percentiles."""
    bare = msgspec.structs.replace(RUN, ledger=None, metrics={}, attained=None)
    rows = list(csv.DictReader(io.StringIO(make_csv([RUN, bare]))))
    assert rows[0].keys() == rows[1].keys()
    assert all(f"{metric}_p95_s" in rows[0] for metric in METRICS)
    assert float(rows[0]["ttft_p50_s"]) == RUN.metrics["ttft"].percentiles["p50"].value
    assert not rows[0]["ttft_p99.9_s"]
    assert not rows[1]["ttft_p50_s"]
    assert make_csv([]) == ""


def test_a_sweep_names_the_knee() -> None:
    """And says when it lies at the end, so that the true one may lie beyond."""
    text = describe_search([], SWEEP)
    assert "the curve bends at 4 users" in text
    at_end = msgspec.structs.replace(
        SWEEP, knee=msgspec.structs.replace(SWEEP.knee, is_at_end=True), stopped="over-saturated"
    )
    assert "may bend beyond" in describe_search([], at_end)
    assert [each.tone for each in remark_search(at_end)] == ["note", "doubt"]
    none = msgspec.structs.replace(SWEEP, knee=None)
    assert "too few to tell" in describe_search([], none)
    assert [run.is_knee for run in runs_of([], SWEEP)] == [False, True, False]


@pytest.mark.slow
def test_a_capacity_is_a_bracket_or_an_honest_undetermined() -> None:
    """The answer in the same words as the search gave."""
    found = make_capacity()
    assert describe_search([], found) == ("Serves 6 sessions/s with ttft_p95<800ms; 8/s missed it.")
    unsure = msgspec.structs.replace(found, state="undetermined", rate=None, why="too few requests")
    assert describe_search([], unsure) == (
        "Between 6 and 8 sessions/s with ttft_p95<800ms; no closer for certain."
    )
    unknown = msgspec.structs.replace(unsure, high=None)
    assert describe_search([], unknown) == "Too few requests."
    assert remark_search(unsure)[0].tone == "doubt"
    above = msgspec.structs.replace(
        found, state="above", high=None, why="6 is met, no more was allowed"
    )
    assert describe_search([], above) == "6 is met, no more was allowed."
    assert remark_search(above)[0].text.startswith("The capacity is higher")


@pytest.mark.slow
def test_policies_and_endpoints_in_a_sentence() -> None:
    """The lowest TTFT, and how many slots there are."""
    assert "The lowest TTFT has engine's pool: " in describe_search([], make_policies())
    text = describe_search([], make_discovered())
    assert text == "gpu-1:11434 works on 4 at once; proxy:8080 works on at least 16 at once."


def test_a_comparison_names_what_is_more_than_noise() -> None:
    """The same and the undetermined are not named."""
    two = [RUN, msgspec.structs.replace(RUN, name="after")]
    text = describe_search(two, None, make_differences())
    assert text.endswith(": better in TTFT p95; worse in TPOT p95.")
    noise = describe_search(two, None, make_differences()[2:])
    assert noise.endswith(": no difference that is more than noise.")
    same = describe_search(two, None, make_differences()[2:3])
    assert same.endswith(": no difference that matters.")
    assert describe_search([RUN], None) == ""
    assert tell_search([RUN], None, ()) is None


def test_a_curve_has_no_point_for_a_percentile_that_is_withheld() -> None:
    """Rather than another percentile of that run."""
    told = tell_search([], SWEEP, ())
    assert told
    points = told["curve"]["points"]
    assert points[0]["y"]["TTFT p95"] is None
    assert points[0]["y"]["TTFT p50"] is not None
    assert points[2]["y"]["TTFT p95"] == pytest.approx(
        SWEEP.results[2].metrics["ttft"].percentiles["p95"].value, rel=1e-3
    )
    assert told["curve"]["limits"] == {"TTFT p95": 0.8, "TPOT p95": 0.04}


@pytest.mark.slow
def test_the_run_that_matters_is_shown_first() -> None:
    """The knee, or the best that met all objectives."""
    sweep, capacity = (tell_search([], each, ()) for each in (SWEEP, make_capacity()))
    assert sweep
    assert capacity
    assert sweep["labels"][sweep["shown"]] == "4 users"
    assert capacity["labels"][capacity["shown"]] == "6/s"


@pytest.mark.parametrize(
    ("index", "change", "ends"),
    [(0, "-37.0 %", "-45.0 % to -30.0 %"), (3, "+0.2 points", "-1.0 points to +1.4 points")],
)
def test_a_change_of_a_share_is_told_in_points(index: int, change: str, ends: str) -> None:
    """That of all else in percent of what it was."""
    told = tell_change(make_differences()[index])
    assert (told["change"], told["ends"]) == (change, ends)


def test_sides_are_called_by_their_names() -> None:
    """In the terminal, in Markdown and in CSV; no side of an A/B was before the other."""
    plan = make_plan(rate=6.0, duration_s=30.0)
    first, second = (make_result(name=name, plan=plan) for name in ("even", "engine"))
    policies = make_policies().__class__(("even", "engine"), (first, second))
    plain = msgspec.structs.replace(make_ab(), a=first, b=second)
    sides = [
        (make_ab(), "A: old card", "B: new card"),
        (policies, "even", "engine"),
        (plain, "A: even", "B: engine"),
    ]
    for search, one, two in sides:
        terminal = shown([], search=search, differences=make_differences())
        (head,) = (line for line in terminal.splitlines() if line.startswith("figure"))
        assert head.split("change")[0].split() == ["figure", *one.split(), *two.split()]
        text = make_markdown([], search=search, differences=make_differences())
        assert f"| figure | {one} | {two} | change | 95 % | verdict |" in text
        for told in (terminal, text):
            assert "before" not in told.replace(FIGURES["differences"].meaning, "")
        rows = list(csv.reader(io.StringIO(make_csv([], search=search))))
        assert [row[0] for row in rows] == ["run", one, two]


def test_a_side_without_a_name_is_its_letter() -> None:
    """And not A: A."""
    found = make_ab()
    a, b = msgspec.structs.replace(found.a, name="A"), msgspec.structs.replace(found.b, name="")
    labels = [each.label for each in runs_of([], msgspec.structs.replace(found, a=a, b=b))]
    assert labels == ["A", "B"]


def test_two_policies_are_compared() -> None:
    """Three are shown side by side only: there would be three comparisons."""
    three = make_policies()
    assert differences_of([], three) == ()
    two = three.__class__(three.names[:2], three.results[:2])
    changes = differences_of([], two)
    assert {"ttft_p50", "completed"} <= {each.figure for each in changes}
    text = describe_search([], two, changes)
    assert text.startswith("least in flight against round robin: ")


def test_how_verdicts_are_made_is_said_beside_them() -> None:
    """With how many figures were looked at, and the definition."""
    assert note_changes(make_differences()).endswith("that 4 figures were looked at.")
    assert note_changes(make_differences()[:1]).endswith("that 1 figure was looked at.")
    text = make_markdown([], search=make_ab(), differences=make_differences())
    assert note_changes(make_differences()) in text
    assert "Holm" in text
    assert "no difference that matters" in text
    terminal = " ".join(shown([], search=make_ab(), differences=make_differences()).split())
    assert note_changes(make_differences()) in terminal


def test_definitions_have_the_limits_that_are_judged_by() -> None:
    """A limit that changes is told as it is."""
    assert "above 10 ms or 5 % of the median TTFT" in FIGURES["verdict"].meaning
    assert "90 % of a core for more than 5 s" in FIGURES["verdict"].meaning
    assert "Of fewer than 100 requests" in FIGURES["verdict"].meaning
    assert "p99 needs 368 of them" in FIGURES["percentile"].meaning
    assert "1 % of a time or a rate" in FIGURES["differences"].meaning
    assert "0.1 points of a share" in FIGURES["differences"].meaning


def test_one_run_is_not_1_runs() -> None:
    """A search that was stopped has one."""
    told = tell_search([], make_sweep((4,)), ())
    assert told is not None
    assert told["count"] == "1 run"
    told = tell_search([], make_sweep((4, 8)), ())
    assert told is not None
    assert told["count"] == "2 runs"
