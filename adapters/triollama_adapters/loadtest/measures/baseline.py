"""What a model needs when it is alone, measured before the run."""

from __future__ import annotations

import msgspec

__all__ = ["Baseline"]


class Baseline(msgspec.Struct, frozen=True):
    """One model at a concurrency of one.

    Attributes:
        overhead_ns: ``R0``, what a request takes the server beyond load, prefill and decode; None
            if it was not measured: then the least residual of the run stands for it.
        rtt_ns: what a request takes on the way, beyond the server's own total.
        load_ns: the ``load_duration`` of a request whose model is loaded.
        prefill_ns_per_token: of a prompt that no cache holds; None if it was not measured: then
            the run's own 95th percentile stands for it.
    """

    overhead_ns: int | None = None
    rtt_ns: int = 0
    load_ns: int = 0
    prefill_ns_per_token: float | None = None
