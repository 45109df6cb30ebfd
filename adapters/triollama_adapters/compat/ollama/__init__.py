"""The official ``ollama`` client's surface on this engine: change the import, and nothing else.

    from triollama_adapters.compat import ollama  # was: import ollama

    for part in ollama.chat("llama3.2", messages, stream=True):
        print(part.message.content, end="")

What differs, and why, is written down in ``docs/migrating.md``.

Layers, top to bottom; each imports only from below::

    default                     the functions of the module
    client | async_client       what programs hold
    base
    lane                        an engine in a thread, and how one waits for it
    core                        the calls, in the engine's thread
    calls | answered            arguments and answers, ours and theirs
    asked, functions | settings
    messages, responses, system_one
    fields
    errors
"""

from .async_client import AsyncClient
from .client import Client
from .default import (
    chat,
    copy,
    create,
    delete,
    embed,
    embeddings,
    generate,
    list,  # noqa: A004 - the official name
    ps,
    pull,
    push,
    show,
    systemone,
    web_fetch,
    web_search,
)
from .errors import RequestError, ResponseError
from .messages import Image, Message, Options, Tool
from .responses import (
    ChatResponse,
    EmbeddingsResponse,
    EmbedResponse,
    GenerateResponse,
    ListResponse,
    ProcessResponse,
    ProgressResponse,
    ShowResponse,
    StatusResponse,
    WebFetchResponse,
    WebSearchResponse,
)
from .system_one import (
    SystemOneAnswer,
    SystemOneChoiceAnswer,
    SystemOneChoiceQuestion,
    SystemOneContent,
    SystemOneNoulAnswer,
    SystemOneNoulQuestion,
    SystemOneQuestion,
    SystemOneRequest,
    SystemOneResponse,
    SystemOneScoreAnswer,
    SystemOneScoreQuestion,
    SystemOneUsage,
)

__all__ = [
    "AsyncClient",
    "ChatResponse",
    "Client",
    "EmbedResponse",
    "EmbeddingsResponse",
    "GenerateResponse",
    "Image",
    "ListResponse",
    "Message",
    "Options",
    "ProcessResponse",
    "ProgressResponse",
    "RequestError",
    "ResponseError",
    "ShowResponse",
    "StatusResponse",
    "SystemOneAnswer",
    "SystemOneChoiceAnswer",
    "SystemOneChoiceQuestion",
    "SystemOneContent",
    "SystemOneNoulAnswer",
    "SystemOneNoulQuestion",
    "SystemOneQuestion",
    "SystemOneRequest",
    "SystemOneResponse",
    "SystemOneScoreAnswer",
    "SystemOneScoreQuestion",
    "SystemOneUsage",
    "Tool",
    "WebFetchResponse",
    "WebSearchResponse",
    "chat",
    "copy",
    "create",
    "delete",
    "embed",
    "embeddings",
    "generate",
    "list",
    "ps",
    "pull",
    "push",
    "show",
    "systemone",
    "web_fetch",
    "web_search",
]
