"""A loaded model, what it was set up with, and the jobs that want it.

Owns the data that the scheduler moves; the rules of moving it are in `scheduler`.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from typing import Protocol

from attrs import frozen

from .agenda import Timer
from .models import ModelConfig

__all__ = ["Job", "Refusal", "Runner", "RunnerSettings", "Stage"]


@frozen
class RunnerSettings:
    """What a loaded model was set up with; another value of any makes it load anew (§4.3).

    Attributes:
        num_ctx: tokens of context per slot, clamped to what the model was trained with.
        num_batch: tokens at once.
        num_gpu: layers on the GPU; None is automatic, and fits any.
        main_gpu: None is automatic.
        use_mmap: None is automatic.
        num_thread: 0 is automatic.
        draft_num_predict: 0 without a draft model.
        shift: whether the context is shifted when it is full.
    """

    num_ctx: int
    num_batch: int = 512
    num_gpu: int | None = None
    main_gpu: int | None = None
    use_mmap: bool | None = None
    num_thread: int = 0
    draft_num_predict: int = 0
    shift: bool = True

    def fits(self, asked: RunnerSettings) -> bool:
        """Whether a runner with these settings can serve a request that asks for those."""
        if asked == self:
            return True
        if asked.num_gpu is not None:
            return False
        mine = [getattr(self, name) for name in _COMPARED]
        return mine == [getattr(asked, name) for name in _COMPARED]


_COMPARED = (
    "num_ctx",
    "num_batch",
    "main_gpu",
    "use_mmap",
    "num_thread",
    "draft_num_predict",
    "shift",
)


class Stage(Enum):
    """Where a job is."""

    NEW = auto()
    LOAD_LINE = auto()
    LOADING = auto()
    SLOT_LINE = auto()
    RUNNING = auto()
    OVER = auto()


@frozen
class Refusal:
    """Why a job gets no runner.

    Attributes:
        status: HTTP status.
        error: the text.
    """

    status: int
    error: str


class Job(Protocol):
    """What wants a runner. The scheduler alone writes ``stage`` and ``runner``."""

    model: ModelConfig
    settings: RunnerSettings
    keep_alive_s: float | None
    stage: Stage
    runner: Runner | None

    def on_runner(self, now: float) -> bool:
        """The model is loaded; return whether a slot is needed, else the job is over."""

    def on_slot(self, now: float) -> None:
        """A slot is this job's until `Scheduler.leave`."""

    def on_refused(self, refusal: Refusal, now: float) -> None:
        """There will be no runner; the job is over."""


class Runner:
    """A loaded model.

    Attributes:
        model: what is loaded.
        settings: with which settings.
        stay_s: how long it stays when idle, in seconds; negative is for ever.
        jobs: how many hold it, those in its line included.
        free: slots that nobody holds.
        line: who waits for a slot.
        expires_s: when it goes, set when it last became idle; None before.
    """

    def __init__(
        self, model: ModelConfig, settings: RunnerSettings, *, slots: int, stay_s: float
    ) -> None:
        self.model = model
        self.settings = settings
        self.stay_s = stay_s
        self.jobs = 0
        self.free = slots
        self.line: deque[Job] = deque()
        self.expires_s: float | None = None
        self.timer: Timer | None = None
