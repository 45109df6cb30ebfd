"""What a request is made of, and what is known of it afterwards."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable

import attrs

from triollama._frozen import frozen_for_checker
from triollama.actors.pool.messages import Outcome
from triollama.api import ChatRequest, GenerateRequest
from triollama.wire.upload import SizedStream


class UploadStream(SizedStream):
    """One that holds something open."""

    def close(self) -> None:
        """Let it go."""


@frozen_for_checker
class Upload:
    """A body that is read while it is sent, as often as it is sent.

    Attributes:
        content_type: what it is.
        open: gives it from its beginning; blocks a moment.
    """

    content_type: bytes
    open: Callable[[], UploadStream]


@frozen_for_checker
class Call:
    """One HTTP call, ready to be sent to any endpoint.

    Attributes:
        method: ``POST`` or ``GET``.
        path: below the endpoint's address.
        body: encoded once, whatever the number of attempts.
        model: the model's name as the caller wrote it; empty where none is involved.
        model_key: the same, normalised for comparison.
        wants_stream: whether NDJSON is asked for.
        request: what a stream was asked for; None for an answer that is one document.
        upload: in place of the body.
    """

    method: str
    path: str
    body: bytes = attrs.field(default=b"", repr=lambda body: f"<{len(body)} bytes>")
    model: str = ""
    model_key: str = ""
    wants_stream: bool = False
    request: ChatRequest | GenerateRequest | None = attrs.field(default=None, repr=False)
    upload: Upload | None = None

    @property
    def runner(self) -> tuple[tuple[str, int | bool], ...]:
        """What a server reloads the model for if it differs; see `api.options.runner_options`."""
        return () if self.request is None else self.request.runner_options


class OnBreak(enum.Enum):
    """What is wanted when an answer breaks after its reader has seen a part of it."""

    CONTINUE = "continue"
    RESTART = "restart"
    RAISE = "raise"


@frozen_for_checker
class Terms:
    """How a request is to be treated.

    Attributes:
        deadline_s: when it must have ended, on trio's clock.
        limit_s: the same as the caller gave it, in seconds from the beginning.
        priority: higher goes first.
        endpoint: the one endpoint to be used, or empty.
        on_break: what to do when the answer breaks.
        caller: on whose behalf; callers share the fleet fairly.
        tags: what the endpoint must have.
    """

    deadline_s: float = math.inf
    limit_s: float = math.inf
    priority: int = 0
    endpoint: str = ""
    on_break: OnBreak = OnBreak.CONTINUE
    caller: str = ""
    tags: frozenset[str] = frozenset()


class Ended(enum.Enum):
    """The outcome of a request; each has exactly one."""

    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@attrs.frozen
class Attempt:
    """One try of a request on one endpoint.

    Attributes:
        endpoint: the endpoint's name.
        started_ns: when its lease was granted, on the clock of `time.perf_counter_ns`.
        ended_ns: when it ended.
        why: how it ended, as far as the endpoint is concerned.
        error: the failure's text; empty if there was none.
        way: how it was made: ``resend`` from the beginning, or one of the ways of `resume`.
        characters: how much of the answer it brought, text and thinking together.
        kind: the failure's class, such as ``ConnectionLostError``; empty if there was none.
    """

    endpoint: str
    started_ns: int
    ended_ns: int
    why: Outcome
    error: str = ""
    way: str = "resend"
    characters: int = 0
    kind: str = ""


@attrs.define
class Quiet:
    """Since when an attempt has been quiet; kept by the watchdog.

    Attributes:
        since_s: when bytes were last seen to have come, or the attempt began, on trio's clock;
            infinity while its reader is the one who is waited for.
        received_bytes: how many there were then.
        has_begun: whether any of them are of this attempt's answer.
        closer_s: while it stays as it is, it need not be looked at closely before.
    """

    since_s: float = 0.0
    received_bytes: int = 0
    has_begun: bool = False
    closer_s: float = 0.0


@attrs.frozen
class Timing:
    """When things happened to a request, in nanoseconds of `time.perf_counter_ns`; 0 is not yet.

    Arrivals are stamped when the read from the socket returns, before anything is parsed.

    Attributes:
        scheduled_ns: the request was made.
        sent_ns: the last attempt's request was handed to the transport; once its answer begins:
            when its first byte was handed to the socket.
        first_ns: the first chunk with text, thinking or a tool call arrived.
        last_ns: the last such chunk so far.
        done_ns: the terminal chunk arrived.
    """

    scheduled_ns: int = 0
    sent_ns: int = 0
    first_ns: int = 0
    last_ns: int = 0
    done_ns: int = 0
