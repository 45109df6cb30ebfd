"""What is known of the servers before the load begins."""

from __future__ import annotations

import msgspec

from triollama_adapters.loadtest.measures.baseline import Baseline
from triollama_adapters.loadtest.workload.lengths import TokenLengths

__all__ = ["EndpointFacts", "Facts", "ModelFacts"]


class ModelFacts(msgspec.Struct, frozen=True):
    """What one model needs, measured at a concurrency of one.

    Attributes:
        overhead_ns: ``R0``, what a request takes the server beyond load, prefill and decode; None
            if the server tells no times.
        rtt_ns: what a request takes on the way, beyond the server's own total; None likewise.
        load_ns: the ``load_duration`` of a request whose model is loaded.
        prefill_ns_per_token: of a prompt that no cache holds; None if it was not measured.
        characters_per_token: of synthetic text; None if it was not measured.
        overhead_tokens: of a prompt without text.
    """

    overhead_ns: int | None = None
    rtt_ns: int | None = None
    load_ns: int = 0
    prefill_ns_per_token: float | None = None
    characters_per_token: float | None = None
    overhead_tokens: float = 0.0


class EndpointFacts(msgspec.Struct, frozen=True):
    """What one endpoint is.

    Attributes:
        name: ``host:port``.
        version: what it says; empty if it does not.
        models: those that it has; None if it does not say.
    """

    name: str
    version: str = ""
    models: tuple[str, ...] | None = None


class Facts(msgspec.Struct, frozen=True):
    """What `preflight` found out; crosses processes.

    Attributes:
        endpoints: each of them, in the plan's order.
        models: by the names of the plan's scenarios; those that were measured.
        is_timed: whether the servers tell their times.
        warnings: what a reader has to know; one line each.
    """

    endpoints: tuple[EndpointFacts, ...] = ()
    models: dict[str, ModelFacts] = {}
    is_timed: bool = False
    warnings: tuple[str, ...] = ()

    def baselines(self) -> dict[str, Baseline]:
        """What a tally wants, by model."""
        return {
            name: Baseline(
                overhead_ns=each.overhead_ns,
                rtt_ns=each.rtt_ns or 0,
                load_ns=each.load_ns,
                prefill_ns_per_token=each.prefill_ns_per_token,
            )
            for name, each in self.models.items()
        }

    def lengths(self) -> dict[str, TokenLengths]:
        """What a token is, by model; those that were not measured are missing."""
        return {
            name: TokenLengths(each.characters_per_token, each.overhead_tokens)
            for name, each in self.models.items()
            if each.characters_per_token is not None
        }
