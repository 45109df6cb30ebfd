"""Which context window a request gets, and what is left of it."""

from __future__ import annotations

from triollama import ContextCheck, PsResponse, RunningModel, ShowResponse, TokenCount
from triollama.tokens.context import Window, find_window

SHOWN = ShowResponse(
    model_info={"general.architecture": "llama", "llama.context_length": 8_192},
    parameters='stop                           "<|end|>"\nnum_ctx                        2048',
)
BARE = ShowResponse(model_info=SHOWN.model_info)


def loaded(name: str, length: int) -> PsResponse:
    """What a server has loaded."""
    return PsResponse(models=(RunningModel(name=name, model=name, context_length=length),))


def test_the_nearest_source_counts() -> None:
    """The request's own, then what is loaded, the model's, what it was trained for."""
    running = loaded("m:latest", 4_096)
    assert find_window("m", {"num_ctx": 512}, running, SHOWN) == Window(512, "options")
    assert find_window("m", {"num_ctx": 99_999}, running, SHOWN) == Window(8_192, "options")
    assert find_window("m", {}, running, SHOWN) == Window(4_096, "loaded")
    assert find_window("other", {}, running, SHOWN) == Window(2_048, "parameters")
    assert find_window("m", {}, loaded("m:latest", 0), BARE) == Window(8_192, "trained")
    assert find_window("m", {}, None, ShowResponse()) == Window(None, "trained")


def test_what_is_left() -> None:
    """Prompt and answer together; nothing is known without a length."""
    tokens = TokenCount(60, is_exact=True, method="tokenizer")
    assert ContextCheck(tokens, 30, 100, "loaded").left == 10
    assert not ContextCheck(tokens, 41, 100, "loaded").fits
    unknown = ContextCheck(tokens, 30, None, "trained")
    assert (unknown.left, unknown.fits) == (None, True)
    unknown.raise_if_over("m")
