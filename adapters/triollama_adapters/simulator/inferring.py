"""What chat, generate and their kin have in common once a request was read.

Owns the unloading without work and the check of capabilities, which come before the scheduler
(``ollama-api.md`` §3, §5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .calls import TextCall
from .jobs import capability_error
from .lines import Answer, Lines
from .models import ModelConfig
from .response import JSON
from .text_job import TextJob

if TYPE_CHECKING:
    from .core import Simulator
    from .exchange import Exchange

__all__ = ["infer_text"]


def infer_text(
    simulator: Simulator, exchange: Exchange, call: TextCall, model: ModelConfig, now: float
) -> None:
    """Unload, refuse, or give a request for text to the scheduler.

    Raises:
        ApiError: 400 for what the model cannot do.
    """
    is_empty = not (call.messages if call.is_chat else call.prompt)
    if is_empty and call.keep_alive_s == 0:
        simulator.scheduler.unload(model, now)
        lines = Lines(call.model, is_chat=call.is_chat)
        body = lines.last(Answer(reason="unload"), simulator.stamps.created_at(now))
        exchange.response.reply(200, JSON, body, now)
        return
    refused = capability_error(call, model)
    if refused is not None:
        raise refused
    simulator.admit(exchange, TextJob(simulator, exchange, model, call), now)
