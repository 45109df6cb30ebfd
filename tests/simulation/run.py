"""From a seed to a report, and from many seeds to many.

Owns all that makes a run repeat in any process: the order in which trio runs tasks, the draws of
the engine, the clock of its stamps. ``python -m tests.simulation.run SEED`` runs one and prints it.
"""

from __future__ import annotations

import hashlib
import logging
import random
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from unittest import mock

import trio
from tests.simulation.report import Report
from tests.simulation.scenario import Scenario, draw
from tests.simulation.world import World
from trio.testing import MockClock

__all__ = ["run_scenario", "run_seed", "run_seeds"]


WALL_S = 1_785_600_000.0
"""The date at zero of the virtual clock: the simulator's, as if all clocks were right."""

Draw = Callable[[int], Scenario]


def run_seeds(seeds: Sequence[int], draw: Draw = draw) -> list[Report]:
    """Run some seeds, one after the other; for a worker process, where a warning is an error.

    Args:
        seeds: which.
        draw: makes a scenario of each.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return [run_scenario(draw(seed)) for seed in seeds]


def run_seed(seed: int) -> Report:
    """Run the scenario of a seed."""
    return run_scenario(draw(seed))


def run_scenario(scenario: Scenario) -> Report:
    """Run a scenario; whatever goes wrong is in the report."""
    clock = MockClock(autojump_threshold=0)
    world = World(scenario, clock)
    with _repeatable(scenario.seed, clock), _logged_errors() as logged:
        try:
            trio.run(world.run, clock=clock)
        except Exception as error:  # noqa: BLE001 - told with the seed that it belongs to
            world.failures.append("".join(traceback.format_exception(error)))
    return _report(scenario.seed, world, logged, clock.current_time())


def _report(seed: int, world: World, logged: list[str], virtual_s: float) -> Report:
    outcomes = Counter(
        f"failed with {type(reader.error).__name__}" if reader.error else reader.outcome or "none"
        for reader in world.readers
    )
    attempts = [attempt for reader in world.readers for attempt in reader.attempts]
    trace = sorted([*world.trace, *world.chronicle.events()], key=_time)
    return Report(
        seed=seed,
        failures=tuple(world.failures + [f"logged: {told}" for told in logged]),
        outcomes=outcomes,
        faults=+world.faults,
        ways=Counter(attempt.way for attempt in attempts),
        checks=world.checks,
        virtual_s=virtual_s,
        trace=tuple(trace),
        digest=hashlib.blake2b("\n".join(trace).encode(), digest_size=16).hexdigest(),
    )


def _time(event: str) -> float:
    return float(event.partition(" ")[0])


@contextmanager
def _repeatable(seed: int, clock: MockClock) -> Iterator[None]:
    """Let nothing but the seed decide what happens.

    Trio shuffles the tasks that are ready, with a generator of its own that has no public way to be
    seeded; and only with the flag that its Hypothesis plugin sets does it sort them first, so that
    their order does not depend on where objects lie in memory. The engine draws from `random`, and
    stamps with `time.perf_counter_ns` and compares dates with `time.time`: here both tell virtual
    time.
    """
    run = trio._core._run  # type: ignore[attr-defined]
    before, draws = random.getstate(), run._r.getstate()
    random.seed(seed)
    run._r.seed(seed)

    def virtual_ns() -> int:
        return round(clock.current_time() * 1e9)

    def virtual_wall_s() -> float:
        return WALL_S + clock.current_time()

    try:
        with (
            mock.patch.object(run, "_ALLOW_DETERMINISTIC_SCHEDULING", new=True),
            mock.patch.object(time, "perf_counter_ns", virtual_ns),
            mock.patch.object(time, "time", virtual_wall_s),
        ):
            yield
    finally:
        random.setstate(before)
        run._r.setstate(draws)


class _Keep(logging.Handler):
    """Keeps what is logged as an error: a crash that was caught is still a defect."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(logging.Formatter().format(record))


@contextmanager
def _logged_errors() -> Iterator[list[str]]:
    keep = _Keep()
    loggers = [logging.getLogger(name) for name in ("triollama", "triollama_adapters")]
    for logger in loggers:
        logger.addHandler(keep)
    try:
        yield keep.told
    finally:
        for logger in loggers:
            logger.removeHandler(keep)


if __name__ == "__main__":
    for number in sys.argv[1:]:
        found = run_seed(int(number))
        sys.stdout.write("\n".join([*found.trace, *found.failures, repr(found)]) + "\n")
