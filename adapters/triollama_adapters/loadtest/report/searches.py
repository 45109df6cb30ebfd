"""What a search found, for a page and in sentences. No IO."""

from __future__ import annotations

from typing import TypeAlias

from triollama_adapters.loadtest.search.found import (
    AbFound,
    Capacity,
    Discovered,
    PoliciesFound,
    Sweep,
)

__all__ = ["Found"]

Found: TypeAlias = Sweep | Capacity | AbFound | PoliciesFound | Discovered
"""What a search can give."""
