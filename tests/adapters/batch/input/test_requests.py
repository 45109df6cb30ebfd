"""Plain records and Ollama's bodies into requests."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from triollama.api import ChatRequest, images_need_files, needs_files
from triollama_adapters.batch.fields import UnusableError, fields_of
from triollama_adapters.batch.input.plan import Format, Plan
from triollama_adapters.batch.input.requests import asked, choose_requests
from triollama_adapters.batch.input.template import parse_template
from triollama_adapters.batch.rows import Ask


def ask(row: Any, plan: Plan | None = None, wanted: Format | None = None) -> Ask:
    """What a single row asks."""
    fields = fields_of(json.dumps(row).encode(), 1)
    return asked(choose_requests(wanted, plan or Plan(model="m"), fields), fields)


def refused(row: Any, plan: Plan | None = None, wanted: Format | None = None) -> UnusableError:
    """Why a row asks nothing; its text is never told."""
    with pytest.raises(UnusableError) as caught:
        ask(row, plan, wanted)
    assert "sesame" not in caught.value.what
    return caught.value


@pytest.mark.parametrize("name", ["prompt", "question", "text"])
def test_a_plain_record_is_a_chat(name: str) -> None:
    """Without a template, the usual names are looked for."""
    made = ask({"id": 1, name: "Why?"})
    assert made == Ask("chat", {"model": "m", "messages": [{"role": "user", "content": "Why?"}]})


@pytest.mark.parametrize(
    ("named", "asked_of"),
    [("b", "b"), (" b ", "b"), ("gpt", "c"), ("", "m"), (" ", "m"), (None, "m"), (7, "m")],
)
def test_a_plain_record_may_name_its_model(named: Any, asked_of: str) -> None:
    """In a text; an empty cell, as CSV has it, names none."""
    plan = Plan(model="m", models={"gpt": "c"})
    for wanted in (None, Format.CSV):
        assert ask({"text": "Why?", "model": named}, plan, wanted).model == asked_of


def test_one_model_may_stand_for_all_that_are_named() -> None:
    """As of a table whose column of that name means something else."""
    plan = Plan(models={"*": "m", "gpt": "c"})
    for row, asked_of in (({"model": "Golf"}, "m"), ({"model": "gpt"}, "c"), ({}, "m")):
        assert ask({"text": "Why?", **row}, plan).model == asked_of


def test_a_plan_is_in_every_plain_request() -> None:
    """System message, options and the other fields stand beside the prompt."""
    plan = Plan(
        model="m",
        template=parse_template("Say {a}"),
        system="Be {brief}.",
        options={"seed": 1},
        think=False,
        answer_format="json",
        keep_alive="5m",
    )
    assert ask({"a": "x"}, plan).arguments == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be {brief}."},
            {"role": "user", "content": "Say x"},
        ],
        "options": {"seed": 1},
        "think": False,
        "format": "json",
        "keep_alive": "5m",
    }


def test_plain_records_can_be_completed_and_embedded() -> None:
    """The same records for the other two methods; an embedding takes no system message."""
    plan = {"model": "m", "system": "S", "think": True, "options": {"seed": 1}}
    options = {"seed": 1}
    assert ask({"prompt": "x"}, Plan(kind="generate", **plan)) == Ask(
        "generate",
        {"model": "m", "prompt": "x", "system": "S", "think": True, "options": options},
    )
    assert ask({"prompt": "x"}, Plan(kind="embed", **plan)) == Ask(
        "embed", {"model": "m", "input": "x", "options": options}
    )


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ({"model": "m", "messages": [{"role": "user", "content": "x"}]}, "chat"),
        ({"messages": [{"role": "user", "content": "x"}]}, "chat"),
        ({"model": "m", "prompt": "x", "raw": True, "context": [1]}, "generate"),
        ({"model": "m", "input": ["x", "y"], "dimensions": 3, "truncate": False}, "embed"),
    ],
)
def test_a_body_of_ollama_is_taken_as_it_is(row: dict[str, Any], kind: str) -> None:
    """Its fields become arguments, whatever it asks; unknown ones and nulls are left out."""
    more = {"stream": True, "note": "mine", "keep_alive": None}
    assert ask({**row, **more}) == Ask(kind, {"model": "m", **row})  # type: ignore[arg-type]


def test_a_body_goes_before_the_plan() -> None:
    """Options are merged one by one, and names of models translated."""
    plan = Plan(model="m", models={"gpt": "g"}, options={"seed": 1, "top_k": 2}, think=True)
    made = ask({"model": "gpt", "prompt": "x", "options": {"seed": 9}, "think": False}, plan)
    assert made.arguments == {
        "model": "g",
        "prompt": "x",
        "options": {"seed": 9, "top_k": 2},
        "think": False,
    }


def test_a_path_in_a_row_is_not_read(tmp_path: Path) -> None:
    """An image is base64 and nothing else: a line of data must not send this machine's files."""
    path = tmp_path / "sesame"
    path.write_bytes(b"secret")
    for row in (
        {"messages": [{"role": "user", "content": "x", "images": [str(path)]}]},
        {"model": "m", "prompt": "x", "images": [str(path)]},
    ):
        assert "not base64" in refused(row).what
    image = base64.b64encode(b"picture").decode()
    made = ask({"messages": [{"role": "user", "content": "x", "images": [image]}]})
    assert not needs_files(made.arguments["messages"])
    assert ChatRequest(**made.arguments).messages[0].images == (image,)
    assert not images_need_files(
        ask({"model": "m", "prompt": "", "images": [image]}).arguments["images"]
    )


@pytest.mark.parametrize(
    ("row", "wanted", "kind"),
    [
        ({"a": "sesame"}, None, "PromptMissing"),
        ({"prompt": ["sesame"]}, Format.OLLAMA, "ModelMissing"),
        ({"model": 7, "prompt": "sesame"}, None, "ModelMissing"),
        ({"model": " ", "prompt": "sesame"}, None, "ModelMissing"),
        ({"model": "m", "sesam": "sesame"}, Format.OLLAMA, "FormatDiffers"),
        ({"custom_id": "sesame", "body": {}}, Format.OLLAMA, "FormatDiffers"),
        ({"messages": ["sesame"]}, Format.PLAIN, "FormatDiffers"),
        ({"question": "sesame"}, Format.OPENAI, "FormatDiffers"),
        ({"model": "m", "prompt": "x", "images": ["sesame!"]}, Format.OLLAMA, "RequestNotUsable"),
        ({"model": " ", "prompt": 1, "a": "sesame"}, Format.CSV, "ModelMissing"),
        ({"custom_id": "sesame"}, Format.OPENAI, "RequestNotUsable"),
        ({"messages": ["sesame"]}, Format.OPENAI, "FormatDiffers"),
    ],
)
def test_a_row_that_cannot_be_asked_is_told(
    row: dict[str, Any], wanted: Format | None, kind: str
) -> None:
    """A missing field, no model, or a row of another format."""
    assert refused(row, Plan(), wanted).kind == kind


def test_a_plain_record_with_a_list_is_asked_as_json() -> None:
    """What is no text is asked as the JSON that it is."""
    content = ask({"prompt": ["a", 1]}).arguments["messages"][0]["content"]
    assert content == '["a",1]'.replace(",", ", ")
