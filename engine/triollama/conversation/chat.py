"""`Chat`: a conversation with one model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, TypeVar, Unpack, cast, overload

from triollama.api import ChatResponse, FormatInput, ImageInput, Message, MessagesInput, Usage
from triollama.conversation.asking import ChatFields, Chats, Terms, make_settings
from triollama.conversation.desk import Desk
from triollama.conversation.fitting import ChatFit
from triollama.conversation.history import Said, turns
from triollama.conversation.saved import arguments_of, to_json
from triollama.conversation.turn import Turn
from triollama.structured import FormatOf

__all__ = ["Chat"]

A = TypeVar("A")
T = TypeVar("T")


class Chat(Generic[A]):
    """A conversation: what was said is sent along with what is said next.

    One turn at a time: a second one raises `ChatBusyError`. A turn that fails or is cancelled
    leaves the history as it was before. `Engine.conversation` makes one, too.

    Args:
        engine: who answers.
        model: the model's name.
        format: what answers are: a class or `JsonSchema` makes `ask` give an object; ``"json"`` or
            a mapping goes to the server as it is.
        history: what was said before, without a system prompt; images as bytes or base64.
        fields: all others:

            * ``system``: the system prompt;
            * ``tools``: functions, which are called here (see `Engine.run_tools`), or definitions
              as mappings, whose calls the caller answers with messages of role ``tool``;
            * ``tool_rules``: the limits of tools;
            * ``tokens_max``: what prompt and answer together may have. The oldest turns that do not
              fit are forgotten; the system prompt and what is asked never are. It should be no more
              than the model's context (``num_ctx``). Tokens are counted as the model does where the
              extra ``tokenize`` is installed and its tokenizer is known, else estimated from the
              server's own count of the last prompt: `fit` says which;
            * ``answer_tokens``: of these, room for the answer; by default ``num_predict``, or
              1,024;
            * ``keeps_thinking``: keep what was thought in the history (default: leave it out);
            * ``format_retries_max``: as in `Engine.chat`;
            * ``options``, ``think``, ``keep_alive``, …: as in `ChatRequest`, for all turns.

    Raises:
        InvalidRequestError: all that is wrong with these.
        SchemaError: a function cannot be a tool, or a class no format.
    """

    @overload
    def __init__(
        self: Chat[T],
        engine: Chats,
        model: str,
        *,
        format: type[T] | FormatOf[T],
        history: MessagesInput = None,
        **fields: Unpack[ChatFields],
    ) -> None: ...

    @overload
    def __init__(
        self: Chat[ChatResponse],
        engine: Chats,
        model: str,
        *,
        format: FormatInput = None,
        history: MessagesInput = None,
        **fields: Unpack[ChatFields],
    ) -> None: ...

    def __init__(self, engine: Chats, model: str, **fields: Any) -> None:
        self._desk = Desk(engine, *make_settings(model, **fields))

    def __repr__(self) -> str:
        state = ", busy" if self.is_busy else ""
        return f"<Chat with {self.model!r}: {len(self.history)} messages{state}>"

    # ---- turns

    async def ask(
        self, said: Said, *, images: Sequence[ImageInput] = (), **terms: Unpack[Terms]
    ) -> A:
        """Say something, and wait for the whole answer.

        Args:
            said: the user's text; or messages, such as results of tools that are not called here.
            images: pictures that go with a text.
            terms: ``deadline_s``, ``priority``, … as in `Engine.stream_chat`.

        Returns:
            The `ChatResponse`; or the object, if the chat has a class or `JsonSchema` as format.

        Raises:
            ChatBusyError: another turn is under way.
            ChatTooLongError: it does not fit ``tokens_max``.
            InvalidRequestError: what is said is wrong.
            TriollamaError: the answer failed.
        """
        if self._desk.asks_again:
            return cast("A", await self._desk.ask_for_object(said, images, terms))
        async with self.stream(said, images=images, **terms) as turn:
            return await turn.answer()

    def stream(
        self, said: Said, *, images: Sequence[ImageInput] = (), **terms: Unpack[Terms]
    ) -> Turn[A]:
        """Say something, and read the answer as it comes, in ``async with``.

        An answer that does not fit the chat's format is not asked for again.

        Args: as in `ask`.

        Raises: as `ask`, on entering the block or where the turn is read.
        """
        return Turn(self._desk, said, images, terms)

    # ---- what was said

    @property
    def model(self) -> str:
        """The model's name."""
        return self._desk.settings.model

    @property
    def system(self) -> str | None:
        """The system prompt."""
        system = self._desk.settings.system
        return system[0].content if system else None

    @property
    def history(self) -> tuple[Message, ...]:
        """What was said, without the system prompt; images in base64."""
        return self._desk.history

    @property
    def fit(self) -> ChatFit | None:
        """How the last whole turn fit ``tokens_max``; None without that, and before."""
        return self._desk.fit

    @property
    def usage(self) -> Usage:
        """Tokens and times of all turns of this object together, as the servers told them.

        Of a turn with tools its last answer.
        """
        return self._desk.usage

    @property
    def is_busy(self) -> bool:
        """Whether a turn is under way."""
        return self._desk.is_busy

    def clear(self) -> None:
        """Forget everything but the system prompt.

        Raises:
            ChatBusyError: a turn is under way.
        """
        self._desk.check_idle()
        self._desk.history = ()

    def forget_last(self) -> tuple[Message, ...]:
        """Forget the last turn, from the user's last message on, to ask it anew.

        Returns:
            The messages of that turn; none if there is none.

        Raises:
            ChatBusyError: a turn is under way.
        """
        self._desk.check_idle()
        history = self._desk.history
        last = tuple(turns(history)[-1]) if history else ()
        self._desk.history = history[: len(history) - len(last)]
        return last

    # ---- saving

    def to_json(self) -> str:
        """The conversation as JSON text: model, system prompt, history with images, and settings.

        Functions and classes are saved by name only. The schema has a version: what this writes
        will be read by later versions of triollama.
        """
        return to_json(self._desk.settings, self._desk.history)

    @overload
    @classmethod
    def from_json(
        cls,
        engine: Chats,
        text: str | bytes,
        *,
        format: type[T] | FormatOf[T],
        **fields: Unpack[ChatFields],
    ) -> Chat[T]: ...

    @overload
    @classmethod
    def from_json(
        cls,
        engine: Chats,
        text: str | bytes,
        *,
        format: FormatInput = None,
        **fields: Unpack[ChatFields],
    ) -> Chat[ChatResponse]: ...

    @classmethod
    def from_json(cls, engine: Chats, text: str | bytes, **fields: Any) -> Any:
        """A saved conversation, to go on with.

        Args:
            engine: who answers.
            text: what `to_json` gave.
            format: the class of the answers, if there was one.
            fields: ``tools``, if functions were; and whatever is to be other than it was saved.

        Raises:
            ChatFileError: it is no saved chat, of a later version, or tools or a class are missing.
            InvalidRequestError: a setting makes no sense.
        """
        return cls(engine, **arguments_of(text, fields))
