"""What the probes of one endpoint mean: no IO, no clock, no randomness.

Owns: how many probes failed or succeeded in a row, what the last good ones saw, and when the next
one is due. `answered` and `failed` return what the pool is to be told, and facts.

=========  ======================  ==================================================
state      a probe fails           a probe gets its answers
=========  ======================  ==================================================
good       told; bad after         told
           `failures_max` in a row
bad        told                    told, and good, after `successes_min` in a row
=========  ======================  ==================================================

From the first failure until the endpoint is good again probes come every `RETRY_S`: a server that
died is known within an interval and ``failures_max - 1`` of these, not within as many intervals.
Bounds: whatever is asked for, two probes begin at least `HINT_S` apart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs

from triollama import _facts as fact
from triollama._config import ProbeConfig
from triollama.actors.pool.messages import LoadedModel, ProbeAnswered, ProbeUnanswered

RETRY_S = 1.0
"""From a probe of an endpoint in doubt to the next one, unless the interval is shorter. A refused
connection costs well below a millisecond; a server that hangs takes its `timeout_s` besides."""

HINT_S = 0.5
"""From the beginning of a probe to that of one that was asked for: thousands of requests that miss
the same model ask for as many probes, and get two a second."""

UNLOADED_S_MIN = 1.0
"""A model with less than this left to stay may just have been unloaded: servers look for models to
unload now and then, and their clocks are not quite ours."""

ProbeEffect = ProbeAnswered | ProbeUnanswered | fact.Fact


@attrs.frozen
class Sight:
    """What one probe saw.

    Attributes:
        version: as the server tells it, whatever its form; empty if it does not.
        loaded: the loaded models; None if the server does not tell.
        stays_s: for how long the longest-lived of them is to stay, in seconds; None if unknown.
        available: keys of the models that it has; None if not asked for, or it does not tell.
        took_s: from the first question to the last answer, in seconds.
    """

    version: str = ""
    loaded: tuple[LoadedModel, ...] | None = None
    stays_s: float | None = None
    available: frozenset[str] | None = None
    took_s: float = 0.0


class ProbeCore:
    """The probes of one endpoint. The first is due at once.

    Args:
        endpoint: its name.
        config: how often.

    Attributes:
        is_good: whether the endpoint is well, as far as probes can tell; so it is at first.
        failures: probes that failed in a row.
        probes: how many ended.
        failed_probes: how many of them failed.
        error: the kind of error of the last probe; empty if it was good.
        version: the last one told; empty if none was.
        took_s: how long the last good probe took, in seconds; None if there was none.
        last_good_s: when that was; None as above.
    """

    def __init__(self, endpoint: str, config: ProbeConfig) -> None:
        self.is_good = True
        self.failures = 0
        self.probes = 0
        self.failed_probes = 0
        self.error = ""
        self.version = ""
        self.took_s: float | None = None
        self.last_good_s: float | None = None
        self._endpoint = endpoint
        self._config = config
        self._successes = 0
        self._began_s = self._planned_s = self._models_due_s = -math.inf
        self._is_hinted = False
        self._loaded: tuple[LoadedModel, ...] | None = None
        self._stay_until_s = -math.inf
        self._available: frozenset[str] | None = None

    @property
    def due_s(self) -> float:
        """When the next probe is due, on the clock of `begin`; minus infinity is at once."""
        if self._is_hinted:
            return min(self._planned_s, self._began_s + HINT_S)
        return self._planned_s

    def begin(self, now_s: float) -> bool:
        """A probe begins; whether it asks for the models that the endpoint has, too.

        One that began and never ended, since its task crashed, is as if it had not been.
        """
        wants_models = self._is_hinted or now_s >= self._models_due_s
        self._began_s, self._is_hinted = now_s, False
        return wants_models

    def hint(self) -> None:
        """Something was seen that a probe may explain: one that asks everything is due at once.

        While a probe is under way this stands for the next one: what was seen may be news to it.
        """
        self._is_hinted = True

    def answered(self, sight: Sight, now_s: float, draw: float) -> Sequence[ProbeEffect]:
        """A probe got its answers.

        Args:
            sight: what it saw.
            now_s: the time, not before its beginning.
            draw: a number in [0, 1), for the jitter.
        """
        was_in_doubt = not self.is_good or bool(self.failures)
        is_out = not self.is_good
        self.probes += 1
        self._successes += 1
        self.failures, self.error = 0, ""
        if is_out and self._successes >= self._config.successes_min:
            self.is_good = True
        told: list[ProbeEffect] = []
        if was_in_doubt and self.is_good:
            told.append(fact.ProbeRecovered(at_s=now_s, endpoint=self._endpoint))
        told += self._notice(sight, now_s)
        self._remember(sight, now_s)
        if self.is_good:
            # While it was bad the pool heard nothing, and must not have missed the models.
            available = self._available if is_out else sight.available
            told.append(ProbeAnswered(self._endpoint, self.version, sight.loaded, available))
        self._plan(now_s, draw)
        return told

    def failed(self, error: str, now_s: float, draw: float) -> Sequence[ProbeEffect]:
        """A probe got no good answer.

        Args:
            error: the kind of error.
            now_s: the time, not before its beginning.
            draw: a number in [0, 1), for the jitter.
        """
        self.probes += 1
        self.failed_probes += 1
        self.failures += 1
        self.error = error
        self._successes = 0
        is_down = self.failures >= self._config.failures_max
        if is_down:
            self.is_good = False
        self._models_due_s = now_s  # it may come back with others
        self._plan(now_s, draw)
        seen = fact.ProbeFailed(
            at_s=now_s, endpoint=self._endpoint, error=error, failures=self.failures
        )
        # One that is bad stays down until it has proved itself, whatever its first good answer.
        return seen, ProbeUnanswered(self._endpoint, self.failures, not self.is_good)

    # ---- when

    def _plan(self, now_s: float, draw: float) -> None:
        """Settle when the next probe is due, unless a hint makes it sooner."""
        assert now_s >= self._began_s
        assert 0.0 <= draw < 1.0
        assert not (self.failures and self._successes)
        assert self.failures < self._config.failures_max or not self.is_good
        is_well = self.is_good and not self.failures
        pause_s = self._config.interval_s
        if not is_well:
            pause_s = min(RETRY_S, pause_s)
        if self.probes == 1 and self._config.jitter:
            # Probers that were started together part at once, not by a random walk of minutes.
            self._planned_s = now_s + pause_s * (1.0 - draw)
        else:
            self._planned_s = now_s + pause_s * (1.0 + self._config.jitter * (2.0 * draw - 1.0))

    # ---- what

    def _notice(self, sight: Sight, now_s: float) -> list[ProbeEffect]:
        """The facts that follow from what was seen before and now; a restart is a hint, too."""
        told: list[ProbeEffect] = []
        name, before, after = self._endpoint, self.version, sight.version
        has_new_version = bool(before and after) and before != after
        if has_new_version:
            told.append(fact.VersionChanged(at_s=now_s, endpoint=name, before=before, after=after))
        if has_new_version or self._has_lost_models(sight, now_s):
            told.append(fact.EndpointRestarted(at_s=now_s, endpoint=name, version=after or before))
            if sight.available is None:
                self.hint()
        if self._has_other_models(sight):
            told.append(self._models_changed(sight, now_s))
        return told

    def _has_lost_models(self, sight: Sight, now_s: float) -> bool:
        """Whether nothing is loaded any more, though something was to stay.

        It may have been unloaded on purpose: that cannot be told from a restart, and costs one
        question for the models too many.
        """
        is_emptied = bool(self._loaded) and sight.loaded == ()
        return is_emptied and self._stay_until_s > now_s + UNLOADED_S_MIN

    def _has_other_models(self, sight: Sight) -> bool:
        is_loaded_new = sight.loaded is not None and (
            self._loaded is None or set(sight.loaded) != set(self._loaded)
        )
        is_available_new = sight.available is not None and sight.available != self._available
        return is_loaded_new or is_available_new

    def _models_changed(self, sight: Sight, now_s: float) -> fact.ModelsChanged:
        available = self._available if sight.available is None else sight.available
        loaded = self._loaded if sight.loaded is None else sight.loaded
        return fact.ModelsChanged(
            at_s=now_s,
            endpoint=self._endpoint,
            available=len(available or ()),
            loaded=len(loaded or ()),
        )

    def _remember(self, sight: Sight, now_s: float) -> None:
        """Keep what was told; what was not is as it was."""
        self.last_good_s, self.took_s = now_s, sight.took_s
        self.version = sight.version or self.version
        if sight.loaded is not None:
            self._loaded = sight.loaded
            self._stay_until_s = -math.inf if sight.stays_s is None else now_s + sight.stays_s
        if sight.available is not None:
            self._available = sight.available
            self._models_due_s = now_s + self._config.tags_interval_s
