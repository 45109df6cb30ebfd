"""What endpoints are: slots, cold start, what reloads, how fast they read and write.

One endpoint after the other, and of each one thing after the other: what is measured here is what
a request takes that is alone, but for the burst. Where others use the server, figures are theirs
as well; `Look` leaves out what would disturb them most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

import trio
from msgspec.structs import replace

from triollama_adapters.loadtest.plan import Api, Target
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.search import probe as probes
from triollama_adapters.loadtest.search.found import (
    Discovered,
    EndpointDiscovered,
    ReloadFound,
    SlotsFound,
)
from triollama_adapters.loadtest.search.looking import Look, OpenProbe, Probe
from triollama_adapters.loadtest.search.questions import LONG_WORDS, Questions
from triollama_adapters.loadtest.search.slots import BURST_FIRST, BURST_TIMES, count_slots, is_brief
from triollama_adapters.loadtest.search.speeds import (
    Alone,
    alone_of,
    decode_per_s,
    is_cached,
    is_reload,
    load_limit_ns,
    speeds_of,
)
from triollama_adapters.loadtest.sessions import Session
from triollama_adapters.loadtest.units import show_count

__all__ = ["RELOAD_PAIRS", "discover"]

ALONE: Final = 6
"""Short requests one after the other: the least and the greatest of 6 are the interval of their
median."""

LONG: Final = 5
"""Long prompts that are new, each of which is asked once more."""

LONGER_TIMES: Final = 2
LONGER_MAX: Final = 3
"""So often a burst is repeated with answers that are twice as long, if the first answers ended
before the last request was sent."""

RELOAD_PAIRS: Final[dict[str, tuple[Any, Any]]] = {
    "num_ctx": (2048, 3072),
    "num_batch": (256, 128),
    "num_thread": (3, 4),
    "temperature": (0.1, 0.7),
    "top_k": (20, 30),
}
"""Options with two values that follow one another: whatever was set before, the second is another
one. Left out is what may not fit a server's memory."""


async def discover(
    target: Target,
    model: str,
    *,
    look: Look | None = None,
    open_probe: OpenProbe | None = None,
    on_find: Callable[[str], None] | None = None,
) -> Discovered:
    """Find out what each endpoint of a target is, one after the other.

    A request that fails leaves a note, and what it was for untold; nothing is raised for it.

    Args:
        target: whose endpoints.
        model: which of their models.
        look: what to look for.
        open_probe: how an endpoint is asked; by default as load tests do.
        on_find: told what is looked for and what was found, line by line.

    Raises:
        TargetError: an address is not usable.
    """
    opened = open_probe or probes.open_probe
    found = []
    for endpoint in target.endpoints:
        async with opened(target, endpoint) as probe:
            tell = partial(_tell, on_find, endpoint)
            search = _Search(probe, target.api, look or Look(), tell)
            found.append(await search.run(EndpointDiscovered(endpoint, model)))
    return Discovered(tuple(found))


def _tell(on_find: Callable[[str], None] | None, endpoint: str, what: str) -> None:
    if on_find is not None:
        on_find(f"{endpoint}: {what}")


class _Search:
    """The search of one endpoint: asks, and puts together what the pure modules make of it."""

    _found: EndpointDiscovered
    _questions: Questions

    def __init__(self, probe: Probe, api: Api, look: Look, tell: Callable[[str], None]) -> None:
        self._probe = probe
        self._api = api
        self._look = look
        self._tell = tell

    async def run(self, begun: EndpointDiscovered) -> EndpointDiscovered:
        """Find out all that is looked for, of the endpoint and model of `begun`."""
        self._found = begun
        self._questions = Questions(begun.model, self._look.seed)
        self._tell("asking a few requests, one at a time ...")
        first = await self._ask()  # loads the model, if it is not loaded
        if first.outcome != "ok":
            self._note(f"a request failed: {first.outcome} {first.detail}".rstrip())
            return self._found
        alone = await self._find_alone()
        if self._look.speeds:
            self._tell("asking long prompts, each of them twice ...")
            await self._find_speeds()
        if self._look.slots:
            self._tell("asking many at once ...")
            await self._find_slots(alone)
        cold = await self._find_cold() if self._look.cold else None
        if self._look.reloads:
            self._tell("changing options, one after the other ...")
            await self._find_reloads(alone, cold)
        return self._found

    async def _find_alone(self) -> Alone:
        alone = alone_of([await self._ask() for _ in range(ALONE)])
        overhead = alone.overhead_ns
        self._set(
            is_timed=alone.is_timed,
            overhead_s=None if overhead is None else _seconds(overhead),
            transport_s=_s(alone.transport_ns),
            warm_load_s=_s(alone.load_ns),
            warm_ttft_s=_s(alone.ttft_ns),
        )
        if not alone.is_timed:
            self._note("it does not tell its times: all figures are the client's")
        return alone

    async def _find_speeds(self) -> None:
        tokens = self._look.answer_tokens
        new, known = [], []
        for _ in range(LONG):
            session = self._questions.make(words=LONG_WORDS, tokens=tokens)
            new.append(await self._probe.ask(session))
            known.append(await self._probe.ask(session))
        uncached = speeds_of(new)
        cached = speeds_of(known, [each.prompt_tokens for each in new])
        self._set(uncached=uncached, cached=cached, has_prefix_cache=is_cached(new, known))
        self._tell(
            f"reads {_shown(uncached.prefill_tokens_per_s)} tokens/s, "
            f"writes {_shown(uncached.decode_tokens_per_s)} tokens/s"
        )

    async def _find_slots(self, alone: Alone) -> None:
        if self._api == "embed":
            self._note("an embedding model does not tell enough to find its slots")
            return
        overhead = None if alone.overhead_ns is None else alone.overhead_ns.value
        burst, tokens, longer = min(BURST_FIRST, self._look.burst_max), self._look.answer_tokens, 0
        while True:
            samples = await self._burst(burst, tokens)
            slots = count_slots(samples, overhead)
            if slots.is_exact or slots.slots is None:
                break
            if (_is_spread(samples) or is_brief(samples)) and longer < LONGER_MAX:
                tokens, longer = tokens * LONGER_TIMES, longer + 1
            elif burst < self._look.burst_max:
                burst = min(burst * BURST_TIMES, self._look.burst_max)
            else:
                break
        self._set(slots=slots, busy_decode_tokens_per_s=_busy(samples, slots))
        known = "" if slots.is_exact else "at least "
        self._tell(f"works on {known}{show_count(slots.slots or 0, 'request')} at once")

    async def _find_cold(self) -> Sample | None:
        """Unload the model, and ask."""
        if not await self._probe.unload(self._found.model):
            self._note("the model could not be unloaded, so a cold start was not seen")
            return None
        cold = await self._ask()
        if cold.outcome != "ok":
            self._note(f"the request after unloading failed: {cold.outcome}")
            return None
        load_ns = cold.load_ns if self._found.is_timed else None
        self._set(cold_load_s=_s(load_ns), cold_ttft_s=_s(cold.first_ns - cold.sent_ns))
        self._tell(f"its first token took {_shown(self._found.cold_ttft_s)} s after a cold start")
        return cold

    async def _find_reloads(self, alone: Alone, cold: Sample | None) -> None:
        if self._api == "openai":
            self._note("/v1 takes no options of the runner, so nothing it asks reloads")
            return
        if cold is None and not alone.is_timed:
            self._note("it tells no times and no load was seen, so what reloads cannot be told")
            return
        limit_ns = load_limit_ns(alone, cold)
        found = []
        for option, (before, after) in RELOAD_PAIRS.items():
            await self._ask({option: before})
            sample = await self._ask({option: after})
            is_new = is_reload(sample, alone, limit_ns)
            load_ns = sample.load_ns if sample.outcome == "ok" and sample.is_timed else None
            found.append(ReloadFound(option, (before, after), is_new, _s(load_ns)))
        await self._ask()  # so that the model is loaded as it was
        self._set(reloads=tuple(found))
        names = ", ".join(each.option for each in found if each.reloads)
        self._tell(f"loads anew for another {names}" if names else "no option loads anew")

    async def _ask(self, options: dict[str, Any] | None = None) -> Sample:
        return await self._probe.ask(self._questions.make(options=options))

    async def _burst(self, count: int, tokens: int) -> list[Sample]:
        """Ask so many at once. None of them raises; all end with the nursery."""
        samples: list[Sample] = []

        async def ask(session: Session) -> None:
            samples.append(await self._probe.ask(session))

        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(ask, self._questions.make(tokens=tokens))
        return samples

    def _set(self, **found: Any) -> None:
        self._found = replace(self._found, **found)

    def _note(self, note: str) -> None:
        self._set(notes=(*self._found.notes, note))
        self._tell(note)


def _is_spread(samples: Sequence[Sample]) -> bool:
    """Whether some answer was whole before the last request was sent."""
    ended = [each.done_ns for each in samples if each.outcome == "ok"]
    return bool(ended) and min(ended) <= max(each.sent_ns for each in samples)


def _busy(samples: Sequence[Sample], slots: SlotsFound) -> float | None:
    """The speed of one answer while all slots are busy: of all but the last ones of a burst."""
    if not slots.is_exact or slots.slots is None:
        return None
    ordered = sorted(samples, key=lambda each: each.done_ns)
    return decode_per_s(ordered[: len(ordered) - slots.slots] or ordered)


def _seconds(found: Any) -> Any:
    return replace(found, value=found.value / 1e9, low=found.low / 1e9, high=found.high / 1e9)


def _s(nanoseconds: float | None) -> float | None:
    return None if nanoseconds is None else nanoseconds / 1e9


WHOLE_FROM: Final = 100.0
"""Above that digits behind the point tell nothing."""


def _shown(value: float | None) -> str:
    if value is None:
        return "?"
    return f"{value:,.0f}" if value >= WHOLE_FROM else f"{value:.3g}"
