"""An input and an output that are not apart."""

from pathlib import Path

import pytest

from triollama_adapters.batch.apart import check_apart
from triollama_adapters.batch.errors import ChoiceError


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with an input."""
    (tmp_path / "in.jsonl").write_text("{}\n")
    (tmp_path / "texts").mkdir()
    return tmp_path


def test_another_file_is_apart(files: Path) -> None:
    """Also one that does not exist, standard input, and an output beside the folder of texts."""
    for name in ("in.jsonl", "none.jsonl", "texts"):
        check_apart(str(files / name), files / "out.jsonl")
    check_apart("-", files / "out.jsonl")
    check_apart("(rows of a program)", files / "out.jsonl")
    check_apart(str(files / "in.jsonl"), files / "texts" / "out.jsonl")


def test_a_file_that_the_batch_writes_is_not(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its output, the errors, the journal; by whatever name."""
    monkeypatch.chdir(files)
    (files / "soft").symlink_to("in.jsonl")
    (files / "hard").hardlink_to("in.jsonl")
    for output in ("in.jsonl", "texts/../in.jsonl", "soft", "hard"):
        with pytest.raises(ChoiceError, match="is the output of this batch"):
            check_apart(str(files / "in.jsonl"), Path(output))
    with pytest.raises(ChoiceError, match="file of errors"):
        check_apart(str(files / "out.errors.jsonl"), Path("out.jsonl"))
    with pytest.raises(ChoiceError, match="journal"):
        check_apart(str(files / "out.jsonl.journal"), Path("out.jsonl"))


def test_an_output_within_the_folder_of_texts_is_not(files: Path) -> None:
    """It would be a row at the next resume."""
    with pytest.raises(ChoiceError, match="would be in the input's folder"):
        check_apart(str(files / "texts"), files / "texts" / "out.jsonl")
    with pytest.raises(ChoiceError, match="would be in the input's folder"):
        check_apart(str(files), files / "texts" / "out.jsonl")
