"""What all jobs have in common: the model, the options, the speeds, and the sums of the metrics.

Whatever the order of events, total = load + wait for a slot + prefill + decode; the wait alone is
not told, as in Ollama.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from .calls import EmbedCall, TextCall
from .errors import ApiError
from .generation import Generation
from .lines import Usage
from .models import ModelConfig
from .runner import Refusal, Runner, Stage
from .sampling import read_options

if TYPE_CHECKING:
    from .core import Simulator
    from .exchange import Exchange

__all__ = ["BaseJob", "capability_error"]

_WARM_NS = 25_000
"""What finding a loaded model takes: Ollama's load_duration is small on a warm model, but not 0."""


def capability_error(call: TextCall, model: ModelConfig) -> ApiError | None:
    """Say what a request wants that the model cannot do, as Ollama says it."""
    if not model.has("completion"):
        what = "chat" if call.is_chat else "generate"
        return ApiError(400, f'"{call.model}" does not support {what}')
    if call.think and not model.has("thinking"):
        return ApiError(400, f'"{call.model}" does not support thinking')
    wanted = [("tools", bool(call.tools)), ("insert", bool(call.suffix))]
    missing = [name for name, is_wanted in wanted if is_wanted and not model.has(name)]
    if missing:
        lines = (f"{model.parsed.full} does not support {name}" for name in missing)
        return ApiError(400, "\n".join(lines))
    return None


class BaseJob(ABC):
    """What both kinds have in common; see `runner.Job`.

    Attributes:
        obtained: when the model was loaded, on the caller's clock; 0 before.
        began: when it had a slot; 0 before.
        usage: the metrics that were told; None before.
    """

    _in_stream = False
    """Whether errors come from the worker of a stream: another content type, and chunks."""

    def __init__(
        self,
        simulator: Simulator,
        exchange: Exchange,
        model: ModelConfig,
        call: TextCall | EmbedCall,
    ) -> None:
        self.model = model
        self.keep_alive_s = call.keep_alive_s
        self.stage = Stage.NEW
        self.runner: Runner | None = None
        self.generation: Generation | None = None
        self._simulator = simulator
        self._exchange = exchange
        config = simulator.config
        shift = call.shift if isinstance(call, TextCall) else True
        options = call.options
        if model.parameters:
            given = {name: value for name, value in options.items() if value is not None}
            options = model.parameters | given
        self._sampling, self.settings = read_options(
            options, model, num_ctx=config.context_length, shift=shift
        )
        self._decode = model.decode_tokens_per_s or config.decode_tokens_per_s
        self._prefill = model.prefill_tokens_per_s or config.prefill_tokens_per_s
        self.obtained = 0.0
        self.began = 0.0
        self.usage: Usage | None = None

    def on_runner(self, now: float) -> bool:
        """Do what needs no slot; see `runner.Job`."""
        self.obtained = now
        try:
            return self._prepare(now)
        except ApiError as error:
            self._exchange.response.error(
                error.status, error.message, now, in_stream=self._in_stream
            )
        except Exception as error:  # noqa: BLE001  # the scheduler serves others after this one
            self._simulator.defect(self._exchange, error)
        return False

    def on_slot(self, now: float) -> None:
        """Begin the work; see `runner.Job`."""
        self.began = now
        self._decode *= self._simulator.speed
        self._prefill *= self._simulator.speed
        self._simulator.generation_started()
        try:
            self._begin(now)
        except Exception as error:  # noqa: BLE001  # the scheduler serves others after this one
            self._simulator.defect(self._exchange, error)

    def on_refused(self, refusal: Refusal, now: float) -> None:
        """Answer with the error; a refusal comes before any event, so it is a plain body."""
        self._exchange.response.error(refusal.status, refusal.error, now)

    @property
    @abstractmethod
    def asked(self) -> str:
        """The last words that were asked."""

    @abstractmethod
    def _prepare(self, now: float) -> bool:
        """Do what needs no slot; return whether one is needed.

        Raises:
            ApiError: the request cannot be met, now that the model is loaded.
        """

    @abstractmethod
    def _begin(self, now: float) -> None:
        """Begin what needs a slot."""

    def _usage(self, now: float, prompt: int, prefill_s: float, tokens: int) -> Usage:
        """Sum up. The wait for a slot is in the total alone, as in Ollama."""
        load = _ns(self.obtained - self._exchange.arrived) + _WARM_NS
        wait, read = _ns(self.began - self.obtained), _ns(prefill_s)
        write = _ns(now - self.began - prefill_s)
        self.usage = Usage(load + wait + read + write, load, prompt, read, tokens, write)
        return self.usage


def _ns(seconds: float) -> int:
    return max(0, round(seconds * 1e9))
