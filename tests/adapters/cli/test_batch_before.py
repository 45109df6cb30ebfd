"""What means nothing is told before anything is begun, by a dry run as by a run."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from triollama_adapters.batch.errors import LedgerError
from triollama_adapters.cli._batch_before import check_known, check_output

Run = Callable[..., Any]
Write = Callable[..., Path]

BEGIN = ("batch", "in.jsonl", "-o", "out.jsonl", "--simulate", "1")
ROWS = ({"text": "a"}, {"text": "b"})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--only-between", "22-6"), "--only-between takes two times of day"),
        (("--only-between", "25:00-06:00"), "--only-between takes two times of day"),
        (("--use-at-most", "150%"), "--use-at-most takes a share"),
        (("--use-at-most", "0%"), "--use-at-most takes a share"),
        (("--use-at-most", "half"), "--use-at-most takes a share"),
        (("--give-up-after", "30"), "--give-up-after takes a time"),
        (("--give-up-after", "30x"), "--give-up-after takes a time"),
        (("--pin", "a=http://localhost:1"), "give --ray ADDRESS, too"),
        (("--ray-workers", "3"), "give --ray ADDRESS, too"),
        (("--ray", "nonsense"), "--ray takes local, auto, off or the address"),
        (("--ray", "auto"), "other machines do not reach"),
        (("--endpoint", "http://localhost:1"), "--simulate starts servers of its own"),
        (("-o", "nodir/x.jsonl"), "there is no folder nodir"),
        (("-o", "out.csv"), "give -o out.jsonl, then: triollama batch export out.jsonl -o out.csv"),
        (("-o", "out.parquet"), "triollama batch export"),
        (("-o", "out.jsonl.gz"), "give -o out.jsonl, and pack it"),
        (("-o", "-"), "a batch needs a file"),
    ],
)
@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_options_that_mean_nothing(
    run: Run,
    write_lines: Write,
    tmp_path: Path,
    options: tuple[str, str],
    told: str,
    more: tuple[str, ...],
) -> None:
    """In one line, and nothing is made."""
    write_lines(*ROWS)
    begin = BEGIN if options[0] != "-o" else (*BEGIN[:2], *BEGIN[4:])
    done = run(*begin, *options, *more)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl"}


@pytest.mark.parametrize(
    ("given", "meant"),
    [("statu", "status"), ("resumee", "resume"), ("retry_failed", "retry-failed")],
)
def test_a_misspelt_command(run: Run, tmp_path: Path, given: str, meant: str) -> None:
    """It is told which one was meant; a file of that name is a file."""
    done = run("batch", given, "out.jsonl")
    assert done.returncode == 2
    told = f"no command or file '{given}'; did you mean: triollama batch {meant}? see: triollama"
    assert told in done.stderr
    (tmp_path / given).write_text("")
    assert "did you mean" not in run("batch", given, "out.jsonl").stderr
    assert "did you mean" not in run("batch", "questions", "out.jsonl").stderr
    assert "did you mean" not in run("batch", meant).stderr


@pytest.mark.slow
def test_a_filter_that_leaves_nothing_is_told(run: Run, write_lines: Write) -> None:
    """A run says it at its end, a dry run as a problem."""
    write_lines(*ROWS)
    where = ("--where", "text=c")
    assert "no rows to ask: all 2 rows are left out" in run(*BEGIN, *where, "--dry-run").stdout
    done = run(*BEGIN, *where)
    assert done.returncode == 0
    assert "warning: --where, --sample and --shard leave no row to be asked\n" in done.stderr


@pytest.mark.slow
def test_a_dry_run_tells_settings_that_have_changed(run: Run, write_lines: Write) -> None:
    """Those with which a run would not go on; accepted ones it does not."""
    write_lines(*ROWS)
    assert run(*BEGIN).returncode == 0
    again = (*BEGIN, "--go-on", "--dry-run")
    assert run(*again).returncode == 0
    done = run(*again, "--seed", "7")
    assert done.returncode == 1
    assert "problem: the batch was begun with other settings (options: " in done.stdout
    assert run(*again, "--seed", "7", "--accept-changes").returncode == 0


def test_a_folder_that_cannot_be_written_to_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the reason: there is nothing yet that could be safe."""
    check_output(tmp_path / "out.jsonl")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(LedgerError, match=f"its folder {tmp_path} cannot be written to"):
        check_output(tmp_path / "out.jsonl")


@pytest.mark.slow
@pytest.mark.parametrize("command", ["resume", "retry-failed", "status"])
def test_the_file_of_errors_is_no_job(
    run: Run, write_lines: Write, tmp_path: Path, command: str
) -> None:
    """It is said of which one it is, and nothing is made beside it."""
    write_lines(*ROWS)
    assert run(*BEGIN).returncode == 0
    before = {path.name for path in tmp_path.iterdir()}
    done = run("batch", command, "out.errors.jsonl")
    assert done.returncode == 2
    assert "out.errors.jsonl is the file of errors of out.jsonl; give that name" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == before
    check_known(Path("other.errors.jsonl"))
