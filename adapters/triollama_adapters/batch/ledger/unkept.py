"""A ledger that keeps nothing: for results that only their reader wants."""

from __future__ import annotations

from collections.abc import Sequence

import trio

from triollama_adapters.batch.ledger.ledger import Entry
from triollama_adapters.batch.ledger.standing import Standing

__all__ = ["Unkept"]


class Unkept:
    """Takes outcomes and forgets them."""

    def standing(self, number: int, digest: bytes) -> Standing:  # noqa: ARG002 - the protocol's
        """Always new."""
        return Standing.NEW

    def are_known(self, first: int, digests: bytes) -> bool:  # noqa: ARG002 - the protocol's
        """Never."""
        return False

    @property
    def rows_end(self) -> int:
        """0."""
        return 0

    async def commit(self, entries: Sequence[Entry]) -> None:  # noqa: ARG002 - the protocol's
        """Nothing."""
        await trio.lowlevel.checkpoint()

    async def note_input_rows(self, count: int) -> None:  # noqa: ARG002 - as the ledger
        """Nothing."""
        await trio.lowlevel.checkpoint()
