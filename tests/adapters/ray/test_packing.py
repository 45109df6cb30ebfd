"""What goes to a worker and comes back is as it was."""

from __future__ import annotations

from typing import cast

import attrs
import pytest

from triollama import (
    Attempt,
    FleetUnavailableError,
    GenerateResponse,
    StallError,
    Timing,
)
from triollama.actors.streams.messages import Outcome
from triollama.api import ChatFold, EmbedResponse, decode_chat_chunk
from triollama_adapters.batch.rows import Ask
from triollama_adapters.batch.work.course import AnyStream, Asked
from triollama_adapters.ray.packing import (
    Way,
    pack,
    pack_ask,
    packable,
    size_of,
    unpack,
    unpack_ask,
)

LINE = (
    b'{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"content":"h\xc3\xa9","thinking":'
    b'"so","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},"done":true,'
    b'"done_reason":"stop","eval_count":3,"prompt_eval_count":4,'
    b'"logprobs":[{"token":"h","logprob":-0.5,"bytes":[104]}]}'
)


@attrs.define
class Ended:
    """What a stream tells at its end."""

    endpoint: str = "gpu-1:11434"
    attempts: tuple[Attempt, ...] = (
        Attempt("gpu-0:11434", 1, 2, Outcome.FAILED, "gone", "resend", 3),
        Attempt("gpu-1:11434", 3, 9, Outcome.DONE),
    )
    timing: Timing = attrs.field(factory=lambda: Timing(1, 2, 3, 4, 5))


def chat() -> object:
    """An answer with all that one may have."""
    fold = ChatFold()
    fold.add(decode_chat_chunk(LINE, 1))
    return fold.result()


@pytest.mark.parametrize(
    "answer",
    [
        chat(),
        GenerateResponse(content="yes", done=True),
        EmbedResponse(model="m", embeddings=((0.5, 1.0), (2.0,))),
    ],
)
def test_an_answer(answer: object) -> None:
    """Every kind, and how it came about."""
    asked = Asked(cast("GenerateResponse", answer), None, cast("AnyStream", Ended()), 2)
    [(ticket, found)] = unpack(pack([(7, packable(asked))]))
    assert ticket == 7
    assert found.answer == answer
    assert type(found.answer) is type(answer)
    assert found.stream == Way(Ended().endpoint, Ended().attempts, Timing(1, 2, 3, 4, 5))
    assert (found.tries, found.error, found.refused, found.more) == (2, None, None, {})


def test_an_error() -> None:
    """With what it holds, and what that holds."""
    stall = StallError("stall_s", 3.0, endpoint="gpu-1")
    for error in (stall, FleetUnavailableError([stall])):
        [(_, found)] = unpack(pack([(7, packable(Asked(None, error, None, 5)))]))
        assert type(found.error) is type(error)
        assert str(found.error) == str(error)
        assert vars(found.error).keys() == vars(error).keys()


def test_an_ask() -> None:
    """The row's arguments, images as bytes included."""
    ask = Ask("generate", {"model": "m", "prompt": "hé", "images": [b"\x00\xff"]}, "mine")
    assert unpack_ask(pack_ask(ask)) == Ask(ask.kind, ask.arguments)


def test_sizes() -> None:
    """About what they take; never nothing where there is much."""
    vectors = EmbedResponse(model="m", embeddings=((0.5,) * 1_000,) * 3)
    assert size_of(Asked(vectors, None, None, 1)) == 27_000
    assert size_of(Asked(GenerateResponse(content="x" * 500), None, None, 1)) == 500
    assert size_of(None) == 0
    assert size_of(Asked(None, StallError("stall_s", 3.0), None, 1)) == 0
