"""Ollama's scheduler: who waits where, what is loaded, and when it goes (``ollama-api.md`` §4, §5).

Owns the loaded models with their slots, the line of each, the one line for loads, and the timers of
keep-alive. It runs no request: it tells a job that it has a runner, then that it has a slot.

    new ──loaded, same settings──▶ slot line ──▶ running ──▶ over
     └──else──▶ load line ──▶ loading ──▶ slot line …

* The line of a loaded model has no bound, as in Ollama: no 503 comes from there.
* The load line has ``max_queue`` places. A job whose client has gone keeps its place until it is
  reached.
* One load at a time; while one loads, or waits for another model to be idle, all behind it wait.
* The client that caused a load and leaves takes the load with it.
"""

from __future__ import annotations

from collections import deque

from .agenda import Agenda, Timer
from .config import SimulatorConfig
from .models import ModelConfig
from .runner import Job, Refusal, Runner, Stage

__all__ = ["BUSY", "Scheduler"]

BUSY = "server busy, please try again.  maximum pending requests exceeded"


class Scheduler:
    """One server's scheduler.

    Args:
        config: limits and speeds.
        agenda: where loads and expiries are noted.
    """

    def __init__(self, config: SimulatorConfig, agenda: Agenda) -> None:
        self._config = config
        self._agenda = agenda
        self.runners: dict[str, Runner] = {}
        self._line: deque[Job] = deque()
        self._current: Job | None = None
        self._load: Timer | None = None
        self._is_working = False

    @property
    def loading(self) -> str:
        """The key of the model whose load, or wait for room, is under way; empty if none is."""
        return self._current.model.key if self._current is not None else ""

    @property
    def load_line(self) -> int:
        """Places taken in the line for loads."""
        return len(self._line)

    @property
    def slot_lines(self) -> int:
        """Jobs that wait for a slot of a loaded model."""
        return sum(
            job.stage is Stage.SLOT_LINE for runner in self.runners.values() for job in runner.line
        )

    def admit(self, job: Job, now: float) -> None:
        """Take a new job: to its runner at once, into the line for loads, or refuse it with 503."""
        runner = self.runners.get(job.model.key)
        if runner is not None and runner.settings.fits(job.settings):
            self._obtain(runner, job, now)
        elif len(self._line) >= self._config.max_queue:
            job.stage = Stage.OVER
            job.on_refused(Refusal(503, BUSY), now)
        else:
            job.stage = Stage.LOAD_LINE
            self._line.append(job)
            self._work(now)

    def leave(self, job: Job, now: float) -> None:
        """End a job, wherever it is: finished, or its client has gone. Twice does no harm."""
        stage, job.stage = job.stage, Stage.OVER
        if stage is Stage.LOADING:
            self._drop_load()
        runner = job.runner
        if runner is not None and stage in {Stage.SLOT_LINE, Stage.RUNNING}:
            job.runner = None
            runner.jobs -= 1
            if stage is Stage.RUNNING:
                runner.free += 1
            self._serve(runner, now)
            if not runner.jobs:
                self._rest(runner, now)
        self._work(now)

    def unload(self, model: ModelConfig, now: float) -> None:
        """Let a model go: at once if it is idle, else when its last job ends."""
        runner = self.runners.get(model.key)
        if runner is not None:
            runner.stay_s = 0.0
            if not runner.jobs:
                self._rest(runner, now)
            self._work(now)

    def restart(self) -> None:
        """Forget all loaded models and lines, as a new process would; jobs are not told."""
        for runner in self.runners.values():
            self._stop_timer(runner)
        self.runners.clear()
        self._line.clear()
        self._drop_load()

    # ---- a loaded model

    def _obtain(self, runner: Runner, job: Job, now: float) -> None:
        self._stop_timer(runner)
        runner.jobs += 1
        if job.keep_alive_s is not None:
            runner.stay_s = job.keep_alive_s
        job.runner = runner
        job.stage = Stage.SLOT_LINE
        if job.on_runner(now):
            runner.line.append(job)
            self._serve(runner, now)
        else:
            self.leave(job, now)

    def _serve(self, runner: Runner, now: float) -> None:
        """Give free slots to those who wait, first come first served."""
        while runner.free and runner.line:
            job = runner.line.popleft()
            if job.stage is Stage.SLOT_LINE:
                runner.free -= 1
                job.stage = Stage.RUNNING
                job.on_slot(now)

    def _rest(self, runner: Runner, now: float) -> None:
        """Start the keep-alive of a model that has become idle."""
        self._stop_timer(runner)
        if runner.stay_s < 0:
            runner.expires_s = None
            return
        runner.expires_s = now + runner.stay_s
        if runner.stay_s == 0:
            self._forget(runner)
        else:
            runner.timer = self._agenda.call_at(
                runner.expires_s, lambda at: self._expire(runner, at)
            )

    def _expire(self, runner: Runner, now: float) -> None:
        self._forget(runner)
        self._work(now)

    def _forget(self, runner: Runner) -> None:
        self._stop_timer(runner)
        if self.runners.get(runner.model.key) is runner:
            del self.runners[runner.model.key]

    def _stop_timer(self, runner: Runner) -> None:
        if runner.timer is not None:
            runner.timer.cancel()
            runner.timer = None

    # ---- the one loader

    def _work(self, now: float) -> None:
        """Let the loader go on as far as it can.

        A job that ends as soon as it has its runner, a mere load for one, calls this again from
        within. Its call returns at once, and the loop goes on in its place: a recursion would
        become as deep as the line is long.
        """
        if self._is_working:
            return
        self._is_working = True
        try:
            while self._load is None:
                if self._current is None:
                    self._current = self._next()
                job = self._current
                if job is None or not self._step(job, now):
                    return
        finally:
            self._is_working = False

    def _next(self) -> Job | None:
        """Take the first of the line whose client is still there."""
        while self._line:
            job = self._line.popleft()
            if job.stage is Stage.LOAD_LINE:
                job.stage = Stage.LOADING
                return job
        return None

    def _step(self, job: Job, now: float) -> bool:
        """Bring one job nearer to a runner; return whether the loader may go on at once."""
        runner = self.runners.get(job.model.key)
        if runner is not None and runner.settings.fits(job.settings):
            self._current = None
            self._obtain(runner, job, now)
            return True
        if runner is None and len(self.runners) < self._config.max_loaded_models:
            self._begin(job, now)
            return False
        victim = runner or self._victim()
        victim.stay_s = 0.0
        if victim.jobs:
            return False
        self._forget(victim)
        return True

    def _victim(self) -> Runner:
        """Choose whom to evict: the idle one with the shortest stay, else the shortest of all."""

        def order(runner: Runner) -> tuple[bool, bool, float, str]:
            return bool(runner.jobs), runner.stay_s < 0, runner.stay_s, runner.model.key

        return min(self.runners.values(), key=order)

    def _begin(self, job: Job, now: float) -> None:
        load_s = self._config.load_s if job.model.load_s is None else job.model.load_s
        self._load = self._agenda.call_at(now + load_s, self._loaded)

    def _loaded(self, now: float) -> None:
        job, self._current, self._load = self._current, None, None
        assert job is not None, "a load belongs to a job"
        config, model = self._config, job.model
        if model.load_error:
            job.stage = Stage.OVER
            job.on_refused(Refusal(500, model.load_error), now)
        else:
            slots = 1 if model.is_sequential else config.num_parallel
            runner = Runner(model, job.settings, slots=slots, stay_s=config.keep_alive_s)
            self.runners[model.key] = runner
            self._obtain(runner, job, now)
        self._work(now)

    def _drop_load(self) -> None:
        """Give up the load under way, or the wait for room."""
        self._current = None
        if self._load is not None:
            self._load.cancel()
            self._load = None
