"""Inputs as they come: broken, mixed, growing, in the way; what a user is told, what is done."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.adapters.cli import batch_runs
from tests.adapters.cli.batch_runs import ABORTED, Server, assert_refused, names, questions

pytestmark = pytest.mark.slow

Run = Callable[..., Any]
Write = Callable[..., Path]

BEGIN = ("batch", "in.jsonl", "-o", "out.jsonl", "--simulate", "1")


def records_of(path: Path) -> list[dict[str, Any]]:
    """The records of an output, by number."""
    return sorted(batch_runs.records_of(path), key=lambda each: each["index"])


def openai(custom_id: str, text: str = "Why?") -> dict[str, Any]:
    """A line of OpenAI's format."""
    body = {"model": "llama3.2", "messages": [{"role": "user", "content": text}]}
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": body,
    }


def test_bad_lines_fail_and_good_ones_are_answered(
    run: Run, write_lines: Write, tmp_path: Path
) -> None:
    """Not JSON, no object, a huge line, no prompt: each is one error record with its line."""
    write_lines({"prompt": "a"}, "{nope", "[1]", {"prompt": "x" * 5_000_000}, {"p": 1}, "", "7")
    assert run(*BEGIN).returncode == 1
    assert [each["index"] for each in records_of(tmp_path / "out.jsonl")] == [0]
    errors = records_of(tmp_path / "out.errors.jsonl")
    assert [(each["index"], each["error"]["type"]) for each in errors] == [
        (1, "LineNotJson"),
        (2, "LineNotAnObject"),
        (3, "LineTooLong"),
        (4, "PromptMissing"),
        (6, "LineNotAnObject"),
    ]
    for each in errors:
        assert each["error"]["message"].startswith(f"line {each['index'] + 1} ")
    assert run("batch", "resume", "out.jsonl").returncode == 1
    assert len(records_of(tmp_path / "out.errors.jsonl")) == 5


def test_a_mix_of_formats_is_told(run: Run, write_lines: Write, tmp_path: Path) -> None:
    """The first line says what the file is."""
    write_lines({"prompt": "a"}, openai("c"), {"messages": [{"role": "user", "content": "x"}]})
    assert run(*BEGIN).returncode == 1
    errors = records_of(tmp_path / "out.errors.jsonl")
    assert [each["error"]["type"] for each in errors] == ["FormatDiffers"] * 2
    assert "each row of this input is a plain record" in errors[0]["error"]["message"]


def test_each_row_with_the_same_id_is_answered(
    run: Run, write_lines: Write, tmp_path: Path
) -> None:
    """Rows are known by their place; so also after a resume, and the dry run tells."""
    write_lines(openai("same", "One?"), openai("same", "Two?"), openai("same", "One?"))
    assert run(*BEGIN, "--limit", "1").returncode == 0
    done = run(*BEGIN, "--go-on", "--accept-changes")
    assert done.returncode == 0, done.stderr
    answers = records_of(tmp_path / "out.jsonl")
    assert [(each["index"], each["custom_id"]) for each in answers] == [
        (number, "same") for number in range(3)
    ]
    assert "same custom_id        2" in run(*BEGIN, "--dry-run", "--go-on").stdout


def test_a_template_with_an_unknown_field(run: Run, write_lines: Write, tmp_path: Path) -> None:
    """Columns are the same for all rows; lines may have others, but for what all first lack."""
    write_lines({"text": "a"}, {"text": "b"})
    for more in ((), ("--dry-run",)):
        done = run(*BEGIN, "--field", "titel", *more)
        assert done.returncode == 2
        assert "what is asked is 'titel', which none of the rows of" in done.stderr
        assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl"}
    write_lines({"text": "a"}, {"text": "b", "titel": "c"})
    assert run(*BEGIN, "--prompt", "{titel}").returncode == 1
    [error] = records_of(tmp_path / "out.errors.jsonl")
    assert error["error"]["message"] == "line 1 has no field 'titel'; its fields are: text"
    write_lines("text,lang", "a,en", name="in.csv")
    done = run("batch", "in.csv", "-o", "o.jsonl", "--simulate", "1", "--prompt", "{titel}")
    assert done.returncode == 2
    assert "what is asked is 'titel', which is no column of" in done.stderr
    assert not (tmp_path / "o.jsonl").exists()


def test_a_misspelt_condition(run: Run, write_lines: Write, tmp_path: Path) -> None:
    """Of a table it is an error before any work; of lines there is a warning at the end."""
    write_lines("text,lang", "a,en", name="in.csv")
    done = run("batch", "in.csv", "-o", "o.jsonl", "--simulate", "1", "--where", "Lang=en")
    assert done.returncode == 2
    assert "error: --where names 'Lang', which is no column of" in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv"}
    write_lines({"text": "a", "lang": "en"}, {"text": "b"})
    done = run(*BEGIN, "--where", "lang!=de", "--where", "Lang!=en", "--select", "id,content")
    assert done.returncode == 0
    assert "warning: no row has a field 'Lang'\nwarning: no row has a field 'id'\n" in done.stderr
    assert "'lang'" not in done.stderr


@pytest.mark.parametrize("content", ["", "\n", " \n\n"])
def test_an_empty_file(run: Run, tmp_path: Path, content: str) -> None:
    """Nothing at all is an error; nothing but blank lines is a job with nothing to do."""
    (tmp_path / "in.jsonl").write_text(content)
    done = run(*BEGIN)
    assert done.returncode == (0 if content else 2), done.stderr
    assert ("is empty: nothing to do" in done.stderr) == (not content)


@pytest.mark.parametrize(
    ("name", "head", "whole", "torn"),
    [
        ("in.jsonl", b"", b'{"prompt": "say %d"}\n', b'{"prompt": "sa'),
        ("in.csv", b"id,text\n", b'1,"say %d"\n', b'1,"sa'),
        ("in.csv", b"id,text\n", b'1,"say %d"\n', b"1"),
    ],
)
def test_a_file_that_is_being_written_to(
    run: Run, tmp_path: Path, name: str, head: bytes, whole: bytes, torn: bytes
) -> None:
    """A last line that is cut off is left for later, and asked once when it is whole."""
    path, output = tmp_path / name, tmp_path / "out.jsonl"
    lines = [whole % number for number in range(6)]
    path.write_bytes(head + b"".join(lines[:3]) + torn)
    done = run("batch", name, *BEGIN[2:])
    assert done.returncode == 1, done.stderr
    assert "the input's last line has no end" in done.stderr
    assert [each["index"] for each in records_of(output)] == [0, 1, 2]
    assert records_of(tmp_path / "out.errors.jsonl") == []
    path.write_bytes(head + b"".join(lines[:5]) + torn)
    assert run("batch", "resume", "out.jsonl").returncode == 1
    path.write_bytes(head + b"".join(lines))
    before = output.read_bytes()
    done = run("batch", "resume", "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert output.read_bytes().startswith(before)
    assert [each["index"] for each in records_of(output)] == [0, 1, 2, 3, 4, 5]


def test_a_line_that_looked_whole_and_was_not(run: Run, tmp_path: Path) -> None:
    """Nobody could know; when it is, the row is another one, which is refused."""
    path = tmp_path / "in.csv"
    path.write_text("id,text\n1,say one and")
    assert run("batch", "in.csv", *BEGIN[2:]).returncode == 0
    path.write_text("id,text\n1,say one and two\n2,three\n")
    done = run("batch", "resume", "out.jsonl")
    assert done.returncode == 2
    assert "line 2 was answered with other content" in done.stderr
    assert run("batch", "resume", "out.jsonl", "--accept-changes").returncode == 0


def test_an_output_that_is_the_input(run: Run, write_lines: Write, tmp_path: Path) -> None:
    """By any name and with any option: nothing is changed."""
    path = write_lines({"prompt": "a"})
    (tmp_path / "link.jsonl").symlink_to("in.jsonl")
    before = path.read_bytes()
    for output in ("in.jsonl", "link.jsonl", "../" + tmp_path.name + "/in.jsonl"):
        for more in ((), ("--go-on",), ("--dry-run",)):
            done = run("batch", "in.jsonl", "-o", output, "--simulate", "1", *more)
            assert done.returncode == 2, done.stderr
            assert "is the output of this batch" in done.stderr
    assert path.read_bytes() == before
    assert {each.name for each in tmp_path.iterdir()} == {"in.jsonl", "link.jsonl"}


def test_errors_as_the_next_input(run: Run, write_lines: Write, tmp_path: Path) -> None:
    """They are no input of their own batch, and may be one of another."""
    write_lines({"prompt": "a"}, {"p": 1})
    assert run(*BEGIN).returncode == 1
    done = run("batch", "out.errors.jsonl", "-o", "out.jsonl", "--simulate", "1", "--go-on")
    assert done.returncode == 2
    assert "is the file of errors of this batch" in done.stderr
    again = ("batch", "out.errors.jsonl", "-o", "again.jsonl", "--simulate", "1", "--field", "p")
    assert run(*again).returncode == 0
    [record] = records_of(tmp_path / "again.jsonl")
    assert (record["index"], record["p"]) == (0, 1)


def test_a_folder(run: Run, tmp_path: Path) -> None:
    """With a file that is no text, and one that is not wanted."""
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/a.txt").write_text("one")
    (tmp_path / "texts/b.txt").write_bytes(b"\xff")
    (tmp_path / "texts/c.png").write_bytes(b"\xff")
    begin = ("batch", "texts", "-o", "out.jsonl", "--simulate", "1", "--where", r"name~\.txt$")
    assert run(*begin).returncode == 1
    [answer] = records_of(tmp_path / "out.jsonl")
    assert (answer["name"], answer["text"]) == ("a.txt", "one")
    [error] = records_of(tmp_path / "out.errors.jsonl")
    assert (error["name"], error["error"]["type"]) == ("b.txt", "LineNotUtf8")
    done = run("batch", "texts", "-o", "texts/out.jsonl", "--simulate", "1")
    assert done.returncode == 2
    assert "would be in the input's folder" in done.stderr


def test_parquet(run: Run, tmp_path: Path) -> None:
    """As any table; one that is not whole is one line."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"id": [1, 2, 3], "text": ["a", "b", "c"]}), tmp_path / "in.parquet")
    begin = ("batch", "in.parquet", "-o", "out.jsonl", "--simulate", "1", "--where", "id>1")
    done = run(*begin, "--select", "id,content", "--in-order")
    assert done.returncode == 0, done.stderr
    answers = records_of(tmp_path / "out.jsonl")
    assert [(each["index"], each["id"]) for each in answers] == [(1, 2), (2, 3)]
    content = (tmp_path / "in.parquet").read_bytes()
    (tmp_path / "in.parquet").write_bytes(content[:-9])
    done = run("batch", "in.parquet", "-o", "o.jsonl", "--simulate", "1")
    assert done.returncode == 2
    assert "is Parquet, and broken, not whole or not readable" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--model", "nope"), "no endpoint has the model 'nope'; there are: "),
        (("--prompt", "Solve: {question"), "the template is not usable"),
        (("--where", "lang"), "a condition is FIELD=VALUE"),
        (("--sample", "2"), "sample"),
        (("--format", "csv", "--delimiter", "::"), "delimiter"),
    ],
)
def test_a_choice_that_means_nothing_leaves_nothing(
    run: Run, write_lines: Write, server: Server, tmp_path: Path, options: Any, told: str
) -> None:
    """It is told before a file is made, and the same command can be given again."""
    write_lines(*questions(3))
    begin = [each for each in server.begin if each not in {"-m", "llama3.2"}]
    assert_refused(run(*begin, *options), told)
    assert names(tmp_path) == {"in.jsonl"}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04rest", "is a zip archive"),
        ("{}\n".encode("utf-16"), "is UTF-16"),
        (b"\x1f\x8b\x08\x00cut", "in.jsonl"),
    ],
)
def test_an_input_that_cannot_be_read_leaves_nothing(
    run: Run, server: Server, tmp_path: Path, content: bytes, told: str
) -> None:
    """Empty, packed in a foreign way, or damaged from the start."""
    (tmp_path / "in.jsonl").write_bytes(content)
    done = run(*server.begin)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert names(tmp_path) == {"in.jsonl"}


def test_an_unknown_field_in_the_prompt_is_told_of_each_row(
    run: Run, write_lines: Write, server: Server, tmp_path: Path
) -> None:
    """In the file of errors, without asking anybody; with `--fail-fast` once."""
    write_lines({"nope": "Why?"}, *questions(3))
    done = run(*server.begin, "--prompt", "Solve: {nope}")
    assert done.returncode == 1
    errors = [each["error"]["message"] for each in records_of(tmp_path / "out.errors.jsonl")]
    assert len(errors) == 3
    assert all("nope" in message for message in errors)
    assert len(records_of(tmp_path / "out.jsonl")) == 1
    done = run(*server.begin[:3], "b.jsonl", *server.begin[4:], "--prompt", "{nope}", "--fail-fast")
    assert done.returncode == ABORTED
    assert done.stderr.splitlines()[-1].startswith("error: a row failed (PromptMissing)")


def test_a_mix_of_formats_answers_what_is_of_the_first(
    run: Run, write_lines: Write, server: Server, tmp_path: Path
) -> None:
    """The others are errors that say so; so are lines that are no JSON."""
    write_lines(openai("a"), {"question": "Why?"}, "{broken", openai("b"), "[1]")
    done = run(*server.begin)
    assert done.returncode == 1
    assert {each["custom_id"] for each in records_of(tmp_path / "out.jsonl")} == {"a", "b"}
    told = (tmp_path / "out.errors.jsonl").read_text()
    for kind in ("FormatDiffers", "LineNotJson", "LineNotAnObject"):
        assert kind in told
    assert len(records_of(tmp_path / "out.errors.jsonl")) == 3


def test_rows_of_one_name_have_an_answer_each(
    run: Run, write_lines: Write, server: Server, tmp_path: Path
) -> None:
    """A `custom_id` that comes twice is two rows: a resume neither drops nor doubles one."""
    write_lines(openai("a"), openai("a"), openai("a"))
    for command in (server.begin, ("batch", "resume", "out.jsonl")):
        done = run(*command)
        assert done.returncode == 0, done.stderr
        assert [each["custom_id"] for each in records_of(tmp_path / "out.jsonl")] == ["a"] * 3
