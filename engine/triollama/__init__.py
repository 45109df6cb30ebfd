"""Stream from a fleet of Ollama servers, on trio.

    async with triollama.open_engine("http://gpu-1:11434", "http://gpu-2:11434") as engine:
        async with engine.stream_chat("llama3.2", "Why is the sky blue?") as stream:
            async for chunk in stream:
                print(chunk.content, end="", flush=True)

All public names are here; every other module is private, whatever its name.

Who may import whom, downwards only (checked by import-linter in ``make check``)::

    _engine                 what an application calls
    _runtime, _requests     actors put together; arguments made into calls
    actors                  supervisor, pool, streams, watchdog
    api | wire              the Ollama protocol | bytes; they do not know each other
    _config, _address, _errors

Nothing here imports ``triollama_adapters``.
"""

import logging

from triollama._config import EndpointConfig, EngineConfig, TLSConfig
from triollama._engine import Engine, EngineStatistics, open_engine
from triollama._errors import (
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
    ModelNotFoundError,
    OverloadError,
    ProtocolError,
    RequestRejectedError,
    ServerBusyError,
    ServerFailedError,
    StallError,
    StreamCancelledError,
    TriollamaError,
    TruncatedError,
)
from triollama.actors.pool import EndpointStatistics, Outcome
from triollama.actors.streams import Attempt, Stream, Timing
from triollama.api import (
    ChatChunk,
    ChatResponse,
    EmbedResponse,
    GenerateChunk,
    GenerateResponse,
    ListedModel,
    Logprob,
    Message,
    ModelDetails,
    ModelName,
    Options,
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

__all__ = [
    "AnswerTooLargeError",
    "Attempt",
    "CallerError",
    "ChatChunk",
    "ChatResponse",
    "ConfigError",
    "ConnectError",
    "ConnectionLostError",
    "DeadlineExceededError",
    "EmbedResponse",
    "EndpointConfig",
    "EndpointError",
    "EndpointStatistics",
    "Engine",
    "EngineClosedError",
    "EngineConfig",
    "EngineError",
    "EngineFaultError",
    "EngineStatistics",
    "FleetUnavailableError",
    "GenerateChunk",
    "GenerateResponse",
    "InvalidRequestError",
    "ListedModel",
    "Logprob",
    "Message",
    "ModelDetails",
    "ModelName",
    "ModelNotFoundError",
    "Options",
    "Outcome",
    "OverloadError",
    "ProtocolError",
    "PsResponse",
    "RequestRejectedError",
    "RunningModel",
    "ServerBusyError",
    "ServerFailedError",
    "ShowResponse",
    "StallError",
    "Stream",
    "StreamCancelledError",
    "TLSConfig",
    "TagsResponse",
    "Timing",
    "ToolCall",
    "ToolFunction",
    "TriollamaError",
    "TruncatedError",
    "Usage",
    "VersionResponse",
    "WireTransport",
    "open_engine",
    "open_wire_transport",
    "parse_name",
]

# An application that does not log hears nothing: a library has no handlers of its own.
logging.getLogger("triollama").addHandler(logging.NullHandler())
