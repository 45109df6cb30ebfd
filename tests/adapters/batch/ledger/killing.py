"""Kills a process that commits, again and again, and checks what is left.

Run by `test_ledger_killed`.
A program of its own, with one thread, so that it may fork: the processes that are killed then need
no start of Python each.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
import time
from pathlib import Path

import trio
from tests.adapters.batch.ledger.ledgers import (
    SETTINGS,
    assert_each_once,
    digest_of,
    entry_of,
    missing,
)

from triollama_adapters.batch.errors import NoBatchError
from triollama_adapters.batch.ledger.journal import About
from triollama_adapters.batch.ledger.ledger import DISK, Ledger, Standing, open_ledger
from triollama_adapters.batch.ledger.opening import resume
from triollama_adapters.batch.ledger.paths import Paths

ROWS = 600
LIFE_S_MAX = 0.06


async def work(output: Path, pipe: int, seed: int, is_resumed: bool) -> None:  # noqa: FBT001
    """Commit what is missing in groups of 1 to 9; tell each row that is acknowledged."""
    draw = random.Random(seed)
    async with open_ledger(output, SETTINGS, is_resumed=is_resumed) as ledger:
        if draw.random() < 0.3:
            os.write(pipe, b"retry\n")
            await ledger.retry_failed()
        rest = [each.number for each in missing(ledger, ROWS)]
        while rest:
            size = draw.randrange(1, 10)
            group, rest = rest[:size], rest[size:]
            await ledger.commit([entry_of(number) for number in group])
            os.write(pipe, b"".join(b"%d\n" % number for number in group))


def live_and_die(output: Path, seed: int, life_s: float) -> list[bytes]:
    """Let a process work for a while and kill it; what it told."""
    told, pipe = os.pipe()
    pid = os.fork()
    if pid == 0:
        trio.run(work, output, pipe, seed, output.exists())
        os._exit(0)
    os.close(pipe)
    time.sleep(life_s)
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert status in {0, signal.SIGKILL}
    with os.fdopen(told, "rb") as file:
        return file.read().splitlines()


def check(output: Path, acknowledged: set[int]) -> bool:
    """What was acknowledged is there; whether the batch is complete."""
    try:
        opened = resume(Paths(output), About(), DISK, accepts_changes=False)
    except NoBatchError:
        assert not acknowledged
        return False
    ledger = Ledger(opened)
    assert opened.recovery is None or opened.recovery.forgotten_rows == 0
    assert opened.recovery is None or not opened.recovery.is_rebuilt or not acknowledged
    for number in acknowledged:
        assert ledger.standing(number, digest_of(number)) in {Standing.DONE, Standing.FAILED}
    is_complete = not missing(ledger, ROWS)
    opened.close()
    if is_complete:
        assert_each_once(output, ROWS)
    return is_complete


def main(folder: Path, seed: int, kills: int) -> None:
    """Kill so many times, over as many batches as that completes, and complete the last one."""
    draw = random.Random(seed)
    batches = itertools.count()
    output, acknowledged, completed = folder / f"{next(batches)}.jsonl", set[int](), 0
    for _ in range(kills):
        for line in live_and_die(output, draw.getrandbits(32), draw.uniform(0, LIFE_S_MAX)):
            if line == b"retry":
                acknowledged = {number for number in acknowledged if number % 5 != 4}
            else:
                acknowledged.add(int(line))
        if check(output, acknowledged):
            output, acknowledged = folder / f"{next(batches)}.jsonl", set()
            completed += 1
    trio.run(work, output, os.open(os.devnull, os.O_WRONLY), seed, output.exists())
    assert check(output, acknowledged)
    assert not list(folder.glob("*.broken-*")) + list(folder.glob("*.cut-*"))
    print(f"{kills} kills, {completed} batches completed among them")  # noqa: T201 - its result


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
