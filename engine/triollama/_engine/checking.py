"""Requests that are checked against their model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from triollama._engine.base import Base

if TYPE_CHECKING:
    from triollama.api import ChatRequest, EmbedRequest, GenerateRequest


class Checking(Base):
    """The part of `Engine` that checks without asking a model."""

    async def check(
        self,
        request: ChatRequest | GenerateRequest | EmbedRequest,
        *,
        endpoint: str | None = None,
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
            FleetUnavailableError: none could be asked.
        """
        return await self._runtime.model_checks.check(request, endpoint)
