"""The menu of faults, the rules that say which request meets which, and the draw.

Owns the choice only: `wire_faults` and `event_faults` carry it out. A rule counts the requests that
it applies to, so that "the third generate of model m" can be said; a probability is drawn from the
seed, the rule and that count, so that a run repeats.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal, get_args

from attrs import field, frozen

from .checks import within

__all__ = [
    "INFERENCE_ROUTES",
    "KINDS",
    "STEP_KINDS",
    "Fault",
    "FaultKind",
    "FaultRule",
    "FaultTable",
    "RequestFacts",
    "StepName",
]

_WireKind = Literal[
    "refuse",
    "reset",
    "stall",
    "half_close",
    "drip",
    "wrong_length",
    "truncated_chunk",
    "status",
    "garbage_line",
    "error_line",
    "double_done",
    "missing_done",
    "after_done",
    "gzip",
    "redirect",
    "header_bomb",
    "informational",
    "huge_line",
    "restart",
]
_StepKind = Literal["step_stall", "step_error"]
FaultKind = Literal[_WireKind, _StepKind]
KINDS: tuple[str, ...] = get_args(_WireKind)
"""What can befall any response."""
STEP_KINDS: tuple[str, ...] = get_args(_StepKind)
"""What can befall a pull, a push or a create only."""
StepName = Literal["manifest", "layer", "verify", "write", "parse", "quantize", "tell"]
"""The steps of those: the manifest is fetched or sent, a layer is transferred, digests are
verified, the manifest is written, a file is read, a model is quantized, something is only said."""
INFERENCE_ROUTES = (
    "/api/generate",
    "/api/chat",
    "/api/embed",
    "/api/embeddings",
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/messages",
    "/v1/audio/transcriptions",
)


def _kind(_instance: Any, _attribute: Any, value: str) -> None:
    if value not in {*KINDS, *STEP_KINDS}:
        raise ValueError(f"kind {value!r} is none of {', '.join((*KINDS, *STEP_KINDS))}")


def _step(_instance: Any, _attribute: Any, value: str | None) -> None:
    if value is not None and value not in get_args(StepName):
        raise ValueError(f"step {value!r} is none of {', '.join(get_args(StepName))}")


@frozen(kw_only=True)
class Fault:
    """One thing that goes wrong with one response.

    Where a response is a stream, ``after_tokens`` events pass first; a plain body counts as one
    event, and a fault inside an event comes in its middle.

    Attributes:
        kind: one of these.

            * ``refuse``: no answer; for ``seconds`` no connection is accepted either. In memory:
              ``ConnectError``.
            * ``reset``: the connection is reset, after ``after_bytes`` of the response if given,
              else after ``after_tokens`` events.
            * ``stall``: after ``after_tokens`` events nothing comes for ``seconds`` (None: never
              again).
            * ``half_close``: after ``after_tokens`` events the server closes its direction.
            * ``drip``: the response is sent at ``bytes_per_s``.
            * ``wrong_length``: a Content-Length that is wrong by ``count`` bytes (positive: too
              large, and the connection closes).
            * ``truncated_chunk``: after ``after_tokens`` events half a chunk, then the end.
            * ``status``: ``status`` with ``text`` as error and an optional ``retry_after``.
            * ``garbage_line``: after ``after_tokens`` events a line that is not JSON, or ``text``.
            * ``error_line``: after ``after_tokens`` events an error line, then a clean end.
            * ``double_done``, ``missing_done``, ``after_done``: the last event twice, not at all,
              or with another event behind it.
            * ``gzip``: the body is compressed, though nobody asked for it.
            * ``redirect``: ``status`` (if it is 3xx, else 307) to ``text``.
            * ``header_bomb``: ``count`` headers of 1 KiB each.
            * ``informational``: ``count`` responses of status 103 before the real one.
            * ``huge_line``: after ``after_tokens`` events one event of ``count`` bytes.
            * ``restart``: the server forgets its loaded models and cuts all connections.
            * ``step_stall``: a pull, push or create makes no progress for ``seconds`` (None: never
              again) once ``after_bytes`` of a step are done; a transfer stands still for all who
              share it, and its events go on with the same ``completed``.
            * ``step_error``: a pull, push or create fails with ``text`` once ``after_bytes`` of a
              step are done; what was transferred is kept.
        after_tokens: events that pass first.
        after_bytes: bytes of the response, its head included, that pass before a ``reset``; bytes
            of the step, those kept from before included, that pass before ``step_stall`` and
            ``step_error``.
        step: which steps these two mean, of `StepName`; None means any.
        after_steps: such steps that pass first.
        seconds: how long a ``stall``, ``step_stall`` or ``refuse`` lasts; None is for ever.
        bytes_per_s: speed of a ``drip``.
        status: of ``status`` and ``redirect``.
        retry_after: value of the ``Retry-After`` header; None sends none.
        text: the error text, the garbage, or the address of a redirect.
        count: bytes, headers or responses.
    """

    kind: FaultKind = field(validator=_kind)
    after_tokens: int = field(default=0, validator=within(0))
    after_bytes: int | None = field(default=None, validator=within(0))
    step: StepName | None = field(default=None, validator=_step)
    after_steps: int = field(default=0, validator=within(0))
    seconds: float | None = field(default=None, validator=within(0))
    bytes_per_s: float = field(default=100.0, validator=within(1))
    status: int = field(default=503, validator=within(100, 599))
    retry_after: str | None = None
    text: str | None = None
    count: int = field(default=100, validator=within(-(2**20), 2**30))


@frozen(kw_only=True)
class FaultRule:
    """Which requests meet a fault. A request must pass all conditions given.

    Attributes:
        fault: what happens.
        routes: paths it applies to; empty means every route but those of the control.
        model: only requests for this model, compared as text.
        prompt: only requests whose body's text holds this.
        nth: only these of the requests that pass the conditions above, counted from 1; empty
            means each.
        every: only every so-manieth of them; 0 means each.
        probability: of those left, the share that is drawn, in [0, 1].
        times: how often the rule acts at most; None is without limit.
    """

    fault: Fault
    routes: tuple[str, ...] = INFERENCE_ROUTES
    model: str | None = None
    prompt: str | None = None
    nth: tuple[int, ...] = ()
    every: int = field(default=0, validator=within(0))
    probability: float = field(default=1.0, validator=within(0, 1))
    times: int | None = field(default=None, validator=within(0))


@frozen
class RequestFacts:
    """What rules look at.

    Attributes:
        route: the path.
        model: the model's name as it was sent.
        text: the body as text.
    """

    route: str
    model: str
    text: str


class FaultTable:
    """The rules in force, with their counts.

    Args:
        rules: the first that applies gives the fault.
        seed: of the draws.
    """

    def __init__(self, rules: tuple[FaultRule, ...], seed: int) -> None:
        self._seed = seed
        self.set(rules)

    def __len__(self) -> int:
        return len(self._rules)

    def set(self, rules: tuple[FaultRule, ...]) -> None:
        """Put other rules in force; all counts begin again."""
        self._rules = rules
        self._seen = [0] * len(rules)
        self._acted = [0] * len(rules)

    def acted(self) -> list[int]:
        """How often each rule has acted."""
        return list(self._acted)

    def pick(self, facts: RequestFacts) -> Fault | None:
        """Choose the fault of one request, or none, and count the request."""
        chosen = None
        for index, rule in enumerate(self._rules):
            if not _applies(rule, facts):
                continue
            self._seen[index] += 1
            if chosen is None and self._acts(index, rule):
                self._acted[index] += 1
                chosen = rule.fault
        return chosen

    def _acts(self, index: int, rule: FaultRule) -> bool:
        seen = self._seen[index]
        if rule.times is not None and self._acted[index] >= rule.times:
            return False
        if (rule.nth and seen not in rule.nth) or (rule.every and seen % rule.every):
            return False
        return rule.probability >= 1 or self._draw(index, seen) < rule.probability

    def _draw(self, index: int, seen: int) -> float:
        text = f"{self._seed} {index} {seen}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest(), "big") / 2**48


def _applies(rule: FaultRule, facts: RequestFacts) -> bool:
    """Whether a request passes the conditions that do not count."""
    if rule.routes and facts.route not in rule.routes:
        return False
    if rule.model is not None and rule.model != facts.model:
        return False
    return rule.prompt is None or rule.prompt in facts.text
