"""Prompts and pictures from files, sound and broken."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from triollama_adapters.loadtest.errors import PlanError
from triollama_adapters.loadtest.workload import files
from triollama_adapters.loadtest.workload.files import read_pictures, read_prompts

QUESTIONS = Path(__file__).parents[5] / "shared/data/gsm8k_test.jsonl"


def _write(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def test_rows_and_texts(tmp_path: Path) -> None:
    """A field of an object, or a text by itself; blank lines are left out."""
    path = _write(tmp_path, "a.jsonl", '{"question": "Why?", "answer": 1}\n\n"How?"\r\n')
    assert read_prompts(path, "question") == ("Why?", "How?")


def test_plain_lines(tmp_path: Path) -> None:
    """Of a .txt file each line is a prompt, whatever it looks like."""
    path = _write(tmp_path, "a.txt", 'Why\u2028so?\n\n{"question": 1}\n')
    assert read_prompts(path, "question") == ("Why\u2028so?", '{"question": 1}')


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.jsonl", '"x"\nWhy?\n', "line 2 is not JSON"),
        ("a.jsonl", b'"x"\n\n"\xff"\n', "line 3 is not JSON"),
        ("a.jsonl", '{"text": "x", "id": 3}\n', "no field 'question'; it has: text, id"),
        ("a.jsonl", "{}\n", "it has: none"),
        ("a.jsonl", '{"question": 5}\n', "'question' is not a text"),
        ("a.jsonl", '{"question": "  "}\n', "'question' is not a text"),
        ("a.jsonl", "[1]\n", "is not a text"),
        pytest.param("a.jsonl", "[" * 200_000, "is not JSON", id="deep"),
        ("a.jsonl", "\n \n", "nothing to ask"),
        ("a.jsonl", "", "is empty"),
        ("a.txt", b"ok\n\xff\n", "line 2 is not UTF-8"),
    ],
)
def test_a_file_that_is_wrong(tmp_path: Path, name: str, content: str | bytes, what: str) -> None:
    """The error has the file, the line's number, and what is wrong with it, but no prompt."""
    path = _write(tmp_path, name, content)
    with pytest.raises(PlanError) as caught:
        read_prompts(path, "question")
    assert what in str(caught.value)
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing_or_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is told."""
    with pytest.raises(PlanError, match="cannot be read: No such file"):
        read_prompts(str(tmp_path / "none.jsonl"), "question")
    monkeypatch.setattr(files, "FILE_BYTES_MAX", 1 << 20)
    path = _write(tmp_path, "a.txt", b"x" * ((1 << 20) + 1))
    with pytest.raises(PlanError, match="more than 1 MiB"):
        read_prompts(path, "")


def test_pictures(tmp_path: Path) -> None:
    """Base64, in order; an empty one is none."""
    one = _write(tmp_path, "one.png", b"\x89PNG one")
    two = _write(tmp_path, "two.png", b"\x89PNG two")
    assert [base64.b64decode(each) for each in read_pictures([two, one])] == [
        b"\x89PNG two",
        b"\x89PNG one",
    ]
    with pytest.raises(PlanError, match="is empty"):
        read_pictures([_write(tmp_path, "no.png", b"")])


@pytest.mark.skipif(not QUESTIONS.exists(), reason="needs ../shared/data")
def test_real_questions() -> None:
    """All of 1,319."""
    prompts = read_prompts(str(QUESTIONS), "question")
    assert len(prompts) == 1_319
    assert prompts[0].startswith("Janet\u2019s ducks lay 16 eggs")
