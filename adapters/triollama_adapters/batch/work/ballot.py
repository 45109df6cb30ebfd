"""The count of one vote: who leads, whether that can change, how many answers it takes. No IO.

The winner is the key that has most votes of all `Ballot.seats` answers; of several, that of the
earliest answer. It is decided as soon as no answer that is still to come can change it, so the key
that wins does not depend on which answer comes first.
"""

from __future__ import annotations

import attrs

__all__ = ["Ballot"]


@attrs.define
class Ballot:
    """One vote.

    Attributes:
        seats: how many answers there may be.
        keys: what each answer that came votes for, by its number from 0.
        spoilt: the numbers of the answers that have no vote.
    """

    seats: int
    keys: dict[int, str] = attrs.field(factory=dict)
    spoilt: set[int] = attrs.field(factory=set)

    def add(self, number: int, key: str | None) -> None:
        """Count an answer; None: it has no vote."""
        if key is None:
            self.spoilt.add(number)
        else:
            self.keys[number] = key

    def counts(self) -> dict[str, int]:
        """The votes of each key, the leader first; of several, the one of the earliest answer."""
        votes: dict[str, int] = {}
        for number in sorted(self.keys):
            key = self.keys[number]
            votes[key] = votes.get(key, 0) + 1
        return dict(sorted(votes.items(), key=lambda each: -each[1]))

    def to_come(self) -> int:
        """How many answers have not come."""
        return self.seats - len(self.keys) - len(self.spoilt)

    def is_decided(self) -> bool:
        """Whether the rest cannot change who wins."""
        rest = self.to_come()
        if not rest:
            return True
        winner = self.winner()
        if winner is None:
            return False
        counts = [*self.counts().values(), 0]
        lead = counts[0] - counts[1] - rest
        if lead == 0:
            # Another key may come to as many votes; then the earliest answer of all decides.
            return all(number in self.spoilt for number in range(winner))
        return lead > 0

    def wanted(self) -> int:
        """How many more answers decide it at the earliest, 0 if it is decided."""
        rest = self.to_come()
        if self.is_decided():
            return 0
        counts = [*self.counts().values(), 0, 0]
        # Each that agrees with the leader is one vote more for it and one less to come.
        lack = counts[1] + rest - counts[0]
        return min(rest, lack // 2 + 1)

    def winner(self) -> int | None:
        """The number of the earliest answer of the key that leads; None if there are no votes."""
        leader = next(iter(self.counts()), None)
        return next((number for number in sorted(self.keys) if self.keys[number] == leader), None)
