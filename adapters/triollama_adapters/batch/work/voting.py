"""Several answers to each row, of which the one counts that most of them agree with.

The answers differ by their seed: the row's own, or 1, and then each one more; seed -1 is left to
the server. A row that has no temperature gets `TEMPERATURE`; at temperature 0 all answers would be
the same, so that one is asked. No more are asked than decide the vote: first as many as make it if
they agree, then as many as are still missing; those that can no longer change it are cancelled.

Bounds: `Voted.seats` answers of a row wait or run at a time; of all rows together see `Narrow`.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import attrs
import trio

from triollama import Usage
from triollama_adapters.batch.errors import BatchError, ChoiceError
from triollama_adapters.batch.rows import Ask, RowError
from triollama_adapters.batch.work.asking import Asked, Asks
from triollama_adapters.batch.work.ballot import Ballot
from triollama_adapters.batch.work.checking import with_usage
from triollama_adapters.batch.work.functions import FunctionError
from triollama_adapters.batch.work.keys import KeyOf
from triollama_adapters.batch.work.narrow import Narrow

__all__ = ["TEMPERATURE", "VOTES_MAX", "Voted", "check_seats"]

TEMPERATURE: Final = 0.7
"""What self-consistency was measured with (Wang et al., "Self-Consistency Improves Chain of
Thought Reasoning", 2022, §3.1)."""

VOTES_MAX: Final = 64
"""The gain is gone after 40 answers there."""

KEY_CHARS_MAX: Final = 80
"""Of a key that is told in a record; longer ones are cut, and told apart by a hash."""


@attrs.frozen
class Voted:
    """Asks each row several times, and counts what most answers agree with.

    Attributes:
        asks: who is asked.
        seats: how many answers a row gets at most, from 1 to `VOTES_MAX`.
        key_of: what an answer votes for.
        narrow: is told of each row; it stands somewhere behind `asks`.
    """

    asks: Asks
    seats: int
    key_of: KeyOf
    narrow: Narrow

    async def ask(self, ask: Ask) -> Asked:
        """Ask one row, to the answer that wins, or the error of the first one that has no vote.

        The usage of the answer is that of all that came; those that were cancelled are not in it,
        nor in what a failure tells.
        Embeddings are asked once, without a vote.

        Args:
            ask: the row.

        Raises:
            BatchError: what `asks` raises.
        """
        if ask.kind == "embed":
            return await self.asks.ask(ask)
        asks = _variants(ask, self.seats)
        vote = _Vote(self.asks, self.key_of, asks, Ballot(len(asks)))
        with self.narrow.row():
            while number := vote.ballot.wanted():
                await vote.ask_more(number)
        return vote.outcome()


@attrs.define
class _Vote:
    """One row's vote."""

    asks: Asks
    key_of: KeyOf
    variants: list[Ask]
    ballot: Ballot
    came: dict[int, Asked] = attrs.field(factory=dict)
    begun: int = 0
    failure: BatchError | None = None

    async def ask_more(self, count: int) -> None:
        """Ask for so many more answers, or until it is decided."""
        first, self.begun = self.begun, self.begun + count
        async with trio.open_nursery() as nursery:
            for number in range(first, self.begun):
                nursery.start_soon(self._ask, number, nursery.cancel_scope)
        if self.failure is not None:
            raise self.failure

    async def _ask(self, number: int, wave: trio.CancelScope) -> None:
        ask = self.variants[number]
        try:
            asked = await self.asks.ask(ask)
        except BatchError as error:
            # Raised by who opened the nursery, which would make a group of it.
            self.failure = self.failure or error
            wave.cancel()
            return
        asked, key = await self._keyed(asked, ask)
        self.came[number] = asked
        self.ballot.add(number, key)
        if self.ballot.is_decided():
            wave.cancel()

    async def _keyed(self, asked: Asked, ask: Ask) -> tuple[Asked, str | None]:
        """An answer and its vote; one without is an error."""
        if asked.answer is None:
            return asked, None
        try:
            key = await self.key_of(asked.answer, ask)
        except FunctionError as error:
            why = RowError("VoteKeyFailed", str(error))
        else:
            if key is not None:
                return asked, key
            why = RowError("VoteKeyMissing", "the answer has nothing that it could vote for")
        return attrs.evolve(asked, answer=None, error=why, refused=asked.answer), None

    def outcome(self) -> Asked:
        """What came of the row."""
        tries = sum(asked.tries for asked in self.came.values())
        number = self.ballot.winner()
        first = min(self.came) if number is None else number
        asked, *others = self.came[first], *(self.came[each] for each in self.came if each != first)
        wasted = sum((each.spent for each in others), asked.wasted)
        if asked.answer is None:
            return attrs.evolve(asked, tries=tries, wasted=wasted)
        answer = with_usage(asked.answer, asked.answer.usage + wasted)
        more = {**asked.more, "vote": self._told()}
        return attrs.evolve(asked, answer=answer, tries=tries, more=more, wasted=Usage())

    def _told(self) -> dict[str, Any]:
        """The record of a vote."""
        counts = self.ballot.counts()
        votes = sum(counts.values())
        leader = next(iter(counts))
        return {
            "key": _short(leader),
            "share": round(counts[leader] / votes, 4),
            "votes": {_short(key): count for key, count in counts.items()},
            "spoilt": len(self.ballot.spoilt),
        }


def check_seats(seats: int, temperature: Any) -> None:
    """See that a vote can be one.

    Args:
        seats: how many answers are wanted.
        temperature: of all rows; None if it is not given.

    Raises:
        ChoiceError: it cannot.
    """
    if not 1 <= seats <= VOTES_MAX:
        raise ChoiceError(f"--vote takes a number from 1 to {VOTES_MAX}, not {seats}")
    if seats > 1 and temperature == 0:
        raise ChoiceError(
            "--vote asks for answers that differ, and at --temperature 0 none does: "
            f"leave it out, for {TEMPERATURE}, or give a higher one"
        )


def _variants(ask: Ask, seats: int) -> list[Ask]:
    """The requests of a vote, which differ by their seed; one where they could not differ."""
    options = dict(ask.arguments.get("options") or {})
    if options.get("temperature") == 0:
        return [ask]
    options.setdefault("temperature", TEMPERATURE)
    seed = options.get("seed", 1)
    is_ours = isinstance(seed, int) and seed >= 0
    return [
        attrs.evolve(
            ask,
            arguments={
                **ask.arguments,
                "options": {**options, "seed": seed + number if is_ours else seed},
            },
        )
        for number in range(seats)
    ]


def _short(key: str) -> str:
    if len(key) <= KEY_CHARS_MAX:
        return key
    mark = hashlib.blake2b(key.encode(errors="replace"), digest_size=4).hexdigest()
    return f"{key[:KEY_CHARS_MAX]}…#{mark}"
