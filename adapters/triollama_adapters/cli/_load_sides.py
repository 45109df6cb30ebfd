"""The commands ``triollama load ab`` and ``policies``: the same load, two ways."""

from __future__ import annotations

from typing import Annotated, Final

import attrs
from cyclopts import Parameter
from cyclopts.validators import Number
from msgspec.structs import replace

from triollama import EndpointConfig
from triollama_adapters.cli._failures import (
    EXIT_ABORTED,
    EXIT_OK,
    CliError,
)
from triollama_adapters.cli._load_bench import Bench
from triollama_adapters.cli._load_order import ORDINARY, Order, carry_out
from triollama_adapters.cli._load_stored import results_of
from triollama_adapters.cli._load_when import AT_ONCE, WHEN, HowMuch
from triollama_adapters.cli._load_whom import WHOM, Whom
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
    order: Order = ORDINARY,
) -> int:
    """Compare two targets in one run, in short windows that alternate.

    Both windows of a pair have the same load, and what changes over the day hits both alike. With
    --simulate N the first server is A and the others are B.

    Args:
        a: Address of side A; repeat it for several.
        b: Address of side B; repeat it for several.
        pairs: Windows of each side; which side begins is drawn.
        how_much: How much load.
        order: What is wanted else.

    Returns:
        The exit code.
    """
    sides = _sides(a, b, order.whom)

    async def work(bench: Bench) -> AbFound | None:
        def tell(pair: Pair) -> None:
            bench.tell(f"pair {pair.index + 1} of {pairs} is done")

        first, second = sides.targets(bench.plan.target)
        return await interleave(
            bench.plan, first, second, bench.whole(), pairs=pairs, on_pair=tell, stop=bench.stop
        )

    return await carry_out(attrs.evolve(order, whom=sides.whom), how_much, work, _ending)


async def policies(
    *,
    how_much: HowMuch = AT_ONCE,
    order: Order = ORDINARY,
) -> int:
    """Give several endpoints the same load once for each way of sharing it, and compare.

    The ways are those of --routing: even, and triollama's own pool.

    Args:
        how_much: How much load.
        order: What is wanted else.

    Returns:
        The exit code.
    """
    if max(len(order.whom.addresses()), order.whom.simulate) < 2:
        raise CliError("there is nothing to share: give --endpoint twice, or --simulate 2")

    async def work(bench: Bench) -> PoliciesFound | None:
        ways = routings(bench.plan.target)
        found = await compare_policies(bench.plan, ways, bench.whole(), stop=bench.stop)
        return found if found.results else None

    return await carry_out(order, how_much, work, _ending)


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


def _ending(found: AbFound | PoliciesFound) -> tuple[int, str]:
    if any(each.client.validity == "INVALID" for each in results_of(found)):
        return EXIT_ABORTED, "INVALID: this client was the bottleneck of one side at least"
    return EXIT_OK, ""
