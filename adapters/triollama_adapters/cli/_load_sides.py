"""The commands ``triollama load ab`` and ``policies``: the same load, two ways."""

from __future__ import annotations

from typing import Annotated, Final

import attrs
import trio
from cyclopts import Parameter
from cyclopts.validators import Number
from msgspec.structs import replace

from triollama import EndpointConfig
from triollama_adapters.cli._failures import (
    EXIT_ABORTED,
    EXIT_INTERRUPTED,
    EXIT_OK,
    CliError,
)
from triollama_adapters.cli._load_asked import PLAIN, Asked
from triollama_adapters.cli._load_bench import Bench, at_bench
from triollama_adapters.cli._load_client import SELF, Client
from triollama_adapters.cli._load_files import NOWHERE, Files
from triollama_adapters.cli._load_plan import make_plan
from triollama_adapters.cli._load_publish import end, nothing, publish
from triollama_adapters.cli._load_search import Slo
from triollama_adapters.cli._load_when import AT_ONCE, MINUTE, STEP_S, WHEN, HowMuch, Window
from triollama_adapters.cli._load_whom import ANYBODY, WHOM, Whom
from triollama_adapters.loadtest.plan import Target
from triollama_adapters.loadtest.search.ab import interleave
from triollama_adapters.loadtest.search.found import AbFound, Pair, PoliciesFound
from triollama_adapters.loadtest.search.policies import compare_policies, routings

__all__ = ["AB_EXAMPLES", "POLICIES_EXAMPLES", "ab", "policies"]

AB_EXAMPLES: Final = """
Examples:

* `triollama load ab --a http://gpu-1:11434 --b http://gpu-2:11434 -m llama3.2 --rate 5/s`
* `triollama load ab --simulate 2 --concurrency 4 --duration 5s --pairs 6`
"""

POLICIES_EXAMPLES: Final = """
Examples:

* `triollama load policies --simulate 3 --rate 10/s --report policies.html`
* `triollama load policies -m llama3.2 --endpoint http://gpu-1:11434 --endpoint
  http://gpu-2:11434 --replay trace.jsonl`
"""

Side = Annotated[tuple[str, ...], Parameter(negative_iterable=(), show_default=False, group=WHOM)]


async def ab(
    *,
    a: Side = (),
    b: Side = (),
    pairs: Annotated[int, Parameter(validator=Number(gte=2, lte=1_000), group=WHEN)] = 10,
    how_much: HowMuch = AT_ONCE,
    slo: Slo = (),
    window: Window = MINUTE,
    asked: Asked = PLAIN,
    whom: Whom = ANYBODY,
    client: Client = SELF,
    files: Files = NOWHERE,
) -> int:
    """Compare two targets in one run, in short windows that alternate.

    Both windows of a pair have the same load, and what changes over the day hits both alike. With
    --simulate N the first server is A and the others are B.

    Args:
        a: Address of side A; repeat it for several.
        b: Address of side B; repeat it for several.
        pairs: Windows of each side; which side begins is drawn.
        how_much: How much load.
        slo: An objective, such as 'ttft_p95<800ms'; repeat it for more.
        window: How long each window is.
        asked: What is asked.
        whom: For whom.
        client: Who makes the load.
        files: What is written.

    Returns:
        The exit code.
    """
    sides = _sides(a, b, whom)
    timed = how_much.timed(window, asked.think_s(), default_s=STEP_S)
    plan = make_plan(timed, window=window, asked=asked, whom=sides.whom, client=client, slo=slo)
    force = await trio.to_thread.run_sync(files.check)

    async def work(bench: Bench) -> AbFound:
        def tell(pair: Pair) -> None:
            bench.tell(f"pair {pair.index + 1} of {pairs} is done")

        first, second = sides.targets(bench.plan.target)
        return await interleave(
            bench.plan, first, second, bench.whole(), pairs=pairs, on_pair=tell, stop=bench.stop
        )

    found, is_stopped = await at_bench(plan, whom.simulate, work, client=client)
    if found is None:
        return nothing()
    await publish([found.a, found.b], found, files, force=force)
    return end(*_ending([found.a.client.validity, found.b.client.validity], is_stopped))


async def policies(
    *,
    how_much: HowMuch = AT_ONCE,
    slo: Slo = (),
    window: Window = MINUTE,
    asked: Asked = PLAIN,
    whom: Whom = ANYBODY,
    client: Client = SELF,
    files: Files = NOWHERE,
) -> int:
    """Give several endpoints the same load once for each way of sharing it, and compare.

    The ways are those of --routing: even, and triollama's own pool.

    Args:
        how_much: How much load.
        slo: An objective, such as 'ttft_p95<800ms'; repeat it for more.
        window: How long each run is.
        asked: What is asked.
        whom: For whom.
        client: Who makes the load.
        files: What is written.

    Returns:
        The exit code.
    """
    if max(len(whom.addresses()), whom.simulate) < 2:
        raise CliError("there is nothing to share: give --endpoint twice, or --simulate 2")
    timed = how_much.timed(window, asked.think_s(), default_s=STEP_S)
    plan = make_plan(timed, window=window, asked=asked, whom=whom, client=client, slo=slo)
    force = await trio.to_thread.run_sync(files.check)

    async def work(bench: Bench) -> PoliciesFound:
        ways = routings(bench.plan.target)
        return await compare_policies(bench.plan, ways, bench.whole(), stop=bench.stop)

    found, is_stopped = await at_bench(plan, whom.simulate, work, client=client)
    if found is None or not found.results:
        return nothing()
    await publish(found.results, found, files, force=force)
    return end(*_ending([each.client.validity for each in found.results], is_stopped))


@attrs.frozen
class _Sides:
    """Who is A and who is B.

    Attributes:
        whom: both together, for what is found out before.
        first: how many endpoints at the beginning are A's.
    """

    whom: Whom
    first: int

    def targets(self, target: Target) -> tuple[Target, Target]:
        """The two, of all endpoints."""
        names = target.endpoints
        return (
            replace(target, endpoints=names[: self.first]),
            replace(target, endpoints=names[self.first :]),
        )


def _sides(a: tuple[str, ...], b: tuple[str, ...], whom: Whom) -> _Sides:
    """See that there are two.

    Raises:
        CliError: there are not.
    """
    if whom.simulate:
        if a or b or whom.simulate < 2:
            raise CliError("--simulate takes the place of --a and --b; give it at least 2")
        return _Sides(whom, 1)
    if whom.endpoint or not (a and b):
        raise CliError("give the two sides as --a URL and --b URL, or --simulate 2 for a try")
    if shared := {EndpointConfig(each).url for each in a} & {
        EndpointConfig(each).url for each in b
    }:
        raise CliError(f"{min(shared)} is on both sides")
    return _Sides(attrs.evolve(whom, endpoint=(*a, *b)), len(a))


def _ending(validities: list[str], is_stopped: bool) -> tuple[int, str]:  # noqa: FBT001
    if is_stopped:
        return EXIT_INTERRUPTED, "interrupted: the comparison is of what was measured so far"
    if "INVALID" in validities:
        return EXIT_ABORTED, "INVALID: this client was the bottleneck of one side at least"
    return EXIT_OK, ""
