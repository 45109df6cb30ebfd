"""Asking over any `httpx.AsyncBaseTransport`, such as a simulated fleet in memory.

For proofs on scripted timelines. Pieces of an answer wake a task each, and only the clocks of the
user hold, so no load is made this way.
"""

from __future__ import annotations

import time

import httpx
import trio

from triollama import TriollamaError
from triollama.wire.pump import pump
from triollama_adapters.loadtest.targets.answer_sinks import AnswerSink
from triollama_adapters.loadtest.targets.record import Record
from triollama_adapters.loadtest.targets.verdicts import (
    Verdict,
    answer_outcome,
    refused_outcome,
    transport_outcome,
)

__all__ = ["ask_foreign"]


async def ask_foreign(
    transport: httpx.AsyncBaseTransport,
    request: httpx.Request,
    record: Record[AnswerSink],
    cancel_s: float | None,
) -> Verdict:
    """Send a request, and let the record's sink take what comes.

    Args:
        transport: carries it.
        request: with its body.
        record: of the request.
        cancel_s: the user leaves so long after sending; None stays.

    Raises:
        httpx.TransportError: the connection broke.
    """
    record.sent_ns = time.perf_counter_ns()
    with trio.CancelScope() as record.scope:
        if cancel_s is not None:
            record.scope.deadline = trio.current_time() + cancel_s
        response = await transport.handle_async_request(request)
        if response.status_code != 200:
            body = await response.aread()
            asks_to_wait = "retry-after" in response.headers
            return refused_outcome(response.status_code, body, asks_to_wait=asks_to_wait)
        try:
            await pump(response.stream, record.heard)
            record.heard.finish()
        except TriollamaError as error:
            return transport_outcome(error)
        return answer_outcome(record.heard)
    record.end("ok" if record.heard.done_ns else "cancelled")
    return "cancelled", ""
