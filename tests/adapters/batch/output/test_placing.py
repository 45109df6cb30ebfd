"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from triollama_adapters.batch.errors import ExportError
from triollama_adapters.batch.output.placing import placed


def names(folder: Path) -> set[str]:
    """What lies in a folder."""
    return {path.name for path in folder.iterdir()}


def test_a_part_that_was_left_is_removed(tmp_path: Path) -> None:
    """By the next one of the same name; what only looks like one stays."""
    left = tmp_path / ".a[1].csv.0123abcd.part"
    others = [
        ".b.csv.0123abcd.part",
        ".a[1].csv.part",
        "a[1].csv.0123abcd.part",
        ".a1.csv.0123abcd.part",
    ]
    for name in (left.name, *others):
        (tmp_path / name).write_bytes(b"half")
    with placed(tmp_path / "a[1].csv", force=False) as file:
        file.write(b"whole")
    assert names(tmp_path) == {"a[1].csv", *others}
    assert (tmp_path / "a[1].csv").read_bytes() == b"whole"


def test_a_part_that_is_written_is_left_alone(tmp_path: Path) -> None:
    """Two may write under one name: the first that is whole has it."""
    path = tmp_path / "a.csv"
    with (
        pytest.raises(ExportError, match=r"a\.csv exists"),
        placed(path, force=False) as slow,
    ):
        with placed(path, force=False) as fast:
            fast.write(b"fast")
        slow.write(b"slow")
        assert len(names(tmp_path)) == 2
    assert (names(tmp_path), path.read_bytes()) == ({"a.csv"}, b"fast")
    with placed(path, force=True) as slow:
        with placed(path, force=True) as fast:
            fast.write(b"fast")
        slow.write(b"slow")
    assert (names(tmp_path), path.read_bytes()) == ({"a.csv"}, b"slow")


def test_a_part_that_is_taken_before_it_is_held_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may take it for one that was left."""
    path, calls = tmp_path / "a.csv", 0
    fstat = os.fstat

    def taken(fd: int) -> os.stat_result:
        nonlocal calls
        calls += 1
        if calls == 1:
            (part,) = tmp_path.iterdir()
            part.unlink()
        return fstat(fd)

    monkeypatch.setattr(os, "fstat", taken)
    with placed(path, force=False) as file:
        file.write(b"whole")
    assert (names(tmp_path), path.read_bytes()) == ({"a.csv"}, b"whole")
    assert calls >= 2


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    """Of either kind."""
    with pytest.raises(RuntimeError), placed(tmp_path / "a.csv", force=False) as file:
        file.write(b"half")
        raise RuntimeError
    assert names(tmp_path) == set()
    with (
        pytest.raises(ExportError, match="cannot write"),
        placed(tmp_path / "no" / "a.csv", force=False),
    ):
        pass
