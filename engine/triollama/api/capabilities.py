"""What models can do, and whether a request asks for more. Pure."""

from __future__ import annotations

import base64
import enum
from collections.abc import Collection, Iterator

from triollama._errors import Problem

from ._sniff import is_audio, sniff
from .chat import ChatRequest
from .embed import EmbedRequest
from .generate import GenerateRequest

__all__ = ["Capability", "capability_problems"]


class Capability(enum.StrEnum):
    """What a model can do, as ``show`` tells it; a newer server may tell more.

    Each is equal to its text, so that ``Capability.VISION in shown.capabilities`` works.
    """

    COMPLETION = "completion"
    TOOLS = "tools"
    INSERT = "insert"
    VISION = "vision"
    EMBEDDING = "embedding"
    THINKING = "thinking"
    IMAGE = "image"
    AUDIO = "audio"


_SNIFFED_CHARS = 64  # of base64: enough to tell sound from picture


def capability_problems(
    request: ChatRequest | GenerateRequest | EmbedRequest, capabilities: Collection[str]
) -> tuple[Problem, ...]:
    """What a request asks for that its model cannot do.

    Args:
        request: the request.
        capabilities: of the model, as `ShowResponse.capabilities` has them; without any nothing is
            known (servers before 0.6.4 tell none), and nothing is refused.
    """
    if not capabilities:
        return ()
    told = ", ".join(sorted(capabilities))
    return tuple(
        Problem(path, found, f"what a model with {told} can do", _text(request, path, needed, told))
        for path, found, needed in _needed(request)
        if needed not in capabilities
    )


def _text(request: object, path: str, needed: Capability, told: str) -> str:
    model = getattr(request, "model", "")
    return f"{path} needs the capability {needed.value!r}, and {model!r} has {told}"


_Needs = Iterator[tuple[str, str, Capability]]


def _needed(request: ChatRequest | GenerateRequest | EmbedRequest) -> _Needs:
    """Each part that needs something: its path, what is there, and what it needs."""
    if isinstance(request, EmbedRequest):
        yield "model", "a request for vectors", Capability.EMBEDDING
        return
    yield "model", "a request for text", Capability.COMPLETION
    if request.think:
        yield "think", str(request.think), Capability.THINKING
    if isinstance(request, GenerateRequest):
        if request.suffix:
            yield "suffix", "a text", Capability.INSERT
        yield from _media(request.images or (), "images")
        return
    if request.tools:
        yield "tools", f"{len(request.tools)} tools", Capability.TOOLS
    for at, message in enumerate(request.messages):
        yield from _media(message.images, f"messages[{at}].images")


def _media(images: Collection[str], where: str) -> _Needs:
    for at, image in enumerate(images):
        kind = sniff(base64.b64decode(image[:_SNIFFED_CHARS]))
        needed = Capability.AUDIO if is_audio(kind) else Capability.VISION
        yield f"{where}[{at}]", kind.value if kind else "something", needed
