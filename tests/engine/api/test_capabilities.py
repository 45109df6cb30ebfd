"""What a request needs of its model."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from triollama.api import (
    Capability,
    ChatRequest,
    EmbedRequest,
    GenerateRequest,
    ShowResponse,
    capability_problems,
)

PNG = b"\x89PNG\r\n\x1a\n" + bytes(60)
WAV = b"RIFF\0\0\0\0WAVEfmt " + bytes(60)
TOOL = {"type": "function", "function": {"name": "f"}}
PLAIN = {"completion"}


def chat(**fields: Any) -> ChatRequest:
    """A chat about a picture and a sound, with all that can be asked for."""
    message = {"role": "user", "content": "s3cret", "images": [PNG, WAV]}
    messages = [{"role": "user", "content": "hi"}, message]
    return ChatRequest.make("m", messages, tools=[TOOL], think="high", **fields)


def test_each_part_that_a_model_cannot_do_is_named() -> None:
    """All at once, each by its path, with what the model can do, and no content."""
    problems = capability_problems(chat(), PLAIN)
    assert [each.path for each in problems] == [
        "think",
        "tools",
        "messages[1].images[0]",
        "messages[1].images[1]",
    ]
    assert [each.found for each in problems] == ["high", "1 tools", "PNG", "WAV"]
    assert "'m' has completion" in str(problems[0])
    assert "needs the capability 'audio'" in str(problems[3])
    assert "s3cret" not in "".join(map(str, problems))


def test_what_a_model_can_do_is_no_problem() -> None:
    """With all capabilities, or where a server tells none."""
    assert capability_problems(chat(), set(Capability)) == ()
    assert capability_problems(chat(), ()) == ()
    assert capability_problems(ChatRequest.make("m", "hi", think=False), PLAIN) == ()
    assert capability_problems(ChatRequest.make("m", "hi"), ["completion", "new one"]) == ()


@pytest.mark.parametrize(
    ("request_", "capabilities", "path"),
    [
        (GenerateRequest.make("m", "x", suffix="y"), PLAIN, "suffix"),
        (GenerateRequest.make("m", "x", images=[PNG]), PLAIN, "images[0]"),
        (GenerateRequest.make("m", "x", images=[b"?"]), PLAIN, "images[0]"),
        (GenerateRequest.make("m", "x"), {"embedding"}, "model"),
        (ChatRequest.make("m", "x"), {"embedding"}, "model"),
        (EmbedRequest.make(model="m", input="x"), PLAIN, "model"),
    ],
)
def test_other_requests(request_: Any, capabilities: set[str], path: str) -> None:
    """Completions, their suffix and images; vectors of a model that gives none, and the reverse."""
    (problem,) = capability_problems(request_, capabilities)
    assert problem.path == path


def test_capabilities_are_texts() -> None:
    """What a server tells can be compared with the names here; a newer one is kept."""
    shown = ShowResponse(capabilities=("vision", "completion", "telepathy"))
    assert Capability.VISION in shown.capabilities
    assert Capability.AUDIO not in shown.capabilities
    assert {each.value for each in Capability} == {
        *("completion", "tools", "insert", "vision"),
        *("embedding", "thinking", "image", "audio"),
    }


def test_short_base64_is_read() -> None:
    """A picture of a few bytes is looked at as it is."""
    request = ChatRequest.make(
        "m", [{"role": "user", "images": [base64.b64encode(PNG[:9]).decode()]}]
    )
    (problem,) = capability_problems(request, PLAIN)
    assert problem.found == "PNG"
