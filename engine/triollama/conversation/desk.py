"""The inside of a chat: what was said, and one turn at a time that adds to it.

Owns the history. A turn changes it in one step, when it is whole; nothing is awaited in that.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Any, Final, cast

import attrs
import trio

from triollama._errors import DeadlineExceededError, MissingExtraError
from triollama.api import ChatRequest, ChatResponse, ImageInput, Message, Usage
from triollama.conversation.asking import Chats, Settings
from triollama.conversation.errors import ChatBusyError
from triollama.conversation.fitting import ChatFit, Estimate, fit
from triollama.conversation.history import (
    Said,
    as_messages,
    read_messages,
    sealed,
    without_thinking,
)
from triollama.structured import ask_for

__all__ = ["Desk", "Prepared"]


@attrs.frozen
class Prepared:
    """A turn that can be asked.

    Attributes:
        new: what is said in it.
        sent: all that is sent: the system prompt, the history that fits, what is new.
        dropped: messages of the history that do not fit.
        fit: how it fits; None if there is no limit.
        terms: how it is treated; its deadline is what the count of the tokens has left of it.
    """

    new: Sequence[Message]
    sent: Sequence[Message]
    terms: Mapping[str, Any]
    dropped: int = 0
    fit: ChatFit | None = None


class Desk:
    """What a chat and its turns share.

    Args:
        engine: who answers.
        settings: what holds for all turns.
        history: what was said.

    Attributes:
        fit: how the last whole turn fit; None without a limit, and before.
        usage: of all whole turns.
        is_busy: whether a turn is under way.
    """

    def __init__(self, engine: Chats, settings: Settings, history: tuple[Message, ...]) -> None:
        self.settings = settings
        self.history = history
        self.fit: ChatFit | None = None
        self.usage = Usage()
        self.is_busy = False
        self._engine = engine
        self._estimate = Estimate()
        self._can_count = True

    @property
    def asks_again(self) -> bool:
        """Whether an answer can be asked for again, because it is to be an object."""
        return self.settings.form is not None and not self.settings.is_running_tools

    def check_idle(self) -> None:
        """Refuse what would come between.

        Raises:
            ChatBusyError: a turn is under way.
        """
        if self.is_busy:
            raise ChatBusyError

    @contextmanager
    def busy(self) -> Iterator[None]:
        """A turn: from here on there is no other one.

        Raises:
            ChatBusyError: another one is under way.
        """
        self.check_idle()
        self.is_busy = True
        try:
            yield
        finally:
            self.is_busy = False

    async def prepare(
        self, said: Said, images: Sequence[ImageInput], terms: Mapping[str, Any]
    ) -> Prepared:
        """Check what is said, and see what fits.

        Raises:
            InvalidRequestError: what is said is wrong.
            ChatTooLongError: it does not fit.
            DeadlineExceededError: its tokens were not counted in time.
        """
        new = await read_messages(as_messages(said, images))
        settings, history, asked = self.settings, sealed(self.history), sealed(new)
        if settings.budget is None:
            return Prepared(new, (*settings.system, *history, *asked), terms)
        began_s, limit_s = trio.current_time(), _limit_s(terms)
        with trio.move_on_after(limit_s) as counting:
            dropped, found = await fit(
                history,
                asked,
                system=settings.system,
                tools=settings.definitions,
                budget=settings.budget,
                estimate=self._estimate,
                exact=self._count,
            )
        if counting.cancelled_caught:
            raise DeadlineExceededError("the chat's tokens were not counted", limit_s=limit_s)
        if limit_s != math.inf:
            left_s = began_s + limit_s - trio.current_time()
            terms = {**terms, "deadline_s": max(left_s, _LEFT_S_MIN)}
        sent = (*settings.system, *history[dropped:], *asked)
        return Prepared(new, sent, terms, dropped, found)

    def open(self, turn: Prepared) -> AbstractAsyncContextManager[Any]:
        """Ask: a `Stream`, a `StructuredStream` or a `ToolRun`."""
        settings, sent = self.settings, list(turn.sent)
        if settings.is_running_tools:
            fields = settings.sent_with_tools(turn.terms)
            run: AbstractAsyncContextManager[Any]
            run = self._engine.run_tools(settings.model, sent, **fields)
            return run
        stream: AbstractAsyncContextManager[Any]
        stream = self._engine.stream_chat(settings.model, sent, **settings.sent(turn.terms))
        return stream

    def keep(self, turn: Prepared, added: Sequence[Message], response: ChatResponse) -> None:
        """A turn is whole: it becomes history."""
        told = response.usage.prompt_tokens
        self._estimate.learn(told, [*turn.sent, *added[:-1]], self.settings.definitions)
        if not self.settings.keeps_thinking:
            added = [without_thinking(message) for message in added]
        self.history = (*self.history[turn.dropped :], *turn.new, *added)
        self.fit = turn.fit
        self.usage += response.usage

    async def ask_for_object(
        self, said: Said, images: Sequence[ImageInput], terms: Mapping[str, Any]
    ) -> Any:
        """A whole turn whose answer is an object: asked again if it does not fit its form.

        Only the answer that fits becomes history.

        Raises:
            StructuredOutputError: the last one does not fit either.
            TriollamaError: an answer failed.
        """
        settings = self.settings
        assert settings.form is not None
        last: ChatResponse | None = None
        with self.busy():
            turn = await self.prepare(said, images, terms)
            sent = list(turn.sent)

            async def ask(wrong: tuple[str, str] | None, left_s: float | None) -> ChatResponse:
                nonlocal last
                if wrong is not None:
                    sent.append(Message(role="assistant", content=wrong[0]))
                    sent.append(Message(role="user", content=wrong[1]))
                fields = settings.sent({**turn.terms, "deadline_s": left_s})
                last = await self._engine.chat(settings.model, list(sent), **fields)
                return cast("ChatResponse", last)

            found = await ask_for(
                settings.form, ask, settings.format_retries_max, turn.terms.get("deadline_s")
            )
            assert last is not None
            asked = attrs.evolve(turn, sent=sent)
            self.keep(asked, [last.message], last)
        return found

    async def _count(self, messages: Sequence[Message]) -> ChatFit | None:
        """Tokens by the model's own tokenizer; None if that is not known here."""
        if not self._can_count:
            return None
        from triollama.tokens import TokenizerError  # noqa: PLC0415 - only with a limit

        try:
            return await self._count_with_tokenizer(messages)
        except (MissingExtraError, TokenizerError):
            self._can_count = False  # nor will it be later
            return None

    async def _count_with_tokenizer(self, messages: Sequence[Message]) -> ChatFit:
        from triollama.tokens.counts import contents, estimate_messages  # noqa: PLC0415

        settings = self.settings
        model, tools = settings.model, settings.definitions
        if not settings.is_reloading:
            counted = await self._engine.count_tokens(model, list(messages), tools=tools)
            return ChatFit(counted.count, counted.is_exact, how=_HOW[counted.method])
        # To have a server render the chat would load the model with other options, and then again.
        request = ChatRequest(model=model, messages=messages, tools=tools)
        counted = await self._engine.count_tokens(model, contents(request))
        tokens = counted.count + estimate_messages(request)
        return ChatFit(tokens, is_exact=False, how=_HOW["contents"])


_LEFT_S_MIN: Final = 1e-3
"""A request's deadline is above 0."""


def _limit_s(terms: Mapping[str, Any]) -> float:
    """The deadline, if it is one; a value that makes no sense is refused with the request."""
    deadline_s = terms.get("deadline_s")
    if isinstance(deadline_s, int | float) and deadline_s > 0:
        return float(deadline_s)
    return math.inf


_HOW: Final = {
    "rendered": "counted by the model's tokenizer, in the prompt that a server makes of it",
    "contents": "counted by the model's tokenizer, with an estimate of what the template adds",
    "tokenizer": "counted by the model's tokenizer",
    "characters": "estimated from the number of characters",
}
