"""The page and the charts that `benchmarks.publish` makes of a results file."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from benchmarks.pictures import pictures
from benchmarks.publish import BEGIN, END, main
from benchmarks.svg import LogScale
from tests.benchmarks.conftest import WriteResults, a_figure, a_row

from benchmarks import document

PAGE = f"# Benchmarks\n\nbefore\n\n{BEGIN}\n![old](figures/old.svg)\n{END}\n\nafter\n"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder with a page that has a place for figures; an old chart of it, and a picture."""
    folder = tmp_path / "docs"
    (folder / "figures").mkdir(parents=True)
    (folder / "benchmarks.md").write_text(PAGE)
    for name in ("old.svg", "of-another-page.svg"):
        (folder / "figures" / name).write_text("<svg/>")
    return folder


def drawn(results: Path) -> dict[str, str]:
    """The text of each chart."""
    return {name: svg for name, (svg, _) in pictures(document.read(results)).items()}


def words(svg: str) -> list[str]:
    """The texts of a chart, which must be well-formed."""
    found = ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return [each.text or "" for each in found]


def test_only_what_is_between_the_markers_changes(write_results: WriteResults, docs: Path) -> None:
    """The prose around stays, and doing it again changes nothing."""
    results = write_results("r", a_row("chunk-200", [1.4, 1.5, 1.6]))
    assert main([str(results), "--docs", str(docs)]) == 0
    page = (docs / "benchmarks.md").read_text()
    assert page.startswith(f"# Benchmarks\n\nbefore\n\n{BEGIN}\n")
    assert page.endswith(f"{END}\n\nafter\n")
    assert "old" not in page
    row = "| `chunk-200` | the load of chunk-200 | 1.5 x the floor (1.4 to 1.6) | ≤ 2 | PASS | "
    assert row in page
    assert "<sub>triollama 15 µs, 44 MiB, 0.25 switches each; the bare floor 10 µs" in page
    assert main([str(results), "--docs", str(docs)]) == 0
    assert (docs / "benchmarks.md").read_text() == page


def test_every_chart_on_the_page_is_there(write_results: WriteResults, docs: Path) -> None:
    """The page links what was drawn; charts that it showed are gone, those of others stay."""
    main([str(write_results("r", a_row("chunk-200", [1.5]))), "--docs", str(docs)])
    left = {path.name for path in (docs / "figures").iterdir()}
    assert left == {"ratios.svg", "of-another-page.svg"}
    assert "](figures/ratios.svg)" in (docs / "benchmarks.md").read_text()


@pytest.mark.parametrize("page", ["nothing", f"{END} {BEGIN}", f"{BEGIN} {BEGIN} {END}"])
def test_a_page_without_its_place_is_left_alone(
    write_results: WriteResults, docs: Path, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without both markers, once each and in order, nothing is written."""
    (docs / "benchmarks.md").write_text(page)
    results = write_results("r", a_row("r", [1.5]))
    assert main([str(results), "--docs", str(docs)]) == 2
    assert BEGIN in capsys.readouterr().err
    assert (docs / "benchmarks.md").read_text() == page
    assert (docs / "figures" / "old.svg").exists()


def test_what_is_no_results_file_is_refused(docs: Path, tmp_path: Path) -> None:
    """The page stays as it is when there is nothing to put there."""
    assert main([str(tmp_path / "missing"), "--docs", str(docs)]) == 2
    assert (docs / "benchmarks.md").read_text() == PAGE


def test_ratios_tell_how_far_ahead_the_engine_is(write_results: WriteResults) -> None:
    """Both a cost of a quarter and a rate of four times the other's are 4, with the figures."""
    openai = {"openai_async.chunks": a_figure("openai_async", 60.0)}
    fields = {"against": "openai_async.chunks", "absolute": openai}
    bar = {"limit": 1.5, "is_at_least": True}
    cost = a_row("cost", [0.25], **fields)
    rate = a_row("rate", [4.0], bar=bar, is_more_better=True, **fields)
    told = words(drawn(write_results("r", cost, rate))["ratios.svg"])
    assert told.count("4") == 2
    assert "beside openai" in told


def test_onlookers_are_drawn_too(write_results: WriteResults) -> None:
    """A contender that no row judges by has a bar of its own, once for rows of one load."""
    absolute = a_row("r", [1.5])["absolute"]
    absolute["httpx_trio.chunks"] = a_figure("httpx_trio", 150.0)
    rows = [a_row(name, [1.5], absolute=absolute, load="a load") for name in ("first", "second")]
    told = words(drawn(write_results("r", *rows))["ratios.svg"])
    after = told[told.index("beside httpx on trio") :]
    assert after[1:4] == ["a load", "10", "15 : 150 µs"]
    assert "a load" not in after[2:]
    assert "second" not in after[: after.index("beside the bare floor")]


def test_growth_is_a_curve_per_contender(write_results: WriteResults) -> None:
    """Figures over numbers of streams become points, and no bars."""
    absolute = {
        f"{client} at {streams}": a_figure(client, 15.0, streams)
        for client in ("engine", "floor")
        for streams in (10, 1_000)
    }
    rows = [a_row("growth-10", [1.5], absolute=absolute, kind="curve")]
    charts = drawn(write_results("r", *rows))
    assert list(charts) == ["growth.svg"]
    told = words(charts["growth.svg"])
    assert {"10", "1,000", "open streams", "triollama", "the bare floor"} <= set(told)


def test_rows_without_a_figure_have_no_bar(write_results: WriteResults, docs: Path) -> None:
    """A row that failed is in the table with its reason, and in no chart."""
    failed = a_row("r", [1.0], value=None, verdict="ERROR", absolute={}, notes=["why"])
    main([str(write_results("r", failed)), "--docs", str(docs)])
    page = (docs / "benchmarks.md").read_text()
    assert "no figure" in page
    assert "- `r`: why" in page
    assert "figures/" not in page.replace(BEGIN, "")


def test_the_load_tester_has_a_table_of_its_own(write_results: WriteResults, docs: Path) -> None:
    """Its rows come of a run of their own, below those of the engine, without charts."""
    engine, load = write_results("e", a_row("r", [1.5])), write_results("l", a_row("load-r", [2.5]))
    main([str(engine), "--load", str(load), "--docs", str(docs)])
    before, _, after = (docs / "benchmarks.md").read_text().partition("### The load tester")
    assert "`r`" in before
    assert "`load-r`" in after
    assert "figures/" not in after


def test_scale_has_round_ends_and_equal_steps() -> None:
    """Equal ratios have equal lengths, and the ticks are round numbers within."""
    scale = LogScale([0.3, 7.0], 0.0, 100.0)
    assert (scale.low, scale.high) == pytest.approx((0.2, 10.0))
    assert scale(2.0) - scale(1.0) == pytest.approx(scale(4.0) - scale(2.0))
    assert scale.ticks() == pytest.approx([0.2, 0.5, 1, 2, 5, 10])


def test_features_are_a_stack(write_results: WriteResults, docs: Path) -> None:
    """What each layer adds stands in a table of its own, in the order of the layers."""
    figure = {"unit": "µs CPU per chunk", "median": 1.5, "low": 1.4, "high": 1.6}
    layers = {f"chunk: {name}": figure for name in ("wire", "+ pool")}
    results = write_results("r", a_row("features-chunk", [1.0], absolute=layers, kind="stack"))
    main([str(results), "--docs", str(docs)])
    page = (docs / "benchmarks.md").read_text()
    assert "| µs CPU per chunk | wire | + pool |\n|---|---:|---:|\n" in page
    assert "| `features-chunk` | 1.5 | 1.5 |" in page
