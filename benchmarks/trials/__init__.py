"""One module per trial, each with a ``TRIAL`` and ``run``; `benchmarks.trial` says how."""

from __future__ import annotations

NAMES = (
    "pool_cpu",
    "limiter_cpu",
    "fact_cpu",
    "tokens",
    "features",
    "importing",
    "failover",
    "stall",
    "lost_sockets",
    "lost_simulated",
    "amplification",
    "slow",
    "slots",
    "batch_commit",
    "batch_resume",
    "batch_memory",
    "batch_slots",
    "batch_ray",
    "load_truth",
    "load_precision",
    "load_rate",
    "load_streams",
    "load_arrivals",
    "load_memory",
)
"""The modules here that are trials, in the order of the table."""
