"""What `benchmarks.compare` calls a change, and what it says of files that do not fit."""

from pathlib import Path

import pytest
from benchmarks.compare import main, noise_of
from benchmarks.document import NotResultsError, read
from tests.benchmarks.conftest import WriteResults, a_row

STEADY = [1.00, 1.01, 0.99, 1.02, 0.98]


def scaled(by: float, values: list[float] = STEADY) -> list[float]:
    """The same figures, all of them larger or smaller."""
    return [by * value for value in values]


def run(capsys: pytest.CaptureFixture[str], old: Path, new: Path) -> tuple[int, list[str]]:
    """The exit status and the lines of a comparison."""
    status = main([str(old), str(new)])
    return status, capsys.readouterr().out.splitlines()


def test_slower_beyond_the_noise_is_told(
    write_results: WriteResults, capsys: pytest.CaptureFixture[str]
) -> None:
    """A steady row that rises by a tenth is named with its change, and the status is 1."""
    old = write_results("old", a_row("steady", STEADY), a_row("same", STEADY))
    new = write_results("new", a_row("steady", scaled(1.1)), a_row("same", STEADY))
    status, lines = run(capsys, old, new)
    assert status == 1
    assert lines[0] == "slower, or otherwise worse:"
    assert lines[1].startswith("  steady: +10% (1 to 1.1 x the floor; noise ")
    assert lines[2:] == ["1 of 2 rows are as they were"]


def test_faster_is_no_failure(
    write_results: WriteResults, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row that fell by a fifth is told as better, with status 0."""
    old, new = (write_results(str(by), a_row("r", scaled(by))) for by in (1.0, 0.8))
    status, lines = run(capsys, old, new)
    assert status == 0
    assert lines[0] == "faster, or otherwise better:"
    assert lines[1].startswith("  r: -20%")


@pytest.mark.parametrize("by", [1.04, 0.96])
def test_small_changes_are_none(
    write_results: WriteResults, capsys: pytest.CaptureFixture[str], by: float
) -> None:
    """Below 5 % nothing is told, however steady the row is."""
    old = write_results("old", a_row("r", scaled(1.0, [1.0] * 5)))
    new = write_results("new", a_row("r", scaled(by, [1.0] * 5)))
    assert run(capsys, old, new) == (0, ["1 of 1 rows are as they were"])


def test_noisy_rows_need_more(
    write_results: WriteResults, capsys: pytest.CaptureFixture[str]
) -> None:
    """A change within the spread of either file is no change."""
    noisy = [0.8, 0.9, 1.0, 1.1, 1.2]
    old, new = (
        write_results("old", a_row("r", noisy)),
        write_results("new", a_row("r", scaled(1.2))),
    )
    assert run(capsys, old, new)[0] == 0
    assert run(capsys, new, old)[0] == 0


def test_more_is_better_where_the_bar_says_so(
    write_results: WriteResults, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row that has to be at least so much got worse when it fell."""
    fields = {"bar": {"limit": 0.5, "is_at_least": True}, "is_more_better": True}
    old, new = (write_results(str(by), a_row("r", scaled(by), **fields)) for by in (1.0, 0.8))
    assert run(capsys, old, new)[0] == 1
    assert run(capsys, new, old)[0] == 0


def test_rows_without_a_bar_have_a_better_side(
    write_results: WriteResults, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is only shown may have got worse, too."""
    fields = {"bar": None, "verdict": "shown", "is_more_better": True}
    old, new = (write_results(str(by), a_row("r", scaled(by), **fields)) for by in (1.0, 0.8))
    assert run(capsys, old, new)[0] == 1
    assert run(capsys, new, old)[0] == 0


def test_few_repetitions_make_more_noise(write_results: WriteResults) -> None:
    """The same quartiles mean less when fewer repetitions gave them."""
    rows = read(write_results("f", a_row("few", [1.0, 2.0]), a_row("many", [1.0, 1.25, 1.75, 2.0])))
    few, many = map(noise_of, rows.rows)
    assert few is not None
    assert many is not None
    assert few == pytest.approx(0.5 * (1 + 3 / 2))
    assert few > many


def test_old_files_have_their_spread_only(write_results: WriteResults) -> None:
    """Without single repetitions, half of the whole spread is the noise."""
    row = read(write_results("f", a_row("r", [1.0, 1.2, 1.6]) | {"values": []})).rows[0]
    assert noise_of(row) == pytest.approx(0.3)


def test_single_repetitions_count_by_their_bar(
    write_results: WriteResults, capsys: pytest.CaptureFixture[str]
) -> None:
    """One repetition has no noise to compare with, so only a bar that is missed now is told."""
    old = write_results("old", a_row("kept", [1.0]), a_row("missed", [0.0]))
    new = write_results("new", a_row("kept", [1.9]), a_row("missed", [3.0], verdict="MISS"))
    status, lines = run(capsys, old, new)
    assert status == 1
    assert lines[1] == "  missed: +3 (0 to 3 x the floor; noise unknown)"


@pytest.mark.parametrize("verdict", ["ERROR", "INVALID"])
def test_a_row_without_a_valid_figure_is_told(
    write_results: WriteResults, capsys: pytest.CaptureFixture[str], verdict: str
) -> None:
    """A row that had a figure and has none now is worse, with what is known of why."""
    broken = a_row("r", STEADY, verdict=verdict, notes=["the client fell over"])
    old, new = write_results("old", a_row("r", STEADY)), write_results("new", broken)
    status, lines = run(capsys, old, new)
    assert status == 1
    assert lines[:2] == [
        "no valid figure any more:",
        f"  r ({verdict}): the client fell over",
    ]


def test_what_does_not_fit_is_a_warning(
    write_results: WriteResults, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another machine, rows of one file only and other units are told, and fail nothing."""
    old = write_results("old", a_row("gone", STEADY), a_row("r", STEADY))
    new = write_results("new", a_row("r", scaled(2), unit="ms"), a_row("come", STEADY), cores=8)
    status, lines = run(capsys, old, new)
    assert status == 0
    assert lines == [
        "warning: another machine: its cores was 4, and is 8",
        "warning: only the old file has gone",
        "warning: only the new file has come",
        "warning: r was in x the floor, and is in ms: not compared",
        "0 of 1 rows are as they were",
    ]


def test_files_that_are_no_results_are_refused(
    write_results: WriteResults, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing file, other JSON, and no JSON are each an error with the file's name."""
    good = write_results("good", a_row("r", STEADY))
    other, empty = tmp_path / "other", write_results("empty")
    other.write_text('{"rows": 3}')
    for bad in (tmp_path / "missing", other, empty, Path(__file__)):
        assert main([str(good), str(bad)]) == 2
        assert str(bad) in capsys.readouterr().err
        with pytest.raises(NotResultsError):
            read(bad)
