"""The interface to whoever asks: one turn of a session becomes one sample."""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

from triollama_adapters.loadtest.sample import Outcome, Sample
from triollama_adapters.loadtest.sessions import Session

__all__ = ["Asker", "History"]

History: TypeAlias = list[dict[str, Any]]
"""Messages of a conversation so far, as on the wire. `Asker.ask` adds the user's and the answer."""


class Asker(Protocol):
    """Asks, for any number of tasks. Made by `open_target`."""

    async def ask(
        self, session: Session, turn_index: int, history: History, scheduled_ns: int
    ) -> Sample:
        """Ask one turn of a session and wait for the end of the answer.

        Every failure is an outcome of the sample; nothing but a cancellation is raised. The fields
        `is_measured`, `is_cold`, `process` and `lag_ns` are left to whoever asks for it.

        Args:
            session: whose turn.
            turn_index: which of its turns, from 0.
            history: what was said before; what is said now is added if the answer is whole and the
                session has further turns.
            scheduled_ns: when it was due, from the run's beginning on.
        """

    def cut(self, outcome: Outcome) -> None:
        """End what is under way, and whatever is still asked, with this outcome. Never waits."""

    def sent(self) -> int:
        """How many requests were sent so far, those under way among them."""

    def in_flight(self) -> dict[str, int]:
        """Requests under way, by endpoint."""
