"""How a search lets a run happen: a function that is given to it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from triollama_adapters.loadtest.plan import Plan
from triollama_adapters.loadtest.result import Result

__all__ = ["Run"]

Run: TypeAlias = Callable[[Plan], Awaitable[Result]]
"""Runs a plan and gives its result; see `running.run.run_load`."""
