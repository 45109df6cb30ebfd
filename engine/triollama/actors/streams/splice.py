"""Making the call of an attempt, by the way that it is to be made.

Owns, for one request, the prompt as a server renders it: it is asked for once.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from triollama._config import EngineConfig
from triollama._errors import ProtocolError, StallError
from triollama.actors.streams.attempt import EndpointAccess
from triollama.actors.streams.document import DocumentInflow
from triollama.actors.streams.messages import Call
from triollama.actors.streams.resume import (
    Delivered,
    Way,
    chat_with,
    prompt_with,
    render_call,
)
from triollama.api import ChatRequest, GenerateChunk, GenerateRequest, decode_generate_chunk


class Splicer:
    """Makes calls for the rest of an answer.

    Args:
        call: the whole request.
        config: the clocks.
    """

    __slots__ = ("_call", "_config", "_rendered")

    def __init__(self, call: Call, config: EngineConfig) -> None:
        self._call = call
        self._config = config
        self._rendered: str | None = None

    async def call_for(
        self, way: Way, access: EndpointAccess, delivered: Callable[[], Delivered]
    ) -> Call:
        """The call to send.

        Args:
            way: how the answer goes on.
            access: where.
            delivered: what has arrived.

        Raises:
            EndpointError: the prompt could not be had.
            InvalidRequestError: the request has become too large.
        """
        request = self._call.request
        if not way.is_splice or request is None:
            return self._call
        if isinstance(request, ChatRequest):
            return chat_with(request, delivered())
        if way is Way.RAW:
            return prompt_with(request, request.prompt or "", delivered())
        if self._rendered is None:
            self._rendered = await self._render(request, access)
        return prompt_with(request, self._rendered, delivered())

    async def _render(self, request: GenerateRequest, access: EndpointAccess) -> str:
        inflow = DocumentInflow(_decode, self._config)
        limit_s = self._config.first_token_s  # the model may have to be loaded for it
        with trio.move_on_after(limit_s) as scope:
            await access.attempt(render_call(request), inflow)
        if scope.cancelled_caught or inflow.value is None:
            raise StallError("first_token_s", limit_s, endpoint=access.name)
        if inflow.value.debug_info is None:
            raise ProtocolError("the server does not render prompts", endpoint=access.name)
        return inflow.value.debug_info.rendered_template


def _decode(body: bytes) -> GenerateChunk:
    return decode_generate_chunk(body, 0)
