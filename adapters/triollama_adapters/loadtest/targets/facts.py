"""What is known of the servers before the load begins."""

from __future__ import annotations

import msgspec

__all__ = ["EndpointFacts", "Facts", "ModelFacts"]


class ModelFacts(msgspec.Struct, frozen=True):
    """What one model needs, measured at a concurrency of one.

    Attributes:
        overhead_ns: ``R0``, what a request takes the server beyond load, prefill and decode; None
            if the server tells no times.
        rtt_ns: what a request takes beyond the server's own total, on the way; None likewise.
        chars_per_token: of synthetic prompts.
        template_tokens: of every prompt, beside its words.
        load_ns: the ``load_duration`` of a request whose model is loaded.
    """

    overhead_ns: int | None = None
    rtt_ns: int | None = None
    chars_per_token: float | None = None
    template_tokens: int = 0
    load_ns: int = 0


class EndpointFacts(msgspec.Struct, frozen=True):
    """What one endpoint is.

    Attributes:
        name: ``host:port``.
        version: what it says; empty if it does not.
        models: those that it has; empty if it does not say.
    """

    name: str
    version: str = ""
    models: tuple[str, ...] = ()


class Facts(msgspec.Struct, frozen=True):
    """What `preflight` found out; crosses processes.

    Attributes:
        endpoints: each of them, in the plan's order.
        models: by the names of the plan's scenarios.
        is_timed: whether the servers tell their times.
        warnings: what a reader has to know; one line each.
    """

    endpoints: tuple[EndpointFacts, ...] = ()
    models: dict[str, ModelFacts] = {}
    is_timed: bool = False
    warnings: tuple[str, ...] = ()
