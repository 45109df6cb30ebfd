"""Conversations, requests that are put together step by step, and vectors of many texts."""

# ruff: noqa: PLC0415 - what few programs need is imported when it is called

from __future__ import annotations

import math
from collections.abc import AsyncIterable, Callable, Collection, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, Unpack, cast, overload

from triollama._engine.base import Base
from triollama._requests import Urgency
from triollama.api import (
    ChatResponse,
    EmbedRequest,
    EmbedResponse,
    FormatInput,
    KeepAliveInput,
    MessagesInput,
    OptionsInput,
)
from triollama.api._problems import each_problem

if TYPE_CHECKING:
    from triollama._engine import Engine
    from triollama.conversation import Chat, Request
    from triollama.conversation.asking import ChatFields
    from triollama.structured import FormatOf
    from triollama.volume import EmbedRun, FailedText, Vector

T = TypeVar("T")

Texts = Iterable[str] | AsyncIterable[str]


class ManyFields(TypedDict, total=False):
    """The optional arguments of `Talking.embed_many`."""

    truncate: bool | None
    dimensions: int | None
    keep_alive: KeepAliveInput
    options: OptionsInput
    deadline_s: float | None
    priority: int
    caller: str
    tags: Collection[str]
    count_tokens: Callable[[str], int] | None
    batch_tokens_max: int
    batch_count_max: int
    concurrency_max: int | None
    window_batches_max: int | None
    linger_s: float


class Talking(Base):
    """The part of `Engine` that has objects of its own for what takes several requests."""

    def request(self, model: str) -> Request:
        """A chat that is put together step by step, and sent by its last one.

        Such as ``engine.request("llama3.2").system("Be brief.").user("Why?").stream()``. Each step
        gives a new `Request`.

        Args:
            model: the model's name.
        """
        from triollama.conversation.request import Request

        return Request(cast("Engine", self), model)

    @overload
    def conversation(
        self,
        model: str,
        *,
        format: type[T] | FormatOf[T],
        history: MessagesInput = None,
        **fields: Unpack[ChatFields],
    ) -> Chat[T]: ...

    @overload
    def conversation(
        self,
        model: str,
        *,
        format: FormatInput = None,
        history: MessagesInput = None,
        **fields: Unpack[ChatFields],
    ) -> Chat[ChatResponse]: ...

    def conversation(self, model: str, **fields: Any) -> Any:
        """A conversation, which remembers what was said.

        Args:
            model: the model's name.
            format: what answers are; see `Chat`.
            history: what was said before.
            fields: ``system``, ``tools``, ``tokens_max`` and others; see `Chat`.

        Raises: as `Chat`.
        """
        from triollama.conversation.chat import Chat

        return Chat(cast("Engine", self), model, **fields)

    @overload
    def embed_many(
        self,
        model: str,
        texts: Texts,
        *,
        on_error: Literal["raise"] = "raise",
        **fields: Unpack[ManyFields],
    ) -> EmbedRun[Vector]: ...

    @overload
    def embed_many(
        self, model: str, texts: Texts, *, on_error: Literal["give"], **fields: Unpack[ManyFields]
    ) -> EmbedRun[Vector | FailedText]: ...

    def embed_many(
        self,
        model: str,
        texts: Texts,
        *,
        on_error: Literal["raise", "give"] = "raise",
        count_tokens: Callable[[str], int] | None = None,
        deadline_s: float | None = None,
        priority: int = 0,
        caller: str = "",
        tags: Collection[str] = (),
        truncate: bool | None = None,
        dimensions: int | None = None,
        keep_alive: KeepAliveInput = None,
        options: OptionsInput = None,
        **limits: Any,
    ) -> Any:
        """Turn any number of texts into vectors, with bounded memory.

        Use it in ``async with``, and iterate: each text gives its vector, in their order. The texts
        are sent in batches, several at a time, to whichever endpoints have room. A batch that fails
        for one of its texts is cut in two until that text is alone; the others have their vectors.

        Args:
            model: the model's name.
            texts: any iterable of str, asynchronous or not, also one without an end. A plain one is
                read in this thread: it must not block for long.
            on_error: what a text without a vector does: ``raise`` `TextFailedError` in its place,
                which ends the run, or ``give`` a `FailedText` there.
            count_tokens: tells how many tokens a text has, to fill batches; by default that is
                estimated from its size, by the ratio that the servers' counts show.
            deadline_s: for each request, as in `stream_chat`.
            priority: as in `stream_chat`; below 0 lets people go before.
            caller: as in `stream_chat`.
            tags: as in `stream_chat`.
            truncate: as in `embed`.
            dimensions: as in `embed`.
            keep_alive: as in `embed`.
            options: as in `embed`.
            limits: see `VolumeRules`: ``batch_tokens_max`` (8,192), ``batch_count_max`` (64),
                ``concurrency_max`` (6 for each endpoint), ``window_batches_max`` (2 for each of
                these), ``linger_s`` (0.05).

        Raises:
            InvalidRequestError: an argument makes no sense. What fails later is raised where the
                run is iterated.
        """
        from triollama.volume.batches import TokenGuess
        from triollama.volume.rules import VolumeRules
        from triollama.volume.run import EmbedRun
        from triollama.volume.source import check_texts
        from triollama.volume.working import Work

        fields: dict[str, Any] = {
            "truncate": truncate,
            "dimensions": dimensions,
            "keep_alive": keep_alive,
            "options": options,
        }
        terms: dict[str, Any] = {
            "deadline_s": deadline_s,
            "priority": priority,
            "caller": caller,
            "tags": tags,
        }
        wrong = each_problem(
            (
                partial(EmbedRequest.make, model=model, **fields),
                partial(check_texts, texts),
                lambda: Urgency(**terms).terms(math.inf),
                partial(VolumeRules, on_error=on_error, **limits),
            )
        )
        if wrong is not None:
            raise wrong

        async def ask(some: Sequence[str]) -> EmbedResponse:
            return await cast("Engine", self).embed(model, some, **fields, **terms)

        def endpoints() -> int:
            return len(self._runtime.endpoints)

        rules = VolumeRules(on_error=on_error, **limits)
        return EmbedRun(Work(ask, endpoints, texts, rules, TokenGuess(count_tokens)))
