"""`TokenCounter`: counts the tokens of texts and chats for an engine, whose servers it asks.

Owns the tokenizers that were built, and for a while which model stands behind which name. Building
and long counts run in threads; what is asked of servers is told by `Servers`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, Protocol, TypeGuard, TypeVar

import attrs
import trio

from triollama._errors import (
    ConfigError,
    EndpointError,
    FleetUnavailableError,
    InvalidRequestError,
    MissingExtraError,
    ModelNotFoundError,
    RequestRejectedError,
)
from triollama.api import (
    ChatRequest,
    MessagesInput,
    OptionsInput,
    ToolsInput,
    name_key,
    needs_files,
)

from .counts import IMAGE_TOKENS, Method, TokenCount, contents, estimate_messages, estimate_text
from .errors import TokenizerError
from .shelf import Shelf
from .tokenizer import Tokenizer, check_text
from .told import Source, read_vocabulary

__all__ = ["Servers", "TokenCounter"]

NAMES_MAX: Final = 1_000
"""Names whose models are remembered; then they are asked for anew."""

FRESH_S: Final = 60.0
"""How long a name is taken to mean the same model; the engine lists models as seldom."""

INLINE_CHARACTERS_MAX: Final = 4_096
"""Counted at once, in about 5 ms, 10 of an odd text; what is longer goes to a thread."""

_IMAGE_MARK: Final = re.compile(r"\[img-\d+\]")
"""What stands for an image in a rendered prompt, and is no text there."""

T = TypeVar("T")


class Servers(Protocol):
    """What is asked of the servers."""

    async def find(self, model: str, endpoint: str | None) -> Source:
        """A server that has the model.

        Raises:
            TriollamaError: none has it, or none could be asked.
        """

    async def show_verbose(self, model: str, endpoint: str) -> bytes:
        """The whole answer of ``/api/show``."""

    async def render(self, request: ChatRequest, endpoint: str) -> str | None:
        """The prompt that the server makes of a chat; None if it did not tell."""


@attrs.frozen
class _Known:
    source: Source
    until_s: float


class TokenCounter:
    """Counts tokens.

    Args:
        servers: who is asked.
    """

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._shelf = Shelf()
        self._building = trio.Lock()  # each takes a core, and much memory
        self._known: dict[tuple[str, str | None], _Known] = {}

    async def count(
        self,
        model: str,
        text: str | Sequence[str] | MessagesInput,
        *,
        tools: ToolsInput = None,
        options: OptionsInput = None,
        estimate: bool = False,
        endpoint: str | None = None,
    ) -> TokenCount:
        """Count; see `Engine.count_tokens`."""
        if _is_text(text) or _is_texts(text):
            if tools:
                raise InvalidRequestError("tools belong to a chat: give messages, not a text")
            return await self._count_texts(model, text, endpoint, estimate=estimate)
        if not text:
            raise InvalidRequestError("there is nothing to count: give a text, texts or messages")
        # A server that may cut renders what is left of a chat that is too long for its context.
        asked = partial(ChatRequest.make, debug_render_only=True, truncate=False)
        make = partial(asked, model, text, tools=tools, options=options)
        request = await trio.to_thread.run_sync(make) if needs_files(text) else make()
        count = partial(self._count_chat, request, estimate=estimate)
        return await self.asking(model, endpoint, count)

    async def tokenizer(self, model: str, endpoint: str | None) -> Tokenizer:
        """The tokenizer of a model; see `Engine.tokenizer`."""
        return await self.asking(model, endpoint, partial(self._tokenizer, model))

    async def asking(
        self, model: str, endpoint: str | None, work: Callable[[Source], Awaitable[T]]
    ) -> T:
        """Ask a server that has the model; another one, if it is not there any more.

        Args:
            model: the model's name.
            endpoint: the one to ask, or None for any.
            work: asks the server that it is given.
        """
        key = (name_key(model), endpoint)
        known = self._known.get(key)
        source = await self._find(model, endpoint)
        try:
            return await work(source)
        except (EndpointError, FleetUnavailableError, ModelNotFoundError, ConfigError):
            if known is None or known.source is not source:  # it has only just been looked for
                raise
        self._known.pop(key, None)
        return await work(await self._find(model, endpoint))

    # ---- texts and chats

    async def _count_texts(
        self, model: str, text: str | Sequence[str], endpoint: str | None, *, estimate: bool
    ) -> TokenCount:
        texts = [text] if isinstance(text, str) else list(text)
        for each in texts:
            check_text(each)
        try:
            tokenizer = await self.tokenizer(model, endpoint)
        except (TokenizerError, MissingExtraError):
            if not estimate:
                raise
            counts, is_exact = tuple(map(estimate_text, texts)), False
            method: Method = "characters"
        else:
            counts = await _worked_out(texts, partial(_count_each, tokenizer, texts))
            is_exact, method = not any(map(tokenizer.is_doubtful, texts)), "tokenizer"
        apart = () if isinstance(text, str) else counts
        return TokenCount(sum(counts), is_exact, method, apart)

    async def _count_chat(
        self, request: ChatRequest, source: Source, *, estimate: bool
    ) -> TokenCount:
        around = estimate_messages(request)
        texts = contents(request)
        try:
            tokenizer = await self._tokenizer(request.model, source)
        except (TokenizerError, MissingExtraError):
            if not estimate:
                raise
            return TokenCount(
                sum(map(estimate_text, texts)) + around, is_exact=False, method="characters"
            )
        prompt: str | None = None
        try:
            if source.can_render:
                prompt = await self._servers.render(request, source.endpoint)
        except RequestRejectedError as error:
            if "context" not in error.message:  # it is longer than the context, whatever its count
                raise
        if prompt is None:
            counts = await _worked_out(texts, partial(_count_each, tokenizer, texts))
            return TokenCount(sum(counts) + around, is_exact=False, method="contents")
        images = sum(len(message.images) for message in request.messages)
        return await _count_prompt(tokenizer, prompt, images)

    # ---- models

    async def _find(self, model: str, endpoint: str | None) -> Source:
        """Who has the model; asked again when it was long ago."""
        key = (name_key(model), endpoint)
        known = self._known.get(key)
        if known is None or known.until_s < trio.current_time():
            source = await self._servers.find(model, endpoint)
            known = _Known(source, trio.current_time() + FRESH_S)
            if len(self._known) >= NAMES_MAX:
                self._known.clear()
            self._known[key] = known
        return known.source

    async def _tokenizer(self, model: str, source: Source) -> Tokenizer:
        key = source.digest or f"{source.endpoint} {model}"
        return await self._shelf.take(key, partial(self._build, model, source.endpoint))

    async def _build(self, model: str, endpoint: str) -> Tokenizer:
        body = await self._servers.show_verbose(model, endpoint)
        build = partial(_build, model, body)
        async with self._building:
            return await trio.to_thread.run_sync(build, abandon_on_cancel=True)


async def _count_prompt(tokenizer: Tokenizer, prompt: str, images: int) -> TokenCount:
    text = _IMAGE_MARK.sub("", prompt) if images else prompt
    tokens = await _worked_out([text], partial(tokenizer.count, text, add_special=True))
    is_exact = not images and not tokenizer.is_doubtful(text)
    return TokenCount(tokens + IMAGE_TOKENS * images, is_exact, "rendered")


def _build(model: str, body: bytes) -> Tokenizer:
    try:
        return Tokenizer(read_vocabulary(body))
    except TokenizerError as error:
        raise TokenizerError(error.reason, model=model) from error.__cause__


async def _worked_out(texts: Sequence[str], work: Callable[[], T]) -> T:
    """Do it here if it is short, else in a thread."""
    if sum(map(len, texts)) <= INLINE_CHARACTERS_MAX:
        return work()
    return await trio.to_thread.run_sync(work, abandon_on_cancel=True)


def _count_each(tokenizer: Tokenizer, texts: Sequence[str]) -> tuple[int, ...]:
    return tuple(map(tokenizer.count, texts))


def _is_text(value: object) -> TypeGuard[str]:
    return isinstance(value, str)


def _is_texts(value: object) -> TypeGuard[Sequence[str]]:
    return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
