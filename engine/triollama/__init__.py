"""Stream from a fleet of Ollama servers, on trio.

    async with triollama.open_engine("http://gpu-1:11434", "http://gpu-2:11434") as engine:
        async with engine.stream_chat("llama3.2", "Why is the sky blue?") as stream:
            async for chunk in stream:
                print(chunk.content, end="", flush=True)

All public names are here; every other module is private, whatever its name.

Who may import whom, downwards only (checked by import-linter in ``make check``)::

    _open                   starts and stops an engine
    _engine                 what an application calls, one module per kind of call
    transfers               models pulled, pushed and made, with progress; imported when used
    tools, structured       functions that models call; answers that are objects
    _statistics             all its numbers at one moment
    _runtime, _requests     actors put together; arguments made into calls
    actors                  supervisor, pool, health, limits, streams, facts
    api | wire              the Ollama protocol | bytes; they do not know each other
    _config                 what users settle
    auth                    keys, passwords, tokens; imported where an endpoint has any
    _address, _facts, _errors

Nothing here imports ``triollama_adapters``.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Final

from triollama._config import EndpointConfig, EngineConfig, ProbeConfig, RateLimit, TLSConfig
from triollama._engine import Engine
from triollama._errors import (
    AccessDeniedError,
    AnswerTooLargeError,
    CallerError,
    ConfigError,
    ConnectError,
    ConnectionLostError,
    DeadlineExceededError,
    EndpointError,
    EngineClosedError,
    EngineError,
    EngineFaultError,
    FleetUnavailableError,
    InvalidRequestError,
    MissingExtraError,
    ModelNotFoundError,
    OverloadError,
    Problem,
    ProtocolError,
    RequestRejectedError,
    ServerBusyError,
    ServerFailedError,
    SignInRequiredError,
    StallError,
    StreamBrokenError,
    StreamCancelledError,
    StreamRestartedError,
    TriollamaError,
    TruncatedError,
)
from triollama._facts import (
    ActorRestarted,
    AttemptFailed,
    EndpointAdded,
    EndpointDraining,
    EndpointEjected,
    EndpointFact,
    EndpointOnTrial,
    EndpointPushedBack,
    EndpointRecovered,
    EndpointRemoved,
    EndpointRestarted,
    EndpointUpdated,
    Fact,
    ModelsChanged,
    PanicBegan,
    PanicEnded,
    ProbeFailed,
    ProbeRecovered,
    RequestDelayed,
    RequestRefused,
    SlotsLearnt,
    StreamContinued,
    StreamEnded,
    StreamFact,
    StreamResent,
    StreamStarted,
    VersionChanged,
)
from triollama._open import open_engine
from triollama._statistics import EngineStatistics
from triollama.actors.facts import FactStatistics, Subscription, SubscriptionStatistics
from triollama.actors.health import EndpointProbes, ProberStatistics
from triollama.actors.limits import LimiterStatistics, LimitStatistics
from triollama.actors.pool import EndpointStatistics, Outcome, PoolStatistics
from triollama.actors.streams import Attempt, Stream, StreamStatistics, Timing
from triollama.api import (
    Capability,
    ChatChunk,
    ChatRequest,
    ChatResponse,
    EmbedRequest,
    EmbedResponse,
    GenerateChunk,
    GenerateRequest,
    GenerateResponse,
    ListedModel,
    Logprob,
    Message,
    ModelDetails,
    ModelName,
    Options,
    OptionsWarning,
    PsResponse,
    RunningModel,
    ShowResponse,
    TagsResponse,
    ToolCall,
    ToolFunction,
    Usage,
    VersionResponse,
    parse_name,
)
from triollama.wire.transport import WireTransport, open_wire_transport

if TYPE_CHECKING:
    from triollama._schema import (
        SchemaError,
    )
    from triollama.api.account import (
        AccountResponse,
        CloudStatus,
        Recommendation,
        RecommendationsResponse,
        StatusResponse,
        WebFetchResponse,
        WebResult,
        WebSearchResponse,
    )
    from triollama.api.embeddings import (
        EmbeddingsResponse,
    )
    from triollama.api.transcribe import Transcription
    from triollama.auth import Basic, Bearer, Token, TokenError
    from triollama.media import Fetcher, FetchFailedError, FetchRefusedError, SpeechStream
    from triollama.structured import (
        JsonSchema,
        Partial,
        StructuredOutputError,
        StructuredStream,
        StructuredTruncatedError,
    )
    from triollama.tokens import (
        ContextCheck,
        ContextExceededError,
        Price,
        Prices,
        TokenCount,
        Tokenizer,
        TokenizerError,
    )
    from triollama.tools import (
        Tool,
        ToolAnswerChunk,
        ToolAnswerRestarted,
        ToolArgumentsError,
        ToolCallBegan,
        ToolCallEnded,
        ToolCallError,
        ToolError,
        ToolEvent,
        ToolFailedError,
        ToolNotFoundError,
        ToolRefusedError,
        ToolResultError,
        ToolRoundBegan,
        ToolRoundEnded,
        ToolRoundsError,
        ToolRules,
        ToolRun,
        ToolRunEnded,
        ToolTimeoutError,
        tool,
    )
    from triollama.transfers.errors import (
        BlobChangedError,
        DigestMismatchError,
        PartialFailureError,
        TransferFailedError,
    )
    from triollama.transfers.events import (
        EndpointTransfer,
        TransferEvent,
        TransferResult,
    )
    from triollama.transfers.progress import (
        Progress,
        Transfer,
    )

__all__ = [
    "AccessDeniedError",
    "AccountResponse",
    "ActorRestarted",
    "AnswerTooLargeError",
    "Attempt",
    "AttemptFailed",
    "Basic",
    "Bearer",
    "BlobChangedError",
    "CallerError",
    "Capability",
    "ChatChunk",
    "ChatRequest",
    "ChatResponse",
    "CloudStatus",
    "ConfigError",
    "ConnectError",
    "ConnectionLostError",
    "ContextCheck",
    "ContextExceededError",
    "DeadlineExceededError",
    "DigestMismatchError",
    "EmbedRequest",
    "EmbedResponse",
    "EmbeddingsResponse",
    "EndpointAdded",
    "EndpointConfig",
    "EndpointDraining",
    "EndpointEjected",
    "EndpointError",
    "EndpointFact",
    "EndpointOnTrial",
    "EndpointProbes",
    "EndpointPushedBack",
    "EndpointRecovered",
    "EndpointRemoved",
    "EndpointRestarted",
    "EndpointStatistics",
    "EndpointTransfer",
    "EndpointUpdated",
    "Engine",
    "EngineClosedError",
    "EngineConfig",
    "EngineError",
    "EngineFaultError",
    "EngineStatistics",
    "Fact",
    "FactStatistics",
    "FetchFailedError",
    "FetchRefusedError",
    "Fetcher",
    "FleetUnavailableError",
    "GenerateChunk",
    "GenerateRequest",
    "GenerateResponse",
    "InvalidRequestError",
    "JsonSchema",
    "LimitStatistics",
    "LimiterStatistics",
    "ListedModel",
    "Logprob",
    "Message",
    "MissingExtraError",
    "ModelDetails",
    "ModelName",
    "ModelNotFoundError",
    "ModelsChanged",
    "Options",
    "OptionsWarning",
    "Outcome",
    "OverloadError",
    "PanicBegan",
    "PanicEnded",
    "Partial",
    "PartialFailureError",
    "PoolStatistics",
    "Price",
    "Prices",
    "ProbeConfig",
    "ProbeFailed",
    "ProbeRecovered",
    "ProberStatistics",
    "Problem",
    "Progress",
    "ProtocolError",
    "PsResponse",
    "RateLimit",
    "Recommendation",
    "RecommendationsResponse",
    "RequestDelayed",
    "RequestRefused",
    "RequestRejectedError",
    "RunningModel",
    "SchemaError",
    "ServerBusyError",
    "ServerFailedError",
    "ShowResponse",
    "SignInRequiredError",
    "SlotsLearnt",
    "SpeechStream",
    "StallError",
    "StatusResponse",
    "Stream",
    "StreamBrokenError",
    "StreamCancelledError",
    "StreamContinued",
    "StreamEnded",
    "StreamFact",
    "StreamResent",
    "StreamRestartedError",
    "StreamStarted",
    "StreamStatistics",
    "StructuredOutputError",
    "StructuredStream",
    "StructuredTruncatedError",
    "Subscription",
    "SubscriptionStatistics",
    "TLSConfig",
    "TagsResponse",
    "Timing",
    "Token",
    "TokenCount",
    "TokenError",
    "Tokenizer",
    "TokenizerError",
    "Tool",
    "ToolAnswerChunk",
    "ToolAnswerRestarted",
    "ToolArgumentsError",
    "ToolCall",
    "ToolCallBegan",
    "ToolCallEnded",
    "ToolCallError",
    "ToolError",
    "ToolEvent",
    "ToolFailedError",
    "ToolFunction",
    "ToolNotFoundError",
    "ToolRefusedError",
    "ToolResultError",
    "ToolRoundBegan",
    "ToolRoundEnded",
    "ToolRoundsError",
    "ToolRules",
    "ToolRun",
    "ToolRunEnded",
    "ToolTimeoutError",
    "Transcription",
    "Transfer",
    "TransferEvent",
    "TransferFailedError",
    "TransferResult",
    "TriollamaError",
    "TruncatedError",
    "Usage",
    "VersionChanged",
    "VersionResponse",
    "WebFetchResponse",
    "WebResult",
    "WebSearchResponse",
    "WireTransport",
    "open_engine",
    "open_wire_transport",
    "parse_name",
    "tool",
]

_LATER: Final[dict[str, str]] = {
    "AccountResponse": "triollama.api.account",
    "Basic": "triollama.auth",
    "Bearer": "triollama.auth",
    "BlobChangedError": "triollama.transfers.errors",
    "CloudStatus": "triollama.api.account",
    "ContextCheck": "triollama.tokens",
    "ContextExceededError": "triollama.tokens",
    "DigestMismatchError": "triollama.transfers.errors",
    "EmbeddingsResponse": "triollama.api.embeddings",
    "EndpointTransfer": "triollama.transfers.events",
    "FetchFailedError": "triollama.media",
    "FetchRefusedError": "triollama.media",
    "Fetcher": "triollama.media",
    "JsonSchema": "triollama.structured",
    "Partial": "triollama.structured",
    "PartialFailureError": "triollama.transfers.errors",
    "Price": "triollama.tokens",
    "Prices": "triollama.tokens",
    "Progress": "triollama.transfers.progress",
    "Recommendation": "triollama.api.account",
    "RecommendationsResponse": "triollama.api.account",
    "SchemaError": "triollama._schema",
    "SpeechStream": "triollama.media",
    "StatusResponse": "triollama.api.account",
    "StructuredOutputError": "triollama.structured",
    "StructuredStream": "triollama.structured",
    "StructuredTruncatedError": "triollama.structured",
    "Token": "triollama.auth",
    "TokenCount": "triollama.tokens",
    "TokenError": "triollama.auth",
    "Tokenizer": "triollama.tokens",
    "TokenizerError": "triollama.tokens",
    "Tool": "triollama.tools",
    "ToolAnswerChunk": "triollama.tools",
    "ToolAnswerRestarted": "triollama.tools",
    "ToolArgumentsError": "triollama.tools",
    "ToolCallBegan": "triollama.tools",
    "ToolCallEnded": "triollama.tools",
    "ToolCallError": "triollama.tools",
    "ToolError": "triollama.tools",
    "ToolEvent": "triollama.tools",
    "ToolFailedError": "triollama.tools",
    "ToolNotFoundError": "triollama.tools",
    "ToolRefusedError": "triollama.tools",
    "ToolResultError": "triollama.tools",
    "ToolRoundBegan": "triollama.tools",
    "ToolRoundEnded": "triollama.tools",
    "ToolRoundsError": "triollama.tools",
    "ToolRules": "triollama.tools",
    "ToolRun": "triollama.tools",
    "ToolRunEnded": "triollama.tools",
    "ToolTimeoutError": "triollama.tools",
    "Transcription": "triollama.api.transcribe",
    "Transfer": "triollama.transfers.progress",
    "TransferEvent": "triollama.transfers.events",
    "TransferFailedError": "triollama.transfers.errors",
    "TransferResult": "triollama.transfers.events",
    "WebFetchResponse": "triollama.api.account",
    "WebResult": "triollama.api.account",
    "WebSearchResponse": "triollama.api.account",
    "tool": "triollama.tools",
}
"""Public names that are imported when they are first used, and where they are: most programs need
few of them, and a command should begin at once."""


def __getattr__(name: str) -> object:
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(module), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})


# An application that does not log hears nothing: a library has no handlers of its own.
logging.getLogger("triollama").addHandler(logging.NullHandler())
