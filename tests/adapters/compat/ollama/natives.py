"""The engine's own calls for the official client's methods, and what is comparable of the answers.

The arguments are those of the official client's cases, its own types included: the engine takes
them as they are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import triollama
from triollama import Engine
from triollama_adapters.compat.ollama import answered

Fields = dict[str, Any]

ELSEWHERE = {
    "systemone": "the engine does not know the route: it came with Ollama 0.35",
}
"""Methods without a call, each with the reason."""

OTHERWISE = {
    "chat-tool-function": "tools say more of a function: see docs/tools.md",
    "chat-tool-functions": "the same; and a parameter without a type is refused",
    "chat-tool-enum": "the same",
    "generate-drawing": "models that draw are gone from Ollama since 0.32.6",
    "create_blob-no-file": "the engine's own error: InvalidRequestError",
}
"""Cases that are something else here, each with the reason."""


async def _create(engine: Engine, fields: Fields) -> Any:
    return await engine.create(fields.pop("model"), **fields)


async def _copy(engine: Engine, fields: Fields) -> Any:
    return await engine.copy(fields["source"], fields["destination"])


async def _chat(engine: Engine, fields: Fields) -> Any:
    return answered.chat_whole(await engine.chat(**{"messages": None, **fields}))


async def _generate(engine: Engine, fields: Fields) -> Any:
    return answered.generate_whole(await engine.generate(**{"prompt": None, **fields}))


async def _embed(engine: Engine, fields: Fields) -> Any:
    return answered.embed_whole(await engine.embed(**{"input": "", **fields}))


async def _embeddings(engine: Engine, fields: Fields) -> Any:
    return answered.embeddings_whole(await engine.embeddings(**fields))


async def _list(engine: Engine, _fields: Fields) -> Any:
    return answered.listed(await engine.tags())


async def _ps(engine: Engine, _fields: Fields) -> Any:
    return answered.running(await engine.ps())


async def _show(engine: Engine, fields: Fields) -> Any:
    return answered.shown(await engine.show(fields["model"]))


async def _web_search(engine: Engine, fields: Fields) -> Any:
    return answered.found(await engine.web_search(**{"max_results": 3, **fields}))


async def _web_fetch(engine: Engine, fields: Fields) -> Any:
    page = await engine.web_fetch(fields["url"])
    return {"title": page.title, "content": page.content, "links": list(page.links)}


async def _pull(engine: Engine, fields: Fields) -> Any:
    return await engine.pull(fields["model"], insecure=fields.get("insecure", False))


async def _push(engine: Engine, fields: Fields) -> Any:
    return await engine.push(fields["model"], insecure=fields.get("insecure", False))


async def _delete(engine: Engine, fields: Fields) -> Any:
    return await engine.delete(fields["model"])


async def _create_blob(engine: Engine, fields: Fields) -> Any:
    return await engine.push_blob(fields["path"])


NATIVE: dict[str, Callable[[Engine, Fields], Awaitable[Any]]] = {
    "chat": _chat,
    "copy": _copy,
    "create": _create,
    "create_blob": _create_blob,
    "delete": _delete,
    "embed": _embed,
    "embeddings": _embeddings,
    "generate": _generate,
    "list": _list,
    "ps": _ps,
    "pull": _pull,
    "push": _push,
    "show": _show,
    "web_fetch": _web_fetch,
    "web_search": _web_search,
}
"""The call for each method."""


async def parts(engine: Engine, method: str, fields: Fields) -> list[Any]:
    """The parts of an answer that is streamed."""
    block: Any
    match method:
        case "chat":
            block = engine.stream_chat(**{"messages": None, "on_break": "raise", **fields})
            make: Callable[[Any], Any] = answered.chat_part
        case "generate":
            block = engine.stream_generate(**{"prompt": None, "on_break": "raise", **fields})
            make = answered.generate_part
        case "create":
            block, make = engine.create(fields.pop("model"), **fields), answered.progress
        case _:
            insecure = fields.get("insecure", False)
            block = getattr(engine, method)(fields["model"], insecure=insecure)
            make = answered.progress
    async with block as stream:
        return [make(event) async for event in stream]


def told(error: triollama.TriollamaError) -> tuple[int, str]:  # noqa: PLR0911 - a table
    """The status that a server gave, and its text, as far as an error has them."""
    match error:
        case triollama.FleetUnavailableError(causes=[*_, last]):
            return told(last)
        case triollama.StreamBrokenError(__cause__=triollama.TriollamaError() as cause):
            return told(cause)
        case triollama.ModelNotFoundError(model=model):
            return 404, model
        case triollama.RequestRejectedError(status=status, message=message):
            return status, message
        case triollama.ServerFailedError(status=status, reason=reason):
            return status, reason
        case triollama.TransferFailedError(reason=reason):
            return 200, reason
        case triollama.InvalidRequestError():
            return 400, str(error)
        case _:
            return 0, str(error)
