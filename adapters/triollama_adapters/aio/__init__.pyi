# Written by `python -m triollama_adapters.portal.stubs`.
# mypy: disable-error-code="override"
import httpx
import triollama
from collections.abc import AsyncIterator
from collections.abc import Awaitable
from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Generator
from collections.abc import Mapping
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from triollama._engine.answers import T as AnswersT
from triollama._engine.fields import FormedChat
from triollama._engine.fields import FormedGenerate
from triollama._engine.fields import PlainChat
from triollama._engine.fields import PlainGenerate
from triollama._engine.talking import ManyFields
from triollama._engine.talking import T as TalkingT
from triollama._engine.talking import Texts
from triollama._engine.tooling import ToolFields
from triollama._engine.transfers import CreateFields
from triollama._opening import C
from triollama._opening import R
from triollama.actors.streams.stream import C as StreamC
from triollama.actors.streams.stream import R_co
from triollama.api import FormatInput
from triollama.api import ImageInput
from triollama.api import KeepAliveInput
from triollama.api import MessagesInput
from triollama.api import OptionsInput
from triollama.api import ThinkInput
from triollama.api import ToolsInput
from triollama.conversation.asking import ChatFields
from triollama.conversation.asking import Terms
from triollama.conversation.chat import A
from triollama.conversation.chat import T
from triollama.conversation.history import Said
from triollama.conversation.request import T as RequestT
from triollama.conversation.turn import A as TurnA
from triollama.structured import FormatOf
from triollama.structured.stream import C as StreamStreamC
from triollama.structured.stream import R as StreamR
from triollama.structured.stream import T as StreamT
from triollama.transfers import BlobInput
from triollama.volume import Vector
from triollama.volume.run import V
from types import TracebackType
from typing import Any
from typing import Generic
from typing import Literal
from typing import Self
from typing import Unpack
from typing import overload
from triollama import (
    AccessDeniedError as AccessDeniedError,
    AccountResponse as AccountResponse,
    ActorRestarted as ActorRestarted,
    AnswerTooLargeError as AnswerTooLargeError,
    Attempt as Attempt,
    AttemptFailed as AttemptFailed,
    Basic as Basic,
    Bearer as Bearer,
    BlobChangedError as BlobChangedError,
    CallerError as CallerError,
    Capability as Capability,
    ChatBusyError as ChatBusyError,
    ChatChunk as ChatChunk,
    ChatFileError as ChatFileError,
    ChatFit as ChatFit,
    ChatRequest as ChatRequest,
    ChatResponse as ChatResponse,
    ChatTooLongError as ChatTooLongError,
    CloudStatus as CloudStatus,
    ConfigError as ConfigError,
    ConnectError as ConnectError,
    ConnectionLostError as ConnectionLostError,
    ContextCheck as ContextCheck,
    ContextExceededError as ContextExceededError,
    DeadlineExceededError as DeadlineExceededError,
    DigestMismatchError as DigestMismatchError,
    EmbedProgress as EmbedProgress,
    EmbedRequest as EmbedRequest,
    EmbedResponse as EmbedResponse,
    EmbeddingsResponse as EmbeddingsResponse,
    EndpointAdded as EndpointAdded,
    EndpointConfig as EndpointConfig,
    EndpointDraining as EndpointDraining,
    EndpointEjected as EndpointEjected,
    EndpointError as EndpointError,
    EndpointFact as EndpointFact,
    EndpointOnTrial as EndpointOnTrial,
    EndpointProbes as EndpointProbes,
    EndpointPushedBack as EndpointPushedBack,
    EndpointRecovered as EndpointRecovered,
    EndpointRemoved as EndpointRemoved,
    EndpointRestarted as EndpointRestarted,
    EndpointStatistics as EndpointStatistics,
    EndpointTransfer as EndpointTransfer,
    EndpointUpdated as EndpointUpdated,
    EngineClosedError as EngineClosedError,
    EngineConfig as EngineConfig,
    EngineError as EngineError,
    EngineFaultError as EngineFaultError,
    EngineStatistics as EngineStatistics,
    Fact as Fact,
    FactStatistics as FactStatistics,
    FailedText as FailedText,
    FetchFailedError as FetchFailedError,
    FetchRefusedError as FetchRefusedError,
    FleetUnavailableError as FleetUnavailableError,
    GenerateChunk as GenerateChunk,
    GenerateRequest as GenerateRequest,
    GenerateResponse as GenerateResponse,
    InvalidRequestError as InvalidRequestError,
    JsonSchema as JsonSchema,
    LimitStatistics as LimitStatistics,
    LimiterStatistics as LimiterStatistics,
    ListedModel as ListedModel,
    Logprob as Logprob,
    Message as Message,
    MissingExtraError as MissingExtraError,
    ModelDetails as ModelDetails,
    ModelName as ModelName,
    ModelNotFoundError as ModelNotFoundError,
    ModelsChanged as ModelsChanged,
    Options as Options,
    OptionsWarning as OptionsWarning,
    Outcome as Outcome,
    OverloadError as OverloadError,
    PanicBegan as PanicBegan,
    PanicEnded as PanicEnded,
    Partial as Partial,
    PartialFailureError as PartialFailureError,
    PoolStatistics as PoolStatistics,
    Price as Price,
    Prices as Prices,
    ProbeConfig as ProbeConfig,
    ProbeFailed as ProbeFailed,
    ProbeRecovered as ProbeRecovered,
    ProberStatistics as ProberStatistics,
    Problem as Problem,
    ProtocolError as ProtocolError,
    PsResponse as PsResponse,
    RateLimit as RateLimit,
    Recommendation as Recommendation,
    RecommendationsResponse as RecommendationsResponse,
    RequestDelayed as RequestDelayed,
    RequestRefused as RequestRefused,
    RequestRejectedError as RequestRejectedError,
    RunningModel as RunningModel,
    SchemaError as SchemaError,
    ServerBusyError as ServerBusyError,
    ServerFailedError as ServerFailedError,
    ShowResponse as ShowResponse,
    SignInRequiredError as SignInRequiredError,
    SlotsLearnt as SlotsLearnt,
    StallError as StallError,
    StatusResponse as StatusResponse,
    StreamBrokenError as StreamBrokenError,
    StreamCancelledError as StreamCancelledError,
    StreamContinued as StreamContinued,
    StreamEnded as StreamEnded,
    StreamFact as StreamFact,
    StreamResent as StreamResent,
    StreamRestartedError as StreamRestartedError,
    StreamStarted as StreamStarted,
    StreamStatistics as StreamStatistics,
    StructuredOutputError as StructuredOutputError,
    StructuredTruncatedError as StructuredTruncatedError,
    SubscriptionStatistics as SubscriptionStatistics,
    TLSConfig as TLSConfig,
    TagsResponse as TagsResponse,
    TextFailedError as TextFailedError,
    Timing as Timing,
    Token as Token,
    TokenCount as TokenCount,
    TokenError as TokenError,
    Tokenizer as Tokenizer,
    TokenizerError as TokenizerError,
    Tool as Tool,
    ToolAnswerChunk as ToolAnswerChunk,
    ToolAnswerRestarted as ToolAnswerRestarted,
    ToolArgumentsError as ToolArgumentsError,
    ToolCall as ToolCall,
    ToolCallBegan as ToolCallBegan,
    ToolCallEnded as ToolCallEnded,
    ToolCallError as ToolCallError,
    ToolError as ToolError,
    ToolEvent as ToolEvent,
    ToolFailedError as ToolFailedError,
    ToolFunction as ToolFunction,
    ToolNotFoundError as ToolNotFoundError,
    ToolRefusedError as ToolRefusedError,
    ToolResultError as ToolResultError,
    ToolRoundBegan as ToolRoundBegan,
    ToolRoundEnded as ToolRoundEnded,
    ToolRoundsError as ToolRoundsError,
    ToolRules as ToolRules,
    ToolRunEnded as ToolRunEnded,
    ToolTimeoutError as ToolTimeoutError,
    Transcription as Transcription,
    TransferEvent as TransferEvent,
    TransferFailedError as TransferFailedError,
    TransferResult as TransferResult,
    TriollamaError as TriollamaError,
    TruncatedError as TruncatedError,
    Usage as Usage,
    VersionChanged as VersionChanged,
    VersionResponse as VersionResponse,
    VolumeRules as VolumeRules,
    WebFetchResponse as WebFetchResponse,
    WebResult as WebResult,
    WebSearchResponse as WebSearchResponse,
    WireTransport as WireTransport,
    open_wire_transport as open_wire_transport,
    parse_name as parse_name,
    tool as tool,
)

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
        engine: Engine,
        model: str,
        *,
        format: type[T] | FormatOf[T],
        history: MessagesInput = None,
        **fields: Unpack[ChatFields],
    ) -> None: ...
    @overload
    def __init__(
        self: Chat[ChatResponse],
        engine: Engine,
        model: str,
        *,
        format: FormatInput = None,
        history: MessagesInput = None,
        **fields: Unpack[ChatFields],
    ) -> None: ...
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
            TriollamaError: the answer failed."""

    def stream(
        self, said: Said, *, images: Sequence[ImageInput] = (), **terms: Unpack[Terms]
    ) -> Turn[A]:
        """Say something, and read the answer as it comes, in ``async with``.

        An answer that does not fit the chat's format is not asked for again.

        Args: as in `ask`.

        Raises: as `ask`, on entering the block or where the turn is read."""

    @property
    def model(self) -> str:
        """The model's name."""

    @property
    def system(self) -> str | None:
        """The system prompt."""

    @property
    def history(self) -> tuple[Message, ...]:
        """What was said, without the system prompt; images in base64."""

    @property
    def fit(self) -> ChatFit | None:
        """How the last whole turn fit ``tokens_max``; None without that, and before."""

    @property
    def usage(self) -> Usage:
        """Tokens and times of all turns of this object together, as the servers told them.

        Of a turn with tools its last answer."""

    @property
    def is_busy(self) -> bool:
        """Whether a turn is under way."""

    def clear(self) -> None:
        """Forget everything but the system prompt.

        Raises:
            ChatBusyError: a turn is under way."""

    def forget_last(self) -> tuple[Message, ...]:
        """Forget the last turn, from the user's last message on, to ask it anew.

        Returns:
            The messages of that turn; none if there is none.

        Raises:
            ChatBusyError: a turn is under way."""

    def to_json(self) -> str:
        """The conversation as JSON text: model, system prompt, history with images, and settings.

        Functions and classes are saved by name only. The schema has a version: what this writes
        will be read by later versions of triollama."""

    @overload
    @classmethod
    def from_json(
        cls,
        engine: Engine,
        text: str | bytes,
        *,
        format: type[T] | FormatOf[T],
        **fields: Unpack[ChatFields],
    ) -> Chat[T]:
        """A saved conversation, to go on with.

        Args:
            engine: who answers.
            text: what `to_json` gave.
            format: the class of the answers, if there was one.
            fields: ``tools``, if functions were; and whatever is to be other than it was saved.

        Raises:
            ChatFileError: it is no saved chat, of a later version, or tools or a class are missing.
            InvalidRequestError: a setting makes no sense."""

    @overload
    @classmethod
    def from_json(
        cls,
        engine: Engine,
        text: str | bytes,
        *,
        format: FormatInput = None,
        **fields: Unpack[ChatFields],
    ) -> Chat[ChatResponse]: ...

class EmbedRun(Generic[V]):
    """The vectors of many texts, in ``async with``; iterating gives one per text, in their order.

    Made by `Engine.embed_many`. Leaving the block stops the work: requests under way are cancelled,
    and an asynchronous generator that gave the texts is closed. One task may read at a time. If an
    iteration is cancelled, no vector is lost: iterate on.
    """

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    async def __anext__(self) -> V:
        """The vector of the next text, or its `FailedText` with ``on_error="give"``.

        Raises:
            TextFailedError: the text has none, with ``on_error="raise"``; this ends the run.
            TriollamaError: no text can have one now; this ends the run, too. `progress` tells how
                many were given: go on from there.
            InvalidRequestError: outside of the block.
            trio.BusyResourceError: another task is reading."""

    async def collect(self) -> list[V]:
        """All that were not iterated yet, together: for texts whose vectors fit into memory.

        Raises: as iterating."""

    def progress(self) -> EmbedProgress:
        """How far this is."""

    def __aiter__(self) -> AsyncIterator[V]: ...

class Engine:
    """Streams from a fleet of Ollama servers. Made by `open_engine`.

    All methods may be called from any number of tasks. Where a method takes ``endpoint``, it is the
    name of one endpoint, and without it the engine chooses. Errors are those of
    `triollama._errors`: the caller's (`CallerError`), one server's (`EndpointError`), this
    process's (`EngineError`).
    """

    def subscribe(
        self, *kinds: type[Fact], capacity: int = 1000
    ) -> AbstractAsyncContextManager[Subscription]:
        """Hear what happens, in ``async with``: ``async for fact in facts``.

        Args:
            kinds: the classes of facts to hear, subclasses included; all without any.
            capacity: facts that may wait to be read. Further ones are dropped, and counted in
                ``facts.dropped``: nobody else waits for a slow subscriber.

        Raises:
            ConfigError: a capacity that makes no sense."""

    def statistics(self) -> EngineStatistics:
        """A snapshot."""

    @overload
    def stream_chat(
        self,
        model: str,
        messages: MessagesInput,
        *,
        format: type[AnswersT] | FormatOf[AnswersT],
        **fields: Unpack[FormedChat],
    ) -> AbstractAsyncContextManager[StructuredStream[ChatChunk, ChatResponse, AnswersT]]:
        """Chat, with the answer as it comes.

        Use it in ``async with``; what it gives is a `Stream` of `ChatChunk`. Leaving the block
        stops the
        work: the connection is closed and the server stops generating.

        Args:
            model: the model's name.
            messages: a text (one user message), or a sequence of messages as mappings or objects.
            deadline_s: seconds from now in which the answer must be whole; by default
                `EngineConfig.total_s`.
            priority: from -10 to 10; higher goes first in line. One that waits rises by and by.
            on_break: what to do when the server dies or stalls after a part of the answer was seen:
                ``continue`` on another one where it broke, so that no character is lost and none
                comes twice; ``restart`` from the beginning, which the reader is told by
                `StreamRestartedError`; or ``raise`` `StreamBrokenError`.
            caller: on whose behalf; callers who wait share the fleet fairly.
            tags: only endpoints that have all of these are used.
            on_chunk: called with every chunk as it arrives, before whoever iterates gets it, and
                without waking a task: for who only notes what came, and when
                (``chunk.arrived_ns``). It must neither wait nor raise: an exception ends the
                answer. Of an answer that goes on elsewhere each part is told once; of one that
                begins anew, everything again.
            fields: see `ChatRequest`. With a class or a `JsonSchema` as ``format`` the block gives
                a `StructuredStream`; ``tools`` may be functions.

        Raises:
            SchemaError: a class or a function that cannot be said as a JSON schema.
            InvalidRequestError: on entering the block, if the request is wrong. What fails later is
                raised where the stream is read: `StreamBrokenError`, with the text so far, if the
                answer broke and cannot be gone on with."""

    @overload
    def stream_chat(
        self, model: str, messages: MessagesInput, **fields: Unpack[PlainChat]
    ) -> Opening[ChatChunk, ChatResponse]: ...
    @overload
    def stream_generate(
        self,
        model: str,
        prompt: str,
        *,
        format: type[AnswersT] | FormatOf[AnswersT],
        **fields: Unpack[FormedGenerate],
    ) -> AbstractAsyncContextManager[StructuredStream[GenerateChunk, GenerateResponse, AnswersT]]:
        """Complete a prompt, with the answer as it comes; see `stream_chat`.

        Args:
            model: the model's name.
            prompt: the prompt.
            deadline_s: as in `stream_chat`.
            priority: as in `stream_chat`.
            on_break: as in `stream_chat`.
            caller: as in `stream_chat`.
            tags: as in `stream_chat`.
            on_chunk: as in `stream_chat`.
            fields: see `GenerateRequest`."""

    @overload
    def stream_generate(
        self, model: str, prompt: str, **fields: Unpack[PlainGenerate]
    ) -> Opening[GenerateChunk, GenerateResponse]: ...
    @overload
    async def chat(
        self,
        model: str,
        messages: MessagesInput,
        *,
        format: type[AnswersT] | FormatOf[AnswersT],
        format_retries_max: int = 1,
        **fields: Unpack[FormedChat],
    ) -> AnswersT:
        """Chat, and wait for the whole answer. If cancelled, the server stops generating.

        With a class (attrs, dataclass, msgspec.Struct, TypedDict) or a `JsonSchema` as ``format``
        it gives an object of it.

        Args: as in `stream_chat`; and ``format_retries_max``: how often an answer that does not fit
            its ``format`` is asked for again, with what was wrong; 0 to 10. ``deadline_s`` is for
            all attempts together.

        Raises:
            StructuredOutputError: no answer fitted its ``format``; it has the last one's text.
            TriollamaError: see the class."""

    @overload
    async def chat(
        self, model: str, messages: MessagesInput, **fields: Unpack[PlainChat]
    ) -> ChatResponse: ...
    @overload
    async def generate(
        self,
        model: str,
        prompt: str,
        *,
        format: type[AnswersT] | FormatOf[AnswersT],
        format_retries_max: int = 1,
        **fields: Unpack[FormedGenerate],
    ) -> AnswersT:
        """Complete a prompt, and wait for the whole answer; see `chat` and `stream_generate`."""

    @overload
    async def generate(
        self, model: str, prompt: str, **fields: Unpack[PlainGenerate]
    ) -> GenerateResponse: ...
    async def embed(
        self,
        model: str,
        input: str | Sequence[str],
        *,
        truncate: bool | None = None,
        dimensions: int | None = None,
        keep_alive: KeepAliveInput = None,
        options: OptionsInput = None,
        deadline_s: float | None = None,
        priority: int = 0,
        caller: str = "",
        tags: Collection[str] = (),
    ) -> EmbedResponse:
        """Turn texts into vectors of length 1, one per text.

        Args:
            model: the model's name.
            input: one text or several.
            truncate: cut a text that is longer than the context (the server's default: true).
            dimensions: cut each vector to this length and normalise it again.
            keep_alive: how long the model stays loaded.
            options: runner options.
            deadline_s: as in `stream_chat`.
            priority: as in `stream_chat`.
            caller: as in `stream_chat`.
            tags: as in `stream_chat`.

        Raises:
            TriollamaError: see the class."""

    async def transcribe(
        self,
        model: str,
        file: BlobInput,
        *,
        language: str | None = None,
        prompt: str | None = None,
        response_format: Literal["json", "text"] = "json",
        deadline_s: float | None = None,
        priority: int = 0,
        caller: str = "",
        tags: Collection[str] = (),
    ) -> Transcription:
        """Write down what is said in a recording. If cancelled, the server stops.

        The recording is read from disk while it is sent, and again if another endpoint is tried.
        `EngineConfig.first_token_s` is for sending and transcribing together.

        Args:
            model: a model that takes audio.
            file: WAV or MP3: a path, bytes, or a seekable binary file, which stays open.
            language: what is spoken, such as ``en``.
            prompt: words before it, which help with names and terms.
            response_format: how the server answers; the result is the same.
            deadline_s: as in `Engine.stream_chat`.
            priority: as in `Engine.stream_chat`.
            caller: as in `Engine.stream_chat`.
            tags: as in `Engine.stream_chat`.

        Raises:
            InvalidRequestError: the file cannot be read, or is neither WAV nor MP3.
            BlobChangedError: the file changed while it was sent.
            TriollamaError: see the class."""

    def stream_transcribe(
        self,
        model: str,
        file: BlobInput,
        *,
        language: str | None = None,
        prompt: str | None = None,
        deadline_s: float | None = None,
        priority: int = 0,
        caller: str = "",
        tags: Collection[str] = (),
    ) -> SpeechOpening:
        """The same as `transcribe`, with the text as it comes: ``async with``, then ``async for``.

        Ollama sends the text in one piece; what sends it in several is heard as it speaks. An
        answer that breaks after a part of it came is not tried again: `StreamBrokenError` has what
        came.

        Args: as in `transcribe`."""

    async def check(
        self, request: ChatRequest | GenerateRequest | EmbedRequest, *, endpoint: str | None = None
    ) -> tuple[str, ...]:
        """Whether a model can do what a request asks for; nothing is sent to the model.

        A request checks all that it can by itself when it is made. This compares it with what
        ``show`` tells of the model (kept for a minute), and its ``num_ctx`` with what ``ps`` tells.
        To have each request's capabilities checked, set `EngineConfig.check_models`.

        Args:
            request: made by ``ChatRequest.make``, ``GenerateRequest.make`` or
                ``EmbedRequest.make`` of `triollama.api`.
            endpoint: the one to ask; by default the first that has the model.

        Returns:
            Doubts: what is sent all the same, and hardly meant. Empty if there are none.

        Raises:
            InvalidRequestError: tools, thinking, images, audio, a suffix or vectors that the model
                cannot do; each is one of its ``problems``.
            ModelNotFoundError: no endpoint that was asked has it.
            FleetUnavailableError: none could be asked."""

    def run_tools(
        self,
        model: str,
        messages: MessagesInput,
        *,
        tools: Sequence[Callable[..., Any]],
        deadline_s: float | None = None,
        priority: int = 0,
        on_break: Literal["continue", "restart", "raise"] = "continue",
        caller: str = "",
        tags: Collection[str] = (),
        **fields: Unpack[ToolFields],
    ) -> ToolRun:
        """Chat, make the calls of tools that the model asks for, tell it the results, and so on.

        Use it in ``async with``, and iterate: each step is a `ToolEvent`. The run ends when the
        model answers without calling a tool; ``run.response`` is that answer and ``run.messages``
        the whole conversation. Leaving the block stops answer and calls.

        Calls of one answer run side by side: async functions as tasks, others in threads.

        Args:
            model: the model's name.
            messages: as in `stream_chat`; not empty.
            tools: typed functions, or `Tool`s made of them by `tool`.
            deadline_s: seconds for the whole run; by default each answer has
                `EngineConfig.total_s`, and the run no limit but those of its rounds.
            priority: as in `stream_chat`.
            on_break: as in `stream_chat`; a new beginning is told by `ToolAnswerRestarted`.
            caller: as in `stream_chat`.
            tags: as in `stream_chat`.
            fields: the limits of the run, with their defaults: see `ToolRules`; and the fields of
                `ChatRequest`.

        Raises:
            SchemaError: a parameter of a function cannot be said as a JSON schema.
            InvalidRequestError: the tools or a limit make no sense. What fails later is raised
                where the run is iterated."""

    async def chat_with_tools(
        self,
        model: str,
        messages: MessagesInput,
        *,
        tools: Sequence[Callable[..., Any]],
        deadline_s: float | None = None,
        priority: int = 0,
        on_break: Literal["continue", "restart", "raise"] = "continue",
        caller: str = "",
        tags: Collection[str] = (),
        **fields: Unpack[ToolFields],
    ) -> ChatResponse:
        """Do what `run_tools` does, and wait for the model's last answer.

        If cancelled, the server stops generating and the calls are cancelled.

        Args: as in `run_tools`.

        Raises:
            ToolError: the rounds were used up; or a call gave no result, with ``on_error="raise"``.
            TriollamaError: see the class."""

    def request(self, model: str) -> Request:
        """A chat that is put together step by step, and sent by its last one.

        Such as ``engine.request("llama3.2").system("Be brief.").user("Why?").stream()``. Each step
        gives a new `Request`.

        Args:
            model: the model's name."""

    @overload
    def conversation(
        self,
        model: str,
        *,
        format: type[TalkingT] | FormatOf[TalkingT],
        history: MessagesInput = None,
        **fields: Unpack[ChatFields],
    ) -> Chat[TalkingT]:
        """A conversation, which remembers what was said.

        Args:
            model: the model's name.
            format: what answers are; see `Chat`.
            history: what was said before.
            fields: ``system``, ``tools``, ``tokens_max`` and others; see `Chat`.

        Raises: as `Chat`."""

    @overload
    def conversation(
        self,
        model: str,
        *,
        format: FormatInput = None,
        history: MessagesInput = None,
        **fields: Unpack[ChatFields],
    ) -> Chat[ChatResponse]: ...
    @overload
    def embed_many(
        self,
        model: str,
        texts: Texts,
        *,
        on_error: Literal["raise"] = "raise",
        **fields: Unpack[ManyFields],
    ) -> EmbedRun[Vector]:
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
                run is iterated."""

    @overload
    def embed_many(
        self, model: str, texts: Texts, *, on_error: Literal["give"], **fields: Unpack[ManyFields]
    ) -> EmbedRun[Vector | FailedText]: ...
    async def version(self, *, endpoint: str | None = None) -> VersionResponse:
        """The version of a server."""

    async def tags(self, *, endpoint: str | None = None) -> TagsResponse:
        """The models that a server has."""

    async def ps(self, *, endpoint: str | None = None) -> PsResponse:
        """The models that a server has loaded."""

    async def show(
        self,
        model: str,
        *,
        verbose: bool | None = None,
        system: str | None = None,
        options: OptionsInput = None,
        endpoint: str | None = None,
    ) -> ShowResponse:
        """All that a server tells about a model.

        Args:
            model: the model's name.
            verbose: with the vocabulary and other arrays; several megabytes.
            system: shown in place of the model's system prompt.
            options: shown in the model file.
            endpoint: the one to ask.

        Raises:
            ModelNotFoundError: no endpoint that was asked has it."""

    async def load(
        self,
        model: str,
        *,
        keep_alive: KeepAliveInput = None,
        options: OptionsInput = None,
        endpoint: str | None = None,
    ) -> tuple[str, ...]:
        """Load a model, so that the first request need not wait for that.

        Args:
            model: the model's name.
            keep_alive: how long it stays loaded.
            options: runner options; requests with other ones load it again.
            endpoint: the one to load it on; by default every one that has it.

        Returns:
            The names of the endpoints that have it loaded now.

        Raises:
            ModelNotFoundError: none of them has it.
            FleetUnavailableError: none could load it."""

    async def unload(self, model: str, *, endpoint: str | None = None) -> tuple[str, ...]:
        """Let a model go as soon as its running requests have ended; see `load`."""

    async def copy(
        self, source: str, destination: str, *, endpoint: str | None = None
    ) -> tuple[str, ...]:
        """Give a model one more name.

        Args:
            source: the name that it has.
            destination: the name that it gets, too; a model of that name is replaced.
            endpoint: where; by default on every endpoint that has it.

        Returns:
            The names of the endpoints where it was done.

        Raises:
            InvalidRequestError: that is no name.
            ModelNotFoundError: none of them has it.
            PartialFailureError: it failed on some of several endpoints."""

    async def delete(self, model: str, *, endpoint: str | None = None) -> tuple[str, ...]:
        """Delete a model; see `copy`.

        Args:
            model: its name.
            endpoint: where; by default on every endpoint that has it."""

    def add_endpoint(self, endpoint: str | EndpointConfig) -> None:
        """Let one more server take part, from now on.

        Args:
            endpoint: its address, or all about it.

        Raises:
            ConfigError: it takes part already, by its name or its address."""

    def update_endpoint(self, endpoint: EndpointConfig) -> None:
        """Replace what is known of the endpoint of that name; what runs there goes on as it began.

        Args:
            endpoint: all about it, with the name that it has.

        Raises:
            ConfigError: there is none of that name, or another one has that address."""

    async def drain_endpoint(self, name: str) -> None:
        """Send an endpoint nothing new, and wait until nothing runs there.

        If cancelled, it goes on being drained; `update_endpoint` puts it back in service.

        Raises:
            ConfigError: there is none of that name."""

    async def remove_endpoint(self, name: str) -> None:
        """Take an endpoint out of the fleet: nothing new is sent to it, what runs there ends.

        Waits for that; if cancelled, it goes on all the same.

        Raises:
            ConfigError: there is none of that name."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The names of the endpoints, in the configured order."""

    def pull(
        self,
        model: str,
        *,
        insecure: bool | None = None,
        endpoint: str | None = None,
        stall_s: float | None = None,
        restarts_max: int | None = None,
    ) -> Transfer:
        """Fetch a model from its registry, with events in ``async with``, or by ``await`` whole.

        Callers who pull the same model on the same endpoint share one transfer: if one leaves, it
        goes on for the other; when the last one leaves, or is cancelled, the connection is closed.
        The server keeps what it has, and a later pull goes on there.

        Args:
            model: the model's name.
            insecure: let the server talk plain HTTP to the registry.
            endpoint: see the class.
            stall_s: when nothing new has come for so many seconds, it is begun again (120); ten
                times as long where a server works without telling.
            restarts_max: how often in a row without a byte gained (5).

        Raises:
            TransferFailedError: the server says that it has failed; the registry has no such model,
                for instance.
            PartialFailureError: it failed on some of several endpoints.
            InvalidRequestError: an argument is wrong. All are raised where the events are read, or
                the transfer is awaited.
            TriollamaError: see the class `Engine`."""

    def push(
        self,
        model: str,
        *,
        insecure: bool | None = None,
        endpoint: str | None = None,
        stall_s: float | None = None,
        restarts_max: int | None = None,
    ) -> Transfer:
        """Send a model to its registry; see `pull`.

        Args:
            model: the model's name, with its namespace.
            insecure: as in `pull`.
            endpoint: as in `pull`; it makes little sense to push from more than one.
            stall_s: as in `pull`.
            restarts_max: as in `pull`."""

    def create(
        self,
        model: str,
        *,
        endpoint: str | None = None,
        stall_s: float | None = None,
        **fields: Unpack[CreateFields],
    ) -> Transfer:
        """Make a model of another one or of files, with events or whole, as `pull`.

        Files that are here are hashed and uploaded first, from disk, a megabyte at a time; those
        that the server has are not sent again. Nothing is begun again but uploads: what a server
        has made when its connection breaks is not known.

        Args:
            model: the name that it gets.
            endpoint: as in `pull`.
            stall_s: how many seconds the server may be silent, whatever it does (3,600), and an
                upload stand (120).
            fields: see `triollama.api.create.CreateRequest`. ``files``, ``draft_files`` and
                ``adapters`` take digests of blobs as well as paths, bytes and binary files: as a
                mapping of names, or, of paths, as a list.

        Raises:
            TransferFailedError: the server says that it has failed, when it quantises for instance.
            BlobChangedError: a file changed while it was uploaded.
            DigestMismatchError: the server got other bytes than were sent.
            TriollamaError: see the class `Engine`."""

    async def has_blob(self, digest: str, *, endpoint: str | None = None) -> bool:
        """Whether a server has a blob; without ``endpoint``, whether all have it.

        Args:
            digest: ``sha256:`` and 64 hexadecimal digits.
            endpoint: see the class.

        Raises:
            InvalidRequestError: that is no digest.
            TriollamaError: see the class `Engine`."""

    async def push_blob(self, source: BlobInput, *, endpoint: str | None = None) -> str:
        """Upload a file, for `create`; a server that has it is not sent it again.

        It is read from disk a megabyte at a time. If cancelled, the connection is closed.

        Args:
            source: a path, bytes, or a seekable binary file, which is read from where it stands.
            endpoint: see the class.

        Returns:
            Its digest.

        Raises:
            InvalidRequestError: it cannot be read.
            BlobChangedError: it changed while it was uploaded.
            DigestMismatchError: the server got other bytes than were sent.
            TriollamaError: see the class `Engine`."""

    async def status(self, *, endpoint: str | None = None) -> StatusResponse:
        """The switches of a server. For the state of the fleet see `statistics`."""

    async def me(self, *, endpoint: str | None = None) -> AccountResponse:
        """The account that a server is signed in to.

        Raises:
            SignInRequiredError: it is signed in to none; the error has the address to do that."""

    async def signout(self, *, endpoint: str | None = None) -> tuple[str, ...]:
        """Sign a server out of its account; returns the names of those where it was done.

        Args:
            endpoint: the name of one endpoint; without it, each.

        Raises:
            RequestRejectedError: it is not signed in.
            PartialFailureError: it failed on some of several endpoints."""

    async def web_search(
        self, query: str, *, max_results: int | None = None, endpoint: str | None = None
    ) -> WebSearchResponse:
        """Search the web, through a server that is signed in, or by ollama.com and its key.

        Args:
            query: the words to look for.
            max_results: 1 to 10 (the server's default: 5).
            endpoint: see the class.

        Raises:
            InvalidRequestError: an argument is wrong.
            SignInRequiredError: the server is signed in to no account."""

    async def web_fetch(self, url: str, *, endpoint: str | None = None) -> WebFetchResponse:
        """Read a page of the web; see `web_search`.

        Args:
            url: its address.
            endpoint: see the class."""

    async def recommendations(self, *, endpoint: str | None = None) -> RecommendationsResponse:
        """Models that are worth a try, as a server knows them."""

    async def embeddings(
        self,
        model: str,
        prompt: str | None = None,
        *,
        keep_alive: KeepAliveInput = None,
        options: OptionsInput = None,
        deadline_s: float | None = None,
        priority: int = 0,
    ) -> EmbeddingsResponse:
        """Turn one text into a vector by the older route; `embed` does more.

        Args:
            model: the model's name.
            prompt: the text.
            keep_alive: how long the model stays loaded.
            options: runner options.
            deadline_s: as in `stream_chat`.
            priority: as in `stream_chat`."""

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
            InvalidRequestError: what is given is neither text nor messages."""

    async def tokenizer(self, model: str, *, endpoint: str | None = None) -> Tokenizer:
        """The model's tokenizer, for the ids themselves; see `count_tokens`.

        Raises: as `count_tokens`."""

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
            InvalidRequestError: the request is wrong."""

class FormedRequest(Generic[RequestT]):
    """A `Request` whose answer is an object of a class, or JSON that a schema allows."""

    def retries(self, retries_max: int) -> Self:
        """How often an answer that does not fit is asked for again (by default once)."""

    def stream(
        self,
    ) -> AbstractAsyncContextManager[StructuredStream[ChatChunk, ChatResponse, RequestT]]:
        """The answer as it comes, in parts and whole, in ``async with``; it is asked for once.

        Raises: as `Request.stream`."""

    async def send(self) -> RequestT:
        """The object.

        Raises:
            StructuredOutputError: the last answer does not fit.
            TriollamaError: see the class."""

    def system(self, content: str) -> Self:
        """A system prompt."""

    def user(self, content: str, *, images: Sequence[ImageInput] = ()) -> Self:
        """What a user says.

        Args:
            content: the text.
            images: bytes, base64 texts, paths, data URIs or open files."""

    def assistant(self, content: str) -> Self:
        """What the model said, or is to be taken to have said."""

    def tool_result(self, name: str, content: str, *, call_id: str | None = None) -> Self:
        """What a tool gave.

        Args:
            name: the tool's.
            content: its result as text.
            call_id: the id of the call that this answers, if it has one."""

    def message(self, *messages: Message | Mapping[str, Any] | Any) -> Self:
        """Messages in any form that `Engine.chat` takes, such as ``answer.message``."""

    def option(self, **options: object) -> Self:
        """Options of sampling and of the runner, by name, beside those of earlier steps.

        Raises:
            InvalidRequestError: a value makes no sense."""

    def tools(self, *tools: Callable[..., Any] | Mapping[str, Any]) -> Self:
        """Tools that the model may call, beside those of earlier steps: functions or mappings."""

    def think(self, think: ThinkInput = True) -> Self:
        """Whether, or how hard, the model is to think."""

    def keep_alive(self, keep_alive: KeepAliveInput) -> Self:
        """How long the model stays loaded: seconds, a Go duration, or a timedelta."""

    def truncate(self, truncate: bool) -> Self:
        """Whether the server cuts a conversation that is longer than the context."""

    def shift(self, shift: bool) -> Self:
        """Whether the server drops old tokens when the context is full."""

    def logprobs(self, top: int | None = None) -> Self:
        """Give the log probability of each token, and of so many others (0 to 20) in its place."""

    def deadline(self, deadline_s: float) -> Self:
        """Seconds in which the answer must be whole."""

    def priority(self, priority: int) -> Self:
        """From -10 to 10; higher goes first in line."""

    def caller(self, caller: str) -> Self:
        """On whose behalf."""

    def tags(self, *tags: str) -> Self:
        """Only endpoints that have all of these."""

    def on_break(self, rule: Literal["continue", "restart", "raise"]) -> Self:
        """What to do when the answer breaks; see `Engine.stream_chat`."""

    def on_chunk(self, told: Callable[[ChatChunk], object]) -> Self:
        """Who is told every chunk as it arrives; see `Engine.stream_chat`."""

class Opening(Generic[C, R]):
    """A stream that begins when its block is entered, and stops when that is left."""

    async def __aenter__(self) -> Stream[C, R]: ...
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

class Progress:
    """A transfer under way: ``async for event in progress``, then ``await progress.result()``.

    Iterating ends when the transfer has ended everywhere, and raises what `result` would. Made by
    `Transfer`.
    """

    def __aiter__(self) -> Progress: ...
    async def __anext__(self) -> TransferEvent: ...
    async def result(self) -> TransferResult:
        """Wait until it has ended everywhere, whether or not its events are read.

        If cancelled, it goes on until the block is left.

        Raises:
            PartialFailureError: it failed on some of several endpoints, or on all.
            StreamCancelledError: the block was left before the end, and nobody else waited.
            TriollamaError: there is one endpoint, and it failed there."""

class Request:
    """A chat that is put together step by step. Made by `Engine.request`.

    It is immutable: each step gives a new request, and one may be the beginning of many. What makes
    no sense is refused at its end (``stream``, ``send``, ``run_tools``), all of it at once.
    """

    @overload
    def format(self, form: type[RequestT] | FormatOf[RequestT]) -> FormedRequest[RequestT]:
        """What the answer is: ``"json"``, a JSON schema as a mapping, or a class.

        With a class or a `JsonSchema` the ends give an object."""

    @overload
    def format(self, form: FormatInput) -> Request: ...
    def stream(self) -> AbstractAsyncContextManager[Stream[ChatChunk, ChatResponse]]:
        """The answer as it comes, in ``async with``; see `Engine.stream_chat`.

        Raises:
            InvalidRequestError: there is no message; what else is wrong is told on entering the
                block."""

    async def send(self) -> ChatResponse:
        """The whole answer; see `Engine.chat`. Tools are told to the model, and not called.

        Raises:
            TriollamaError: see the class."""

    def run_tools(self, **rules: Any) -> ToolRun:
        """The answers and the calls of tools between them, in ``async with``.

        Args:
            rules: ``rounds_max``, ``call_s``, … as in `Engine.run_tools`.

        Raises:
            InvalidRequestError: there is no message, no function among the tools, or a field that
                goes with no run of tools."""

    def system(self, content: str) -> Self:
        """A system prompt."""

    def user(self, content: str, *, images: Sequence[ImageInput] = ()) -> Self:
        """What a user says.

        Args:
            content: the text.
            images: bytes, base64 texts, paths, data URIs or open files."""

    def assistant(self, content: str) -> Self:
        """What the model said, or is to be taken to have said."""

    def tool_result(self, name: str, content: str, *, call_id: str | None = None) -> Self:
        """What a tool gave.

        Args:
            name: the tool's.
            content: its result as text.
            call_id: the id of the call that this answers, if it has one."""

    def message(self, *messages: Message | Mapping[str, Any] | Any) -> Self:
        """Messages in any form that `Engine.chat` takes, such as ``answer.message``."""

    def option(self, **options: object) -> Self:
        """Options of sampling and of the runner, by name, beside those of earlier steps.

        Raises:
            InvalidRequestError: a value makes no sense."""

    def tools(self, *tools: Callable[..., Any] | Mapping[str, Any]) -> Self:
        """Tools that the model may call, beside those of earlier steps: functions or mappings."""

    def think(self, think: ThinkInput = True) -> Self:
        """Whether, or how hard, the model is to think."""

    def keep_alive(self, keep_alive: KeepAliveInput) -> Self:
        """How long the model stays loaded: seconds, a Go duration, or a timedelta."""

    def truncate(self, truncate: bool) -> Self:
        """Whether the server cuts a conversation that is longer than the context."""

    def shift(self, shift: bool) -> Self:
        """Whether the server drops old tokens when the context is full."""

    def logprobs(self, top: int | None = None) -> Self:
        """Give the log probability of each token, and of so many others (0 to 20) in its place."""

    def deadline(self, deadline_s: float) -> Self:
        """Seconds in which the answer must be whole."""

    def priority(self, priority: int) -> Self:
        """From -10 to 10; higher goes first in line."""

    def caller(self, caller: str) -> Self:
        """On whose behalf."""

    def tags(self, *tags: str) -> Self:
        """Only endpoints that have all of these."""

    def on_break(self, rule: Literal["continue", "restart", "raise"]) -> Self:
        """What to do when the answer breaks; see `Engine.stream_chat`."""

    def on_chunk(self, told: Callable[[ChatChunk], object]) -> Self:
        """Who is told every chunk as it arrives; see `Engine.stream_chat`."""

class SpeechOpening:
    """A `SpeechStream` that begins when its block is entered, and stops when that is left."""

    async def __aenter__(self) -> SpeechStream: ...
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

class SpeechStream:
    """A transcription as it comes: iterate it for pieces of text, or `collect` all of it.

    Made by `Engine.stream_transcribe` in ``async with``; leaving that block stops the work. Ollama
    gives all of the text in one piece, when it has it.
    """

    def __aiter__(self) -> SpeechStream: ...
    async def __anext__(self) -> str:
        """The next piece of text.

        Raises:
            TriollamaError: what ended the stream."""

    async def collect(self) -> Transcription:
        """Wait for all of it, with what was iterated before.

        Raises:
            TriollamaError: what ended the stream."""

    @property
    def endpoint(self) -> str:
        """The name of the endpoint that transcribes; empty while in line."""

    async def leave(self) -> None:
        """What the end of the block does."""

class Stream(Generic[StreamC, R_co]):
    """One answer as it comes.

    Made by `Engine.stream_chat` and `Engine.stream_generate` in ``async with``. Leaving that block
    stops the
    work: the connection is closed and the server stops generating, unless the answer is whole.

    Iterating gives chunks. If the iteration is cancelled, no chunk is lost: iterate on. An error
    that ended the stream is raised after the chunks that came before it. One task may read at a
    time.
    """

    def __aiter__(self) -> AsyncIterator[StreamC]: ...
    def __anext__(self) -> Awaitable[StreamC]:
        """The next chunk.

        Raises:
            TriollamaError: what ended the stream.
            trio.BusyResourceError: another task is reading."""

    async def collect(self) -> R_co:
        """Wait for the whole answer, with what was iterated before; wakes this task once.

        Chunks that are still unread are not iterated any more. If cancelled, call it again.

        Raises:
            TriollamaError: what ended the stream."""

    def pause(self) -> None:
        """Stop reading from the server until `resume`; what has arrived can still be iterated."""

    def resume(self) -> None:
        """Go on after `pause`."""

    def cancel(self) -> None:
        """Give the answer up: its reader gets `StreamCancelledError`, unless it is whole."""

    async def leave(self) -> None:
        """What the end of the block does: unless the answer is whole, give it up.

        Waits until socket and lease are back, two turns of the loop."""

    @property
    def partial(self) -> R_co:
        """The answer as far as it has arrived, with ``done`` false until it is whole."""

    @property
    def timing(self) -> Timing:
        """When things happened, so far."""

    @property
    def chunks(self) -> int:
        """Chunks that have arrived."""

    @property
    def usage(self) -> Usage | None:
        """Tokens and durations, once the answer is whole.

        Of an answer that broke and went on: its prompt once, all its tokens, and the durations of
        the last server; what the others had counted was lost with them."""

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """The attempts that have ended, the successful one included."""

    @property
    def endpoint(self) -> str:
        """The name of the endpoint that answers, or that was tried last; empty while in line."""

    @property
    def place(self) -> int | None:
        """How many requests are in line before this one; None when it does not wait in line."""

    @property
    def predicted_wait_s(self) -> float | None:
        """How long it will still wait in line, in seconds; None when it does not.

        By Little's law from the length of past requests; 0 as long as there were too few. Requests
        that go before it later (by priority, or of another caller) are not in it."""

    def statistics(self) -> StreamStatistics:
        """A snapshot."""

class StructuredStream(Generic[StreamStreamC, StreamR, StreamT]):
    """One answer as it comes, and the object in it. Made by ``stream_chat(…, format=Class)``.

    Iterate the chunks as of any stream, or `partials`; either way `parsed` gives the object.

    Attributes:
        stream: the `Stream` itself: timing, usage, pause, cancel, …
    """

    stream: Stream[StreamStreamC, StreamR]

    def __aiter__(self) -> AsyncIterator[StreamStreamC]: ...
    async def __anext__(self) -> StreamStreamC:
        """The next chunk; see `Stream`."""

    async def collect(self) -> StreamR:
        """The whole answer as it was written; see `Stream.collect`."""

    def partials(self) -> AsyncIterator[Partial[StreamT]]:
        """The answer in parts: a `Partial` whenever at least one more value is complete.

        There is one iterator: asked for again, it goes on where it was. What was read as chunks
        before is in its parts.

        If the answer begins anew (``on_break="restart"``), so do its parts. If cancelled, ask for
        the next one again. At most `LENGTH_MAX` characters are read, `DEPTH_MAX` deep.

        Raises:
            StructuredOutputError: while iterating: what has come cannot become JSON.
            TriollamaError: while iterating: what ended the stream."""

    async def parsed(self) -> StreamT:
        """Wait for the whole answer, and read it. It is not asked for again if it does not fit.

        Raises:
            StructuredTruncatedError: it was cut before it was whole.
            StructuredOutputError: it does not fit.
            TriollamaError: what ended the stream."""

class Subscription:
    """The facts that one subscriber has not read yet; an asynchronous iterator.

    Made by `FactHub.subscribe`. The iteration ends when the hub is closed, or the block of the
    subscription is left, and everything buffered has been read. If cancelled while it waits for a
    fact, none is lost: the next iteration gets it. Several tasks may read; each fact goes to one of
    them.

    Attributes:
        dropped: facts that came while the buffer was full.
    """

    dropped: int

    async def __anext__(self) -> Fact: ...
    def statistics(self) -> SubscriptionStatistics:
        """A snapshot."""

    def __aiter__(self) -> AsyncIterator[Fact]: ...

class ToolRun:
    """A run of tools, in ``async with``; iterating gives each step as a `ToolEvent`.

    Leaving the block stops the work: the answer's connection is closed, and calls are cancelled.
    (A function in a thread cannot be stopped; it is left to itself, and its result is dropped.) An
    error that ended the run is raised where it is iterated. One task may read at a time.
    """

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    async def __anext__(self) -> ToolEvent:
        """The next step. If cancelled, none is lost.

        Raises:
            ToolError: the tools failed; see `Rounds.run` for the kinds.
            TriollamaError: an answer failed.
            InvalidRequestError: outside of the block."""

    async def collect(self) -> ChatResponse:
        """Wait for the last answer; steps that were not read are dropped.

        Raises:
            TriollamaError: what ended the run."""

    @property
    def response(self) -> ChatResponse | None:
        """The model's last answer; None before the first one is whole."""

    @property
    def messages(self) -> tuple[Any, ...]:
        """Those given, then each answer and the results of its calls: the next request's."""

    @property
    def rounds(self) -> int:
        """Rounds that have begun."""

    def __aiter__(self) -> AsyncIterator[ToolEvent]: ...

class Transfer:
    """A pull, push or create that begins when its block is entered, or when it is awaited.

    ``async with engine.pull("m") as progress`` gives its events; leaving the block before the end
    stops it, unless somebody else waits for it, too. ``await engine.pull("m")`` waits for its end;
    if cancelled, it is stopped in the same way. It can be used once.
    """

    async def __aenter__(self) -> Progress: ...
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    def __await__(self) -> Generator[object, object, TransferResult]: ...

class Turn(Generic[TurnA]):
    """One turn in ``async with``; iterating gives the chunks of the answer. Made by `Chat.stream`.

    The turn becomes history as soon as its last chunk was iterated, or `collect` or `answer` gave
    the whole. If the block is left before that, by whatever way, the history stays as it was. Where
    tools run, the chunks are those of all rounds, and `events` gives every step.
    """

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
    @property
    def source(self) -> Any:
        """What the engine gave: a `Stream`, with its timing and usage, or a `ToolRun`."""

    @property
    def fit(self) -> ChatFit | None:
        """How the messages fit ``tokens_max``; None without that."""

    async def __anext__(self) -> ChatChunk:
        """The next chunk.

        Raises:
            StreamRestartedError: with ``on_break="restart"``: the answer begins anew; iterate on.
            InvalidRequestError: outside of the block.
            TriollamaError: what ended the turn."""

    def events(self) -> AsyncIterator[ToolEvent]:
        """Each step of the tools, chunks included, in place of the chunks alone.

        Raises:
            InvalidRequestError: outside of the block, or no tools run in this chat."""

    async def collect(self) -> ChatResponse:
        """Wait for the whole answer; with tools, for the last one. If cancelled, call it again.

        Raises:
            InvalidRequestError: the block was left before, or never entered.
            TriollamaError: what ended the turn."""

    async def answer(self) -> TurnA:
        """Wait for the whole answer: the object, if the chat's ``format`` is a class.

        Raises:
            StructuredOutputError: it does not fit; the history is as it was.
            TriollamaError: what ended the turn."""

    def __aiter__(self) -> AsyncIterator[ChatChunk]: ...

class Fetcher(triollama.Fetcher):
    async def fetch(self, url: str) -> bytes: ...

class EngineOpening:
    async def __aenter__(self) -> Engine: ...
    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

def open_engine(
    *endpoints: str | EndpointConfig,
    config: EngineConfig | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> EngineOpening: ...
