"""What a model needs when it is alone: a few small requests, one after the other.

The first loads the model, and counts for nothing. Then come some short ones, each with words of its
own so that no cache holds them: what the server's total leaves beyond load, prefill and decode is
``R0``, and what the client saw beyond that total is the way. At last a long one: by how many tokens
it is longer tells what a token is.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Final

from triollama_adapters.loadtest.errors import PlanError, TargetError
from triollama_adapters.loadtest.plan import Api
from triollama_adapters.loadtest.sample import Sample
from triollama_adapters.loadtest.sessions import Session, Turn
from triollama_adapters.loadtest.targets.asker import Asker
from triollama_adapters.loadtest.targets.clock import RunClock
from triollama_adapters.loadtest.targets.facts import ModelFacts
from triollama_adapters.loadtest.workload.lengths import TokenLengths
from triollama_adapters.loadtest.workload.scenario import Scenario
from triollama_adapters.loadtest.workload.text import make_text

__all__ = ["calibrate", "facts_of"]

SHORT_WORDS: Final = 8
LONG_WORDS: Final = 264
"""256 words more: a token more or less is 0.4 %. It fits into any context."""

SHORT: Final = 5
"""Short requests: of their figures the median counts."""

ANSWER_TOKENS: Final = 2
"""Of an answer: with one there is no time between two."""


async def calibrate(asker: Asker, clock: RunClock, scenario: Scenario, api: Api) -> ModelFacts:
    """Measure the model of a scenario at a concurrency of one.

    Args:
        asker: asks it.
        clock: the one that it stamps by.
        scenario: whose model and options.
        api: its route.

    Raises:
        TargetError: it does not answer.
    """
    words = [SHORT_WORDS] * (1 + SHORT) + [LONG_WORDS]
    samples = [
        await _ask(asker, clock, scenario, make_text(each, f"{clock.start_ns}/{number}"))
        for number, each in enumerate(words)
    ]
    return facts_of(samples[1:-1], samples[-1], api)


def facts_of(short: Sequence[Sample], long: Sample, api: Api) -> ModelFacts:
    """What the answers to short prompts and to a long one tell; pure.

    Args:
        short: of `SHORT_WORDS` words.
        long: of `LONG_WORDS` words.
        api: the route; what ``/v1`` tells are tokens only.
    """
    tokens: TokenLengths | None = None
    try:
        counted = round(median(each.prompt_tokens for each in short))
        tokens = TokenLengths.between((SHORT_WORDS, counted), (LONG_WORDS, long.prompt_tokens))
    except PlanError:
        pass  # it does not count, or it cut the prompt: four characters are a token, then
    per_token = None if tokens is None else tokens.characters_per_token
    overhead_tokens = 0.0 if tokens is None else tokens.overhead_tokens
    timed = [each for each in short if each.is_timed]
    if not timed or api == "openai":
        return ModelFacts(characters_per_token=per_token, overhead_tokens=overhead_tokens)
    is_read = long.is_timed and long.prefill_ns > 0 and long.prompt_tokens > 0
    return ModelFacts(
        overhead_ns=round(median(_residual_ns(each) for each in timed)),
        rtt_ns=round(median(each.done_ns - each.sent_ns - each.total_ns for each in timed)),
        load_ns=round(median(each.load_ns for each in timed)),
        prefill_ns_per_token=long.prefill_ns / long.prompt_tokens if is_read else None,
        characters_per_token=per_token,
        overhead_tokens=overhead_tokens,
    )


def _residual_ns(sample: Sample) -> int:
    told_ns = sample.load_ns + sample.prefill_ns + sample.decode_ns
    return max(0, sample.total_ns - told_ns)


async def _ask(asker: Asker, clock: RunClock, scenario: Scenario, text: str) -> Sample:
    turn = Turn(text, num_predict=ANSWER_TOKENS)
    session = Session(
        0,
        None,
        scenario.name,
        scenario.model,
        (turn,),
        scenario.system,
        options=scenario.options,
        think=scenario.think,
    )
    sample = await asker.ask(session, 0, [], clock.now_ns())
    if sample.outcome != "ok":
        raise TargetError(
            f"{sample.endpoint or 'the fleet'} does not answer for {scenario.model!r} before any "
            f"load: {sample.detail or sample.outcome}"
        )
    return sample
