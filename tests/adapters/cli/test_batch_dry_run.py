"""``triollama batch --dry-run``: everything is looked at, nothing is done."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from triollama_adapters.batch.figures.prices import FREE, Prices
from triollama_adapters.batch.input.survey import Survey
from triollama_adapters.batch.ledger.state import BatchState
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.cli._batch_check import describe_check, judge

Run = Callable[..., Any]
Write = Callable[..., Path]

DRY = ("batch", "in.jsonl", "-o", "out.jsonl", "--simulate", "1", "--dry-run")

FOUND = Survey(
    rows=100,
    filtered=0,
    bad={},
    bad_places={},
    first_error=None,
    models={"llama3.2": 90, "m": 10},
    ignored={},
    custom_ids=0,
    duplicates=0,
    duplicate_places=(),
    characters=400,
    tokens=100,
)
BEFORE = BatchState(
    done=20,
    failed=5,
    errors={"x": 5},
    input_tokens=100,
    output_tokens=400,
    started_s=1000.0,
    updated_s=1050.0,
    input_rows=None,
    settings={},
    notes={},
)


def check(
    found: Survey = FOUND,
    *,
    models: Sequence[str] | None = ("llama3.2:latest", "M"),
    before: BatchState | None = None,
    prices: Prices = FREE,
    **choices: Any,
) -> Any:
    """What comes of it."""
    recipe = Recipe(input="in.jsonl", **choices)
    return judge(found, (), recipe, models=models, problems=[], before=before, prices=prices)


def openai(custom_id: str, model: str = "llama3.2") -> dict[str, Any]:
    """A line of OpenAI's format."""
    body = {"model": model, "messages": [{"role": "user", "content": "Why?"}], "n": 2}
    return {
        "custom_id": custom_id,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": body,
    }


def files(folder: Path) -> set[str]:
    """What is in a folder."""
    return {path.name for path in folder.iterdir()}


def test_the_rest_takes_as_long_as_what_was_done() -> None:
    """By the earlier run's clock and tokens, and said so; else nothing is known."""
    done = check(before=BEFORE)
    assert (done.left, done.answer_tokens, done.seconds) == (75, 1200, 150.0)
    assert "pauses included" in done.seconds_from
    new = check()
    assert (new.left, new.answer_tokens, new.seconds) == (100, None, None)
    bounded = check(options={"num_predict": 8})
    assert (bounded.answer_tokens, bounded.answer_tokens_from) == (800, "at most, by num_predict")
    assert check(options={"num_predict": -1}).answer_tokens is None
    nothing = attrs.evolve(BEFORE, done=0, failed=0, updated_s=None)
    assert (check(before=nothing).seconds, check(before=nothing).answer_tokens) == (None, None)


def test_prices_tell_what_it_costs() -> None:
    """As far as that is known: of the prompts, of the answers too, of what is left."""
    prices = Prices(input=2.0, output=10.0)
    prompts = check(prices=prices)
    assert (prompts.cost, prompts.cost_from) == (0.0002, "prompts only")
    assert "cost                  about 0.0002  (prompts only)" in list(describe_check(prompts))
    both = check(prices=prices, before=BEFORE)
    assert (both.cost, both.cost_from) == (0.01215, "prompts and answers")
    assert check().cost is None


def test_one_is_not_many() -> None:
    """In each sentence; and that a filter leaves nothing is said."""
    found = attrs.evolve(FOUND, bad={"x": 1}, first_error="line 1 is bad", duplicates=1)
    assert check(found).problems == [
        "1 row cannot be asked; the first: line 1 is bad",
        "1 row has the custom_id of an earlier row",
    ]
    nothing = attrs.evolve(FOUND, rows=0, models={}, filtered=7)
    assert check(nothing).problems == ["there are no rows to ask: all 7 rows are left out"]


def test_a_model_is_missing_if_no_server_has_it() -> None:
    """By the names' meaning; if no server answered that is not said of any."""
    assert check().problems == []
    assert check(models=["m"]).missing == ["llama3.2"]
    assert check(models=["m"]).problems == ["no server has the model 'llama3.2'"]
    assert check(models=None).missing is None


def test_all_that_is_wrong_is_told() -> None:
    """With places and counts."""
    found = attrs.evolve(
        FOUND,
        filtered=7,
        bad={"LineNotJson": 6},
        bad_places={"LineNotJson": ("line 1", "line 2")},
        first_error="line 1 is not JSON",
        duplicates=2,
        duplicate_places=(4, 8),
        ignored={"n": 3},
    )
    told = "\n".join(describe_check(check(found, models=["m"], before=BEFORE)))
    for words in (
        "left out              7",
        "rows to do            75",
        "LineNotJson         6  line 1, line 2, …",
        "same custom_id        2  row 5, row 9\n",
        "n ignored           3",
        "model                 90  llama3.2  MISSING",
        "model                 10  m\n",
        "seconds               about 150  (as fast as the 25 rows so far, pauses included)",
        "problem: 6 rows cannot be asked; the first: line 1 is not JSON",
        "problem: 2 rows have the custom_id of an earlier row",
        "problem: no server has the model 'llama3.2'",
    ):
        assert words in told


@pytest.mark.slow
def test_a_good_input_is_well(run: Run, write_lines: Write, tmp_path: Path) -> None:
    """The exit code says so, and there is not one file more than before."""
    write_lines(*[{"id": number, "question": "Why is that?"} for number in range(30)])
    done = run(*DRY, "--where", "id<20", "--num-predict", "5")
    assert done.returncode == 0, done.stdout
    assert "rows                  20\n" in done.stdout
    assert "left out              10\n" in done.stdout
    assert "answer tokens         about 100  (at most, by num_predict)" in done.stdout
    assert done.stdout.endswith("nothing was asked or written; all is well\n")
    assert files(tmp_path) == {"in.jsonl"}


@pytest.mark.slow
def test_a_bad_input_is_not(run: Run, write_lines: Write, tmp_path: Path) -> None:
    """Each kind of mistake, as JSON."""
    write_lines(openai("a"), openai("b", "gpt-4o"), openai("a"), "{broken", {"prompt": "x"})
    done = run(*DRY, "--json", "--where", "nosuch!=1", "--model", "llama3.2")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["input"]["bad"] == {"LineNotJson": 1, "FormatDiffers": 1}
    assert told["input"]["ignored"] == {"n": 3}
    assert (told["input"]["duplicates"], told["input"]["duplicate_places"]) == (1, [2])
    assert told["missing"] == ["gpt-4o"]
    assert told["unseen"] == ["nosuch"]
    assert len(told["problems"]) == 4
    assert files(tmp_path) == {"in.jsonl"}


@pytest.mark.slow
def test_without_a_server_the_input_is_told_all_the_same(
    run: Run, write_lines: Write, tmp_path: Path
) -> None:
    """And the exit code is that of no server."""
    write_lines({"prompt": "x"})
    done = run(*DRY[:4], "--dry-run", "--endpoint", "http://127.0.0.1:1")
    assert done.returncode == 3
    assert "rows                  1\n" in done.stdout
    assert "problem: no endpoint could be reached" in done.stdout
    assert files(tmp_path) == {"in.jsonl"}


@pytest.mark.slow
def test_an_output_that_exists_is_looked_at(run: Run, write_lines: Write, tmp_path: Path) -> None:
    """What it has need not be done; whoever does not say so is told what to do."""
    write_lines(*[{"question": "Why?"} for _ in range(9)])
    assert run(*DRY[:-1], "--limit", "6").returncode == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    done = run(*DRY)
    assert done.returncode == 1
    assert "problem: out.jsonl exists; go on with: triollama batch resume out.jsonl" in done.stdout
    done = run(*DRY, "--go-on")
    assert done.returncode == 0, done.stdout
    assert "rows to do            3\n" in done.stdout
    assert "(as many as for the 6 rows so far)" in done.stdout
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    done = run("batch", "in.jsonl", "-o", "in.jsonl", "--simulate", "1", "--dry-run")
    assert done.returncode in {1, 2}
    assert "in.jsonl" in done.stdout + done.stderr


@pytest.mark.slow
def test_what_cannot_be_read_is_one_line(run: Run, tmp_path: Path) -> None:
    """As of any job."""
    (tmp_path / "in.jsonl").touch()
    done = run(*DRY)
    assert done.returncode == 2
    assert done.stderr == f"error: the input {tmp_path}/in.jsonl is empty: nothing to do\n"
    assert done.stdout == ""
