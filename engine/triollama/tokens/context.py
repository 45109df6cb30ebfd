"""Whether a request fits the model's context window, and which window that is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import attrs

from triollama.api import PsResponse, ShowResponse, name_key

from .counts import TokenCount
from .errors import ContextExceededError

__all__ = ["ContextCheck", "Window", "WindowSource", "find_window"]

WindowSource = Literal["options", "loaded", "parameters", "trained"]
"""Where the length of a window was found; see `ContextCheck.source`."""

_NUM_CTX: Final = re.compile(r"^num_ctx\s+(\d+)\s*$", re.MULTILINE)


@attrs.frozen
class Window:
    """A context window.

    Attributes:
        length: tokens; None if nobody tells.
        source: where that was found.
    """

    length: int | None
    source: WindowSource


@attrs.frozen
class ContextCheck:
    """How a request fits the context window.

    Attributes:
        tokens: of the prompt.
        output_tokens: room that is asked for the answer.
        context_length: tokens that the window holds; None if nobody tells.
        source: ``options``: the request's own ``num_ctx``. ``loaded``: the server has the model
            loaded so. ``parameters``: the model's own ``num_ctx``. ``trained``: the model was
            trained for it, and the server may well give less.
    """

    tokens: TokenCount
    output_tokens: int
    context_length: int | None
    source: WindowSource

    @property
    def left(self) -> int | None:
        """Tokens that are free behind prompt and answer; negative if it does not fit."""
        if self.context_length is None:
            return None
        return self.context_length - self.tokens.count - self.output_tokens

    @property
    def fits(self) -> bool:
        """Whether it fits, as far as is known."""
        return self.left is None or self.left >= 0

    def raise_if_over(self, model: str) -> None:
        """Refuse what does not fit.

        Raises:
            ContextExceededError: it does not.
        """
        if not self.fits:
            raise ContextExceededError(
                model,
                tokens=self.tokens.count + self.output_tokens,
                context_length=self.context_length or 0,
                is_exact=self.tokens.is_exact,
            )


def find_window(
    model: str, options: Mapping[str, Any], loaded: PsResponse | None, shown: ShowResponse
) -> Window:
    """The window that a request would get (``ollama-api.md`` §4.7).

    Args:
        model: the model's name.
        options: the request's.
        loaded: what the server has loaded; None if it could not be asked.
        shown: what it tells of the model.
    """
    trained = shown.context_length
    asked = options.get("num_ctx")
    if isinstance(asked, int) and asked > 0:
        return Window(_least(asked, trained), "options")
    running = loaded.models if loaded else ()
    key = name_key(model)
    for each in running:
        if each.key == key and each.context_length > 0:
            return Window(each.context_length, "loaded")
    found = _NUM_CTX.search(shown.parameters or "")
    if found:
        return Window(_least(int(found[1]), trained), "parameters")
    return Window(trained, "trained")


def _least(asked: int, trained: int | None) -> int:
    """More than a model was trained for is cut to that."""
    return min(asked, trained or asked)
