"""What a worker asks of the rate limiter: before it sends, per endpoint, and at the end."""

from __future__ import annotations

from triollama.actors.limits import Limiter, Reservation, tokens_guess
from triollama.actors.pool import Pool
from triollama.actors.streams.messages import Call, Terms
from triollama.api import Usage


def begin_quota(limiter: Limiter, call: Call, terms: Terms) -> Reservation:
    """Reserve what the request may cost; if that is not granted yet, `Limiter.wait` must follow.

    Raises:
        OverloadError: it would be granted after the deadline.
        InvalidRequestError: it is more than a limit ever allows.
    """
    tokens = tokens_of(call)
    return limiter.ask(call.model_key, terms.caller, tokens, deadline_s=terms.deadline_s)


def take_endpoint_quota(
    limiter: Limiter, pool: Pool, endpoint: str, call: Call, reservation: Reservation | None
) -> float:
    """Take the same from one endpoint; until it has more to give, others are chosen.

    Returns:
        How long to wait before it is sent, in seconds.

    Raises:
        InvalidRequestError: it is more than the endpoint's limit ever allows.
    """
    wait_s = limiter.reserve_endpoint(endpoint, tokens_of(call), reservation)
    pool.hold(endpoint, limiter.next_free_s(endpoint))
    return wait_s


def settle_quota(
    limiter: Limiter, reservation: Reservation, usage: Usage | None, *, was_sent: bool
) -> None:
    """Put what was really used in the place of what was reserved, as far as anybody knows."""
    if not was_sent:
        limiter.cancel(reservation)
        return
    tokens = None if usage is None else usage.prompt_tokens + usage.output_tokens
    limiter.settle(reservation, tokens)


def tokens_of(call: Call) -> int:
    """How many tokens a request may cost."""
    options = (call.request.options if call.request is not None else None) or {}
    limit = options.get("num_predict")
    return tokens_guess(len(call.body), limit if isinstance(limit, int) else None)
