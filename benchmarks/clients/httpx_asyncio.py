"""httpx on asyncio, used by hand; `httpx_tasks` says with which settings and why."""

from __future__ import annotations

import asyncio

from benchmarks.clients.asyncio_tasks import run_readers
from benchmarks.clients.httpx_tasks import ask, measure, read
from benchmarks.measure import Measurement
from benchmarks.plan import Plan


def chunks(plan: Plan) -> Measurement:
    """Hold streams open, one task each, and count their chunks."""
    return asyncio.run(measure(plan, run_readers, plan.streams, read))


def requests(plan: Plan) -> Measurement:
    """Keep one-line requests in flight from as many tasks, and count the answers."""
    return asyncio.run(measure(plan, run_readers, plan.in_flight, ask))
