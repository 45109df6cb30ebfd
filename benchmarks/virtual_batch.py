"""A batch job over servers in memory and in virtual time: how full they are, how soon it ends.

Everything between the rows and the servers is the real thing: the job, its schedule, the engine.
Only the servers, the input and the ledger are in memory. An answer has the length that is given for
its row: the servers would write on, and the row's limit of tokens ends it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio

from benchmarks.trials.virtual import run_virtual
from triollama import open_engine
from triollama_adapters.batch.ledger.ledger import Entry
from triollama_adapters.batch.ledger.unkept import Unkept
from triollama_adapters.batch.rows import Ask, Row
from triollama_adapters.batch.work.asking import Asked, Asker, Asks
from triollama_adapters.batch.work.job import Job, Limits
from triollama_adapters.simulator import SimulatedFleet, SimulatorConfig, open_fleet

__all__ = ["TRACE", "Filled", "Fleet", "fill", "trace_lengths"]

TRACE: Final = Path(__file__).parents[2] / "shared/data/mooncake_conversation_trace.jsonl"
"""One hour of a chat service; beside the repository, not in it."""

MODEL: Final = "llama3.2"

PIECE_TOKENS: Final = 16
"""So many tokens of the trace are one here, and take as long: servers in memory cost CPU by the
token, and nothing that is measured depends on it."""

LAST_SHARE: Final = 0.02
"""Of the rows: while these are left, slots may be idle."""

LOOK_S: Final = 0.1
"""Between two looks at the slots, in virtual seconds; an answer takes some 5 s."""

READ_ROWS: Final = 256


@attrs.frozen(kw_only=True)
class Fleet:
    """Servers in memory.

    Attributes:
        servers: how many.
        slots: of each.
        tokens_per_s: how fast each slot writes: 75 tokens, in units of `PIECE_TOKENS`.
    """

    servers: int = 4
    slots: int = 4
    tokens_per_s: float = 75.0 / PIECE_TOKENS

    def configs(self, seed: int, tokens_max: int) -> dict[str, SimulatorConfig]:
        """The servers by their URLs."""
        config = SimulatorConfig(
            num_parallel=self.slots,
            decode_tokens_per_s=self.tokens_per_s,
            answer_tokens_min=tokens_max,
            answer_tokens_max=tokens_max,
            context_length=4 * tokens_max,
            seed=seed,
        )
        return {f"http://server{number}:11434": config for number in range(self.servers)}


@attrs.frozen
class Filled:
    """How a job filled its servers.

    Attributes:
        busy: the share of the slots that worked, until `LAST_SHARE` of the rows was left.
        makespan_s: from the first row to the last outcome, in virtual seconds.
        bound_s: all tokens at the servers' speed over all slots: no schedule is faster.
        answered: rows with an answer.
        hedged: rows that were asked twice.
        in_line: rows that waited in the engine's line, in the mean.
    """

    busy: float
    makespan_s: float
    bound_s: float
    answered: int
    hedged: int
    in_line: float

    @property
    def ratio(self) -> float:
        """The makespan as a multiple of what is possible."""
        return self.makespan_s / self.bound_s


def trace_lengths(count: int | None = None, *, path: Path = TRACE) -> list[int]:
    """Lengths of answers from the trace, in units of `PIECE_TOKENS` tokens, one at least.

    Args:
        count: so many from the beginning; None for all.
        path: the trace.
    """
    with path.open("rb") as lines:
        lengths = [json.loads(line)["output_length"] for line in lines]
    return [max(1, round(length / PIECE_TOKENS)) for length in lengths[:count]]


def fill(
    lengths: Sequence[int],
    *,
    fleet: Fleet | None = None,
    limits: Limits | None = None,
    is_known: bool = True,
    seed: int = 1,
) -> Filled:
    """Run one job.

    Args:
        lengths: how many tokens each row's answer has.
        fleet: the servers; by default four with four slots each.
        limits: of the job.
        is_known: whether the rows say how long their answers may be; if not, the job finds out.
        seed: of the servers and of all that is drawn.
    """
    work = partial(_fill, lengths, fleet or Fleet(), limits or Limits(), is_known, seed)
    return run_virtual(work, seed)


async def _fill(
    lengths: Sequence[int],
    wanted: Fleet,
    limits: Limits,
    is_known: bool,  # noqa: FBT001 - from `fill`, where it has its name
    seed: int,
) -> Filled:
    servers = wanted.configs(seed, max(lengths))
    async with (
        open_fleet(servers) as fleet,
        open_engine(*servers, transport=fleet.transport()) as engine,
        trio.open_nursery() as nursery,
    ):
        asker = Asker(engine)
        asks: Asks = asker if is_known else _Hidden(asker, lengths)
        rows = _Rows(lengths, is_known=is_known)
        job = Job(
            rows,
            Unkept(),
            asks,
            _entry,
            limits,
            gate=asker.gate,
            servers=asker.servers,
            watch=asker.watch,
        )
        watch = _Watch(job, fleet, wanted, len(lengths))
        nursery.start_soon(watch.run)
        began_s = trio.current_time()
        await job.run()
        makespan_s = trio.current_time() - began_s
        nursery.cancel_scope.cancel()
    bound_s = sum(lengths) / wanted.tokens_per_s / (wanted.servers * wanted.slots)
    progress = job.progress
    in_line = watch.in_line / max(watch.looks, 1)
    return Filled(watch.busy, makespan_s, bound_s, progress.answered, progress.hedged, in_line)


@attrs.define
class _Rows:
    """Rows whose answers have these lengths."""

    lengths: Sequence[int]
    is_known: bool = attrs.field(kw_only=True)
    given: int = 0
    passed_over: int = 0

    def pass_over(
        self, one: Callable[[int, bytes, str], bool], all_: Callable[[int, bytes], bool]
    ) -> None:
        """None has an outcome."""

    async def read(self) -> Sequence[Row] | None:
        """The next ones."""
        await trio.lowlevel.checkpoint()
        if self.given == len(self.lengths):
            return None
        first, self.given = self.given, min(self.given + READ_ROWS, len(self.lengths))
        return [self._row(number) for number in range(first, self.given)]

    def _row(self, number: int) -> Row:
        arguments = {"model": MODEL, "messages": f"Question {number}: what becomes of it?"}
        if self.is_known:
            arguments["options"] = {"num_predict": self.lengths[number]}
        digest = number.to_bytes(16, "big")
        ask = Ask("chat", arguments, custom_id=str(number))
        return Row(number, digest, f"line {number + 1}", 60, ask, None)


@attrs.frozen
class _Hidden:
    """Says how long an answer is only when it is asked for."""

    asker: Asker
    lengths: Sequence[int]

    async def ask(self, ask: Ask) -> Asked:
        """Ask one row."""
        options = {"num_predict": self.lengths[int(ask.custom_id or 0)]}
        return await self.asker.ask(
            attrs.evolve(ask, arguments={**ask.arguments, "options": options})
        )


@attrs.define
class _Watch:
    """Looks at the slots now and then."""

    job: Job
    fleet: SimulatedFleet
    wanted: Fleet
    rows: int
    looks: int = 0
    used: int = 0
    in_line: int = 0

    @property
    def busy(self) -> float:
        """The share of the slots that worked."""
        return self.used / max(1, self.looks * self.wanted.servers * self.wanted.slots)

    async def run(self) -> None:
        """Look until few rows are left."""
        while self.job.progress.answered < (1.0 - LAST_SHARE) * self.rows:
            await trio.sleep(LOOK_S)
            self.looks += 1
            used = sum(_used(self.fleet, url, self.wanted.slots) for url in self.fleet.urls)
            self.used += used
            self.in_line += self.job.progress.running - used


def _used(fleet: SimulatedFleet, url: str, slots: int) -> int:
    """Slots that work at this moment; none while the model is being loaded."""
    runners = fleet.simulator(url).scheduler.runners.values()
    return sum(slots - runner.free for runner in runners)


def _entry(row: Row, asked: Asked | None) -> Entry:
    """What is kept of a row; nothing of its text."""
    assert asked is not None
    if asked.answer is None:
        return Entry(row.number, row.digest, b"\n", type(asked.error).__name__)
    usage = asked.answer.usage
    return Entry(row.number, row.digest, b"\n", None, usage.prompt_tokens, usage.output_tokens)
