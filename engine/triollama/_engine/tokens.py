"""How many tokens texts and chats have, and whether they fit."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from triollama._engine.base import Base
from triollama._errors import (
    ConfigError,
    InvalidRequestError,
    ModelNotFoundError,
    TriollamaError,
)
from triollama._requests import document_call, query_call
from triollama.actors.streams import Terms
from triollama.api import (
    ChatChunk,
    ChatRequest,
    MessagesInput,
    OptionsInput,
    PsResponse,
    ShowRequest,
    ShowResponse,
    ToolsInput,
    decode_chat_chunk,
    decode_ps,
    decode_show,
    decode_tags,
    decode_version,
)
from triollama.api.options import options_to_json

if TYPE_CHECKING:
    from triollama._runtime import Runtime
    from triollama.tokens import ContextCheck, TokenCount, Tokenizer
    from triollama.tokens.counting import TokenCounter
    from triollama.tokens.told import Source


class Tokens(Base):
    """The part of `Engine` that counts tokens without running a model."""

    _counter: TokenCounter | None = None

    async def count_tokens(
        self,
        model: str,
        text: str | Sequence[str] | MessagesInput,
        *,
        tools: ToolsInput = None,
        options: OptionsInput = None,
        estimate: bool = False,
        endpoint: str | None = None,
    ) -> TokenCount:
        """Count the tokens of a text, of several, or of a chat.

        The tokenizer is built once from the vocabulary that a server tells (0.2 to 0.5 s in a
        thread), and kept. A text is counted as it stands; special tokens that it names are those
        tokens, as in a prompt. A chat is rendered by the server, which may load the model for that,
        and counted with the tokens that open and end a prompt. Where the server does not render
        (before 0.11.5), or there are images, the count is an estimate, and says so.

        Args:
            model: the model's name.
            text: a text; several, counted apart in `TokenCount.counts`; or messages.
            tools: as in `chat`; only with messages.
            options: as in `chat`, for messages: the server that renders them has, or loads, the
                model with these.
            estimate: where there is no tokenizer, estimate from the number of characters.
            endpoint: the one to ask; by default the first that has the model.

        Raises:
            TokenizerError: the model's tokenizer is not known here.
            MissingExtraError: it needs the extra ``tokenize``, which is not installed.
            ModelNotFoundError: no endpoint that was asked has the model.
            InvalidRequestError: what is given is neither text nor messages.
        """
        told = _definitions(tools)
        return await self._count.count(
            model, text, tools=told, options=options, estimate=estimate, endpoint=endpoint
        )

    async def tokenizer(self, model: str, *, endpoint: str | None = None) -> Tokenizer:
        """The model's tokenizer, for the ids themselves; see `count_tokens`.

        Raises: as `count_tokens`.
        """
        return await self._count.tokenizer(model, endpoint)

    async def check_context(
        self,
        model: str,
        text: str | MessagesInput,
        *,
        tools: ToolsInput = None,
        options: OptionsInput = None,
        output_tokens: int | None = None,
        endpoint: str | None = None,
    ) -> ContextCheck:
        """Whether a request fits the context window, before it is sent.

        Ollama silently drops old messages, or the middle of a prompt, that do not fit.

        Args:
            model: the model's name.
            text: as in `chat` or `generate`.
            tools: as in `chat`.
            options: as in `chat`; ``num_ctx`` is the window, ``num_predict`` the answer's room.
            output_tokens: the answer's room, if ``num_predict`` does not say it.
            endpoint: the one to ask; by default the first that has the model.

        Returns:
            How it fits. Where tokens cannot be counted, they are estimated, rather too high.

        Raises:
            ContextExceededError: it does not fit.
            ModelNotFoundError: no endpoint that was asked has the model.
            InvalidRequestError: the request is wrong.
        """
        messages = [{"role": "user", "content": text}] if isinstance(text, str) else text
        given = options_to_json(options) or {}
        told = _definitions(tools)
        _check_room(output_tokens)
        count = await self._count.count(
            model, messages, tools=told, options=options, estimate=True, endpoint=endpoint
        )

        async def look(source: Source) -> tuple[ShowResponse, PsResponse]:
            name = source.endpoint
            return await self._asked.show(model, name), await self._asked.ps(name)

        # The server that was counted for: another one may have the model loaded otherwise.
        shown, loaded = await self._count.asking(model, endpoint, look)
        context = import_module("triollama.tokens.context")
        window = context.find_window(model, given, loaded, shown)
        room = output_tokens if output_tokens is not None else given.get("num_predict") or 0
        # Negative values of num_predict are Ollama's own, for answers without a limit.
        check: ContextCheck = context.ContextCheck(
            count, max(0, room), window.length, window.source
        )
        check.raise_if_over(model)
        return check

    @property
    def _count(self) -> TokenCounter:
        if self._counter is None:
            counting = import_module("triollama.tokens.counting")
            self._counter = counting.TokenCounter(self._asked)
        assert self._counter is not None
        return self._counter

    @property
    def _asked(self) -> _Servers:
        return _Servers(self._runtime)


class _Servers:
    """Asks the servers of an engine; see `triollama.tokens.counting.Servers`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def find(self, model: str, endpoint: str | None) -> Source:
        told = import_module("triollama.tokens.told")
        names = self._runtime.endpoints if endpoint is None else (endpoint,)
        errors: list[TriollamaError] = []
        for name in names:
            try:
                tags = await self._runtime.questions.query(
                    query_call("/api/tags"), decode_tags, name
                )
                digest = told.find_digest(tags, model)
                if digest is not None:
                    call = query_call("/api/version")
                    version = (
                        await self._runtime.questions.query(call, decode_version, name)
                    ).version
                    source: Source = told.Source(name, digest, told.can_render(version))
                    return source
            except ConfigError:
                raise
            except TriollamaError as error:
                errors.append(error)
        if len(errors) == len(names):
            raise errors[0]
        raise ModelNotFoundError(model, available=await self._runtime.questions.list_models())

    async def show_verbose(self, model: str, endpoint: str) -> bytes:
        request = ShowRequest(model=model, verbose=True)
        call = document_call(request.path, model, request.body())
        return await self._runtime.questions.query(call, bytes, endpoint)

    async def render(self, request: ChatRequest, endpoint: str) -> str | None:
        call = document_call(request.path, request.model, request.body(stream=False))
        answer = await self._runtime.fetch(call, Terms(endpoint=endpoint), _decode_whole)
        return answer.debug_info.rendered_template if answer.debug_info else None

    async def show(self, model: str, endpoint: str) -> ShowResponse:
        request = ShowRequest(model=model)
        call = document_call(request.path, model, request.body())
        return await self._runtime.questions.query(call, decode_show, endpoint)

    async def ps(self, endpoint: str) -> PsResponse:
        return await self._runtime.questions.query(query_call("/api/ps"), decode_ps, endpoint)


def _check_room(output_tokens: object) -> None:
    """Refuse a room for the answer that is no number of tokens."""
    if output_tokens is None:
        return
    is_whole = isinstance(output_tokens, int) and not isinstance(output_tokens, bool)
    if not is_whole or output_tokens < 0:  # type: ignore[operator]  # it is a number
        raise InvalidRequestError("output_tokens must be a whole number, 0 or more")


def _definitions(tools: ToolsInput) -> ToolsInput:
    """What is told of tools; of functions, what is made of them."""
    if not tools:
        return tools
    told: ToolsInput = import_module("triollama.tools").definitions(tools)
    return told


def _decode_whole(body: bytes) -> ChatChunk:
    return decode_chat_chunk(body, 0)
