"""The options of ``triollama load`` that say when requests begin, and for how long. No IO."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import attrs
from cyclopts import Group, Parameter
from cyclopts.validators import Number

from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._load_words import duration_s
from triollama_adapters.cli._run import CONCURRENCY_MAX
from triollama_adapters.loadtest.arrivals.rates import total_s
from triollama_adapters.loadtest.arrivals.words import parse_phases, parse_rate
from triollama_adapters.loadtest.plan import ClosedLoop, OpenLoop, Phase, Replay, Shape

__all__ = ["AT_ONCE", "DURATION_S", "MINUTE", "STEP_S", "WHEN", "HowMuch", "Timed", "Window"]

WHEN: Final = Group("How much load, and for how long", sort_key=1)

Arrivals = Literal["poisson", "constant", "gamma"]


@Parameter(name="*", group=WHEN)
@attrs.frozen(kw_only=True)
class Window:
    """How long it is measured, and how sessions arrive; what all shapes of load have.

    Attributes:
        duration: Length of the measured window, such as 60s or 5m. Default: 60s; of each run of
            several 20s; with --phases all of them, with --replay the whole trace.
        warm_up: Before that, with the same load; not measured. Default: 5s; with --replay 0s.
        drain: After it, how long what is in flight may go on before it is cut off.
        arrivals: How the times between two sessions of an open loop are drawn.
        burstiness: Of gamma: 1 is poisson, less is burstier, more is steadier.
        ramp: Of a closed loop: over how long its users begin, evenly; at most the warm-up.
    """

    duration: Annotated[str | None, Parameter(name=["--duration", "-d"])] = None
    warm_up: str | None = None
    drain: str = "30s"
    arrivals: Arrivals | None = None
    burstiness: Annotated[float | None, Parameter(validator=Number(gt=0, lte=1e6))] = None
    ramp: str | None = None

    def duration_s(self, default_s: float) -> float:
        """Of the window.

        Args:
            default_s: where none was given.
        """
        return default_s if self.duration is None else duration_s("--duration", self.duration)

    def warm_up_s(self, default_s: float) -> float:
        """Before the window.

        Args:
            default_s: where none was given.
        """
        if self.warm_up is None:
            return default_s
        return duration_s("--warm-up", self.warm_up, may_be_zero=True)

    def drain_s(self) -> float:
        """After the window."""
        return duration_s("--drain", self.drain, may_be_zero=True)

    def open_loop(self, phases: tuple[Phase, ...]) -> OpenLoop:
        """An open loop of some phases, with arrivals as given.

        Raises:
            CliError: options exclude each other.
        """
        if self.ramp is not None:
            raise CliError("--ramp is for --concurrency; of an open loop give --phases")
        arrivals = self.arrivals or ("poisson" if self.burstiness is None else "gamma")
        if self.burstiness is not None and arrivals != "gamma":
            raise CliError(f"--burstiness is for --arrivals gamma, not {arrivals}")
        return OpenLoop(phases=phases, arrivals=arrivals, burstiness=self.burstiness or 1.0)

    def closed_loop(self, concurrency: int, warm_up_s: float, think_s: float) -> ClosedLoop:
        """A closed loop of so many users.

        Raises:
            CliError: options of an open loop were given, or users would begin within the window.
        """
        self.refuse_arrivals("--concurrency is a closed loop")
        ramp_s = 0.0
        if self.ramp is not None:
            ramp_s = duration_s("--ramp", self.ramp, may_be_zero=True)
        if ramp_s > warm_up_s:
            raise CliError(
                f"--ramp {ramp_s:g}s is longer than the warm-up, so that the window would begin "
                f"before all users; give --warm-up {ramp_s:g}s"
            )
        return ClosedLoop(concurrency=concurrency, ramp_s=ramp_s, think_s=think_s)

    def refuse_arrivals(self, why: str) -> None:
        """See that no options of an open loop were given.

        Raises:
            CliError: one was.
        """
        for option, given in (("--arrivals", self.arrivals), ("--burstiness", self.burstiness)):
            if given is not None:
                raise CliError(f"{option} is for an open loop, such as --rate 20/s; {why}")


MINUTE: Final = Window()

DURATION_S: Final = 60.0
STEP_S: Final = 20.0
"""Of one run, and of one run among several."""

WARM_UP_S: Final = 5.0
"""Longer than a model of some GB takes to load from a fast disk; a first load is done before."""


@attrs.frozen(kw_only=True)
class Timed:
    """When sessions begin, and the stretches of a run.

    Attributes:
        shape: when.
        duration_s: of the window; None: as long as the trace is.
        warm_up_s: before it.
    """

    shape: Shape
    duration_s: float | None
    warm_up_s: float


@Parameter(name="*", group=WHEN)
@attrs.frozen(kw_only=True)
class HowMuch:
    """How much load; one of the first four.

    Attributes:
        concurrency: A closed loop: so many users, each of whom begins again when an answer has
            ended.
        rate: An open loop: so many sessions a second, such as 20/s or 90/m, whatever becomes of
            those before.
        phases: An open loop whose rate changes: "5/s for 30s, 5..50/s for 60s, 200/s for 5s".
        replay: An open loop as a recorded trace has it: JSON lines with timestamp (ms),
            input_length, output_length and perhaps hash_ids.
        speed: How many times as fast as recorded.
    """

    concurrency: Annotated[
        int | None,
        Parameter(name=["--concurrency", "-c"], validator=Number(gte=1, lte=CONCURRENCY_MAX)),
    ] = None
    rate: Annotated[str | None, Parameter(name=["--rate", "-r"])] = None
    phases: str | None = None
    replay: Path | None = None
    speed: Annotated[float | None, Parameter(validator=Number(gt=0, lte=1e6))] = None

    def timed(self, window: Window, think_s: float, *, default_s: float = DURATION_S) -> Timed:
        """The shape and its stretches.

        Args:
            window: how long, and how sessions arrive.
            think_s: the pause of a user of a closed loop.
            default_s: length of the window where none was given.

        Raises:
            CliError: none or several of them were given, or they exclude an option.
            LoadTestError: a rate, a phase or a time cannot be read; it has the grammar.
        """
        given = [
            "--" + name
            for name in ("concurrency", "rate", "phases", "replay")
            if getattr(self, name) is not None
        ]
        if not given:
            raise CliError(
                "how much load? Give --concurrency 10, --rate 5/s, --phases '5..50/s for 60s' or "
                "--replay TRACE"
            )
        if len(given) > 1:
            raise CliError(f"{' and '.join(given)} exclude each other; give one of them")
        if self.speed is not None and self.replay is None:
            raise CliError("--speed is for --replay")
        if self.replay is not None:
            return self._replayed(window)
        warm_up_s = window.warm_up_s(WARM_UP_S)
        if self.phases is not None:
            return self._phased(window, warm_up_s)
        long_s = window.duration_s(default_s)
        if self.rate is not None:
            per_s = parse_rate(self.rate, field="--rate")
            shape: Shape = window.open_loop((Phase(long_s, per_s, per_s),))
        else:
            assert self.concurrency is not None
            shape = window.closed_loop(self.concurrency, warm_up_s, think_s)
        return Timed(shape=shape, duration_s=long_s, warm_up_s=warm_up_s)

    def _phased(self, window: Window, warm_up_s: float) -> Timed:
        """The window is as long as all phases; the warm-up has the rate at which they begin."""
        assert self.phases is not None
        phases = parse_phases(self.phases, field="--phases")
        long_s = total_s(phases)
        if window.duration is not None:
            raise CliError(f"--phases last {long_s:g} s, as they say; leave out --duration")
        return Timed(shape=window.open_loop(phases), duration_s=long_s, warm_up_s=warm_up_s)

    def _replayed(self, window: Window) -> Timed:
        window.refuse_arrivals("--replay takes them from its trace")
        if window.ramp is not None:
            raise CliError("--ramp is for --concurrency")
        long_s = None if window.duration is None else window.duration_s(DURATION_S)
        return Timed(
            shape=Replay(path=str(self.replay), speed=self.speed or 1.0),
            duration_s=long_s,
            warm_up_s=window.warm_up_s(0.0),
        )


AT_ONCE: Final = HowMuch()
